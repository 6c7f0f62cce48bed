"""The cited systems on the paintings of a reproduction."""

import functools

import pandas as pd

from skart.model_selection import CITED, make_cited_pipeline

CAVEAT = (
    "Systems that the report cites, trained and tested on the same paintings. None is "
    "an exact copy. Published accuracies were measured on other paintings, unless they "
    "say Pandora18K, and are left out if they aren't known for certain. "
    "skart.model_selection.CITED lists sources and differences."
)


def run_cited(reproduction):
    """Run the cited systems that are not finished; return results by name."""
    results = {}
    for name, system in CITED.items():
        reproduction.say(f"\n{name}: {system.reference}")
        try:
            results[name] = reproduction.keep(
                f"cited-{name}", functools.partial(_run, reproduction, system)
            )
        except (OSError, ValueError) as error:  # such as too few paintings
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            reproduction.say(f"{name} failed: {reason}")
            results[name] = {"failed": reason}
    return results


def compare_cited(results):
    """Return the published accuracies beside ours, one row per system."""
    rows = {}
    for name, result in results.items():
        system = CITED[name]
        rows[name] = {
            "published": system.figure,
            "measured on": system.measured_on,
            "source": system.source,
            "train": 100 * result["train"] if "train" in result else None,
            "test": 100 * result["test"] if "test" in result else None,
            "minutes": result.get("minutes"),
            "failed": result.get("failed"),
        }
    table = pd.DataFrame.from_dict(rows, orient="index")
    return table.rename_axis("system")


def format_cited(table):
    """Return the figures of `compare_cited` as texts."""
    rows = {}
    for name, row in table.iterrows():
        published, failed = pd.notna(row["published"]), isinstance(row["failed"], str)
        rows[name] = {
            "published": f"{row['published']:g} %" if published else "not certain",
            "measured on": row["measured on"] if published else "",
            "here": row["failed"] if failed else f"{row['test']:.1f} %",
            "minutes": "" if failed else f"{row['minutes']:.2g}",
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("system")


def _run(reproduction, system):
    settings = reproduction.settings
    pipe = make_cited_pipeline(
        system.name,
        size=settings.descriptor_size
        if system.descriptors
        else settings.pretrained_size,
        backbone=reproduction.backbone,
        weights=reproduction.weights,
        cache=reproduction.out / "features",
        on_error=reproduction.on_error,
        random_state=reproduction.seed,
    )
    if system.descriptors:
        pipe.set_params(features__n_jobs=-1)
    paths, labels = reproduction.collection.paths, reproduction.collection.labels
    train, test = reproduction.part == "train", reproduction.part == "test"
    name = f"cited-{system.name}"
    cached = reproduction.cached(name, pipe).fit(paths[train], labels[train])
    pipe = cached.estimator_
    reproduction.save(name, pipe, paths[train])
    result = {
        part: float(pipe.score(paths[rows], labels[rows]))
        for part, rows in (("train", train), ("test", test))
    }
    reproduction.say(f"{system.name}: test {result['test']:.1%}")
    return result
