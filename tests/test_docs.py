import ast
import importlib
import re
from pathlib import Path

import pytest

import skart

ROOT = Path(__file__).parents[1]
DOCS, EXAMPLES = ROOT / "docs", ROOT / "examples"
PACKAGES = [
    f"skart.{name}"
    for name in skart.__all__
    if hasattr(getattr(skart, name), "__path__")
]
MODULES = ["skart", "skart.features.descriptors", *PACKAGES]
PAGES = sorted(
    page
    for folder in (ROOT, DOCS, EXAMPLES, ROOT / "benchmarks")
    for suffix in ("md", "rst")
    for page in folder.glob(f"{'**/' if folder == DOCS else ''}*.{suffix}")
    if not {"_build", "gallery", "generated", "_templates"} & set(page.parts)
)

pytestmark = pytest.mark.skipif(not DOCS.exists(), reason="docs are not installed")


def names_of_reference():
    """Names that the pages of the reference list, with their modules."""
    names = []
    for page in (DOCS / "api").glob("*.rst"):
        text = page.read_text("utf-8")
        module = re.search(r"currentmodule:: (\S+)", text)
        for block in re.findall(r"autosummary::\n((?:   .*\n|\n)+)", text):
            names += [
                f"{module[1]}.{name}"
                for name in re.findall(r"^   (\w.*)$", block, re.M)
            ]
    return names


def resolve(name):
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(module), attribute)


def test_reference_lists_every_public_name_once():
    public = {
        id(resolve(f"{module}.{name}")): f"{module}.{name}"
        for module in MODULES
        for name in importlib.import_module(module).__all__
        if callable(resolve(f"{module}.{name}"))
    }
    listed = [id(resolve(name)) for name in names_of_reference()]
    assert len(listed) == len(set(listed))
    assert [name for key, name in public.items() if key not in listed] == []
    assert set(listed) <= set(public)


@pytest.mark.parametrize(
    "path", sorted(EXAMPLES.glob("plot_*.py")), ids=lambda path: path.name
)
def test_examples_are_gallery_scripts(path):
    source = path.read_text("utf-8")
    tree = ast.parse(source)
    title, rule, *text = ast.get_docstring(tree).splitlines()
    assert rule == "=" * len(title)
    assert any(text), "the first block says what it is about"
    assert "\n# %%\n" in source


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_to_files_resolve(page):
    text = page.read_text("utf-8")
    if page.suffix == ".md":
        text = re.sub(r"```python.*?```", "", text, flags=re.S)
        links = re.findall(r"\]\(([^)\s]+)\)", text)
    else:
        links = re.findall(r"<(\S+)>`__?|:doc:`[^`]*?<?(/?[\w./]+)>?`", text)
        links = [link for pair in links for link in pair if link]
    for link in links:
        if re.match(r"\w+:|#", link):
            continue
        path = link.partition("#")[0]
        base = DOCS if path.startswith("/") else page.parent
        target = base / path.lstrip("/")
        names = [target, target.with_suffix(".md"), target.with_suffix(".rst")]
        made = {"gallery", "generated"} & set(target.parts)  # by the build
        assert made or any(name.exists() for name in names), link
