"""The application, and the options, output and error handling of all commands."""

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
from skart._utils import _interrupts as interrupts

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="Artistic movement recognition: a folder of paintings in, a classifier out."
    "\n\nResults go to the standard output; progress and remarks go to the standard "
    "error. Exit status: 0 on success, 1 if `predict` or `audit` found unreadable "
    "images or the feature store is damaged, 2 for bad input, 130 if interrupted."
    "\n\nExample: `skart train paintings/ --out model.skart`",
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
        help="Model file written by `skart train`.", metavar="FILE", show_default=False
    ),
]
Weights = Annotated[
    str | None,
    typer.Option(
        help="'imagenet' (the default), 'random', or a file of InceptionV3 weights "
        "without the top (.weights.h5).",
        show_default=False,
    ),
]
ModelWeights = Annotated[
    Path | None,
    typer.Option(
        help="File of the pretrained weights, if they have been moved since training.",
        show_default=False,
    ),
]
Cache = Annotated[
    Path,
    typer.Option(envvar="SKART_CACHE", help="Folder of the feature store."),
]
Seed = Annotated[int, typer.Option(min=0, help="Random seed.")]
Format = Annotated[Literal["table", "json"], typer.Option(help="Output format.")]
Force = Annotated[bool, typer.Option("--force", help="Replace existing files.")]

OnError = Annotated[
    Literal["raise", "blank"],
    typer.Option(
        help="If an image can't be decoded: stop and list all such images (raise), or "
        "list them and use black images instead (blank)."
    ),
]

Folds = Annotated[
    int | None,
    typer.Option(
        min=2,
        help="Number of folds with which the model's pipeline is cross-validated. By "
        "default, the model itself is tested on the paintings it was not trained on; "
        "if most paintings were used in training, its pipeline is cross-validated with "
        "4 folds.",
        show_default=False,
    ),
]

CACHE = Path("~/.cache/skart")


# Parameters in messages of the library, and the options that stand for them.
_IN_OPTIONS = (
    (r"pass ImageLoader\(on_error='blank'\)", "pass --on-error blank"),
    (r"load_model\(\.\.\., weights=('.*?')\)", r"--weights \1"),
    (r"pass cache=.*?, for instance; to a command, --cache", "pass --cache"),
    (r"rename a column, or pass \w+= with the name of one", "rename a column"),
    (r", or pass its encoding=, .*? for instance", ""),
    (r"; pass root= for another folder", ""),
)


def main():
    """Run the `skart` command."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed, as by some daemons
            setattr(sys, name, open(os.devnull, "w"))
    _hide_native_output()
    for stream in (sys.stdout, sys.stderr):  # file names may be invalid Unicode
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


def command(function, group=app):
    """Register a function as a command that prints the str the function returns.

    The function may also return None, or a tuple of the str and the exit status. What
    it prints goes to the standard error, so that its result can be piped.
    """

    @group.command()
    @functools.wraps(function)
    def run(**options):
        with cli_errors():
            with contextlib.redirect_stdout(sys.stderr):
                result = function(**options)
            result, status = result if isinstance(result, tuple) else (result, 0)
            if result is not None:
                typer.echo(_printable(result))
                sys.stdout.flush()
        raise typer.Exit(status)

    return run


@contextlib.contextmanager
def cli_errors():
    """Turn an exception into a line and an exit status, and a warning into a line."""
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        try:
            yield
        except KeyboardInterrupt:
            if not interrupts.was_interrupted():  # else the message was printed
                say(interrupts.MESSAGE)
            raise typer.Exit(130) from None
        except BrokenPipeError:  # the reader has stopped: `skart predict ... | head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(1) from None
        except (ValueError, OSError, TypeError) as error:
            if interrupts.was_interrupted():  # TensorFlow may have replaced it
                raise typer.Exit(130) from None
            say(f"skart: {_in_options(error)}")
            raise typer.Exit(2) from None


def _show_warning(message, category, filename, lineno, file=None, line=None):
    """Print a warning if it is meant for users; others are for developers."""
    if issubclass(category, UserWarning):
        say(f"skart: warning: {_in_options(message)}")


def _in_options(message):
    """Return a library message with parameters replaced by command-line options."""
    message = str(message)
    for pattern, replacement in _IN_OPTIONS:
        message = re.sub(pattern, replacement, message)
    return message


def say(text="", **style):
    """Print to the standard error, styled as by `typer.secho`.

    Raise KeyboardInterrupt if the command was interrupted but the exception was lost.
    """
    interrupts.check_interrupt()
    typer.secho(_printable(text), err=True, **style)


def step(name, description):
    """Print the name and the description of the step that begins."""
    say(f"{name}: {description}", bold=True)


def as_json(result):
    """Return dicts and lists as JSON text; NumPy numbers are converted."""
    text = json.dumps(result, default=lambda value: value.tolist())
    # JSON has no NaN, the recall of a movement without paintings: it becomes null.
    result = json.loads(text, parse_constant=lambda _: None)
    return json.dumps(result, indent=2, ensure_ascii=False)


def _printable(text):
    """Return text with control characters escaped: file names may hold any."""
    return re.sub(
        r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", lambda match: repr(match[0])[1:-1], text
    )


def check_out(out, *, force=False, suffix=None, option="--out"):
    """Raise ValueError if a file can't be written, before the work begins."""
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


def _print_version(requested: bool):
    if requested:
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
