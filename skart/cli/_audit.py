"""``skart audit``: damaged files, duplicates and conflicting labels."""

from pathlib import Path

from skart._utils._files import absolute, atomic_write
from skart.cli import _options as options
from skart.cli._app import as_json, check_out, command, option, say

_N_SHOWN = 5  # findings of each problem on the terminal


@command
@options.reads_collection
def audit(
    data: options.Data,
    html: option(
        Path | None, "HTML file for a page that shows duplicates side by side."
    ) = None,
    csv: option(Path | None, "CSV file for the findings.") = None,
    groups: option(
        Path | None,
        "CSV file for the paintings with a column group: artists and their duplicates. "
        "Pass it to train or evaluate with --artist-column group.",
    ) = None,
    min_size: option(
        int, "Report images with a shorter side of fewer pixels.", min=0
    ) = 200,
    max_border: option(
        float, "Report uniform margins of a larger share of the area.", min=0, max=1
    ) = 0.15,
    max_imbalance: option(
        float, "Report movements with more paintings than others by this factor.", min=1
    ) = 10,
    min_similarity: option(
        float, "Report near duplicates of at least this correlation.", min=0.5, max=1
    ) = 0.9,
    force: options.Force = False,
    format: options.Format = "table",
):
    """Find damaged files, duplicates, conflicting labels and borders in a folder.

    Nothing is deleted, moved or changed. The exit status is 1 if some files can't be
    decoded. A folder that is not laid out by movement, or a table without a column of
    movements, is audited without labels. Rows of missing files are left out.

    Examples
    --------
        skart audit paintings/ --html audit.html

        skart audit paintings/ --csv findings.csv

        skart audit paintings/ --format json | jq '.[].file'
    """
    files = {"--html": html, "--csv": csv, "--groups": groups}
    files = {name: file for name, file in files.items() if file is not None}
    for name, file in files.items():
        check_out(file, force=force, option=name)
    if len(set(files.values())) < len(files):
        raise ValueError(
            f"{' and '.join(files)} name the same file. Name different files."
        )

    import pandas as pd

    from skart.audit import audit_collection
    from skart.cli._collection import load_unlabelled
    from skart.datasets import list_images

    # All images, including those outside of movement folders.
    is_whole = not data.is_table and data.part is None and data.locate().is_dir()
    paths = list_images(data.locate()) if is_whole else None
    collection = load_unlabelled(
        data, say, least=1, skip_empty=True, on_error="skip", opens_files=False
    )
    paths = collection.paths if paths is None else paths
    # Of objects: the strings of pandas can't hold all file names.
    known = collection.frame.set_index("path").reindex(pd.Index(paths, dtype=object))
    labels = known["movement"] if collection.movements_known else None
    artists = known["artist"] if collection.artists_known else None
    found = audit_collection(
        paths,
        labels=labels,
        artists=artists,
        min_size=min_size,
        max_border=max_border,
        max_imbalance=max_imbalance,
        min_similarity=min_similarity,
    )
    if html is not None:
        from skart.report import write_audit

        write_audit(found, html)
        say(f"saved {html}")
    if csv is not None:
        _write_csv(found.table, csv)
    if groups is not None:
        columns = ["path", "movement", "artist", "group"]
        usable = found.files["error"].isna()
        if labels is not None:
            usable &= found.files["movement"].notna()
        readable = found.files.loc[usable, columns]
        # Absolute paths: relative ones would refer to the folder of the file.
        paths = pd.Series(
            [absolute(path) for path in readable["path"]], readable.index, dtype=object
        )
        _write_csv(readable.assign(path=paths), groups)
    unreadable = int((found.table["problem"] == "unreadable").any())
    if format == "json":
        known = found.table.astype(object).where(found.table.notna(), None)
        return as_json(known.to_dict("records")), unreadable
    return _as_text(found), unreadable


def _write_csv(table, file):
    """Write a table as a CSV file, atomically."""
    with atomic_write(file) as part:
        table.to_csv(part, index=False, errors="backslashreplace")
    say(f"saved {file}")


def _as_text(found):
    """Return the numbers of findings, and the most severe findings of each problem."""
    from skart._utils._files import relative_paths
    from skart._utils._validation import visible

    table, files = found.table, found.files["path"]
    lines = [f"{len(files)} images, {len(table)} findings"]
    if not len(table):
        return lines[0]
    summary = found.summary()
    lines += ["", summary[summary["findings"] > 0].to_string(index_names=False)]
    folder, names = relative_paths(files)
    first = {path: place for place, path in reversed(list(enumerate(files)))}
    for problem, rows in table.groupby("problem", sort=False):
        if rows["original"].notna().any():  # a line for each cluster
            rows = rows[rows["position"] != rows["original"].map(first.get)]
        lines += ["", problem]
        for row in rows.head(_N_SHOWN).itertuples():
            name = "the collection" if row.file is None else names[row.position]
            lines.append(visible(f"  {name}: {row.detail}"))
            if isinstance(row.original, str):
                lines.append(visible(f"    copy of {names[first[row.original]]}"))
        if len(rows) > _N_SHOWN:
            lines.append(f"  and {len(rows) - _N_SHOWN} more: see --csv or --html")
    return "\n".join([*lines, "", f"Files are in {visible(folder)}"])
