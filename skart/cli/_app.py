"""The application, and the output and error handling of all commands."""

import contextlib
import errno
import faulthandler
import functools
import json
import os
import re
import sys
import warnings
from typing import Annotated

import typer
from typer.core import TyperGroup

import skart
from skart._utils import _interrupts as interrupts


class _Group(TyperGroup):
    """Commands in alphabetical order, whatever module is imported first."""

    def list_commands(self, context):
        return sorted(super().list_commands(context))

    def invoke(self, context):
        try:
            return super().invoke(context)
        except typer.BadParameter as error:  # what pydantic puts ahead of it
            error.message = error.message.removeprefix("Value error, ")
            raise


app = typer.Typer(
    cls=_Group,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="Artistic movement recognition: a folder of paintings in, a classifier out."
    "\n\nResults go to the standard output; progress and remarks go to the standard "
    "error. Exit status: 0 on success, 1 if `predict`, `explain`, `similar` or `audit` "
    "found unreadable images or the feature store is damaged, 2 for bad input, 130 if "
    "interrupted."
    "\n\nExample: `skart train paintings/ --out model.skart`",
)

# Commands that fit models and do not store each fit.
_TRAINING = {"train", "demo", "evaluate", "map", "report", "suspects"}
# Commands that compute no features.
_WITHOUT_FEATURES = {
    *("audit", "export", "info", "profile"),
    *("clear", "pull", "push", "verify"),  # of `skart cache`
}

# Advice in messages of the library, and what stands for it in those of a command.
_IN_OPTIONS = {
    r"leave them out with .*? to replace each by a black image": (
        "or pass --on-error skip or --on-error blank"
    ),
    r"load_model\(\.\.\., weights=('.*?')\)": r"--weights \1",
    r"If (you trust .*?, call load_model)": r"Commands can't load it. In Python, if \1",
    r"pass cache=.*?, for instance; to a command, --cache": "pass --cache",
    r"on_error='skip'": "--on-error skip",
    r"part='(.*?)'": r"--part \1",
    r"artists=('.*?') finds": r"--artists \1 finds",
    r"artists must (be|have)": r"--artists must \1",
    r": name one as (path|movement|artist)": r": pass --\1-column",
    r", named as (path|movement|artist|manifest)": r", passed as --\1-column",
    r"Name another one as image; load a table of paths by load_catalogue": (
        "Pass another one as --image-column"
    ),
    r", or name another column as movement": ", or pass another --movement-column",
    r"name that of the images as image of load_table": (
        "pass that of the images as --image-column"
    ),
    r"pass path=.*? or manifest=.*?, not both": (
        "pass --path-column or --manifest-column, not both"
    ),
    r"name it as root": "pass --root",
    r"named as manifest; load_iiif": (
        "passed as --manifest-column; in Python, load_iiif"
    ),
    r", or pass its encoding, such as encoding='.*?'": "",
    r"Pass groups=None for random folds": "",
    r"\b(backbone|layer) must name": r"--\1 must name",
    r"unfreeze_from=('.*?')": r"--unfreeze-from \1",
    r", or None for the head alone": "",
    r"name it as backbone": "name it as --backbone",
    r"backbone=('.*?')": r"--backbone \1",
    r"alpha=([\d.]+) needs": lambda found: f"--sets {1 - float(found[1]):g} needs",
    r"refusal_rate=([\d.]+)": r"--unknown \1",
    r"validation_split=[\d.]+ can't be made: each class has a single group": (
        "with artists apart, each movement has one artist left to train on, and none "
        "to validate with. Add paintings by other artists: a movement needs three or "
        "more"
    ),
    r"validation_split=[\d.]+ can't be made: with groups kept together, a class would "
    "have nothing left to train on": (
        "with artists apart, a movement would have nothing left to train on. Add "
        "paintings by other artists: a movement needs three or more"
    ),
    r"validation_split=[\d.]+ holds out (\d+ of \d+) samples: groups are": (
        r"\1 paintings are held out for validation: artists are"
    ),
    r"^(data needs|weights can't)": r"--\1",
    r"Leave data out": "Leave --data out",
    r"pass data with": "pass --data with",
    r"weights=None|None for random weights": "--weights random",
    r"a file of your own as weights": "--weights with a file of your own",
    r" or pass upstream=False": "",
    r"^section=": "--section ",
    r"another folder as cache": "another folder as --cache",
    r"Pass ImageLoader a larger size": "Pass a larger --size",
}

