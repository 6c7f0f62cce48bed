import os
import shutil

import numpy as np
import pandas as pd
import pytest
from helpers import save_image
from sklearn.model_selection import StratifiedGroupKFold

from skart.datasets import load_catalogue, load_image_folder, load_pandora18k
from skart.datasets._pandora18k import _MOVEMENTS


def write(root, *names):
    for name in names:
        save_image(root / name, (8, 8))


def test_nested_folders_stay_as_they_are(tmp_path):
    write(
        tmp_path,
        "Cubism/Juan Gris/01.jpg",
        "Cubism/Pablo Picasso/01.jpg",
        "Fauvism/André Derain/01.JPG",
        "Fauvism/André Derain/étude à l'huile.PNG",
        "Fauvism/Henri Matisse/Late works/01.Jpeg",
    )
    paintings = load_image_folder(tmp_path)
    assert paintings.paths.tolist() == [
        str(tmp_path / "Cubism/Juan Gris/01.jpg"),
        str(tmp_path / "Cubism/Pablo Picasso/01.jpg"),
        str(tmp_path / "Fauvism/André Derain/01.JPG"),
        str(tmp_path / "Fauvism/André Derain/étude à l'huile.PNG"),
        str(tmp_path / "Fauvism/Henri Matisse/Late works/01.Jpeg"),
    ]
    assert paintings.labels.tolist() == ["Cubism"] * 2 + ["Fauvism"] * 3
    assert paintings.artists.tolist() == [
        "Juan Gris",
        "Pablo Picasso",
        "André Derain",
        "André Derain",
        "Henri Matisse",
    ]
    assert paintings.target_names == ["Cubism", "Fauvism"]
    assert paintings.frame.columns.tolist() == ["path", "movement", "artist"]
    assert paintings.skipped == {}


def test_without_artists(tmp_path):
    write(tmp_path, "Cubism/b.jpg", "Cubism/a.jpg", "Fauvism/a.jpg")
    paintings = load_image_folder(tmp_path)
    assert paintings.artists is None
    assert [os.path.basename(path) for path in paintings.paths] == [
        "a.jpg",
        "b.jpg",
        "a.jpg",
    ]


def test_one_artist_in_two_movements_is_one_group(tmp_path):
    write(tmp_path, "Cubism/Braque/1.jpg", "Fauvism/Braque/1.jpg", "Fauvism/x.jpg")
    paintings = load_image_folder(tmp_path)
    assert paintings.artists[0] == paintings.artists[1] == "Braque"
    assert paintings.frame["artist"].isna().tolist() == [False, False, True]


def test_paintings_of_unknown_artists_are_groups_of_their_own(tmp_path):
    write(tmp_path, *(f"{m}/{i}.jpg" for m in "AB" for i in range(6)), "A/X/1.jpg")
    paintings = load_image_folder(tmp_path)
    assert len(set(paintings.artists)) == 13
    splitter = StratifiedGroupKFold(3)
    splits = splitter.split(paintings.paths, paintings.labels, paintings.artists)
    assert all(len(test) for _, test in splits)


