"""A recipe by name, its search and its fit, and what is noted in the model's file."""

import warnings
from collections import Counter

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import RandomizedSearchCV, StratifiedGroupKFold
from tqdm.auto import tqdm

from skart.classifiers import DenseHeadClassifier
from skart.cli._collection import choose_splitter, validation_share
from skart.cli._interrupts import check_interrupt
from skart.model_selection import (
    cnn_search_space,
    head_search_space,
    make_cnn_pipeline,
    make_fine_tune_pipeline,
    make_transfer_pipeline,
)
from skart.persistence import save_model
from skart.store import FeatureStore

_N_FOLDS = 3


def make_pipeline(
    kind,
    *,
    weights="imagenet",
    layer=None,
    size=None,
    dtype="float32",
    epochs=None,
    on_error="raise",
    cache=None,
    random_state=0,
):
    """Make one of the pipelines that ``skart train`` knows.

    Parameters
    ----------
    kind : {"transfer", "fine-tune", "hybrid", "vgg-lite", "squeezenet", "alexnet"}
        Which.
    weights : "imagenet", str, path or None, default="imagenet"
        Of InceptionV3, as :class:`skart.FeatureExtractor` takes them.
    layer : str, default=None
        Layer that features are taken from, or behind which all is trained.
    size : int, default=None
        Height and width of the images in pixels; None for 299, or 224 from scratch.
    dtype : {"float32", "bfloat16"}, default="float32"
        What networks compute in.
    epochs : int, default=None
        At most; None for 60, 10 or 30.
    on_error : {"raise", "blank"}, default="raise"
        See :class:`skart.ImageLoader`.
    cache : str or path, default=None
        Folder of the features.
    random_state : int, default=0
        Seed of the classifier.

    Returns
    -------
    pipeline : sklearn.pipeline.Pipeline
        Not fitted; its last step stops early once it has a validation split.
    """
    common = {"on_error": on_error, "random_state": random_state}
    if kind == "transfer":
        return make_transfer_pipeline(
            size=size or 299,
            weights=weights,
            layer=layer,
            dtype=dtype,
            scale=weights is None,
            cache=cache,
            epochs=epochs or 60,
            **common,
        )
    if dtype != "float32":
        common["dtype"] = f"mixed_{dtype}"
    if kind == "fine-tune":
        return make_fine_tune_pipeline(
            size=size or 299,
            head=DenseHeadClassifier(epochs=60, patience=10, validation_split=0.15),
            weights=weights,
            unfreeze_from=layer or "mixed9",
            cache=cache,
            epochs=epochs or 10,
            verbose=1,
            **common,
        )
    if layer is not None:
        raise ValueError(f"--layer {layer}: {kind} is trained from scratch, whole")
    return make_cnn_pipeline(
        kind.replace("-", "_"),
        size=size or 224,
        batch_norm=True,
        learning_rate_schedule="cosine",
        epochs=epochs or 30,
        verbose=1,
        **common,
    )


def train_and_save(pipe, collection, out, *, cache, n_candidates=0, seed=0, say=print):
    """Search, if asked to, fit, and save.

    Parameters
    ----------
    pipe : Pipeline
        By :func:`make_pipeline`.
    collection : Collection
        What it is trained on.
    out : str or path
        File of the model.
    cache : str or path
        Folder of the features.
    n_candidates : int, default=0
        Candidates of the randomized search; 0 for none.
    seed : int, default=0
        Of the folds and the candidates.
    say : callable, default=print
        Tells the user what goes on.

    Returns
    -------
    answer : dict
        ``model``, the file; ``paintings``; ``movements``; ``best``, parameters found by
        the search, with ``search_accuracy``; ``validation_accuracy`` on the
        ``validation_share`` that was held out, ``held_out``: how.
    """
    paths, labels = collection.paths, collection.labels
    splitter, why = choose_splitter(collection.frame, _N_FOLDS)
    name = pipe.steps[-1][0]
    groups = collection.groups if splitter is StratifiedGroupKFold else None
    fit_params = {} if groups is None else {f"{name}__groups": groups}
    pipe.set_params(
        **{
            # With room for the folds of a search, or of an evaluation later.
            f"{name}__validation_split": validation_share(labels, _N_FOLDS),
            f"{name}__patience": 10 if pipe[-1].epochs > 10 else 3,
        }
    )
    best, score, results = {}, None, None
    if n_candidates:
        say(f"Search: {n_candidates} candidates, {_N_FOLDS} folds, {why}")
        search = random_search(
            pipe,
            _search_space(pipe),
            paths,
            labels,
            n_candidates=n_candidates,
            cv=splitter(_N_FOLDS, shuffle=True, random_state=seed),
            seed=seed,
            groups=groups,
            **fit_params,
        )
        best = {key: _plain(value) for key, value in search.best_params_.items()}
        score = float(search.best_score_)
        results = note_search(search.cv_results_)
        pipe.set_params(**best)
    share = pipe[-1].validation_split
    say(f"Fit: on {len(labels)} paintings, of which {share:.0%} are held out, {why}")
    pipe.fit(paths, labels, **fit_params)
    answer = {
        "model": str(out),
        "paintings": len(labels),
        "movements": np.unique(labels).tolist(),
        "best": best,
        "search_accuracy": score,
        "validation_accuracy": validation_accuracy(pipe[-1].history_),
        "validation_share": share,
        "held_out": why,
    }
    notes = {
        "trained_on": collection.name,
        "paintings": dict(Counter(map(str, labels))),
        "artists": None
        if collection.groups is None
        else np.unique(collection.groups).tolist(),
        "validation_accuracy": answer["validation_accuracy"],
        "held_out": why,
        "search": results,
        "digests": digest_paintings(paths, cache),
    }
    save_model(pipe, out, notes=notes)
    return answer


