"""``skart train``: train a classifier on a folder of paintings."""

import shlex
from collections import Counter
from pathlib import Path
from typing import Literal

from skart._utils import _interrupts as interrupts
from skart.cli import _options as options
from skart.cli._app import as_json, check_out, command, in_options, option, say
from skart.cli._sets import describe

_N_FOLDS = 3
_INTERRUPTED = (
    "\nskart: interrupted. Features computed so far are kept, and {} is saved without "
    "calibration: the same command with --force trains again. Ctrl-C again ends it at "
    "once."
)


@command
@options.reads_collection
def train(
    data: options.Data,
    out: option(Path, "File for the model (.skart).") = Path("model.skart"),
    kind: option(
        Literal["transfer", "fine-tune", "hybrid", "vgg-lite", "squeezenet", "alexnet"],
        "A head on frozen features (transfer), a head and the last layers of the "
        "backbone (fine-tune), or a network that is trained from scratch (hybrid, "
        "vgg-lite, squeezenet or alexnet).",
        metavar="KIND",
    ) = "transfer",
    backbone: options.Backbone = None,
    weights: options.Weights = None,
    layer: option(
        str | None,
        "Of transfer: layer of the features, such as mixed5, or 'last'. Default: the "
        "layers that are recommended for style.",
    ) = None,
    unfreeze_from: option(
        str | None,
        "Of fine-tune: the layers after this one are trained; input: all layers. "
        "Default: mixed9 of InceptionV3, block14 of EfficientNetLite0; required with "
        "other networks.",
        metavar="LAYER",
    ) = None,
    size: option(
        int | None,
        "Height and width of the images in pixels. Default: that of the network, "
        "299 for InceptionV3 and 224 for EfficientNetLite0; 224 for networks trained "
        "from scratch (500 in the report).",
        min=16,
    ) = None,
    dtype: options.Dtype = "float32",
    engine: options.Engine = "auto",
    candidates: option(
        int, "Number of candidates of a randomized search; 0: no search.", min=0
    ) = 0,
    epochs: option(
        int | None,
        "Maximum number of epochs. Default: 100 for transfer, 10 for "
        "fine-tune, else 30. Training, except for transfer, stops early if the "
        "validation loss no longer falls.",
        min=1,
    ) = None,
    calibrate: option(
        bool | None,
        "After the fit, cross-validate with 4 folds and artists apart: for the "
        "accuracy on new artists, and for `skart predict --sets`. Default: only for "
        "transfer, since each fold is a new fit.",
        "--calibrate/--no-calibrate",
    ) = None,
    on_error: options.OnError = "raise",
    cache: options.Cache = options.CACHE,
    seed: options.Seed = 0,
    force: options.Force = False,
    format: options.Format = "table",
):
    """Train a classifier on a folder of paintings and save it.

    Artists are kept apart between training and validation if there are enough of them.
    Heads are then cross-validated with artists apart, which gives the accuracy on new
    artists. Run `skart evaluate` for the figures of each movement.

    Examples
    --------
        skart train paintings/ --out model.skart

        skart train paintings/ --candidates 20 --weights inception_v3.weights.h5

        skart train paintings/ --backbone EfficientNetV2B0 --layer last

        skart train paintings/ --kind hybrid --size 128 --out hybrid.skart
    """
    check_out(out, force=force, suffix=".skart")
    if kind not in ("transfer", "fine-tune"):
        named = {
            "--backbone": backbone,
            "--weights": weights,
            "--layer": layer,
            "--unfreeze-from": unfreeze_from,
        }
        for option, value in named.items():
            if value is not None:
                other = "fine-tune" if option == "--unfreeze-from" else "transfer"
                raise ValueError(
                    f"{option} {value}: {kind} is trained from scratch. Leave the "
                    f"option out, or pass --kind {other}."
                )
    if kind == "transfer" and unfreeze_from is not None:
        raise ValueError(
            f"--unfreeze-from {unfreeze_from}: transfer trains a head alone. Pass "
            "--kind fine-tune, or --layer for another layer of the features."
        )
    if kind == "fine-tune" and layer is not None:
        raise ValueError(
            f"--layer {layer}: it is for --kind transfer. Pass --unfreeze-from, the "
            "layer after which the network is trained."
        )
    if kind != "transfer" and engine != "auto":
        raise ValueError(
            f"--engine {engine}: {kind} computes by Keras. Leave the option out, or "
            "pass --kind transfer."
        )

    from skart.cli._collection import choose_backbone, load_collection
    from skart.networks._style_layers import default_size
    from skart.networks._weights import list_files

    if kind in ("transfer", "fine-tune"):
        backbone, weights = choose_backbone(backbone, weights, say)
        if kind == "fine-tune":
            unfreeze_from = _find_cut(backbone, unfreeze_from)
        list_files(backbone)  # which raises an error if it is no folder with a preset
        size = size or default_size(backbone)
    say(f"Paintings: from {data}", bold=True)
    collection = load_collection(data, say, on_error)
    common = {"on_error": options.of_loader(on_error), "random_state": seed}
    if kind == "transfer":
        common["engine"] = engine
    pipe = _make_pipeline(
        kind,
        backbone,
        weights,
        unfreeze_from if kind == "fine-tune" else options.parse_layer(layer),
        size,
        dtype,
        epochs,
        cache,
        **common,
    )
    if calibrate is None:
        calibrate = kind == "transfer"
    result = _train_and_save(pipe, collection, out, cache, candidates, seed, calibrate)
    if format == "json":
        return as_json(result)
    lines = [f"saved {out}: {kind}, {result['paintings']} paintings"]
    lines += [f"{name:26} {value}" for name, value in result["best"].items()]
    if result["search_accuracy"] is not None:
        what = "" if result["best"] else ", of the defaults"
        lines.append(
            f"best accuracy of the search{what}: {result['search_accuracy']:.1%}"
        )
    arguments = [str(out), *data.as_arguments()]
    if on_error != "raise":
        arguments += ["--on-error", on_error]
    evaluate = shlex.join(["skart", "evaluate", *arguments])
    if result["calibration"]:
        lines += [describe(result["calibration"]), f"of each movement: {evaluate}"]
    elif not calibrate:  # else it has failed, and so would this
        lines.append(
            f"to measure the accuracy on paintings it has not seen: {evaluate}"
        )
    return "\n".join(lines)


