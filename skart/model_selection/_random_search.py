"""Randomized search that begins with the defaults, and its results for a model file."""

import warnings

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import ParameterSampler, RandomizedSearchCV
from tqdm.auto import tqdm

from skart._utils._interrupts import check_interrupt


class DefaultFirstSearchCV(RandomizedSearchCV):
    """Randomized search whose first candidate is the estimator as it is."""

    def _run_search(self, evaluate_candidates):
        # A hook for subclasses, see BaseSearchCV.
        space, seed = self.param_distributions, self.random_state
        evaluate_candidates(draw_candidates(space, self.n_iter, seed))


def draw_candidates(space, n_candidates, seed):
    """Return the parameters of each candidate; those of the first are the defaults."""
    if n_candidates == 1:
        return [{}]
    return [{}, *ParameterSampler(space, n_candidates - 1, random_state=seed)]


class _Accuracy:
    """Scorer that shows the progress of a search, in its own process."""

    def __init__(self, progress):
        self.progress = progress

    def __call__(self, estimator, X, y):
        # An interrupt in a fit is reported as a failed fit: end the search here.
        check_interrupt()
        accuracy = estimator.score(X, y)
        if self.progress is not None:
            self.progress.update()
            self.progress.set_postfix(accuracy=f"{accuracy:.3f}")
        return accuracy

    def __getstate__(self):
        return {"progress": None}


def random_search(
    pipe, space, X, y, *, n_candidates, cv, seed=0, groups=None, **fit_params
):
    """Return a fitted RandomizedSearchCV without a refit; show a progress bar."""
    # Lines of Keras would interrupt the progress bar.
    quiet = {
        name: 0
        for name, value in pipe.get_params().items()
        if name.rpartition("__")[2] == "verbose" and type(value) is int
    }

    def raise_cause():
        once = clone(search).set_params(n_iter=1, scoring=None, error_score="raise")
        once.fit(X, y, groups=groups, **fit_params)

    n_fits = n_candidates * cv.get_n_splits(X, y, groups)
    with tqdm(total=n_fits, desc="search", unit="fit", mininterval=0.5) as progress:
        search = DefaultFirstSearchCV(
            clone(pipe).set_params(**quiet),
            space,
            n_iter=n_candidates,
            cv=cv,
            scoring=_Accuracy(progress),
            refit=False,
            # A candidate that diverges is the worst; the search goes on.
            error_score=np.nan,
            random_state=seed,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FitFailedWarning)
            warnings.filterwarnings("ignore", "Scoring failed|One or more of the test")
            try:
                search.fit(X, y, groups=groups, **fit_params)
            except ValueError as error:
                if "fits failed" in str(error):
                    raise_cause()
                raise
        progress.update(n_fits - progress.n)  # those of other processes
    failed = np.isnan(search.cv_results_["mean_test_score"])
    if failed.all():
        raise_cause()
    if failed.any():
        warnings.warn(
            f"{failed.sum()} of {n_candidates} candidates could not be trained or "
            "tested, and are left out",
            stacklevel=2,
        )
    return search


def note_search(results):
    """Return the parameters and mean scores of `cv_results_` as lists."""
    # Parameters of the first candidate, the defaults, are masked: None.
    return {
        key: np.ma.asarray(values).tolist()
        for key, values in results.items()
        if key.startswith("param_") or key in ("mean_test_score", "std_test_score")
    }
