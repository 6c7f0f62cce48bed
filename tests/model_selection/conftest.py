import pytest

from skart.datasets import load_image_folder, make_paintings


@pytest.fixture(scope="module")
def paintings(tmp_path_factory):
    """Twenty-four drawn paintings of three movements; read only."""
    root = make_paintings(
        tmp_path_factory.mktemp("paintings"),
        movements=["Neoplasticism", "Op Art", "Pointillism"],
        n_artists=4,
        n_per_artist=2,
        size_range=(64, 80),
        verbose=False,
    )
    return load_image_folder(root)


@pytest.fixture(scope="module")
def artists(paintings):
    """The artist of each path."""
    return dict(zip(paintings.paths, paintings.artists, strict=True))
