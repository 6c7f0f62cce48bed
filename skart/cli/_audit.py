"""``skart audit``: damaged files, duplicates and conflicting labels."""

from pathlib import Path

from skart.cli import _options as options
from skart.cli._app import as_json, check_out, command, option, say


@command
def audit(
    data: options.Data,
    html: option(
        Path | None, "HTML file for a page that shows duplicates side by side."
    ) = None,
    csv: option(Path | None, "CSV file for the findings.") = None,
    min_size: option(
        int, "Report images with a shorter side of fewer pixels.", min=0
    ) = 200,
    force: options.Force = False,
    format: options.Format = "table",
):
    """Find damaged files, duplicates, conflicting labels and borders in a folder.

    Nothing is deleted, moved or changed. The exit status is 1 if some files can't be
    decoded. A folder that is not laid out by movement is audited without labels.

    Examples
    --------
        skart audit paintings/ --html audit.html

        skart audit paintings/ --csv findings.csv

        skart audit paintings/ --format json | jq '.[].file'
    """
    for name, file in (("--html", html), ("--csv", csv)):
        if file is not None:
            check_out(file, force=force, option=name)
    if html is not None and html == csv:
        raise ValueError(
            f"--html and --csv are the same file, {html}. Name two different files."
        )

    from skart._utils._files import atomic_write
    from skart._utils._validation import visible
    from skart.audit import audit_collection
    from skart.cli._collection import Collection
    from skart.datasets import list_images

    # All images, including those outside of movement folders.
    paths = list_images(data) if data.is_dir() else None
    try:
        collection = Collection(data, least=1, skip_empty=True)
    except ValueError as error:
        if paths is None:
            raise
        say(f"audited without movements and artists: {error}")
        labels = artists = None
    else:
        for remark in collection.remarks():
            say(remark)
        paths = collection.paths if paths is None else paths
        known = collection.frame.set_index("path").reindex(paths)
        labels = known["movement"]
        artists = known["artist"] if collection.artists_known else None
    found = audit_collection(
        paths, labels=labels, artists=artists, min_size=min_size, n_jobs=-1
    )
    if html is not None:
        from skart.report import write_audit

        write_audit(found, html)
        say(f"saved {html}")
    if csv is not None:
        with atomic_write(csv) as part:
            found.table.to_csv(part, index=False, errors="backslashreplace")
        say(f"saved {csv}")
    unreadable = int((found.table["problem"] == "unreadable").any())
    if format == "json":
        known = found.table.astype(object).where(found.table.notna(), None)
        return as_json(known.to_dict("records")), unreadable
    summary = found.summary()
    lines = [f"{len(paths)} images, {len(found.table)} findings"]
    if len(found.table):
        lines += ["", summary[summary["findings"] > 0].to_string(), ""]
        lines += [
            visible(f"{row.problem}: {row.file or 'the collection'}: {row.detail}")
            for row in found.table.itertuples()
        ]
    return "\n".join(lines), unreadable
