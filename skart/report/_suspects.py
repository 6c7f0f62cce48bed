"""The page of suspect labels: a decision on each painting, saved as a CSV file."""

import numpy as np

from skart._utils._files import escape, relative_paths
from skart._utils._pages import check_target, jpeg_uri, render_app, write_page
from skart._utils._validation import check_paths
from skart.datasets._folder import known_artists
from skart.images._thumbnails import load_thumbnails

_SIDE = 720  # pixels of the longer side of a suspect painting
_SMALL_SIDE = 160  # of neighbours and duplicates


def write_suspects(
    table,
    paths,
    file,
    *,
    artists=None,
    movements=None,
    title="Labels to check",
    verbose=True,
):
    """Write an HTML page to decide on suspect labels, one painting at a time.

    Each label is kept, changed to the suggestion or to another movement, or the
    painting is excluded, by mouse, touch or single keys. The page saves the decisions
    as ``corrections.csv``, which :func:`skart.audit.apply_corrections` and commands
    with ``--corrections`` take. It is one file that loads nothing. Where the browser
    allows it, decisions are also kept there until the page is opened again; a page
    with other results starts without any.

    Parameters
    ----------
    table : DataFrame
        The suspect paintings: rows of the result of
        :func:`skart.audit.find_label_issues`, such as ``table.head(40)``.
    paths : array-like of str or path, shape (n_paintings,)
        Image files, to which the positions in the table refer.
    file : str or path
        The page. An existing file is replaced; folders are created as needed.
    artists : array-like of shape (n_paintings,), default=None
        Artists, to be shown.
    movements : list, default=None
        Movements to choose from. If None, those in the table.
    title : str, default="Labels to check"
        Title of the page.
    verbose : bool, default=True
        If True, show a progress bar if reading the images takes more than a second.

    Returns
    -------
    file : pathlib.Path
        The page.

    Raises
    ------
    OSError
        If the page cannot be written.
    ValueError
        If the table lacks a column or refers to more paintings than there are.

    See Also
    --------
    skart.audit.find_label_issues : Find labels that are probably wrong.
    skart.audit.apply_corrections : Apply the decisions.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> from skart.audit import find_label_issues
    >>> from skart.evaluation import Evaluation
    >>> from skart.report import write_suspects
    >>> evaluation = Evaluation(
    ...     ["Cubism", "Op Art"], classes=["Cubism", "Op Art"],
    ...     probabilities=[[0.9, 0.1], [0.8, 0.2]])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     paths = [f"{folder}/{name}.png" for name in ("moon", "sun")]
    ...     for path in paths:
    ...         Image.radial_gradient("L").save(path)
    ...     table = find_label_issues(evaluation, paths)
    ...     print(write_suspects(table.head(1), paths, f"{folder}/suspects.html").name)
    suspects.html
    """
    file = check_target(file)
    paths = check_paths("paths", paths)
    missing = set(_COLUMNS) - set(table)
    if missing:
        raise ValueError(
            f"table lacks the columns {sorted(missing)}: pass rows of the result of "
            "find_label_issues"
        )
    shown = sorted({*table["position"], *_list_related(table)})
    if shown and shown[-1] >= len(paths):
        raise ValueError(
            f"table refers to the painting at position {shown[-1]}, and there are "
            f"{len(paths)} paths: pass those of find_label_issues"
        )
    names = [escape(name) for name in relative_paths(paths)[1]]
    artists = [None] * len(paths) if artists is None else known_artists(artists)
    if movements is None:
        movements = sorted({*table["movement"], *table["suggested"]})

    def describe(position, movement):
        artist = artists[position]
        return {
            "picture": int(position),
            "path": names[position],
            "artist": None if artist is None else escape(artist),
            "movement": escape(movement),
        }

    data = {
        "movements": [escape(movement) for movement in movements],
        "paintings": [
            describe(one.position, one.movement)
            | {
                "probability": float(one.probability),
                "suggested": escape(one.suggested),
                "suggestedProbability": float(one.suggested_probability),
                "issue": bool(one.issue),
                "reason": one.reason,
                "neighbors": list(map(describe, one.neighbors, one.neighbor_movements)),
                "duplicates": list(
                    map(describe, one.duplicates, one.duplicate_movements)
                ),
            }
            for one in table.itertuples()
        ],
        "large": _load(paths, table["position"], _SIDE, verbose),
        "small": _load(paths, shown, _SMALL_SIDE, verbose),
    }
    page = render_app("skart.report", "suspects", title=title, data=data)
    return write_page(file, page)


_COLUMNS = (
    *("position", "movement", "probability", "suggested", "suggested_probability"),
    *("issue", "neighbors", "neighbor_movements", "duplicates", "duplicate_movements"),
    "reason",
)


def _list_related(table):
    """Return the positions of neighbours and duplicates."""
    return [
        position
        for name in ("neighbors", "duplicates")
        for positions in table[name]
        for position in positions
    ]


def _load(paths, positions, side, verbose):
    """Return images by position, None for files that can't be read."""
    positions = list(map(int, positions))
    images = load_thumbnails([paths[one] for one in positions], side, verbose=verbose)
    return {
        position: None if image is None else jpeg_uri(np.asarray(image))
        for position, image in zip(positions, images, strict=True)
    }
