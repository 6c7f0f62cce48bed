"""What all commands share: errors, warnings, interrupts, output and options."""

import contextlib
import faulthandler
import functools
import json
import os
import re
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Annotated, Literal

import typer

import skart
from skart.cli import _interrupts as interrupts

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="Artistic movement recognition: a folder of paintings in, a classifier out."
    "\n\nWhat a command answers goes to the standard output, all else to the standard "
    "error. Exit status: 0, or 1 if `predict` or `audit` met images that can't be read "
    "or the store of features is damaged, 2 for bad input, 130 if interrupted.",
)

Data = Annotated[
    Path,
    typer.Argument(
        help="A folder Movement/Artist/file or Movement/file, or a table (CSV) with "
        "the columns path, movement and artist.",
        metavar="DIR",
        show_default=False,
    ),
]
Model = Annotated[
    Path,
    typer.Argument(
        help="A file made by `skart train`.", metavar="FILE", show_default=False
    ),
]
Weights = Annotated[
    str | None,
    typer.Option(
        help="A file of InceptionV3 weights without the top (.weights.h5), 'imagenet' "
        "(the default) or 'random'.",
        show_default=False,
    ),
]
ModelWeights = Annotated[
    Path | None,
    typer.Option(
        help="Where the pretrained weights lie now, if no longer where they were.",
        show_default=False,
    ),
]
Cache = Annotated[
    Path,
    typer.Option(envvar="SKART_CACHE", help="Folder where features are kept."),
]
Seed = Annotated[int, typer.Option(min=0, help="Seed of all that is random.")]
Format = Annotated[
    Literal["table", "json"], typer.Option(help="How the answer is written.")
]
Force = Annotated[bool, typer.Option("--force", help="Replace a file that exists.")]

OnError = Annotated[
    Literal["raise", "blank"],
    typer.Option(
        help="What to do about images that can't be decoded: name them all and stop, "
        "or name them and put black ones in their place."
    ),
]

Folds = Annotated[
    int | None,
    typer.Option(
        min=2,
        help="Cross-validate the model's recipe with so many folds. Without it, the "
        "model itself is tested on paintings that it was not trained on; if there are "
        "none, its recipe is cross-validated with 4 folds.",
        show_default=False,
    ),
]

CACHE = Path("~/.cache/skart")


def main():
    """Run the command."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed, as by some daemons
            setattr(sys, name, open(os.devnull, "w"))
    _hide_native_output()
    for stream in (sys.stdout, sys.stderr):  # names of files may be no Unicode
        stream.reconfigure(errors="backslashreplace")
    with interrupts.ending_in_order():
        app()


def _hide_native_output():
    """Hide what C++ libraries write to the standard error.

    TensorFlow and LiteRT write notices on processors and drivers to file descriptor 2,
    some of them at any log level. Python keeps the terminal by another descriptor.
    """
    if os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3") == "0":
        return
    sys.stderr = open(os.dup(2), "w", buffering=1, encoding=sys.stderr.encoding)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    faulthandler.enable(sys.stderr)  # messages of crashes are hidden, too


def say(text="", **style):
    """Print a message to the standard error, unless the command was interrupted.

    Parameters
    ----------
    text : str, default=""
        A line, or several.
    **style : object
        As ``typer.secho`` takes it.

    Raises
    ------
    KeyboardInterrupt
        If the command was interrupted, but the exception was lost.
    """
    interrupts.check_interrupt()
    typer.secho(_printable(text), err=True, **style)


def step(name, what):
    """Tell the user which step begins.

    Parameters
    ----------
    name, what : str
        The step, and what it does.
    """
    say(f"{name}: {what}", bold=True)


@contextlib.contextmanager
def manners():
    """Turn exceptions into one line and an exit status, and warnings into a line."""
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        try:
            yield
        except KeyboardInterrupt:
            if not interrupts.was_interrupted():  # else it was announced
                say(interrupts.MESSAGE)
            raise typer.Exit(130) from None
        except BrokenPipeError:  # nobody reads on: `skart predict ... | head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(1) from None
        except (ValueError, OSError, TypeError) as error:
            if interrupts.was_interrupted():  # TensorFlow may have replaced it
                raise typer.Exit(130) from None
            say(f"skart: {error}")
            if hasattr(error, "failures"):
                say("On the command line, that is --on-error blank.")
            raise typer.Exit(2) from None


def command(function, group=app):
    """Register a function as a command; what it returns is the answer.

    Parameters
    ----------
    function : callable
        Gives a str for the standard output, or None, or such an answer and an exit
        status. What it prints goes to the standard error, so that the answer can be
        piped.
    group : typer.Typer, default=app
        What the command belongs to.

    Returns
    -------
    command : callable
        The command.
    """

    @group.command()
    @functools.wraps(function)
    def run(**options):
        with manners():
            with contextlib.redirect_stdout(sys.stderr):
                answer = function(**options)
            answer, status = answer if isinstance(answer, tuple) else (answer, 0)
            if answer is not None:
                typer.echo(_printable(answer))
                sys.stdout.flush()
        raise typer.Exit(status)

    return run


def as_json(answer):
    """Write an answer as JSON.

    Parameters
    ----------
    answer : object
        Dicts and lists; numbers of NumPy are converted, and nan becomes null.

    Returns
    -------
    text : str
        Indented, readable characters as they are.
    """
    text = json.dumps(answer, default=lambda value: value.tolist())
    # JSON has no nan, which a movement without paintings has for its recall.
    answer = json.loads(text, parse_constant=lambda _: None)
    return json.dumps(answer, indent=2, ensure_ascii=False)


def _printable(text):
    """Make control characters visible: names and notes in files may hold any."""
    return re.sub(
        r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", lambda match: repr(match[0])[1:-1], text
    )


def check_out(out, *, force=False, suffix=None, option="--out"):
    """Check that a file can be made, before the work that it is for.

    Parameters
    ----------
    out : path
        The file.
    force : bool, default=False
        Whether it may exist.
    suffix : str, default=None
        What its name must end in.
    option : str, default="--out"
        Which names it.
    """
    if suffix is not None and out.suffix != suffix:
        raise ValueError(f"{option} {out}: the name must end in {suffix}")
    if out.is_dir() or not out.absolute().parent.is_dir():
        problem = "is a folder" if out.is_dir() else "its folder does not exist"
        raise ValueError(
            f"{option} {out}: {problem}. Name a file in a folder that exists."
        )
    if out.exists() and not force:
        raise ValueError(
            f"{option} {out}: it exists already. Pass --force to replace it."
        )
    try:
        tempfile.TemporaryFile(dir=out.absolute().parent).close()
    except OSError as error:
        raise ValueError(f"{option} {out}: its folder can't be written to") from error


def _show_warning(message, category, filename, lineno, file=None, line=None):
    if issubclass(category, UserWarning):  # others are for developers
        say(f"skart: warning: {message}")


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
