import shutil

import numpy as np
import pytest
from helpers import save_image

from skart.datasets import load_pandora18k


def write(root, *names):
    for name in names:
        save_image(root / name, (8, 8))


@pytest.fixture
def pandora(tmp_path):
    """One painting of each movement, spelt as in the collection."""
    write(tmp_path, "01_Byzantin_Iconography/A/1.jpg", "02_Early_Renaissance/A/1.jpg")
    movements = load_pandora18k(tmp_path, on_mismatch="ignore").movements
    for number, name in movements[["number", "movement"]][2:].to_numpy():
        write(tmp_path, f"{number:02}_{name.replace(' ', '_')}/Some_Artist/1.jpg")
    return tmp_path


def test_names_of_movements_are_readable(pandora):
    with pytest.warns(UserWarning, match=r"18 paintings instead of 18,038") as caught:
        paintings = load_pandora18k(pandora)
    assert len(caught) == 1
    assert sorted(paintings.target_names) == sorted(paintings.movements["movement"])
    assert paintings.movements["number"].tolist() == list(range(1, 19))
    assert paintings.movements["found"].tolist() == [1] * 18
    assert (paintings.movements["start"] < paintings.movements["end"]).all()
    by_path = dict(zip(paintings.paths, paintings.labels, strict=True))
    path = str(pandora / "03_Northern_Renaissance/Some_Artist/1.jpg")
    assert by_path[path] == "Northern Renaissance"
    np.testing.assert_array_equal(paintings.frame["movement"], paintings.labels)


def test_differences_are_listed(pandora):
    shutil.rmtree(pandora / "14_Cubism")
    write(pandora, "19_Op_Art/Some_Artist/1.jpg")
    message = "missing movements: Cubism; unknown movements: Op Art"
    with pytest.warns(UserWarning, match=message):
        paintings = load_pandora18k(pandora)
    assert len(paintings.differences) == 3
    with pytest.raises(ValueError, match=message):
        load_pandora18k(pandora, on_mismatch="raise")
    assert len(load_pandora18k(pandora, on_mismatch="ignore").differences) == 3
    with pytest.raises(ValueError, match="Did you mean 'raise'"):
        load_pandora18k(pandora, on_mismatch="raises")


def test_other_collections_raise(tmp_path):
    write(tmp_path, "cats/a.jpg", "dogs/a.jpg")
    with pytest.raises(ValueError, match="is not Pandora18K.*load_image_folder"):
        load_pandora18k(tmp_path)
