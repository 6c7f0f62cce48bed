"""The ``skart`` command. Keras is imported only once a command needs it."""

import sys
from pathlib import Path
from typing import Annotated

import typer

import skart

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="Artistic movement recognition: a folder of paintings in, a classifier out.",
)


def main():
    """Run the command; bad input ends in one line and exit status 2."""
    try:
        app()
    except (ValueError, OSError, TypeError) as error:
        typer.echo(f"skart: {error}", err=True)
        sys.exit(2)


def _print_version(wanted: bool):
    if wanted:
        typer.echo(f"skart {skart.__version__}")
        raise typer.Exit()


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_print_version,
            is_eager=True,
            help="Print the version and exit.",
        ),
    ] = False,
):
    pass


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
    seed: Annotated[int, typer.Option(min=0, help="Seed of all that is random.")] = 0,
):
    """Go through it all: load, extract, search, cross-validate, fit, test, show.

    Examples
    --------
        skart demo

        skart demo --data my_paintings --weights inception_v3.weights.h5
    """
    from skart.demo import run

    try:
        run(
            data,
            out,
            weights=weights,
            layer=layer,
            n_candidates=candidates,
            epochs=epochs,
            seed=seed,
        )
    except KeyboardInterrupt:
        typer.echo(
            f"\nskart: interrupted. What was computed is kept in {out}; the same "
            "command goes on from there.",
            err=True,
        )
        raise typer.Exit(130) from None
