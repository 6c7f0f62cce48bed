"""The page of a reproduction, and its figures as files."""

import matplotlib.pyplot as plt
import pandas as pd

from skart.classifiers import report_head
from skart.plotting import ConfusionDisplay, HistoryDisplay, SearchDisplay
from skart.plotting._profiles import describe, figures
from skart.report._html import FIGURE_STYLE, Page
from skart.reproduction._apart import (
    NOTE,
    compare_artists,
    evaluation_on_test,
    format_artists,
)
from skart.reproduction._cited import CAVEAT, format_cited
from skart.reproduction._reported import TITLES, format_comparison
from skart.reproduction._usage import format_usage

# The report doesn't give the size at which it divides its figures.
_CUT = 1000


def write_page(reproduction, results, table, cited, usage):
    """Write page, figures and tables to the folder; return the path of the page."""
    table.to_csv(reproduction.out / "results.csv")
    if len(cited):
        cited.to_csv(reproduction.out / "cited.csv")
    # Figures are for the page: an interactive backend must not show them too.
    with plt.rc_context(FIGURE_STYLE), plt.ioff():
        page = _fill_page(reproduction, results, table, cited, usage)
    return page.write(reproduction.out / "reproduction.html")


def _fill_page(reproduction, results, table, cited, usage):
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
    section.table(format_comparison(table))

    section = page.section("The paintings")
    section.table(describe(collection)[1])
    for name, display in figures(collection, split_at=_CUT, seed=reproduction.seed):
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
            "Loss and accuracy per epoch; the best epoch on the validation paintings "
            "is marked.",
        )
        # A search over one candidate has the default parameters alone.
        if len((result["search"] or {}).get("mean_test_score", ())) > 1:
            add(
                section,
                f"{name}-search",
                SearchDisplay(results=result["search"]).plot(),
                f"Random search for {title}: accuracy against each parameter",
                "Accuracy of each candidate on the validation paintings.",
            )

    best = max(TITLES, key=lambda name: results[name]["validation"])
    evaluation = evaluation_on_test(results[best])
    section = page.section("Confusion matrix of the best")
    section.text(
        f"Best on the validation paintings: {TITLES[best]}. Its accuracy on the "
        f"{len(evaluation.y_true)} test paintings is "
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
        caption="Most confused",
        formats={"share": ".0%"},
    )
    if len(cited):
        section = page.section("Cited systems")
        section.text(CAVEAT)
        section.table(format_cited(cited))
    if "leakage" in results:
        section = page.section("With artists kept apart")
        section.text(NOTE)
        section.table(format_artists(compare_artists(results)))
        scores = pd.DataFrame(results["leakage"]["transfer"]["scores"])
        section.table(
            scores.rename_axis("figure"), caption=f"All figures: {TITLES['transfer']}"
        )

    section = page.section("Planned and actual use")
    section.table(format_usage(usage))

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


_SHOWN = "units", "dropout", "optimizer__learning_rate"  # of the report's head


def _describe(name, result):
    sentences = [
        f"Epochs: {result['epochs']}, of {result['seconds_per_epoch']:.3g} seconds, "
        f"{result['parameters']:,} trained parameters, {result['minutes']:.3g} minutes "
        "in total.",
        f"Accuracy: training {result['train']:.1%}, validation "
        f"{result['validation']:.1%}, test {result['test']:.1%}.",
    ]
    if "before" in result:
        sentences.append(
            f"Validation accuracy before fine-tuning: {result['before']:.1%}."
        )
    parameters = {key.partition("__")[2]: x for key, x in result["best"].items()}
    if name == "reported-head":
        head = report_head().get_params()
        parameters = {key: head[key] for key in _SHOWN}
    if parameters:
        shown = ", ".join(
            f"{key} {f'{value:.3g}' if isinstance(value, float) else value}"
            for key, value in parameters.items()
        )
        sentences.append(f"Parameters: {shown}.")
    return " ".join(sentences)
