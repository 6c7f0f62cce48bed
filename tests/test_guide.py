"""What the README and the guide show is there, and runs."""

import ast
import importlib
import inspect
import re
import shlex
import sys
import types
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
import typer

import skart
from skart.cli import app
from skart.datasets import load_image_folder, make_paintings

ROOT = Path(__file__).parents[1]
GUIDE = sorted(ROOT.glob("docs/guide/*.md"))
OTHERS = sorted([*ROOT.glob("docs/*.md"), *ROOT.glob("docs/howto/*.md")])
PAGES = [*ROOT.glob("README.md"), *OTHERS, *GUIDE]

pytestmark = pytest.mark.skipif(not GUIDE, reason="the guide is not installed")

_LITE = r'(?:backbone="EfficientNetLite0",\s*)?'
# The pages' code runs as it stands, but small, without a download and without the
# user's store.
_SMALL = {
    r'"InceptionV3"': '"EfficientNetLite0"',
    r'FeatureExtractor\((?!encoder|\s*")': 'FeatureExtractor("EfficientNetLite0", ',
    rf"make_transfer_pipeline\(\s*{_LITE}(?!backbone|\s)": (
        'make_transfer_pipeline(backbone="EfficientNetLite0", size=32, '
    ),
    # A step or two take less time than a trace.
    r"\bCNNClassifier\(": "CNNClassifier(compile__run_eagerly=True, network=",
    r"\bunfreeze_from=": 'backbone="EfficientNetLite0", unfreeze_from=',
    r'make_head_search\(\s*"style",': (
        'make_head_search("style", backbone="EfficientNetLite0", layers=["block2"], '
        "size=32, "
    ),
    rf"make_stacked_classifier\({_LITE}": (
        'make_stacked_classifier(backbone="EfficientNetLite0", layers=["block2"], '
        'descriptors=["hsv"], size=32, '
    ),
    r"\bcrops=5": "crops=5, crop_size=32",
    r'"mixed2"': '"block2"',
    r'"mixed8"': '"block12"',
    r'"mixed5"': '"block7"',
    r'"mixed9"': '"block14"',
    r"~/\.cache/skart": "../store",
    r'Client\("tcp://.*?"\)': (
        'Client(processes=False, n_workers=1, dashboard_address="127.0.0.1:0")'
    ),
    r"\bsize=\d+": "size=32",
    r"\bunits=\d+": "units=8",
    r"epochs=\d+": "epochs=1",
    r"n_iter=\d+": "n_iter=1",
    r"\balpha=0\.\d+": "alpha=0.3",  # a smaller one needs more artists
    r"n_words=\d+": "n_words=2",
    r'n_words": \[.*?\]': 'n_words": [2, 3]',
    r"KFold\(\d+": "KFold(2",
    r"n_splits=\d+": "n_splits=2",
    r"\bcv=\d+": "cv=2",
    r"n_candidates=\d+": "n_candidates=1",
    r"(min|max)_resources=\d+": r"\1_resources=1",
    r"n_artists=\d+": 'movements=["Cubism", "Pop Art"], n_artists=1',
    r"n_per_artist=\d+": "n_per_artist=1, size_range=(64, 96)",
}


def _name(page):
    return page.relative_to(ROOT).with_suffix("").as_posix()


def _blocks(page, language):
    text = page.read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.S)


def _code(page):
    blocks = _blocks(page, "python")
    if page.name == "promises.md":  # goes on from a pipeline
        blocks = _blocks(ROOT / "docs/guide/saving_models.md", "python")[:1] + blocks
    return "\n".join(blocks)


