"""Labelled paintings from IIIF manifests and collections."""

import os

from skart._utils._validation import suggest
from skart.datasets._catalogue import join_first, read_catalogue
from skart.datasets._manifests import Reader, read_manifests, tabulate
from skart.datasets._tables import find_usual


def load_iiif(
    source,
    *,
    longer_side=600,
    movement=None,
    artist=None,
    language="en",
    on_error="raise",
    max_manifests=1000,
    timeout=30,
    verbose=True,
):
    """Load labelled paintings from a IIIF manifest or collection.

    Museums publish their images by IIIF [1]_: a manifest describes an object, and a
    collection lists manifests. Presentation API 2 and 3, and Image API 1 to 3 are read.
    Images are not fetched: the paths are URLs, which :class:`ImageLoader` fetches.
    Their hosts are checked here: links in a fetched document may only lead to public
    addresses, or to the server of the document itself.

    Parameters
    ----------
    source : str or path
        URL or JSON file of a manifest or collection. Links in a file of your own may
        lead to any http or https address.
    longer_side : int, default=600
        Longer side of the images in pixels, if the server scales images; smaller ones
        are not enlarged. From a server with a list of sizes (level 0), the smallest
        that is large enough is taken.
    movement : str, default=None
        Label of the metadata, in any case. If None, a label with a usual name is taken,
        as by :func:`load_catalogue`.
    artist : str or False, default=None
        Label of the metadata, in any case. If None, a label with a usual name is taken.
        If False, the artists are unknown.
    language : str, default="en"
        Language of labels and values that are given in several languages. Without it,
        the first language is taken.
    on_error : {"raise", "skip"}, default="raise"
        What happens with manifests that can't be read or have no movement:

        - ``"raise"``: an error names them.
        - ``"skip"``: they are left out. A warning names those that can't be read, and
          `skipped` lists all.
    max_manifests : int, default=1000
        Largest number of manifests to load. Others are listed in `skipped`, with a
        warning.
    timeout : float, default=30
        Seconds to wait for a server.
    verbose : bool, default=True
        If True, show a progress bar if it takes more than a second.

    Returns
    -------
    paintings : :class:`~sklearn.utils.Bunch`
        Same attributes as returned by :func:`load_catalogue`, with one painting for
        each canvas: if it has several images, the first. `frame` also has the columns
        manifest and canvas (identifiers), label, rights, attribution, and one for each
        label of the metadata; one that is named like another column gets the addition
        "(metadata)". HTML is removed from texts, numbers become texts, several texts of
        a label are joined by "; ", and values of other kinds, such as null, are left
        out.

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    OSError
        If a manifest can't be read, or has a link that is not allowed.
    ImportError
        If packages for URLs are missing.
    ValueError
        If no metadata looks like the movement, or there are fewer than two movements.

    See Also
    --------
    load_catalogue : Load a table with a column of manifests.
    load_table : Load images from Parquet files.

    References
    ----------
    .. [1] International Image Interoperability Framework. https://iiif.io/api/

    Examples
    --------
    >>> import json, tempfile
    >>> from pathlib import Path
    >>> from skart.datasets import load_iiif
    >>> def canvas(name, style):
    ...     body = {"type": "Image", "id": f"https://example.org/{name}.jpg"}
    ...     annotation = {"motivation": "painting", "body": body}
    ...     metadata = [{"label": {"en": ["Style"]}, "value": {"en": [style]}}]
    ...     pages = [{"items": [annotation]}]
    ...     return {"id": name, "metadata": metadata, "items": pages}
    >>> canvases = [canvas("a", "Op Art"), canvas("b", "Pop Art")]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "manifest.json")
    ...     _ = file.write_text(json.dumps({"type": "Manifest", "items": canvases}))
    ...     paintings = load_iiif(file)
    >>> paintings.paths.tolist()
    ['https://example.org/a.jpg', 'https://example.org/b.jpg']
    >>> paintings.labels.tolist()
    ['Op Art', 'Pop Art']
    """
    if not isinstance(source, (str, os.PathLike)):
        raise TypeError(
            "source must be the path or URL of a manifest or collection; got "
            f"{type(source).__name__}. load_catalogue(table, manifest=...) reads a "
            "table of manifests"
        )
    name = repr(str(source))
    found, skipped = read_manifests(
        [str(source)],
        Reader(longer_side, language, timeout),
        on_error=on_error,
        max_manifests=max_manifests,
        verbose=verbose,
    )
    if not found:
        raise ValueError(f"{name} has no images")
    rows, metadata, renamed = tabulate(found)
    columns = {
        "movement": _find_label(metadata, "movement", movement, name),
        "artist": _find_label(metadata, "artist", artist, name),
    }
    columns = {role: renamed.get(label, label) for role, label in columns.items()}
    table = rows.join(metadata.rename(columns=renamed))
    unlabelled = table[columns["movement"]].isna()
    if unlabelled.any():
        ids = table.loc[unlabelled, "manifest"].unique().tolist()
        if on_error == "raise":
            raise ValueError(
                f"{name} has manifests without {columns['movement']!r}: "
                f"{join_first([*map(repr, ids)])}. Name another label as movement, or "
                "pass on_error='skip' to leave them out."
            )
        skipped["without movement"] = ids
    return read_catalogue(
        table[~unlabelled], name=name, path="path", skipped=skipped, **columns
    )


def _find_label(metadata, role, wanted, name):
    """Return the label of the metadata that is a role; False for no artist."""
    if wanted is False and role == "artist":
        return False
    if wanted is None:
        found = find_usual(metadata, role)
    else:
        labels = {label.casefold(): label for label in metadata.columns}
        found = labels.get(str(wanted).casefold())
    if found is None and wanted is not None:
        raise ValueError(
            f"{name} has no metadata {wanted!r}, named as {role}."
            f"{suggest(wanted, metadata.columns)}"
        )
    if found is None and role == "movement":
        raise ValueError(
            f"{name} has no metadata that look like the movement. The labels are "
            f"{', '.join(map(repr, metadata)) or 'none'}: name one as movement, or "
            "pass a table of movements and manifests to load_catalogue."
        )
    return found or False
