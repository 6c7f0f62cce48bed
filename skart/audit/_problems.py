"""Problems: the table of findings that an audit makes of inspected files."""

import numpy as np
import pandas as pd

from skart.datasets._folder import key_of_name

PROBLEMS = (
    "unreadable",
    "exact duplicate",
    "near duplicate",
    "conflicting movements",
    "conflicting artists",
    "blank",
    "greyscale",
    "border",
    "tiny",
    "imbalance",
)

# Separator of related files in a cell, and their largest number: naming all files of a
# large cluster in each of its rows would make the table grow with its square.
_SEPARATOR = " | "
_MOST_RELATED = 20


def find_problems(files, *, min_size, max_border, max_imbalance):
    """Return the table of findings, as `Audit.table` documents it."""
    findings = [
        *_of_clusters(files),
        *_of_files(files, min_size, max_border),
        *_of_movements(files, max_imbalance),
    ]
    columns = ["problem", "position", "detail", "related"]
    table = pd.DataFrame(findings, columns=columns).astype({"position": "Int64"})
    paths = files["path"].to_numpy()
    known = table["position"].notna()
    positions = table.loc[known, "position"].astype(int)
    table["file"] = pd.Series([None] * len(table), dtype=object)
    table.loc[known, "file"] = paths[positions]
    table["cluster"] = pd.Series(pd.NA, table.index, dtype="Int64")
    table.loc[known, "cluster"] = files["cluster"].array[positions]
    # Of copies, the largest is probably the original.
    largest_first = (files["width"] * files["height"]).sort_values(
        ascending=False, kind="stable"
    )
    originals = files.loc[largest_first.index].groupby("cluster")["path"].first()
    is_copy = table["problem"].str.endswith("duplicate")
    table["original"] = table["cluster"].map(originals).where(is_copy).astype(object)
    # Objects, because the strings of pandas can't hold all file names.
    table["related"] = pd.Series(
        [
            _SEPARATOR.join(paths[list(related[:_MOST_RELATED])])
            for related in table["related"]
        ],
        dtype=object,
    )
    table["rank"] = table["problem"].map(PROBLEMS.index)
    table = table.sort_values(["rank", "cluster", "position"], ignore_index=True)
    columns = "problem file detail cluster original related position"
    return table[columns.split()]


def _of_clusters(files):
    """Yield (problem, position, detail, related positions) of duplicates."""
    for _, members in files.groupby("cluster"):
        same_file, same_bytes = (
            members[name].to_numpy() for name in ("same_file", "same_bytes")
        )
        names = {
            "movement": (members["movement"], members["movement"]),
            "artist": (members["artist"], members["artist"].map(key_of_name)),
        }
        names = {
            kind: (given.to_numpy(), keys.to_numpy())
            for kind, (given, keys) in names.items()
            if keys.nunique() > 1
        }
        for place, one in enumerate(members.itertuples()):
            others = np.arange(len(members)) != place
            equal = others & (same_bytes == one.same_bytes)
            if equal.any():
                again = others & (same_file == one.same_file)
                detail = "the same file again" if again.any() else "equal bytes"
                yield "exact duplicate", one.Index, detail, members.index[equal]
            if (others & ~equal).any():
                detail = f"{_size(one)}, similarity {one.similarity:.2f}"
                near = members.index[others & ~equal]
                yield "near duplicate", one.Index, detail, near
            for kind, (given, keys) in names.items():
                differs = pd.notna(keys) & (keys != keys[place])
                if pd.notna(keys[place]) and differs.any():
                    there = ", ".join(map(str, pd.unique(given[differs])))
                    detail = f"{given[place]} here, {there} there"
                    related = members.index[differs]
                    yield f"conflicting {kind}s", one.Index, detail, related


def _of_files(files, min_size, max_border):
    readable = files["error"].isna()
    n_grey = files.loc[readable, "grey"].sum()
    in_colour = n_grey < readable.sum() / 2
    coloured = files[readable & ~files["grey"]].groupby("cluster").groups
    for one in files.itertuples():
        if pd.notna(one.error):
            yield "unreadable", one.Index, one.error, []
            continue
        if one.blank:
            yield "blank", one.Index, "one colour and nothing else", []
        elif one.grey and in_colour:
            copies = coloured.get(one.cluster, [])
            detail = "no colour"
            if len(copies):
                detail += ", but a copy has"
            yield "greyscale", one.Index, detail, copies
        if one.border > max_border:
            detail = f"uniform margins take {one.border:.0%} of the area"
            yield "border", one.Index, detail, []
        if min(one.width, one.height) < min_size:
            yield "tiny", one.Index, _size(one), []


def _of_movements(files, max_imbalance):
    counts = files["movement"].value_counts()
    if len(counts) > 1 and counts.iloc[0] > max_imbalance * counts.iloc[-1]:
        ratio = counts.iloc[0] / counts.iloc[-1]
        detail = (
            f"{counts.index[0]} has {counts.iloc[0]} paintings, {counts.index[-1]} has "
            f"{counts.iloc[-1]}: {ratio:.3g} times as many"
        )
        yield "imbalance", None, detail, []


def _size(one):
    return f"{one.width} x {one.height} px"