# What to do about errors of the operating system.
_ADVICE = {
    errno.EACCES: "Change the permissions, or name another file or folder.",
    errno.EEXIST: "It is not a folder: name another one, or delete it.",
    errno.ENOTDIR: "It is not a folder: name another one, or delete it.",
    errno.ENOSPC: "Free some of the disk, or name another one: as --out for results, "
    "--cache for features, or environment variable TMPDIR for temporary files.",
}


def main():
    """Run the `skart` command."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed, as by some daemons
            setattr(sys, name, open(os.devnull, "w"))
    _hide_native_output()
    for stream in (sys.stdout, sys.stderr):  # file names may be invalid Unicode
        stream.reconfigure(errors="backslashreplace")
    with interrupts.ending_in_order():
        try:
            app()
        except SystemExit as end:
            if end.code == 2:
                _hint_at_dashes(sys.argv[1:])
            raise


def _hint_at_dashes(arguments):
    """Print how to pass a file whose name was read as an option."""
    for name in arguments:
        if name.startswith("-") and os.path.exists(name):
            say(f"skart: {name!r} is also a file: if you mean it, pass ./{name}")


def _hide_native_output():
    """Hide what C++ libraries write to the standard error.

    TensorFlow writes notices on processors and drivers to file descriptor 2, some of
    them at any log level. Python keeps the terminal by another descriptor.
    """
    if os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3") == "0":
        return
    sys.stderr = open(os.dup(2), "w", buffering=1, encoding=sys.stderr.encoding)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    faulthandler.enable(sys.stderr)  # messages of crashes are hidden, too


def option(kind, help, *names, **settings):
    """Return the annotation of a parameter that is an option of a command."""
    return Annotated[kind, typer.Option(*names, help=help, **settings)]


def argument(kind, help, **settings):
    """Return the annotation of a parameter that is an argument of a command."""
    return Annotated[kind, typer.Argument(help=help, **settings)]


def command(function, group=app):
    """Register a function as a command that prints the text it returns.

    The function may also return None, or a tuple of the text and the exit status. What
    the function itself prints goes to stderr, so that the result can be piped.
    """
    message = interrupts.MESSAGE
    if function.__name__ in _TRAINING:
        message = interrupts.TRAINING
    elif function.__name__ in _WITHOUT_FEATURES:
        message = interrupts.WITHOUT_FEATURES

    @group.command()
    @functools.wraps(function)
    def run(**options):
        with interrupts.announcing(message), cli_errors():
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
    """Print exceptions and warnings in one line, and exit with a status."""
    with warnings.catch_warnings():
        warnings.showwarning = functools.partial(_show_warning, set())
        usual, sys.excepthook = sys.excepthook, interrupts.print_error
        try:
            yield
        except KeyboardInterrupt:
            if not interrupts.was_interrupted():  # else the message was printed
                say(interrupts.MESSAGE)
            raise typer.Exit(130) from None
        except BrokenPipeError:  # the reader has stopped: `skart predict ... | head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(1) from None
        except MemoryError as error:
            detail = f": {error}" if str(error) else ""
            say(
                f"skart: out of memory{detail}. Pass a smaller --size, or close other "
                "programs."
            )
            raise typer.Exit(2) from None
        except (ValueError, OSError, TypeError, ImportError) as error:
            if interrupts.was_interrupted():  # TensorFlow may have replaced it
                raise typer.Exit(130) from None
            say(f"skart: {in_options(_explain(error))}")
            raise typer.Exit(2) from None
        finally:
            sys.excepthook = usual


def _explain(error):
    """Return the text of an error, with advice if it is one of the operating system."""
    advice = _ADVICE.get(getattr(error, "errno", None))
    if advice is None or not str(error).startswith("[Errno"):
        return str(error)
    name = "" if error.filename is None else f"{str(error.filename)!r}: "
    return f"{name}{error.strerror}. {advice}"


def _show_warning(shown, message, category, filename, lineno, file=None, line=None):
    """Print a warning once if it is meant for users; others are for developers."""
    text = in_options(message)
    if issubclass(category, UserWarning) and text not in shown:
        shown.add(text)
        say(f"skart: warning: {text}")


def in_options(message):
    """Return a library message with parameters replaced by command-line options."""
    message = str(message)
    for pattern, advice in _IN_OPTIONS.items():
        message = re.sub(pattern, advice, message)
    # Not in URLs and paths.
    return re.sub(
        r"(?<![\w/?&.'\"-])(backbone|cache|dtype|engine|layer|layout|on_error|size|"
        r"weights)=('[^']*'|[\w.]+)",
        lambda found: f"--{found[1].replace('_', '-')} {found[2]}",
        message,
    )


def say(text="", **style):
    """Print to the standard error, styled as by `typer.secho`.

    Raise KeyboardInterrupt if the command was interrupted but the exception was lost.
    """
    interrupts.check_interrupt()
    bars = sys.modules.get("tqdm")  # if it was not imported, there are none
    with (
        bars.tqdm.external_write_mode(sys.stderr) if bars else contextlib.nullcontext()
    ):
        typer.secho(_printable(text), err=True, **style)


def say_unreadable(failures):
    """Print a dict of reasons by image."""
    for path, reason in failures.items():
        say(f"skart: {path!r} can't be read: {in_options(reason)}")


def as_json(result):
    """Return dicts and lists as JSON text; NumPy numbers are converted."""
    text = json.dumps(result, default=lambda value: value.tolist())
    # JSON has no NaN, the recall of a movement without paintings: it becomes null.
    result = json.loads(text, parse_constant=lambda _: None)
    return json.dumps(result, indent=2, ensure_ascii=False)


def list_skipped(skipped, folder):
    """Return a line for each reason in a dict of skipped files; two are named.

    They are in a folder, or are links if it is None.
    """
    lines = []
    for reason, files in skipped.items():
        names = files[:2]
        if folder is not None:
            names = [os.path.relpath(file, folder) for file in names]
        names = ", ".join(names)
        rest = f" and {len(files) - 2} more" if len(files) > 2 else ""
        lines.append(f"skipped, {reason}: {names}{rest}")
    return lines


def _printable(text):
    """Return text with control characters escaped: file names may hold any."""
    return re.sub(
        r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", lambda match: repr(match[0])[1:-1], text
    )


def check_out(out, *, force=False, suffix=None, option="--out"):
    """Raise ValueError if a file can't be written, before the work begins."""
    name, folder = f"{option} {out}", out.absolute().parent
    if suffix is not None and out.suffix != suffix:
        raise ValueError(f"{name}: the name must end in {suffix}")
    if out.is_dir() or not folder.is_dir():
        problem = "is a folder" if out.is_dir() else "its folder does not exist"
        raise ValueError(f"{name}: {problem}. Name a file in a folder that exists.")
    if out.exists() and not force:
        raise ValueError(f"{name}: it exists already. Pass --force to replace it.")
    if not os.access(folder, os.W_OK):
        raise ValueError(f"{name}: its folder can't be written to")


def check_share(option, share, least, most):
    """Raise ValueError if a share is out of its range; explain percentages."""
    if share is None or least <= share <= most:
        return
    hint = ""
    if option == "--sets" and share == 1:
        hint = ": sets of 100 % would hold all movements; pass 0.9, for example"
    elif share >= 1 and least <= share / 100 <= most:
        hint = f": {share / 100:g} for {share:g} %"
    raise ValueError(
        f"{option} {share:g}: pass a share between {least:g} and {most:g}{hint}"
    )


def _print_version(requested: bool):
    if requested:
        typer.echo(f"skart {skart.__version__}")
        raise typer.Exit()


@app.callback()
def _options(
    version: option(
        bool,
        "Print the version and exit.",
        "--version",
        callback=_print_version,
        is_eager=True,
    ) = False,
):
    pass
