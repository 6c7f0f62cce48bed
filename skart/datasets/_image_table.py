"""Labelled paintings from Parquet files that hold the images themselves."""

import atexit
import functools
import glob
import json
import os
import shutil
import tempfile

import numpy as np
import pandas as pd

from skart._utils._files import expand, row_name
from skart._utils._remote import fetch, is_url, kept_file
from skart._utils._validation import suggest
from skart.datasets._catalogue import join_first, read_catalogue
from skart.datasets._tables import bytes_columns, find_columns

# Bytes of a table at a URL, which is held in memory while it is fetched.
_MOST_BYTES = 4 * 2**30


def load_table(
    table,
    *,
    image="image",
    movement=None,
    artist=None,
    names=None,
    keep=None,
    timeout=120,
):
    """Load labelled paintings from Parquet files with a column of images.

    Such are the data sets of Hugging Face. Images are neither unpacked nor held in
    memory: a path such as ``/data/train.parquet#image=17`` names the row 17, counted
    from 0, of the column "image", and whatever takes the path of an image reads it.
    Rows are read fastest in their order.

    Parameters
    ----------
    table : str, path or list
        Parquet file, folder of Parquet files, or pattern such as
        ``"data/train-*.parquet"``; a URL of a Parquet file; or a list of files and
        URLs.
    image : str, default="image"
        Column of the images: bytes of image files, or Hugging Face's struct of bytes
        and path, of which the path is never opened.
    movement : str, default=None
        Column of texts or integers. If None, a column with a usual name is taken, as by
        :func:`load_catalogue`.
    artist : str or False, default=None
        Column of texts or integers. If None, a column with a usual name is taken. If
        False, the artists are unknown.
    names : list of str or dict of {str: list of str}, default=None
        Names of the integers 0, 1, ... of the movements, or of those of several
        columns. If None, they are taken from Hugging Face's metadata of the file;
        without names, movements are integers. -1 is a missing value.
    keep : str or path, default=None
        Folder that keeps the tables of URLs, so that each is fetched once. If None,
        they are fetched to a temporary folder, which is deleted with the process.
    timeout : float, default=120
        Seconds to wait for the next bytes of a URL. The whole table may take ten times
        as long.

    Returns
    -------
    paintings : :class:`~sklearn.utils.Bunch`
        Same attributes as returned by :func:`load_catalogue`, in the order of the
        files and rows. `frame` also has the other columns of texts, numbers and dates.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ImportError
        If pyarrow is missing; run ``pip install 'skart[tables]'``.
    OSError
        If a URL can't be fetched.
    ValueError
        If a file is no Parquet file, a column is missing or holds no bytes, an integer
        has no name, or a painting has no movement.

    See Also
    --------
    load_catalogue : Load a table of paths or URLs.
    load_iiif : Load IIIF manifests.

    Examples
    --------
    >>> import io, tempfile
    >>> import pandas as pd
    >>> from PIL import Image
    >>> from skart import ImageLoader
    >>> from skart.datasets import load_table
    >>> def encode(level):
    ...     file = io.BytesIO()
    ...     Image.new("L", (8, 8), level).save(file, "png")
    ...     return file.getvalue()
    >>> table = pd.DataFrame({"image": [encode(50), encode(200)], "style": [1, 0]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     table.to_parquet(f"{folder}/works.parquet")
    ...     paintings = load_table(
    ...         f"{folder}/works.parquet", names=["Op Art", "Pop Art"]
    ...     )
    ...     images = ImageLoader(size=8).transform(paintings.paths)
    ...     levels = images[0].max(), images[1].max()
    >>> paintings.labels.tolist(), [int(level) for level in levels]
    (['Pop Art', 'Op Art'], [50, 200])
    """
    return read_image_table(
        table,
        image=image,
        movement=movement,
        artist=artist,
        names=names,
        keep=keep,
        timeout=timeout,
    )


def read_image_table(
    path, *, image, movement, artist, names=None, keep=None, timeout=120, least=2
):
    """Load a table of at least `least` movements."""
    files = list_tables(path, keep, timeout)
    name = repr(str(path)) if isinstance(path, (str, os.PathLike)) else "the table"
    tables, known = [], {}
    for file in files:
        table, in_file = read_rows(file, image)
        tables.append(table)
        known |= in_file
    for other in tables[1:]:
        if list(other.columns) != list(tables[0].columns):
            raise ValueError(
                f"{name} has files with different columns: load them one by one"
            )
    table = pd.concat(tables, ignore_index=True)
    own = table.drop(columns="path")  # which is not in the files
    columns = find_columns(own, name, movement=movement, artist=artist)
    if names is not None:
        known |= names if isinstance(names, dict) else {columns["movement"]: names}
    for column, values in known.items():
        if column not in table:
            raise ValueError(
                f"names has {column!r}, which is no column.{suggest(column, own)}"
            )
        table[column] = _decode(table[column], list(values), table["path"], column)
    found = table[columns["movement"]]
    if found.map(lambda x: isinstance(x, int)).any():
        found = table[columns["movement"]] = found.where(found != -1, None)
    blank = table.loc[found.isna(), "path"].tolist()
    if blank:
        raise ValueError(
            f"{name} has {len(blank)} paintings without {columns['movement']!r}: "
            f"{join_first(blank)}. Complete or delete these rows, or name another "
            "column as movement."
        )
    return read_catalogue(
        table,
        name=name,
        path="path",
        movement=columns["movement"],
        artist=columns["artist"] or False,
        least=least,
    )


