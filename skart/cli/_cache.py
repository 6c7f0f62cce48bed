"""``skart cache``: what is in the store of features, is it sound, away with it."""

import functools
from typing import Annotated

import typer

from skart.cli._app import CACHE, Cache, Format, app, as_json, command

group = typer.Typer(
    no_args_is_help=True,
    help="Look at the features that are kept on disk, check or delete them.",
)
app.add_typer(group, name="cache")
command = functools.partial(command, group=group)


@command
def info(cache: Cache = CACHE, format: Format = "table"):
    """Tell what the store of features holds; nothing is changed.

    The exit status is 1 if it is damaged.

    Examples
    --------
        skart cache info

        skart cache info --cache features/ --format json
    """
    answer = _open(cache).info()
    status = int(bool(answer["problems"]))
    if format == "json":
        return as_json(answer), status
    held = (
        f"{answer['arrays']:,} arrays, {len(answer['sections'])} ways of computing them"
    )
    if status:
        held = (
            f"damaged: {'; '.join(answer['problems'])}. The store begins anew when it "
            "is next used, or by skart cache verify --repair"
        )
    lines = [answer["path"], f"{_size(answer['bytes'])} on disk, {held}"]
    for section in answer["sections"]:
        lines.append(
            f"  {section['arrays']:>8,} {_size(section['bytes']):>10}  "
            f"{_describe(section['identity'])}"
        )
    return "\n".join(lines), status


@command
def verify(
    cache: Cache = CACHE,
    repair: Annotated[
        bool,
        typer.Option(
            "--repair", help="Remove what is damaged, so that it is computed anew."
        ),
    ] = False,
    format: Format = "table",
):
    """Compare all that is stored with its checksums.

    The exit status is 1 if anything is damaged, repaired or not.

    Examples
    --------
        skart cache verify

        skart cache verify --cache features/ --repair
    """
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
        lines.append("what is damaged was removed; it is computed anew when needed")
    elif status:
        lines.append("what is damaged is never used; --repair removes it")
    return "\n".join(lines), status


@command
def clear(
    cache: Cache = CACHE,
    yes: Annotated[bool, typer.Option("--yes", help="Delete without asking.")] = False,
):
    """Delete all features that are stored; they are computed anew when needed.

    A folder that holds anything else is refused.

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
            f"--cache {store.root}: no feature store is there. Name the folder that "
            "features are kept in."
        )
    return store


def _describe(identity):
    """Say how features were computed, in a line."""
    if identity is None:
        return "computed in an unknown way"
    images = identity.get("images", {})
    size = images.get("size") or images.get("array", [])[:2]
    if "handcrafted" in identity:
        parts = [f"hand-made {identity['handcrafted']}"]
        parts += [f"images {' x '.join(map(str, size))}", images.get("resize")]
        return ", ".join(part for part in parts if part)
    computed, kept = identity.get("dtype"), identity.get("storage_dtype")
    parts = [
        identity.get("backbone"),
        identity.get("layer") or "last layer",
        f"pooling {identity.get('pooling')}" if identity.get("pooling") else "maps",
        f"weights {str(identity.get('weights'))[:16]}",
        f"images {' x '.join(map(str, size))}",
        images.get("resize"),
        _window(identity.get("window")),
        computed if computed == kept else f"{computed}, kept as {kept}",
        "as a graph" if "engine" in identity else None,
    ]
    return ", ".join(str(part) for part in parts if part)


def _window(window):
    """Say through which window images were seen."""
    if window is None:
        return None
    *box, mirrored = window
    parts = ["mirrored"] * mirrored
    if box:
        top, left, bottom, right = box
        parts.insert(0, f"rows {top}-{bottom}, columns {left}-{right}")
    return " ".join(parts)


def _size(n_bytes):
    return f"{n_bytes / 1e6:,.1f} MB"
