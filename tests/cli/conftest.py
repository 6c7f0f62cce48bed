"""Folders of images for the tests of commands."""

import pytest
from helpers import save_image


@pytest.fixture
def make_folder(tmp_path):
    def make(names):
        for seed, name in enumerate(names):
            save_image(tmp_path / "folder" / name, (40, 30), seed)
        return tmp_path / "folder"

    return make
