"""An evaluation and its paintings to one page."""

import datetime
import platform
from collections.abc import Mapping

import matplotlib.pyplot as plt

from skart._utils._versions import list_versions
from skart.images._headers import survey_files
from skart.report._html import FIGURE_STYLE, Page, check_target
from skart.report._paintings import fill_files, fill_mistakes, fill_paintings
from skart.report._provenance import describe_steps, list_parameters
from skart.report._results import fill_confidence, fill_results, fill_training
from skart.report._text import count, in_short, model_card


def write_report(
    file,
    evaluation,
    paths,
    *,
    title="Recognising artistic movements",
    description=None,
    estimator=None,
    search=None,
    history=None,
    periods=None,
    skipped=None,
    notes=None,
    verbose=True,
):
    """Write an evaluation and its paintings as one HTML page, to read, print and mail.

    It tells, in this order: what a curator needs in a few sentences; what the paintings
    are; how good the classifier is, and how sure; its worst mistakes, as pictures; how
    it was trained; a model card [1]_; parameters and versions; and every file with its
    SHA-256. The page needs nothing beside it: no script, no other file, no network.

    Parameters
    ----------
    file : str or path
        Where to write; a page that is there is replaced.
    evaluation : skart.evaluation.Evaluation
        Out-of-fold, as :func:`skart.evaluation.evaluate` gives it, or on a test set.
    paths : array-like of str or path, shape (n_paintings,)
        The image files, in the order of the evaluation. Those that can't be read, or
        are gone, are named on the page.
    title : str, default="Recognising artistic movements"
        Of the page.
    description : str, default=None
        What the collection is; an empty line parts two paragraphs.
    estimator : classifier or Pipeline, default=None
        What was evaluated, fitted or not: its parameters are listed, and its learning
        curves drawn if it has a ``history_``.
    search : RandomizedSearchCV or its like, or dict, default=None
        The fitted search that its parameters came from, or its ``cv_results_``.
    history : dict, default=None
        Learning curves, as :class:`skart.plotting.HistoryDisplay` takes them; None for
        those of the estimator.
    periods : DataFrame or dict, default=None
        Years of the movements, as :meth:`skart.evaluation.Evaluation.chronology` takes
        them.
    skipped : dict of str to int, default=None
        Files that were passed over, by reason: the ``skipped`` of
        :func:`skart.datasets.load_image_folder`.
    notes : str, default=None
        What else a reader should know; a part of the model card.
    verbose : bool, default=True
        Whether a progress bar shows while the files are read, when it takes more than
        a second.

    Returns
    -------
    file : pathlib.Path
        The page.

    Raises
    ------
    ValueError
        If there are not as many paths as paintings, or ``periods`` lacks a movement.
    TypeError
        If ``paths`` holds anything but paths.
    OSError
        If the page can't be written.

    See Also
    --------
    skart.evaluation.evaluate : Where the numbers come from.

    References
    ----------
    .. [1] Mitchell et al. "Model Cards for Model Reporting". FAT* 2019.

    Examples
    --------
    >>> import tempfile
    >>> from skart.datasets import load_image_folder, make_paintings
    >>> from skart.evaluation import Evaluation
    >>> from skart.report import write_report
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     paintings = load_image_folder(make_paintings(
    ...         f"{folder}/paintings", movements=["Op Art", "Cubism"], n_artists=2,
    ...         n_per_artist=2, size_range=(64, 96), verbose=False))
    ...     evaluation = Evaluation(
    ...         paintings.labels, [[0.7, 0.3]] * 8, ["Cubism", "Op Art"],
    ...         groups=paintings.artists)
    ...     page = write_report(f"{folder}/report.html", evaluation, paintings.paths)
    ...     "names the movement of 50.0% of the paintings" in page.read_text("utf-8")
    True
    """
    n_paintings = len(evaluation.y_true)
    if len(paths) != n_paintings:
        raise ValueError(
            f"paths must hold the {n_paintings} paintings of the evaluation, in its "
            f"order; got {len(paths)}"
        )
    # What would fail in the end fails ahead of the reading of files.
    if periods is not None:
        evaluation.chronology(periods)
    check_target(file)
    if history is None:
        history = _history(estimator)
    steps = None if estimator is None else describe_steps(estimator)
    files = survey_files(paths, verbose=verbose)
    intervals, scores = evaluation.intervals(), evaluation.per_movement()
    today = datetime.datetime.now().astimezone()
    page = Page(
        title,
        f"{count(n_paintings, 'painting')} of "
        f"{count(len(evaluation.classes), 'movement')}, {today.day} {today:%B %Y}",
    )
    # Figures are for the page: an interactive backend must not show them too.
    with plt.rc_context(FIGURE_STYLE), plt.ioff():
        section = page.section("In short")
        for paragraph in in_short(evaluation, intervals, scores):
            section.text(paragraph)
        fill_paintings(
            page.section("The paintings"),
            evaluation,
            files,
            skipped=skipped,
            description=description,
        )
        fill_results(
            page.section("Results"), evaluation, intervals, scores, periods=periods
        )
        fill_confidence(page.section("How sure is it"), evaluation, intervals)
        fill_mistakes(page.section("Mistakes"), evaluation, files)
        if history is not None or search is not None:
            fill_training(page.section("Training"), history=history, search=search)
    page.section("Model card").facts(
        model_card(evaluation, intervals, files, steps, notes)
    )
    section = page.section("Parameters and versions")
    if estimator is not None:
        section.table(
            list_parameters(estimator),
            caption="Every parameter of the classifier",
            code=("parameter", "value"),
        )
    section.facts(
        {
            **list_versions(),
            "platform": platform.platform(),
            "date": f"{today:%Y-%m-%d %H:%M %Z}",
        }
    )
    fill_files(page.section("Files"), evaluation, files)
    return page.write(file)


def _history(estimator):
    """Give an estimator's learning curves; None if it has none."""
    estimator = getattr(estimator, "best_estimator_", estimator)
    if hasattr(estimator, "steps"):
        estimator = estimator[-1]
    history = getattr(estimator, "history_", None)
    drawable = isinstance(history, Mapping) and {"loss", "accuracy"} <= history.keys()
    return history if drawable else None
