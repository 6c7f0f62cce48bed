"""The page of an audit: duplicates side by side, and all other findings."""

from pathlib import Path

import pandas as pd

from skart.images._decode import decode_image
from skart.images._formats import UNREADABLE, explain
from skart.report._html import Page
from skart.report._text import count

_THUMBNAIL_SIDE = 200  # pixels of the longer side
_MAX_IMAGES = 20  # of one cluster


def write_audit(audit, path, *, max_clusters=200):
    """Write an HTML page of an audit, with duplicates side by side.

    The page holds the thumbnails, which are made from the files as they are now, and
    loads nothing.

    Parameters
    ----------
    audit : Audit
        The result of :func:`skart.audit.audit_collection`.
    path : str or path
        The page. An existing file is replaced; folders are created as needed.
    max_clusters : int, default=200
        Largest number of clusters that are shown, with 20 files each. Of each other
        problem, five times as many findings are listed. The page has the numbers of
        those that are left out.

    Returns
    -------
    path : pathlib.Path
        The page.

    Raises
    ------
    OSError
        If the page cannot be written.

    See Also
    --------
    skart.audit.audit_collection : Find duplicates and other problems.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> from skart.audit import audit_collection
    >>> from skart.report import write_audit
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Image.radial_gradient("L").save(f"{folder}/moon.png")
    ...     audit = audit_collection([f"{folder}/moon.png"])
    ...     print(write_audit(audit, f"{folder}/audit.html").name)
    audit.html
    """
    page = Page(f"Audit of {count(len(audit.files), 'painting')}")
    page.section("Summary").table(audit.summary())
    _fill_clusters(page, audit, max_clusters)
    for problem, found in audit.table.groupby("problem", sort=False):
        if problem.endswith("duplicate") or problem.startswith("conflicting"):
            continue  # shown with their clusters
        _fill_problem(page.section(problem.capitalize()), found, 5 * max_clusters)
    return page.write(path)


def _fill_clusters(page, audit, max_clusters):
    table, files = audit.table, audit.files
    n_clusters = files["cluster"].nunique()
    if not n_clusters:
        return
    section = page.section("Duplicates")
    in_clusters = table[table["cluster"].notna()].groupby("cluster")["problem"]
    problems = in_clusters.unique().map(", ".join)
    shown = files[files["cluster"] < max_clusters]
    for number, members in shown.groupby("cluster"):
        images = [_thumbnail(file) for file in members.head(_MAX_IMAGES).itertuples()]
        section.gallery(images, caption=f"Cluster {number}: {problems[number]}")
        if len(members) > _MAX_IMAGES:
            section.text(f"and {len(members) - _MAX_IMAGES} more")
    if n_clusters > max_clusters:
        section.text(
            f"{n_clusters - max_clusters} more clusters are in the table, and not on "
            "this page."
        )


def _fill_problem(section, found, n_most):
    rows = found.head(n_most)[["file", "detail"]].reset_index(drop=True)
    uris = [None if pd.isna(file) else _uri(file) for file in rows["file"]]
    section.table(rows, code=("file",), links={"file": uris})
    if len(found) > n_most:
        section.text(
            f"{len(found) - n_most} more are in the table, and not on this page."
        )


def _thumbnail(file):
    """Return an image for a gallery; without pixels if the file cannot be decoded."""
    image = {"image": None, "link": _uri(file.path)}
    name = Path(file.path).name
    lines = [str(value) for value in (file.movement, file.artist) if pd.notna(value)]
    if pd.notna(file.error):
        return image | {"lines": [name, file.error, *lines]}
    scale = min(1, _THUMBNAIL_SIDE / max(file.width, file.height))
    size = [max(1, round(side * scale)) for side in (file.height, file.width)]
    try:
        image["image"] = decode_image(file.path, size, "stretch")
    except UNREADABLE as error:
        return image | {"lines": [name, explain(error), *lines]}
    grey = ", grey" if file.grey else ""
    return image | {"lines": [name, f"{file.width} x {file.height} px{grey}", *lines]}


def _uri(path):
    return Path(path).absolute().as_uri()
