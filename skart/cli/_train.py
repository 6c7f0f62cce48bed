"""``skart train``: a folder of paintings to a model on disk."""

import shlex
from pathlib import Path
from typing import Annotated, Literal

import typer

from skart.cli._app import (
    CACHE,
    Cache,
    Data,
    Force,
    Format,
    OnError,
    Seed,
    Weights,
    as_json,
    check_out,
    command,
    say,
    step,
)

Kind = Literal["transfer", "fine-tune", "hybrid", "vgg-lite", "squeezenet", "alexnet"]


@command
def train(
    data: Data,
    out: Annotated[
        Path, typer.Option(help="File that the model is saved in (.skart).")
    ] = Path("model.skart"),
    model: Annotated[
        Kind,
        typer.Option(
            help="A head on frozen features (transfer); these with the network's last "
            "module trained on (fine-tune); or a network trained from scratch."
        ),
    ] = "transfer",
    weights: Weights = None,
    layer: Annotated[
        str | None,
        typer.Option(
            help="transfer: the layer that features are taken from, such as mixed5 "
            "(by default the last); fine-tune: the layer behind which all is trained "
            "(by default mixed9).",
            show_default=False,
        ),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(
            min=16,
            help="Height and width of the images in pixels: 299, and 224 for networks "
            "trained from scratch (the report's were 500).",
            show_default=False,
        ),
    ] = None,
    dtype: Annotated[
        Literal["float32", "bfloat16"],
        typer.Option(
            help="What networks compute in. bfloat16 is about twice as fast where the "
            "processor has it (AVX512-BF16, AMX), with features that differ by a "
            "hundredth; elsewhere it is slower."
        ),
    ] = "float32",
    search: Annotated[
        int,
        typer.Option(
            min=0, help="Candidates that a randomized search tries; 0 for no search."
        ),
    ] = 0,
    epochs: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Epochs at most: 60 for transfer, 10 for fine-tune, else 30. Training "
            "stops early when the validation loss no longer falls.",
            show_default=False,
        ),
    ] = None,
    on_error: OnError = "raise",
    cache: Cache = CACHE,
    seed: Seed = 0,
    force: Force = False,
    format: Format = "table",
):
    """Train a classifier on a folder of paintings, and save it.

    Artists are kept apart between training and validation where there are enough of
    them. How good it is on artists it has not seen is what `skart evaluate` tells.

    Examples
    --------
        skart train paintings/ --out model.skart

        skart train paintings/ --search 20 --weights inception_v3.weights.h5

        skart train paintings/ --model hybrid --size 128 --out hybrid.skart
    """
    check_out(out, force=force, suffix=".skart")
    if weights is not None and model not in ("transfer", "fine-tune"):
        raise ValueError(f"--weights {weights}: {model} is trained from scratch")

    from skart.cli._collection import Collection, choose_weights
    from skart.cli._training import make_pipeline, train_and_save

    weights = choose_weights(weights, say)
    step("Paintings", f"from {data}")
    collection = Collection(data)
    say(collection.summary().to_string())
    for remark in collection.remarks():
        say(remark)
    pipe = make_pipeline(
        model,
        weights=weights,
        layer=layer,
        size=size,
        dtype=dtype,
        epochs=epochs,
        on_error=on_error,
        cache=cache,
        random_state=seed,
    )
    answer = train_and_save(
        pipe, collection, out, cache=cache, n_candidates=search, seed=seed, say=say
    )
    if format == "json":
        return as_json(answer)
    lines = [f"saved {out}: {model}, {answer['paintings']} paintings"]
    lines += [f"{name:26} {value}" for name, value in answer["best"].items()]
    if answer["search_accuracy"] is not None:
        lines.append(f"best of the search: {answer['search_accuracy']:.1%}")
    lines.append(
        f"validation accuracy {answer['validation_accuracy']:.1%}, "
        f"{answer['validation_share']:.0%} held out, {answer['held_out']}"
    )
    evaluate = shlex.join(["skart", "evaluate", str(out), str(data)])
    lines.append(f"how good it is on others: {evaluate}")
    return "\n".join(lines)