def _find_cut(backbone, cut):
    """Return the layer after which a backbone is trained."""
    from skart.networks import cut_points
    from skart.networks._tail import LAST_CUTS, check_cut
    from skart.networks._weights import find_preset

    if find_preset(backbone) is not None:
        raise ValueError(
            f"--backbone {backbone}: networks of keras-hub can't be fine-tuned. Pass "
            "--kind transfer, or name a network of keras.applications."
        )
    cut = cut or LAST_CUTS.get(backbone)
    if cut is None:
        raise ValueError(
            f"--backbone {backbone}: pass --unfreeze-from, the layer after which the "
            f"network is trained, such as {', '.join(cut_points(backbone)[-5:])}"
        )
    try:
        check_cut(backbone, cut)
    except ValueError as error:
        raise ValueError(f"--unfreeze-from {cut}: {error}") from None
    return cut


def _make_pipeline(
    kind, backbone, weights, layer, size, dtype, epochs, cache, **common
):
    """Return the unfitted pipeline of a kind; `layer` is that of features or a cut."""
    from skart.classifiers import DenseHeadClassifier
    from skart.model_selection import (
        make_cnn_pipeline,
        make_fine_tune_pipeline,
        make_transfer_pipeline,
    )

    if kind == "transfer":
        return make_transfer_pipeline(
            size=size,
            backbone=backbone,
            weights=weights,
            layer=layer,
            dtype=dtype,
            cache=cache,
            epochs=epochs or 100,
            **common,
        )
    if dtype != "float32":
        common["dtype"] = f"mixed_{dtype}"
    if kind == "fine-tune":
        return make_fine_tune_pipeline(
            size=size,
            backbone=backbone,
            head=DenseHeadClassifier(patience=10, validation_split=0.15),
            weights=weights,
            unfreeze_from=layer,
            cache=cache,
            epochs=epochs or 10,
            verbose=1,
            **common,
        )
    return make_cnn_pipeline(
        kind.replace("-", "_"),
        size=size or 224,
        batch_norm=True,
        learning_rate_schedule="cosine",
        epochs=epochs or 30,
        verbose=1,
        **common,
    )