# Code that stands on two pages, the landing page and the README, runs once.
_PAGES_WITH_CODE = {_code(page): page for page in reversed(PAGES)}
_PAGES_WITH_CODE.pop("", None)
_PAGES_WITH_CODE = list(_PAGES_WITH_CODE.values())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Drawn paintings under all the names that the pages have for them."""
    folder = tmp_path_factory.mktemp("guide")
    root = make_paintings(
        folder / "paintings",
        movements=["Cubism", "Pop Art"],
        n_artists=4,
        n_per_artist=2,
        size_range=(64, 96),
        verbose=False,
    )
    table = load_image_folder(root).frame
    names = {"path": "file", "movement": "style", "artist": "painter"}
    table = table.rename(columns=names)
    # The same under names that are not usual.
    table = table.assign(school=table["style"], workshop=table["painter"])
    table.to_csv(folder / "works.csv", index=False)
    return folder


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*differs from the published Pandora18K")
@pytest.mark.parametrize("page", _PAGES_WITH_CODE, ids=_name)
def test_code_of_a_page_runs(page, folder, monkeypatch):
    code = _code(page)
    for old, new in _SMALL.items():
        code = re.sub(old, new, code)
    here = folder / _name(page).replace("/", "-")
    here.mkdir()
    for name in ("paintings", "Pandora_18k"):
        (here / name).symlink_to(folder / "paintings")
    (here / "works.csv").symlink_to(folder / "works.csv")
    monkeypatch.chdir(here)
    try:
        exec(compile(code, page.name, "exec"), {})
    finally:
        plt.close("all")


def _commands(page):
    lines = "\n".join(_blocks(page, "sh")).splitlines()
    lines = [(line, shlex.split(line, comments=True)) for line in lines]
    return [(line, words) for line, words in lines if words[:1] == ["skart"]]


@pytest.mark.parametrize("page", [*filter(_commands, PAGES)], ids=_name)
def test_commands_have_their_options(page):
    for line, words in _commands(page):
        end = min(words.index(x) if x in words else len(words) for x in "|>")
        command, words = typer.main.get_command(app), words[1:end]
        while hasattr(command, "commands"):
            context = command.make_context("skart", list(words))
            _, command, words = command.resolve_command(context, words)
        command.make_context(line, words)  # parsed, not run


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_references_resolve(page):
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\{(?:class|func|meth|attr|mod)\}`~?([\w.]+)`", text):
        module, names = target.split("."), []
        while True:
            try:
                found = importlib.import_module(".".join(module))
                break
            except ModuleNotFoundError:
                names.insert(0, module.pop())
        for name in names:
            found = getattr(found, name)
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def _template(node):
    """Give the text of a string in code, with … for what is put into it."""
    if isinstance(node, ast.JoinedStr):
        return "".join(map(_template, node.values))
    return str(node.value) if isinstance(node, ast.Constant) else "…"


@pytest.fixture(scope="module")
def messages():
    """All strings in skart's code, and the scripts of its pages."""
    root = Path(skart.__file__).parent
    texts = [file.read_text(encoding="utf-8") for file in root.rglob("*.js")]
    for file in root.rglob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        texts += map(_template, ast.walk(tree))
    return "\n".join(text for text in texts if len(text) > 1)


@pytest.mark.parametrize("page", GUIDE, ids=_name)
def test_quoted_messages_are_in_the_code(page, messages):
    text = page.read_text(encoding="utf-8")
    if page.name == "index.md":
        pytest.skip("a table of contents")
    section = text.partition("## What goes wrong\n")[2].partition("\n## ")[0]
    quoted = re.findall(r"^\| `(.+?)` \|", section, flags=re.M)
    assert quoted
    for message in quoted:
        for part in message.split("…"):
            assert part.strip(" .") in messages, message


def test_walk_through_of_contributing_is_current(blobs, monkeypatch):
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    files = re.findall(r"`(\S+)\.py`:\n\n```python\n(.*?)```", text, flags=re.S)
    names = [name.replace("/", ".") for name, _ in files]
    for name, (_, code) in zip(names, files, strict=True):
        module = types.ModuleType(name)
        monkeypatch.setitem(sys.modules, name, module)
        exec(compile(code, name, "exec"), vars(module))
        for made in vars(module).copy().values():
            if getattr(made, "__module__", None) != name:
                continue
            if made.__name__.startswith("test_"):
                made(blobs)
            else:  # as its name in the package's stub would
                package = importlib.import_module(name.rpartition(".")[0])
                monkeypatch.setattr(package, made.__name__, made, raising=False)
    assert [name.partition(".")[0] for name in names] == ["skart", "skart", "tests"]


@pytest.fixture(scope="module")
def public():
    """All public names of skart."""
    packages = [skart, *(getattr(skart, name) for name in skart.__all__)]
    return {
        name: getattr(package, name)
        for package in packages
        if hasattr(package, "__path__")
        for name in package.__all__
        if callable(getattr(package, name))
    }


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_calls_in_a_line_have_their_parameters(page, public):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.S)
    for span in re.findall(r"(?<![`}])`([^`\n]+)`(?!`)", text):
        try:
            nodes = list(ast.walk(ast.parse(span)))
        except SyntaxError:  # a file, a shape, a message
            continue
        for node in nodes:
            if not isinstance(node, ast.Call):
                continue
            *path, name = ast.unparse(node.func).split(".")
            owner = public.get(path[-1]) if path else None
            called = getattr(owner, name, None) if owner else public.get(name)
            if called is None:
                continue
            taken = inspect.signature(called).parameters
            is_open = any(one.kind == one.VAR_KEYWORD for one in taken.values())
            if is_open and not isinstance(called, type):  # classes check names
                continue
            given = [keyword.arg for keyword in node.keywords]
            unknown = [x for x in given if x not in taken and "__" not in x]
            assert not unknown, span
            assert len(node.args) <= len(taken), span