def random_search(
    pipe, space, X, y, *, n_candidates, cv, seed=0, groups=None, **fit_params
):
    """Search at random, with a progress bar.

    Parameters
    ----------
    pipe : Pipeline
        Not changed.
    space : dict of str to distribution
        What to draw from.
    X, y : array-like of shape (n_paintings,)
        Paths and movements.
    n_candidates : int
        How many to draw.
    cv : splitter
        Folds.
    seed : int, default=0
        Of the candidates.
    groups : array-like of shape (n_paintings,), default=None
        For the folds.
    **fit_params : dict
        For the pipeline's ``fit``.

    Returns
    -------
    search : RandomizedSearchCV
        Fitted, without a refit of the best.
    """
    n_fits = n_candidates * cv.get_n_splits(X, y, groups)
    with tqdm(
        total=n_fits,
        desc="search",
        unit="fit",
        mininterval=0.5,
    ) as progress:

        def score(estimator, X, y):
            # A fit that failed because of an interrupt doesn't end a search.
            check_interrupt()
            accuracy = estimator.score(X, y)
            progress.update()
            progress.set_postfix(accuracy=f"{accuracy:.3f}")
            return accuracy

        search = RandomizedSearchCV(
            pipe,
            space,
            n_iter=n_candidates,
            cv=cv,
            scoring=score,
            refit=False,
            # A candidate that diverges is a bad one, and no reason to end the search.
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
                    clone(pipe).fit(X, y, **fit_params)  # which says why
                raise
    failed = np.isnan(search.cv_results_["mean_test_score"])
    if failed.all():
        clone(pipe).fit(X, y, **fit_params)
    if failed.any():
        warnings.warn(
            f"{failed.sum()} of {n_candidates} candidates could not be trained or "
            "tested, and are left out",
            stacklevel=2,
        )
    return search


def validation_accuracy(history):
    """Find the validation accuracy of the weights that early stopping has restored.

    Parameters
    ----------
    history : dict of str to list of float
        ``history_`` of a classifier that was stopped by its validation loss.

    Returns
    -------
    accuracy : float
        That of the least loss; of the last stage, where there were several.
    """
    table = pd.DataFrame(history)
    if "stage" in table:
        table = table[table["stage"] == table["stage"].max()]
    return float(table.loc[table["val_loss"].idxmin(), "val_accuracy"])


def digest_paintings(paths, cache):
    """Digest image files, to know later which paintings a model was trained on.

    Parameters
    ----------
    paths : iterable of str
        Image files.
    cache : str or path
        Folder of the features, which remembers digests, too.

    Returns
    -------
    digests : list of str
        The first 16 hexadecimal digits of SHA-256; "" for a file that can't be read.
    """
    digests = FeatureStore(cache).digest_files(paths)
    return [digest.hex()[:16] if digest else "" for digest in digests]


def note_search(results):
    """Keep of ``cv_results_`` what is drawn of it, as plain values.

    Parameters
    ----------
    results : dict
        ``cv_results_`` of a search.

    Returns
    -------
    results : dict of str to list
        Parameters, and mean and spread of the scores.
    """
    return {
        key: np.ma.getdata(values).tolist()
        for key, values in results.items()
        if key.startswith("param_") or key in ("mean_test_score", "std_test_score")
    }


def _search_space(pipe):
    name, classifier = pipe.steps[-1]
    if name == "head":
        return head_search_space()
    if name == "model":
        return head_search_space("model__head__")
    space = cnn_search_space()
    if classifier.network == "squeezenet":
        del space["cnn__units"]
    return space


def _plain(value):
    return value.item() if isinstance(value, np.generic) else value
