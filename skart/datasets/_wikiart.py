"""Collections in the layout of WikiArt, with artists in the file names."""

import pandas as pd

from skart.datasets._folder import read_folder

_NAME = (
    r"(?P<artist>[^/_]+)_(?P<title>[^/]*?)(?:-(?P<year>1\d{3}|20\d{2}))?"
    r"(?:\(\d+\))?\.\w+$"
)


def load_wikiart(root, *, part=None):
    """Load a collection in the layout of WikiArt: ``Style/artist_title-year.jpg``.

    WikiArt [1]_ and its derivatives, such as those of ArtGAN and Kaggle, have a folder
    for each style and file names such as ``vincent-van-gogh_olive-trees-1889.jpg``.
    Hyphens and underscores in names of styles, artists and titles become spaces.

    Parameters
    ----------
    root : str or path
        Folder with one subfolder per style.
    part : str, default=None
        See :func:`load_image_folder`.

    Returns
    -------
    paintings : :class:`~sklearn.utils.Bunch`
        Same attributes as returned by :func:`load_image_folder`. `frame` also has the
        columns title and year, missing where unknown.

    Raises
    ------
    ValueError
        If no file name has an artist, and as by :func:`load_image_folder`.

    See Also
    --------
    load_image_folder : Load labelled paintings from any folder.

    References
    ----------
    .. [1] Saleh, Elgammal. "Large-scale Classification of Fine-Art Paintings: Learning
       The Right Metric on The Right Feature". arXiv:1505.00855, 2015.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> from skart.datasets import load_wikiart
    >>> with tempfile.TemporaryDirectory() as root:
    ...     for name in ["Cubism/juan-gris_pears-1913.jpg", "Pop_Art/a-b_c.jpg"]:
    ...         (Path(root) / name).parent.mkdir(parents=True)
    ...         Image.new("RGB", (8, 8)).save(Path(root) / name)
    ...     paintings = load_wikiart(root)
    >>> paintings.labels.tolist(), paintings.artists.tolist()
    (['Cubism', 'Pop Art'], ['juan gris', 'a b'])
    """
    paintings = read_folder(root, part=part, artists=_NAME, rename=_rename)
    paintings.pop("empty", None)
    return paintings


def _rename(frame):
    """Write names with spaces, and years as integers."""
    for name in ("movement", "artist", "title"):
        frame[name] = frame[name].str.replace(r"[-_\s]+", " ", regex=True).str.strip()
    frame["year"] = pd.to_numeric(frame["year"]).astype("Int64")
