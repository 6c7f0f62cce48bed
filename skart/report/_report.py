"""The page of an evaluation."""

import datetime
import platform
from collections.abc import Mapping

import matplotlib.pyplot as plt
from sklearn.utils.validation import check_is_fitted

from skart._utils._pages import check_target
from skart._utils._versions import list_versions
from skart.images._headers import survey_files
from skart.report._exploration import fill_map, fill_suspects
from skart.report._html import FIGURE_STYLE, Page
from skart.report._paintings import fill_files, fill_mistakes, fill_paintings
from skart.report._provenance import describe_steps, list_parameters
from skart.report._results import fill_confidence, fill_results, fill_training
from skart.report._text import count, make_model_card, summarize


def write_report(
    evaluation,
    paths,
    file,
    *,
    title="Recognising artistic movements",
    description=None,
    estimator=None,
    search=None,
    history=None,
    periods=None,
    skipped=None,
    notes=None,
    index=None,
    sets=None,
    verbose=True,
):
    """Write an evaluation and its paintings as a self-contained HTML page.

    The page holds a summary, a description of the paintings, metrics with confidence
    intervals, the accuracy by artist, the calibration, the mistakes with the highest
    confidence, labels to check, the training, a model card [1]_, parameters and
    versions, and all files with their SHA-256. With an index, each mistake stands
    beside the paintings that may explain it, and a map shows the collection. The page
    loads nothing else: no script, no other file, nothing from the network.

    Parameters
    ----------
    evaluation : skart.evaluation.Evaluation
        Evaluation by cross-validation (see :func:`skart.evaluation.evaluate`) or on a
        test set.
    paths : array-like of str or path, shape (n_paintings,)
        Image files, in the order of the evaluation. Files that are unreadable or
        missing are listed on the page.
    file : str or path
        HTML file to write. An existing file is replaced, and folders are created.
    title : str, default="Recognising artistic movements"
        Title of the page.
    description : str, default=None
        Description of the collection. Empty lines separate paragraphs.
    estimator : classifier or Pipeline, default=None
        Classifier that was evaluated, fitted or not. The page lists its parameters, and
        shows its learning curves if it has ``history_``.
    search : RandomizedSearchCV, GridSearchCV or similar, or dict, default=None
        Fitted search that selected the parameters, or its ``cv_results_``.
    history : dict, default=None
        Learning curves, as in :class:`skart.plotting.HistoryDisplay`. If None, those of
        the estimator.
    periods : DataFrame or dict, default=None
        Years of the movements, as in :meth:`skart.evaluation.Evaluation.chronology`.
    skipped : dict of str to list of str, default=None
        Skipped files by reason, whose numbers are shown: ``skipped`` of
        :func:`skart.datasets.load_image_folder`.
    notes : str, default=None
        Notes for the model card.
    index : PaintingIndex, default=None
        Index fitted on the same paintings in the same order. Its features are used,
        and none are computed.
    sets : DataFrame, default=None
        How often prediction sets of another calibration hold the movement, as by
        :meth:`skart.evaluation.Evaluation.sets_per_movement`: those of a model that was
        calibrated before. If None, those of the evaluation.
    verbose : bool, default=True
        If True, show a progress bar while files are read, if it takes more than a
        second.

    Returns
    -------
    file : pathlib.Path
        Path of the page.

    Raises
    ------
    ValueError
        If paths and evaluation or index differ in length, or ``periods`` lacks a
        movement.
    TypeError
        If ``paths`` holds other objects than paths.
    OSError
        If the page can't be written.

    See Also
    --------
    skart.evaluation.evaluate : Cross-validate a classifier.
    skart.exploration.PaintingIndex : Find nearest paintings.

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
    ...         paintings.labels, y_pred=["Cubism"] * 8, groups=paintings.artists)
    ...     page = write_report(evaluation, paintings.paths, f"{folder}/report.html")
    ...     "the movement of 50.0% of the paintings" in page.read_text("utf-8")
    True
    """
    n_paintings = len(evaluation.y_true)
    if len(paths) != n_paintings:
        raise ValueError(
            f"paths must hold the {n_paintings} paintings of the evaluation, in the "
            f"same order; got {len(paths)}. Pass paths[evaluation.tested]."
        )
    # Raise errors before all files are read.
    if index is not None:
        check_is_fitted(index)
        if len(index.features_) != n_paintings:
            raise ValueError(
                f"index must be fitted on the {n_paintings} paintings of the "
                f"evaluation, in the same order; got {len(index.features_)}. Fit it on "
                "paths[evaluation.tested]."
            )
    if periods is not None:
        evaluation.chronology(periods)
    check_target(file)
    if history is None:
        history = _get_history(estimator)
    steps = None if estimator is None else describe_steps(estimator)
    files = survey_files(paths, verbose=verbose)
    intervals, scores = evaluation.intervals(), evaluation.per_movement()
    today = datetime.datetime.now().astimezone()
    page = Page(
        title,
        f"{count(n_paintings, 'painting')} of "
        f"{count(len(evaluation.classes), 'movement')}, {today.day} {today:%B %Y}",
    )
    # Without ioff, interactive backends would also show the figures.
    with plt.rc_context(FIGURE_STYLE), plt.ioff():
        section = page.section("Summary")
        for paragraph in summarize(evaluation, intervals, scores):
            section.text(paragraph)
        fill_results(
            page.section("Results"), evaluation, intervals, scores, periods=periods
        )
        fill_confidence(page.section("Confidence"), evaluation, intervals, sets)
        fill_mistakes(
            page.section("Mistakes"), evaluation, files, index, verbose=verbose
        )
        if evaluation.probabilities is not None:
            section = page.section("Labels to check")
            fill_suspects(section, evaluation, files, index, verbose=verbose)
        if history is not None or search is not None:
            fill_training(page.section("Training"), history=history, search=search)
        fill_paintings(
            page.section("The paintings"),
            evaluation,
            files,
            skipped=skipped,
            description=description,
        )
        if index is not None:
            section = page.section("The map")
            fill_map(section, evaluation, files, index, verbose=verbose)
    page.section("Model card").facts(
        make_model_card(evaluation, intervals, files, steps, notes)
    )
    section = page.section("Parameters and versions")
    if estimator is not None:
        section.table(
            list_parameters(estimator),
            caption="Parameters of the classifier",
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


def _get_history(estimator):
    """Return the learning curves of an estimator, or None."""
    estimator = getattr(estimator, "best_estimator_", estimator)
    if hasattr(estimator, "steps"):
        estimator = estimator[-1]
    history = getattr(estimator, "history_", None)
    is_history = isinstance(history, Mapping) and {"loss", "accuracy"} <= history.keys()
    return history if is_history else None
