import os
from pathlib import PurePath

import numpy as np
import pandas as pd
import pytest
from helpers import needs_names_of_bytes, needs_posix, save_image
from sklearn.model_selection import StratifiedGroupKFold

from skart.datasets import list_images, load_image_folder, load_wikiart
from skart.datasets._folder import IMAGE_EXTENSIONS


def write(root, *names):
    for name in names:
        save_image(root / name, (8, 8))


def test_paths_movements_and_artists_in_order(tmp_path):
    names = [
        "Cubism/Juan Gris/01.jpg",
        "Cubism/Pablo Picasso/01.jpg",
        "Fauvism/André Derain/01.JPG",
        "Fauvism/André Derain/étude à l'huile.PNG",
        "Fauvism/Henri Matisse/Late works/01.Jpeg",
    ]
    write(tmp_path, *reversed(names))
    paintings = load_image_folder(tmp_path)
    assert paintings.paths.tolist() == [str(tmp_path / name) for name in names]
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


def test_artists_is_none_without_folders_of_artists(tmp_path):
    write(tmp_path, "Cubism/b.jpg", "Cubism/a.jpg", "Fauvism/a.jpg")
    paintings = load_image_folder(tmp_path)
    assert paintings.artists is None
    names = [os.path.basename(path) for path in paintings.paths]
    assert names == ["a.jpg", "b.jpg", "a.jpg"]


def test_artist_of_two_movements_is_one_group(tmp_path):
    write(tmp_path, "Cubism/Braque/1.jpg", "Fauvism/Braque/1.jpg", "Fauvism/x.jpg")
    paintings = load_image_folder(tmp_path)
    assert paintings.artists[0] == paintings.artists[1] == "Braque"
    assert paintings.frame["artist"].isna().tolist() == [False, False, True]


def test_painting_without_artist_is_a_group_of_its_own(tmp_path):
    write(tmp_path, *(f"{m}/{i}.jpg" for m in "AB" for i in range(6)), "A/X/1.jpg")
    paintings = load_image_folder(tmp_path)
    assert len(set(paintings.artists)) == 13
    splitter = StratifiedGroupKFold(3)
    splits = splitter.split(paintings.paths, paintings.labels, paintings.artists)
    assert all(len(test) for _, test in splits)


def test_artist_in_several_spellings_is_one_group(tmp_path):
    names = [
        "A/Claude Monet",
        "A/anonymous",
        "B/CLAUDE  MONET",
        "B/Anonymous",
        "B/Gris",
    ]
    write(tmp_path, *(f"{name}/1.jpg" for name in names))
    message = "'CLAUDE MONET' is 'Claude Monet'; 'claude monet' is 'Claude Monet'. If"
    write(tmp_path, "B/claude monet/1.jpg")
    with pytest.warns(UserWarning, match=message) as caught:
        paintings = load_image_folder(tmp_path)
    assert len(caught) == 1 and caught[0].filename == __file__
    known = paintings.frame["artist"].dropna()
    assert known.tolist() == ["Claude Monet", "Claude Monet", "Gris", "Claude Monet"]
    assert len(set(paintings.artists)) == 4  # each unknown one is alone


def test_movements_in_several_spellings_are_named(tmp_path):
    # With spaces, since some file systems ignore case.
    write(tmp_path, "Op Art/a.jpg", "op  art/a.jpg", "Pop Art/a.jpg", "pop  art/a.jpg")
    message = "'Op Art' and 'op art', and 1 more: each counts as a movement"
    with pytest.warns(UserWarning, match=message) as caught:
        assert len(load_image_folder(tmp_path).target_names) == 4
    assert len(caught) == 1


def test_unknown_movement_is_named(tmp_path):
    write(tmp_path, "Rococo/a.jpg", "Unknown/a.jpg", "Unknown/b.jpg", "-/a.jpg")
    with pytest.warns(UserWarning, match="movement '-' or 'Unknown', 3 in all: it co"):
        assert load_image_folder(tmp_path).target_names == ["-", "Rococo", "Unknown"]


