"""``skart cache``: show, verify, share and clear the feature store."""

import functools

import typer

from skart.cli import _options as options
from skart.cli._app import app, argument, as_json, command, option

group = typer.Typer(
    no_args_is_help=True,
    help="Show, verify, share or delete the features stored on disk. "
    "Example: `skart cache info`",
)
app.add_typer(group, name="cache")
command = functools.partial(command, group=group)


Url = argument(
    str | None,
    "Folder that machines share, or URL (s3://bucket/folder, sftp://..., ...).",
    envvar="SKART_UPSTREAM",
    metavar="URL",
)
Section = option(
    str,
    "Only the features whose key starts with KEY; `skart cache info` lists the keys.",
    metavar="KEY",
)


@command
def info(cache: options.Cache = options.CACHE, format: options.Format = "table"):
    """Show the content of the feature store; nothing is changed.

    The exit status is 1 if the store is damaged.

    Examples
    --------
        skart cache info

        skart cache info --cache features/ --format json
    """
    store = _open(cache)
    answer, kept = store.info(), list(store.root.glob("*.openvino"))
    kept_bytes = sum(path.stat().st_size for path in kept)
    answer["openvino"] = {"files": len(kept), "bytes": kept_bytes}
    status = int(bool(answer["problems"]))
    if format == "json":
        return as_json(answer), status
    sections = answer["sections"]
    content = f"{answer['arrays']:,} arrays, {len(sections)} kinds of features"
    if status:
        content = (
            f"damaged: {'; '.join(answer['problems'])}. The next use of the store "
            "begins anew, and so does skart cache verify --repair"
        )
    lines = [answer["path"], f"{_size(answer['bytes'])} on disk, {content}"]
    lines += [
        f"  {section['key'][:8]} {section['arrays']:>8,} "
        f"{_size(section['bytes']):>10}  {_describe(section['identity'])}"
        for section in sections
    ]
    if kept:
        lines.append(f"  {len(kept):>17,} {_size(kept_bytes):>10}  files of OpenVINO")
    return "\n".join(lines), status


@command
def verify(
    url: argument(
        str | None, "Verify these shared files instead.", metavar="URL"
    ) = None,
    cache: options.Cache = options.CACHE,
    repair: option(
        bool, "Remove damaged arrays; they are computed again when needed.", "--repair"
    ) = False,
    format: options.Format = "table",
):
    """Compare all stored arrays with their checksums.

    The exit status is 1 if any array is damaged, repaired or not. With URL, the files
    that machines share are read in full, and --repair deletes those that are damaged.

    Examples
    --------
        skart cache verify

        skart cache verify --cache features/ --repair

        skart cache verify s3://museum/features
    """
    if url is not None:
        return _verify_upstream(url, repair, format)
    answer = _open(cache).verify(repair=repair)
    status = int(bool(answer["damaged"] or answer["problems"]))
    if format == "json":
        return as_json(answer), status
    lines = [f"{answer['path']}: {answer['arrays']:,} sound arrays"]
    lines += [
        f"  damaged: the image {array['digest'][:16]}, {_describe(array['identity'])}"
        for array in answer["damaged"]
    ]
    lines += [f"  damaged: {problem}" for problem in answer["problems"]]
    if answer["repaired"]:
        lines.append("damaged arrays were removed; they are computed again when needed")
    elif status:
        lines.append("damaged arrays are never used; --repair removes them")
    return "\n".join(lines), status


def _verify_upstream(url, repair, format):
    from skart.store import verify_upstream

    answer = verify_upstream(url, repair=repair)
    status = int(bool(answer["damaged"]))
    if format == "json":
        return as_json(answer), status
    counts = f"{answer['shards']:,} sound files, {answer['arrays']:,} arrays"
    lines = [f"{answer['url']}: {counts}"]
    lines += [f"  damaged: {x['file']}: {x['problem']}" for x in answer["damaged"]]
    if answer["repaired"]:
        lines.append("damaged files were deleted; skart cache push writes them anew")
    elif status:
        lines.append("damaged files are never used; --repair deletes them")
    return "\n".join(lines), status