def _train_and_save(pipe, collection, out, cache, n_candidates, seed, calibrated):
    """Search if there are candidates, fit and save; return the result as a dict."""
    import numpy as np
    from sklearn.model_selection import check_cv

    from skart._utils._validation import visible
    from skart.cli._collection import make_folds, validation_share
    from skart.cli._evaluate import SEARCHED
    from skart.cli._sets import calibrate, summarize
    from skart.features._stored import digest_names, open_store
    from skart.model_selection._random_search import note_search, random_search
    from skart.persistence import save_model
    from skart.persistence._parts import digest_paintings

    paths, labels, artists = collection.paths, collection.labels, collection.groups
    store = open_store(cache)
    digest_names(paths, store)  # a store that can't be used is told before the training
    splits, how = make_folds(collection, _N_FOLDS, seed)
    name = pipe.steps[-1][0]
    groups = artists if collection.artists_apart else None
    fit_params = {} if groups is None else {f"{name}__groups": groups}
    # Large enough in the folds of a search, or of an evaluation later.
    share = validation_share(labels, _N_FOLDS)
    # Heads are more accurate after all epochs of their schedule.
    patience = None if name == "head" else 10 if pipe[-1].epochs > 10 else 3
    pipe[-1].set_params(validation_split=share, patience=patience)
    best, score, results = {}, None, None
    if n_candidates:
        say(f"Search: {n_candidates} candidates, {len(splits)} folds, {how}")
        search = random_search(
            pipe,
            _search_space(pipe),
            paths,
            labels,
            n_candidates=n_candidates,
            cv=check_cv(splits),
            seed=seed,
            **fit_params,
        )
        best = {
            key: value.item() if isinstance(value, np.generic) else value
            for key, value in search.best_params_.items()
        }
        score = float(search.best_score_)
        results = note_search(search.cv_results_)
        pipe.set_params(**best)
    say(f"Fit: on {len(labels)} paintings, some of them held out, {how}")
    pipe.fit(paths, labels, **fit_params)
    accuracy = validation_accuracy(pipe[-1].history_, patience)
    notes = {
        "trained_on": collection.name,
        "paintings": dict(Counter(map(str, labels))),
        "artists": None if artists is None else np.unique(artists).tolist(),
        "validation_accuracy": accuracy,
        "held_out": how,
        "calibration": None,
        "search": results,
        "digests": digest_paintings(paths, store),
    }
    save_model(pipe, out, notes=notes)
    calibration = None
    if calibrated:
        with interrupts.announcing(_INTERRUPTED.format(visible(out))):
            say(f"saved {out}; its calibration follows")
            try:
                calibration = calibrate(pipe, collection, seed)
                if n_candidates:
                    calibration["method"] += SEARCHED
                notes["calibration"] = calibration
            except (ValueError, OSError) as error:  # the fitted model is not lost
                notes["not_calibrated"] = in_options(error)
                say(f"skart: warning: it is not calibrated: {notes['not_calibrated']}")
            save_model(pipe, out, notes=notes)
    return {
        "model": str(out),
        "paintings": len(labels),
        "movements": np.unique(labels).tolist(),
        "best": best,
        "search_accuracy": score,
        "calibration": calibration and summarize(calibration),
        "validation_accuracy": accuracy,
        "validation_share": share,
        "held_out": how,
    }


def _search_space(pipe):
    """Return the parameters of the pipeline that a search varies."""
    from skart.model_selection import cnn_search_space, head_search_space

    name, classifier = pipe.steps[-1]
    if name != "cnn":
        return head_search_space("head__" if name == "head" else "model__head__")
    space = cnn_search_space()
    if classifier.network == "squeezenet":
        del space["cnn__units"]
    return space


def validation_accuracy(history, patience):
    """Return the accuracy of the last epoch, or of the one that patience restores."""
    import pandas as pd

    table = pd.DataFrame(history)
    if "stage" in table:  # the last one, where there were several
        table = table[table["stage"] == table["stage"].max()]
    kept = table.index[-1] if patience is None else table["val_loss"].idxmin()
    return float(table.loc[kept, "val_accuracy"])
