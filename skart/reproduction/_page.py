"""The page that ``skart reproduce`` writes, and its figures as files."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from skart.evaluation import Evaluation
from skart.plotting import ConfusionDisplay, HistoryDisplay, SearchDisplay
from skart.plotting._profiles import describe, figures
from skart.report._html import FIGURE_STYLE, Page
from skart.reproduction._cited import CAVEAT, written_cited
from skart.reproduction._reported import REPORTED_HEAD, TITLES, written

# Where the report cuts its figures of sizes is not printed.
_CUT = 1000


def write_page(reproduction, results, table, cited):
    """Write the page, the figures and the table into the reproduction's folder.

    Parameters
    ----------
    reproduction : Reproduction
        What was run.
    results : dict of str to dict
        What came out, by experiment.
    table : DataFrame
        By :func:`compare`.
    cited : DataFrame
        By :func:`compare_cited`; empty if they were left out.

    Returns
    -------
    file : pathlib.Path
        ``reproduction.html``; ``results.csv``, ``cited.csv`` and ``figures/`` stand
        beside it.
    """
    table.to_csv(reproduction.out / "results.csv")
    if len(cited):
        cited.to_csv(reproduction.out / "cited.csv")
    # Figures are for the page: an interactive backend must not show them too.
    with plt.rc_context(FIGURE_STYLE), plt.ioff():
        page = _fill_page(reproduction, results, table, cited)
    return page.write(reproduction.out / "reproduction.html")


def _fill_page(reproduction, results, table, cited):
    collection = reproduction.collection
    folder = reproduction.out / "figures"
    folder.mkdir(exist_ok=True)

    def add(section, name, figure, alt, caption=""):
        figure = getattr(figure, "figure_", figure)
        figure.savefig(folder / f"{name}.png", dpi=120, bbox_inches="tight")
        section.figure(figure, alt=alt, caption=caption)

    page = Page(
        "Artistic Movement Recognition using Deep CNNs",
        f"The report's experiments on {collection.name}",
    )
    section = page.section("Results")
    section.text(reproduction.describe())
    section.table(written(table))

    section = page.section("The paintings")
    section.table(describe(collection)[1])
    for name, display in figures(collection, cut=_CUT, seed=reproduction.seed):
        kind, _, part = name.partition("-")
        alt, caption = _CAPTIONS[kind]
        if part:  # "below-1000"
            caption = f"{caption} Longer side {part.replace('-', ' ')}."
        add(section, name, display, alt, caption)

    for name, title in TITLES.items():
        result = results[name]
        section = page.section(title[0].upper() + title[1:])
        section.text(_describe(name, result))
        add(
            section,
            f"{name}-history",
            HistoryDisplay(history=result["history"]).plot(),
            f"Learning curves of {title}: loss and accuracy by epoch",
            "Loss and accuracy by epoch; the best epoch on the validation paintings "
            "is marked.",
        )
        if result["search"] is not None:
            add(
                section,
                f"{name}-search",
                SearchDisplay(results=result["search"]).plot(),
                f"Random search for {title}: accuracy against each parameter",
                "Accuracy on the validation paintings of each candidate.",
            )

    best = max(TITLES, key=lambda name: results[name]["validation"])
    evaluation = _test_of(results[best])
    section = page.section("Confusion matrix of the best")
    section.text(
        f"The best on the validation paintings is: {TITLES[best]}. On the "
        f"{len(evaluation.y_true)} test paintings it is right for "
        f"{evaluation.metrics['accuracy']:.1%}."
    )
    add(
        section,
        "confusion-matrix",
        ConfusionDisplay.from_evaluation(evaluation),
        f"Confusion matrix of {TITLES[best]} on the test paintings",
    )
    section.table(
        evaluation.most_confused(10),
        caption="Confused most often",
        formats={"share": ".0%"},
    )
    if len(cited):
        section = page.section("Cited systems")
        section.text(CAVEAT)
        section.table(written_cited(cited))
    if "leakage" in results:
        section = page.section("What the report did not ask")
        section.text(
            "Its split is random: paintings of one artist stand in training and test. "
            "The same head, on the frozen features, cross-validated twice: with random "
            "folds, and with the paintings of each artist kept together."
        )
        section.table(pd.DataFrame(results["leakage"]["gap"]).rename_axis("figure"))

    section = page.section("Settings and versions")
    section.facts(reproduction.made_with)
    return page


_CAPTIONS = {
    "samples": ("Sample paintings of each movement", "Samples of each movement."),
    "sizes": (
        "Width against height of the images, and histograms of width, height and "
        "aspect ratio",
        "Sizes of the images in pixels.",
    ),
}


def _describe(name, result):
    sentences = [
        f"Epochs: {result['epochs']}, of {result['seconds_per_epoch']:.3g} seconds, "
        f"{result['parameters']:,} weights trained, {result['minutes']:.3g} minutes in "
        "all.",
        f"Accuracy: training {result['train']:.1%}, validation "
        f"{result['validation']:.1%}, test {result['test']:.1%}.",
    ]
    if "before" in result:
        sentences.append(f"Before fine-tuning, validation was {result['before']:.1%}.")
    parameters = REPORTED_HEAD if name == "reported-head" else result["best"]
    if parameters:
        shown = ", ".join(
            f"{key.partition('__')[2]} "
            f"{f'{value:.3g}' if isinstance(value, float) else value}"
            for key, value in parameters.items()
        )
        sentences.append(f"Parameters: {shown}.")
    return " ".join(sentences)


def _test_of(result):
    return Evaluation(
        np.array(result["y_true"]),
        probabilities=np.array(result["probabilities"]),
        classes=np.array(result["classes"]),
    )