@command
def push(
    url: Url = None,
    cache: options.Cache = options.CACHE,
    section: Section = "",
    format: options.Format = "table",
):
    """Copy to a shared folder or URL the features that it lacks.

    Any number of machines may do so at once. With SKART_UPSTREAM set to the URL, all
    commands look there for features before they compute them.

    Examples
    --------
        skart cache push s3://museum/features

        skart cache push /mnt/share/features --section 3f9a
    """
    from skart.store import FeatureStore

    done = FeatureStore(cache).push(_check_url(url), section=section)
    if format == "json":
        return as_json(done)
    return (
        f"{done['arrays']:,} arrays of {done['sections']} kinds of features written: "
        f"{done['shards']} files, {_size(done['bytes'])}"
    )


@command
def pull(
    url: Url = None,
    cache: options.Cache = options.CACHE,
    section: Section = "",
    format: options.Format = "table",
):
    """Copy the features that the store lacks from a shared folder or URL.

    Every file is compared with its SHA-256; damaged ones are passed over.

    Examples
    --------
        skart cache pull s3://museum/features

        skart cache pull /mnt/share/features --section 3f9a
    """
    from skart.store import FeatureStore

    done = FeatureStore(cache).pull(_check_url(url), section=section)
    if format == "json":
        return as_json(done)
    return f"{done['arrays']:,} new arrays of {done['sections']} kinds of features"


def _check_url(url):
    if url is None:
        raise ValueError("pass URL, a folder or a URL, or set SKART_UPSTREAM")
    return url


@command
def clear(
    cache: options.Cache = options.CACHE,
    yes: option(bool, "Delete without asking.", "--yes") = False,
):
    """Delete all stored features; they are computed again when needed.

    Networks and models that are kept for OpenVINO are deleted, too. Nothing is deleted
    from a folder that also holds other files.

    Examples
    --------
        skart cache clear

        skart cache clear --cache features/ --yes
    """
    store = _open(cache)
    if not yes and not typer.confirm(
        f"Delete all features in {store.root}, of every version of skart?", err=True
    ):
        return "nothing was deleted", 1
    return f"{store.root}: deleted {_size(store.clear())}"


def _open(cache):
    from skart.store import FeatureStore

    store = FeatureStore(cache)
    if not store.exists():
        raise ValueError(
            f"--cache {store.root}: there is no feature store. Name the folder of a "
            "feature store."
        )
    return store


def _describe(identity):
    """Return how features were computed, in a line."""
    if identity is None:
        return "computed in an unknown way"
    images = identity.get("images", {})
    size = images.get("size") or images.get("array", [])[:2]
    shape = f"images {' x '.join(map(str, size))}"
    if "handcrafted" in identity:
        parts = [f"hand-made {identity['handcrafted']}", shape, images.get("resize")]
    else:
        pooling = identity.get("pooling")
        computed, kept = identity.get("dtype"), identity.get("storage_dtype")
        parts = [
            identity.get("backbone"),
            identity.get("layer") or "last layer",
            f"pooling {pooling}" if pooling else "maps",
            f"weights {str(identity.get('weights'))[:16]}",
            shape,
            images.get("resize"),
            _describe_window(identity.get("window")),
            computed if computed == kept else f"{computed}, kept as {kept}",
            "by OpenVINO" if identity.get("engine") == "openvino" else None,
        ]
    return ", ".join(str(part) for part in parts if part)


def _describe_window(window):
    """Return the crop of the images, and whether they were flipped, in a phrase."""
    *box, mirrored = window or [False]
    parts = ["mirrored"] * mirrored
    if box:
        top, left, bottom, right = box
        parts.insert(0, f"rows {top}-{bottom}, columns {left}-{right}")
    return " ".join(parts)


def _size(n_bytes):
    return f"{n_bytes / 1e6:,.1f} MB"
