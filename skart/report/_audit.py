"""The page of an audit: duplicates side by side, and all other findings."""

import os
from pathlib import Path
from urllib.parse import quote

import pandas as pd

from skart._utils._files import expand, is_url, relative_paths
from skart.images._formats import UNREADABLE, explain
from skart.images._thumbnails import load_thumbnail
from skart.report._html import Page
from skart.report._text import count

_THUMBNAIL_SIDE = 200  # pixels of the longer side
_MAX_IMAGES = 20  # of one cluster

_EXPLANATIONS = {
    "unreadable": "These files can't be decoded. Repair or remove them.",
    "blank": "These images have a single colour.",
    "greyscale": "These images have no colour, although most of the collection has. A "
    "classifier may learn this property of the reproduction.",
    "border": "Uniform margins take a large part of these images. Crop them if they "
    "differ between movements.",
    "tiny": "These images are smaller than most networks require.",
    "imbalance": "A classifier prefers movements with many paintings.",
}


def write_audit(audit, file, *, max_clusters=200):
    """Write an HTML page of an audit, with duplicates side by side.

    The page holds the thumbnails, which are made from the files as they are now, and
    loads nothing.

    Parameters
    ----------
    audit : Audit
        The result of :func:`skart.audit.audit_collection`.
    file : str or path
        The page. An existing file is replaced; folders are created as needed.
    max_clusters : int, default=200
        Maximum number of clusters to show, with up to 20 files each. For every other
        problem, up to five times as many findings are listed. The page states how many
        were omitted.

    Returns
    -------
    file : pathlib.Path
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
    names = NamesAndLinks(audit.files["path"], file)
    _fill_clusters(page, audit, max_clusters, names)
    for problem, found in audit.table.groupby("problem", sort=False):
        if problem.endswith("duplicate") or problem.startswith("conflicting"):
            continue  # shown with their clusters
        section = page.section(problem.capitalize())
        section.text(_EXPLANATIONS[problem])
        _fill_problem(section, found, 5 * max_clusters, names)
    return page.write(file)


class NamesAndLinks:
    """Names of files relative to their common folder, and links from the page."""

    # No absolute paths: the page may be passed on.
    def __init__(self, paths, page):
        self._names = dict(zip(paths, relative_paths(paths)[1], strict=True))
        self._folder = expand(page).absolute().parent

    def name(self, path):
        return self._names[path]

    def link(self, path):
        if is_url(path):
            return path if path.startswith(("http://", "https://")) else "#"
        path = os.path.abspath(path)
        try:
            relative = os.path.relpath(path, self._folder)
            return quote(os.fsencode(Path(relative).as_posix()))
        except ValueError:  # on another drive
            return Path(path).as_uri()


def _fill_clusters(page, audit, max_clusters, names):
    table, files = audit.table, audit.files
    n_clusters = files["cluster"].nunique()
    if not n_clusters:
        return
    section = page.section("Duplicates")
    section.text(
        "The files of a cluster seem to show the same painting. Similarity is the "
        "correlation with the most similar other file: 1 for equal pixels. Keep one "
        "file of each cluster, or all files of a cluster in one fold."
    )
    in_clusters = table[table["cluster"].notna()].groupby("cluster")["problem"]
    problems = in_clusters.unique().map(", ".join)
    originals = set(table["original"].dropna())
    shown = files[files["cluster"] < max_clusters]
    for number, members in shown.groupby("cluster"):
        section.gallery(
            [
                _thumbnail(file, names, is_original=file.path in originals)
                for file in members.head(_MAX_IMAGES).itertuples()
            ],
            caption=f"Cluster {number}: {problems[number]}",
        )
        if len(members) > _MAX_IMAGES:
            section.text(f"and {len(members) - _MAX_IMAGES} more")
    if n_clusters > max_clusters:
        section.text(
            f"{n_clusters - max_clusters} more clusters are in the table, and not on "
            "this page."
        )


def _fill_problem(section, found, n_most, names):
    rows = found.head(n_most)[["file", "detail"]].reset_index(drop=True)
    links = [None if pd.isna(file) else names.link(file) for file in rows["file"]]
    rows["file"] = rows["file"].map(names.name, na_action="ignore")
    section.table(rows, code=("file",), links={"file": links})
    if len(found) > n_most:
        section.text(
            f"{len(found) - n_most} more are in the table, and not on this page."
        )


def _thumbnail(file, names, is_original):
    """Return an image for a gallery; without pixels if the file cannot be decoded."""
    image = {"image": None, "link": names.link(file.path)}
    name = Path(file.path).name
    lines = [str(value) for value in (file.movement, file.artist) if pd.notna(value)]
    if pd.notna(file.error):
        return image | {"lines": [name, file.error, *lines]}
    try:
        image["image"] = load_thumbnail(file.path, _THUMBNAIL_SIDE)
    except UNREADABLE as error:
        return image | {"lines": [name, explain(error), *lines]}
    facts = [f"{file.width} x {file.height} px"]
    facts += ["grey"] if file.grey else []
    facts += ["original (the largest)"] if is_original else []
    if pd.notna(file.similarity):
        facts.append(f"similarity {file.similarity:.2f}")
    return image | {"lines": [name, ", ".join(facts), *lines]}