@needs_posix
def test_skipped_files_are_listed_by_reason(tmp_path):
    write(tmp_path, "A/1.jpg", "B/1.jpg", "A/._1.jpg", "A/.thumbs/1.jpg", "loose.jpg")
    (tmp_path / "A" / "README.txt").write_text("about")
    (tmp_path / "A" / "empty.jpg").touch()
    (tmp_path / "A" / "Thumbs.db").write_text("x")
    (tmp_path / ".git").mkdir()
    (tmp_path / "notes.md").write_text("x")
    (tmp_path / "B" / "loop").symlink_to(tmp_path / "B", target_is_directory=True)
    (tmp_path / "B" / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    (tmp_path / "B" / "itself.jpg").symlink_to(tmp_path / "B" / "itself.jpg")
    os.mkfifo(tmp_path / "B" / "pipe.jpg")
    paintings = load_image_folder(tmp_path)
    assert len(paintings.paths) == 2
    skipped = {
        "hidden": [".git", "A/._1.jpg", "A/.thumbs"],
        "of a program or device": ["A/Thumbs.db"],
        "not an image": ["A/README.txt", "notes.md"],
        "empty": ["A/empty.jpg"],
        "outside a movement": ["loose.jpg"],
        "link to a folder around it": ["B/loop"],
        "broken link": ["B/gone.jpg", "B/itself.jpg"],
        "not a file": ["B/pipe.jpg"],
    }
    assert {reason: sorted(files) for reason, files in paintings.skipped.items()} == {
        reason: [f"{tmp_path}/{name}" for name in names]
        for reason, names in skipped.items()
    }


@pytest.mark.parametrize(
    "name",
    [
        *("@eaDir", "#recycle", "#snapshot", "$RECYCLE.BIN", "lost+found", "Thumbs"),
        *("thumbnails", "__MACOSX", "Picasa Originals", "Previews.lrdata", "@Recycle"),
        *("System Volume Information", ".@__thumb", ".AppleDouble", "CaptureOne"),
    ],
)
def test_folders_of_devices_and_programs_are_skipped(tmp_path, name):
    write(tmp_path, "A/1.jpg", "B/Gris/1.jpg", f"{name}/1.jpg", f"B/{name}/1.jpg")
    paintings = load_image_folder(tmp_path)
    assert paintings.target_names == ["A", "B"] and len(paintings.paths) == 2
    assert sum(map(len, paintings.skipped.values())) == 2


@pytest.mark.parametrize("train", ["train", "Training", "TRAIN_SET", "trainset"])
@pytest.mark.parametrize("test", ["test", "Testing", "val", "validation", "holdout"])
def test_parts_of_a_split(tmp_path, train, test):
    train = train.replace("_SET", "SET")
    write(
        tmp_path,
        f"{train}/Cubism/Gris/1.jpg",
        f"{train}/Fauvism/Derain/1.jpg",
        f"{test}/Cubism/Braque/2.jpg",
        f"{test}/Fauvism/Derain/3.jpg",
    )
    with pytest.raises(ValueError, match="holds the parts of a split, .*part='all'"):
        load_image_folder(tmp_path)
    one = load_image_folder(tmp_path, part=train)
    assert one.labels.tolist() == ["Cubism", "Fauvism"]
    assert one.artists.tolist() == ["Gris", "Derain"] and "parts" not in one
    both = load_image_folder(tmp_path, part="all")
    assert both.target_names == ["Cubism", "Fauvism"] and len(both.paths) == 4
    expected = [PurePath(path).parts[-4] for path in both.paths]
    assert both.parts.tolist() == both.frame["part"].tolist() == expected
    with pytest.raises(ValueError, match=f"no part 'tset'. Its folders are .*{test}"):
        load_image_folder(tmp_path, part="tset")


def test_part_of_other_folders_raises(tmp_path):
    write(tmp_path, "A/1.jpg", "B/1.jpg")
    for part in ("train", "all"):
        with pytest.raises(ValueError, match="has no part .* folders are 'A', 'B'"):
            load_image_folder(tmp_path, part=part)


NAMES = [
    "Cubism/juan-gris_pears-and-grapes-1913.jpg",
    "Cubism/juan-gris_the-book-1911(1).jpg",
    "Cubism/georges-braque_bottle.jpg",
    "Cubism/georges-braque_fish.jpg",
    "Pop_Art/andy-warhol_flowers-1964.jpg",
    "Pop_Art/andy-warhol_marilyn-1962.jpg",
    "Pop_Art/roy-lichtenstein_drowning-girl-1963.jpg",
    "Pop_Art/roy-lichtenstein_whaam-1963.jpg",
]


@pytest.mark.parametrize(
    "artists",
    [
        "names",
        r"(?P<artist>[a-z-]+)_",
        lambda path: PurePath(path).name.partition("_")[0],
    ],
)
def test_artists_in_file_names(tmp_path, artists):
    write(tmp_path, *NAMES)
    with pytest.warns(
        UserWarning, match="seem to begin with them: 'georges-braque' in"
    ):
        assert load_image_folder(tmp_path).artists is None
    paintings = load_image_folder(tmp_path, artists=artists)
    assert (
        paintings.artists.tolist()
        == np.repeat(
            ["georges-braque", "juan-gris", "andy-warhol", "roy-lichtenstein"], 2
        ).tolist()
    )


@needs_names_of_bytes
def test_hint_at_names_that_are_no_utf_8(tmp_path):
    write(tmp_path, *NAMES)
    for path in list(tmp_path.rglob("georges*")):
        path.rename(os.fsdecode(os.fsencode(path).replace(b"georges", b"g\xe9orges")))
    with pytest.warns(UserWarning, match=r"them: 'g\\+udce9orges-braque' in"):
        load_image_folder(tmp_path)


def test_named_groups_are_columns(tmp_path):
    write(tmp_path, "A/1890 - Monet - x.jpg", "A/no year.jpg", "B/1900 - Gris - y.jpg")
    pattern = r"(?P<year>\d{4}) - (?P<artist>.+?) - (?P<title>.+)\."
    paintings = load_image_folder(tmp_path, artists=pattern)
    frame = paintings.frame
    assert frame["artist"].tolist() == ["Monet", None, "Gris"]
    assert frame["year"].dropna().tolist() == ["1890", "1900"]
    assert frame["title"].dropna().tolist() == ["x", "y"]
    assert paintings.artists[1].startswith("unknown artist of")


@pytest.mark.parametrize(
    ("artists", "message"),
    [
        (r"(\w+)_", "group named artist"),
        (r"(?P<artist>", "must be a regular expression"),
        (7, "must be a regular expression, 'names' or a function; got 7"),
        (rb"(?P<artist>x)", "must be a regular expression"),
        (r"(?P<artist>\d)(?P<path>.)", "must not have groups named path"),
        (lambda path: "", "finds no artist"),
        (r"(?P<artist>x{9})", "finds no artist, in '.*1.jpg' for instance"),
    ],
)
def test_invalid_artists_raise(tmp_path, artists, message):
    write(tmp_path, "A/1.jpg", "B/1.jpg")
    with pytest.raises(ValueError, match=message):
        load_image_folder(tmp_path, artists=artists)


@pytest.mark.parametrize("name", ["IMG_{}.jpg", "{}.jpg", "scan_{}_a.jpg", "{}_b.jpg"])
def test_other_file_names_give_no_hint(tmp_path, name):
    names = [f"{folder}/{name.format(i)}" for folder in "AB" for i in range(6)]
    write(tmp_path, *names)
    load_image_folder(tmp_path)  # warnings are errors


def test_artists_are_searched_below_the_movement(tmp_path):
    write(tmp_path, "Cubism/Gris/Cubism/a.jpg", "Fauvism/Derain/b.jpg")
    paintings = load_image_folder(tmp_path, artists=r"^(?P<artist>[^/]+)/")
    assert paintings.artists.tolist() == ["Gris", "Derain"]


def test_unknown_artists_are_groups_of_their_own(tmp_path):
    names = [
        "A/Gris/1.jpg",
        "A/Anonymous/1.jpg",
        "A/anonymous/2.jpg",
        "B/Unknown/1.jpg",
    ]
    write(tmp_path, *names, "B/[unknown]/2.jpg")
    paintings = load_image_folder(tmp_path)
    assert paintings.frame["artist"].notna().sum() == 1
    assert len(set(paintings.artists)) == 5


def test_accents_have_one_encoding(tmp_path):
    write(tmp_path, "A/Ce\u0301zanne/1.jpg", "B/C\u00e9zanne/1.jpg")
    paintings = load_image_folder(tmp_path)
    assert set(paintings.artists) == {"Cézanne"}
    assert all(os.path.exists(path) for path in paintings.paths)


def test_wikiart_warns_once(tmp_path):
    write(tmp_path, "Pop_Art/a-b_c.jpg", "Pop-art/A-B_d.jpg", "Unknown/x_y.jpg")
    with pytest.warns(UserWarning) as caught:
        paintings = load_wikiart(tmp_path)
    assert paintings.artists.tolist() == ["A B", "A B", "x"]
    texts = [str(one.message) for one in caught]
    assert len(texts) == 3 and "'Pop Art' and 'Pop art':" in texts[1]


def test_wikiart(tmp_path):
    write(tmp_path, *NAMES)
    paintings = load_wikiart(tmp_path)
    assert paintings.target_names == ["Cubism", "Pop Art"]
    assert paintings.artists[2] == "juan gris"
    frame = paintings.frame.set_index("title")
    assert frame.loc["pears and grapes", "year"] == 1913
    assert frame.loc["the book", "year"] == 1911
    assert pd.isna(frame.loc["bottle", "year"])
    assert paintings.skipped == {}


def test_all_formats_have_an_extension(tmp_path):
    for extension in (*IMAGE_EXTENSIONS, ".PSD", ".Ppm"):
        (tmp_path / f"image{extension}").write_text("x")
    assert len(list_images(tmp_path)) == len(IMAGE_EXTENSIONS) + 2
    from PIL import Image

    Image.init()
    formats = {"JPEG", "PNG", "TIFF", "WEBP", "GIF", "BMP", "AVIF", "PSD", "PPM"}
    usual = {ext for ext, name in Image.EXTENSION.items() if name in formats}
    assert usual - IMAGE_EXTENSIONS <= {".pfm", ".avifs"}


@pytest.mark.parametrize(
    "names, error, message",
    [
        (None, FileNotFoundError, "there is no folder"),
        ([], ValueError, "has no images"),
        (["a.jpg", "b.jpg"], ValueError, "but 2 outside of them"),
        (["A/a.jpg"], ValueError, "one movement only, 'A'"),
        (["A/a.jpg", "B/a.jpg", "C/.hidden.jpg"], ValueError, "without images: C"),
    ],
)
def test_invalid_folder_raises(tmp_path, names, error, message):
    root = tmp_path / "root"
    if names is not None:
        root.mkdir()
        write(root, *names)
    with pytest.raises(error, match=message) as caught:
        load_image_folder(root)
    assert str(root) in str(caught.value)


def test_file_instead_of_folder_raises(tmp_path):
    write(tmp_path, "a.jpg")
    with pytest.raises(NotADirectoryError, match="a file, not a folder"):
        load_image_folder(tmp_path / "a.jpg")


def test_list_images_searches_subfolders(tmp_path):
    with pytest.raises(ValueError, match="has no images"):
        list_images(tmp_path)
    write(tmp_path, "b.png", "A/B/c.jpg", "A/a.jpg", ".hidden.jpg")
    names = ["A/B/c.jpg", "A/a.jpg", "b.png"]
    assert list_images(tmp_path) == [str(tmp_path / name) for name in names]