def list_tables(path, keep=None, timeout=120):
    """Return the local Parquet files of a path, pattern or URL, or of several."""
    if isinstance(path, pd.DataFrame):
        raise TypeError(
            "table must name Parquet files of images; got a DataFrame. "
            "load_catalogue reads a table of paths or of IIIF manifests"
        )
    if not isinstance(path, (str, os.PathLike)):
        files = [file for one in path for file in list_tables(one, keep, timeout)]
        if not files:
            raise ValueError("table must name at least one file; got an empty list")
        return list(dict.fromkeys(files))
    if is_url(path):
        folder = _temporary_folder(os.getpid()) if keep is None else keep
        try:
            fetch(path, timeout=timeout, max_bytes=_MOST_BYTES, keep=folder)
        except OSError as error:
            raise OSError(f"the table {path} can't be fetched: {error}") from None
        return [str(kept_file(folder, path).absolute())]
    path = expand(path).absolute()
    if path.is_dir():
        files = sorted(str(file) for file in path.rglob("*.parquet"))
    elif path.exists():
        files = [str(path)]
    else:
        files = sorted(glob.glob(str(path), recursive=True))
    if not files:
        raise FileNotFoundError(f"there is no Parquet file {str(path)!r}")
    return files


@functools.lru_cache(maxsize=1)
def _temporary_folder(pid):
    """Return a folder that is deleted when the process ends."""
    folder = tempfile.mkdtemp(prefix="skart-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _read_schema(file):
    """Return the schema of a Parquet file, and its columns of images."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise ImportError(
            f"{file!r} needs pyarrow, which is not installed. Run: pip install "
            "'skart[tables]'"
        ) from error

    try:
        schema = parquet.read_schema(file)
    except (pyarrow.ArrowException, OSError) as error:
        raise ValueError(
            f"{file!r} can't be read as a Parquet file: {error}"
        ) from error
    return schema, bytes_columns(schema)


def read_rows(file, image):
    """Return the columns of a file but images, with paths, and names of integers."""
    schema, images = _read_schema(file)
    import pyarrow
    from pyarrow import parquet, types

    if image not in images:
        hint = f" Its columns of bytes are {images}." if images else ""
        if image in schema.names:
            hint = f" It is of type {schema.field(image).type}.{hint}"
        raise ValueError(
            f"{file!r} has no column {image!r} of the bytes of images.{hint} "
            "Name another one as image; load a table of paths by load_catalogue."
        )
    plain = [
        field.name
        for field in schema
        if field.name not in (*images, "path") and not types.is_nested(field.type)
    ]
    with parquet.ParquetFile(file) as opened:
        metadata = opened.metadata
        if _all_blank(metadata, image):
            raise ValueError(
                f"the column {image!r} of {file!r} holds no bytes, only paths of "
                "other files. Write it with the images embedded, or load the files "
                "by load_catalogue."
            )
        try:
            table = opened.read(plain).to_pandas(
                integer_object_nulls=True, ignore_metadata=True
            )
        except (pyarrow.ArrowException, OSError) as error:
            raise ValueError(f"{file!r} can't be read: {error}") from error
    table = table.astype(
        {x: object for x in table if isinstance(table[x].dtype, pd.CategoricalDtype)}
    )
    paths = [row_name(file, image, row) for row in range(metadata.num_rows)]
    table.insert(0, "path", pd.Series(paths, dtype=object))
    return table, _names_of_integers(schema, plain)


def _all_blank(metadata, image):
    """Return whether a column of images is known to hold no bytes at all."""
    n_blank = 0
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        for chunk in map(group.column, range(group.num_columns)):
            if chunk.path_in_schema in (image, f"{image}.bytes") and chunk.statistics:
                n_blank += chunk.statistics.null_count or 0
    return 0 < n_blank == metadata.num_rows


def _names_of_integers(schema, columns):
    """Return the names in Hugging Face's metadata, by column."""
    try:
        features = json.loads(schema.metadata[b"huggingface"])["info"]["features"]
        found = {column: features.get(column) for column in columns}
    except (TypeError, KeyError, ValueError, AttributeError):
        return {}
    return {
        column: feature["names"]
        for column, feature in found.items()
        if isinstance(feature, dict) and isinstance(feature.get("names"), list)
    }


def _decode(values, names, paths, column):
    """Return names for integers; None for -1 and missing ones."""
    numbers = pd.to_numeric(values, errors="coerce")
    known = values.isna() | (numbers.between(-1, len(names) - 1) & (numbers % 1 == 0))
    if not known.all():
        rows = [f"{paths[i]} ({values[i]})" for i in np.flatnonzero(~known)]
        raise ValueError(
            f"the column {column!r} has values without a name among {len(names)}: "
            f"{join_first(rows)}. Pass names with the name of each integer."
        )
    numbers = numbers.fillna(-1).astype(int)
    return pd.Series([*map([*names, None].__getitem__, numbers)], dtype=object)
