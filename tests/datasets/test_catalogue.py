import os

import pandas as pd
import pytest
from helpers import save_image

from skart.datasets import load_catalogue, load_image_folder


@pytest.fixture
def museum(tmp_path):
    paths = ["im/a b.jpg", "im/é.jpg", "im/c.jpg"]
    for path in paths:
        save_image(tmp_path / path, (8, 8))
    return tmp_path, pd.DataFrame(
        {
            "path": paths,
            "movement": ["Op Art", "Pop Art", "Op Art"],
            "artist": ["Björk, A.", None, "Björk, A."],
            "year": [1965, 1962, 1970],
        }
    )


@pytest.mark.parametrize("sep", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_file_of_any_separator(museum, sep, encoding):
    root, table = museum
    table.to_csv(root / "works.csv", index=False, sep=sep, encoding=encoding)
    paintings = load_catalogue(root / "works.csv")
    assert paintings.paths.tolist() == [str(root / path) for path in table["path"]]
    assert paintings.labels.tolist() == ["Op Art", "Pop Art", "Op Art"]
    assert paintings.artists[0] == paintings.artists[2] == "Björk, A."
    assert paintings.artists[1] not in ("nan", "None", "Björk, A.")
    assert paintings.frame["year"].tolist() == [1965, 1962, 1970]
    assert paintings.skipped == {}


def test_separator_and_encoding_are_passed_on(museum):
    root, table = museum
    table.to_csv(root / "works.csv", index=False, sep="|", encoding="latin-1")
    paintings = load_catalogue(root / "works.csv", sep="|", encoding="latin-1")
    assert paintings.artists[0] == "Björk, A."


def test_dataframe_with_other_column_names(museum):
    root, table = museum
    original = table = table.rename(columns={"path": "file", "movement": "style"})
    table["style"] = [1, 2, 1]
    before = table.copy()
    paintings = load_catalogue(table, path="file", movement="style", root=root)
    assert paintings.labels.tolist() == [1, 2, 1]
    assert paintings.labels.dtype.kind == "i"
    pd.testing.assert_frame_equal(original, before)


@pytest.mark.parametrize("column_exists", [True, False])
def test_artists_are_optional(museum, column_exists):
    root, table = museum
    if column_exists:
        paintings = load_catalogue(table, artist=None, root=root)
    else:
        paintings = load_catalogue(table.drop(columns="artist"), root=root)
    assert paintings.artists is None
    assert paintings.frame.columns.tolist() == ["path", "movement", "artist", "year"]


def test_invalid_catalogue_raises(museum):
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
    with pytest.raises(ValueError, match="has no paintings"):
        load_catalogue(table[:0], root=root)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("path,movement\nä.jpg,Op Art".encode("latin-1"), "Save it as UTF-8"),
        (b"", "can't be read as a table"),
    ],
)
def test_unreadable_file_raises(tmp_path, content, message):
    (tmp_path / "works.csv").write_bytes(content)
    with pytest.raises(ValueError, match=rf"works.csv' .*{message}"):
        load_catalogue(tmp_path / "works.csv")


def test_catalogue_of_real_paintings_agrees_with_folder():
    folder = os.environ.get("SKART_PAINTINGS")
    if not folder:
        pytest.skip("SKART_PAINTINGS names no folder of paintings with a catalogue.csv")
    by_table = load_catalogue(os.path.join(folder, "catalogue.csv"))
    by_folder = load_image_folder(folder)
    assert sorted(by_table.paths) == sorted(by_folder.paths)
    assert by_table.target_names == by_folder.target_names
