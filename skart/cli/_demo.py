"""``skart demo``: all of it, on drawn paintings or a folder."""

from pathlib import Path
from typing import Annotated

import typer

from skart.cli._app import Seed, app, manners


@app.command()
def demo(
    data: Annotated[
        Path | None,
        typer.Option(
            help="A folder Movement/Artist/file or Movement/file of your own; without "
            "it, paintings are drawn.",
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option(help="Folder for figures, predictions and features.")
    ] = Path("skart-demo"),
    weights: Annotated[
        str | None,
        typer.Option(
            help="A file of InceptionV3 weights without the top (.weights.h5), "
            "'imagenet', or 'random'. Without it: ImageNet weights if they can be had, "
            "else random ones.",
        ),
    ] = None,
    layer: Annotated[
        str | None,
        typer.Option(help="Layer to take features from, 'mixed5' for instance."),
    ] = None,
    candidates: Annotated[
        int, typer.Option(min=1, help="Heads to try in the randomized search.")
    ] = 6,
    epochs: Annotated[int, typer.Option(min=1, help="Epochs of each head.")] = 30,
    seed: Seed = 0,
):
    """Go through it all: load, extract, search, cross-validate, fit, test, show.

    Examples
    --------
        skart demo

        skart demo --data my_paintings --weights inception_v3.weights.h5
    """
    with manners():
        from skart.cli._demo_work import run

        run(
            data,
            out,
            weights=weights,
            layer=layer,
            n_candidates=candidates,
            epochs=epochs,
            seed=seed,
        )
