"""Modules are private, and packages import from those before them only."""

import ast
import re
from pathlib import Path

import pytest

import skart

ROOT = Path(skart.__file__).parent
ORDER = [
    "_utils",
    "datasets",
    "images",
    "store",
    "networks",
    "features",
    "classifiers",
    "model_selection",
    "distributed",
    "evaluation",
    "exploration",
    "audit",
    "explanation",
    "plotting",
    "report",
    "persistence",
    "reproduction",
    "serving",
    "cli",
]
MODULES = sorted(ROOT.rglob("*.py"))


def imported_modules(path):
    """Return the modules of skart that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {name for name in found if name.startswith("skart.")}


def test_every_package_has_its_place():
    packages = {path.name for path in ROOT.iterdir() if (path / "__init__.py").exists()}
    assert packages == set(ORDER)
    assert [path.name for path in sorted(ROOT.glob("*.py*"))] == [
        "__init__.py",
        "__init__.pyi",
    ]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_run_one_way(path):
    if path.parent == ROOT:
        return
    package = path.relative_to(ROOT).parts[0]
    for name in imported_modules(path):
        if name == "skart.__version__":
            continue
        assert name.split(".")[1] in ORDER, f"{name}: import it from its package"
        assert ORDER.index(name.split(".")[1]) <= ORDER.index(package), name


def test_modules_are_private():
    for path in MODULES:
        assert path.stem.startswith("_"), path


def test_files_have_at_most_500_lines():
    for path in MODULES:
        assert len(path.read_text("utf-8").splitlines()) <= 500, path


def test_store_imports_neither_scikit_learn_nor_keras():
    for path in (ROOT / "store").glob("*.py"):
        text = path.read_text("utf-8")
        assert not re.search(
            r"^\s*(import|from) (sklearn|keras|tensorflow)", text, re.M
        )
