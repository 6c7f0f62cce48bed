import os

import pytest
from helpers import save_image
from sklearn.model_selection import StratifiedGroupKFold

from skart.datasets import list_images, load_image_folder


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


def test_skipped_files_are_counted_by_reason(tmp_path):
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
    assert paintings.skipped == {
        "hidden": 4,
        "not an image": 2,
        "empty": 1,
        "outside a movement": 1,
        "link to a folder around it": 1,
        "broken link": 2,
        "not a file": 1,
    }


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