def test_what_is_no_painting_is_counted(tmp_path):
    write(tmp_path, "A/1.jpg", "B/1.jpg", "A/._1.jpg", "A/.thumbs/1.jpg", "loose.jpg")
    (tmp_path / "A" / "README.txt").write_text("about")
    (tmp_path / "A" / "empty.jpg").touch()
    (tmp_path / "A" / "Thumbs.db").write_text("x")
    (tmp_path / ".git").mkdir()
    (tmp_path / "notes.md").write_text("x")
    (tmp_path / "B" / "loop").symlink_to(tmp_path / "B", target_is_directory=True)
    (tmp_path / "B" / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    (tmp_path / "B" / "itself.jpg").symlink_to(tmp_path / "B" / "itself.jpg")
    paintings = load_image_folder(tmp_path)
    assert len(paintings.paths) == 2
    assert paintings.skipped == {
        "hidden": 4,
        "not an image": 2,
        "empty": 1,
        "outside a movement": 1,
        "link to a folder around it": 1,
        "broken link": 2,
    }


@pytest.mark.parametrize(
    "names, error, message",
    [
        (None, FileNotFoundError, "there is no folder"),
        ([], ValueError, "holds no images"),
        (["a.jpg", "b.jpg"], ValueError, "2 lie"),
        (["A/a.jpg"], ValueError, "one movement only, 'A'"),
        (["A/a.jpg", "B/a.jpg", "C/.hidden.jpg"], ValueError, "without images: C"),
    ],
)
def test_bad_roots(tmp_path, names, error, message):
    root = tmp_path / "root"
    if names is not None:
        root.mkdir()
        write(root, *names)
    with pytest.raises(error, match=message) as caught:
        load_image_folder(root)
    assert str(root) in str(caught.value)


def test_root_that_is_a_file(tmp_path):
    write(tmp_path, "a.jpg")
    with pytest.raises(NotADirectoryError, match="a file, not a folder"):
        load_image_folder(tmp_path / "a.jpg")


@pytest.fixture
def museum(tmp_path):
    write(tmp_path, "im/a b.jpg", "im/é.jpg", "im/c.jpg")
    return tmp_path, pd.DataFrame(
        {
            "path": ["im/a b.jpg", "im/é.jpg", "im/c.jpg"],
            "movement": ["Op Art", "Pop Art", "Op Art"],
            "artist": ["Björk, A.", None, "Björk, A."],
            "year": [1965, 1962, 1970],
        }
    )


@pytest.mark.parametrize("sep", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_catalogue(museum, sep, encoding):
    root, table = museum
    table.to_csv(root / "works.csv", index=False, sep=sep, encoding=encoding)
    paintings = load_catalogue(root / "works.csv")
    assert paintings.paths.tolist() == [str(root / path) for path in table["path"]]
    assert paintings.labels.tolist() == ["Op Art", "Pop Art", "Op Art"]
    assert paintings.artists[0] == paintings.artists[2] == "Björk, A."
    assert paintings.artists[1] not in ("nan", "None", "Björk, A.")
    assert paintings.frame["year"].tolist() == [1965, 1962, 1970]


def test_catalogue_from_a_frame_with_other_names(museum):
    root, table = museum
    table = table.rename(columns={"path": "file", "movement": "style"})
    table["style"] = [1, 2, 1]
    paintings = load_catalogue(table, path="file", movement="style", root=root)
    assert paintings.labels.tolist() == [1, 2, 1]
    assert paintings.labels.dtype.kind == "i"
    assert (
        load_catalogue(
            table.drop(columns="artist"), path="file", movement="style", root=root
        ).artists
        is None
    )


def test_catalogue_errors(museum):
    root, table = museum
    with pytest.raises(FileNotFoundError, match="no catalogue"):
        load_catalogue(root / "nothing.csv")
    with pytest.raises(ValueError, match="'movment'.*Did you mean 'movement'"):
        load_catalogue(table, movement="movment", root=root)
    with pytest.raises(ValueError, match="Did you mean 'artist'"):
        load_catalogue(table, artist="artists", root=root)
    with pytest.raises(FileNotFoundError, match=r"row 1 \('.*a b.jpg'\)"):
        load_catalogue(table, root=root / "elsewhere")
    table.loc[1, "movement"] = None
    with pytest.raises(ValueError, match="without path or movement: row 2"):
        load_catalogue(table, root=root)


def test_catalogue_of_real_paintings():
    folder = os.environ.get("SKART_PAINTINGS")
    if not folder:
        pytest.skip("SKART_PAINTINGS names no folder of paintings with a catalogue.csv")
    by_table = load_catalogue(os.path.join(folder, "catalogue.csv"))
    by_folder = load_image_folder(folder)
    assert sorted(by_table.paths) == sorted(by_folder.paths)
    assert by_table.target_names == by_folder.target_names


@pytest.fixture
def pandora(tmp_path):
    for number, name, _, _ in _MOVEMENTS:
        spelt = name.replace("Byzantine", "Byzantin").replace(" ", "_")
        write(tmp_path, f"{number:02}_{spelt}/Some_Artist/1.jpg")
    return tmp_path


def test_pandora(pandora):
    with pytest.warns(UserWarning, match=r"18 paintings instead of 18,038") as caught:
        paintings = load_pandora18k(pandora)
    assert len(caught) == 1
    assert sorted(paintings.target_names) == sorted(
        name for _, name, _, _ in _MOVEMENTS
    )
    assert paintings.movements["number"].tolist() == list(range(1, 19))
    assert paintings.movements["found"].tolist() == [1] * 18
    assert (paintings.movements["start"] < paintings.movements["end"]).all()
    by_path = dict(zip(paintings.paths, paintings.labels, strict=True))
    path = str(pandora / "03_Northern_Renaissance/Some_Artist/1.jpg")
    assert by_path[path] == "Northern Renaissance"
    np.testing.assert_array_equal(paintings.frame["movement"], paintings.labels)


def test_pandora_tells_every_difference(pandora):
    shutil.rmtree(pandora / "14_Cubism")
    write(pandora, "19_Op_Art/Some_Artist/1.jpg")
    with pytest.warns(UserWarning, match="no Cubism; beside the 18 movements Op Art"):
        paintings = load_pandora18k(pandora)
    assert len(paintings.differences) == 3
    with pytest.raises(ValueError, match="no Cubism"):
        load_pandora18k(pandora, on_mismatch="raise")
    assert len(load_pandora18k(pandora, on_mismatch="ignore").differences) == 3


def test_pandora_refuses_another_collection(tmp_path):
    write(tmp_path, "cats/a.jpg", "dogs/a.jpg")
    with pytest.raises(ValueError, match="is not Pandora18K.*load_image_folder"):
        load_pandora18k(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("path,movement\nä.jpg,Op Art".encode("latin-1"), "Save it as UTF-8"),
        (b"", "can't be read as a table"),
    ],
)
def test_what_is_no_table_is_named(tmp_path, content, message):
    (tmp_path / "works.csv").write_bytes(content)
    with pytest.raises(ValueError, match=rf"works.csv' .*{message}"):
        load_catalogue(tmp_path / "works.csv")
