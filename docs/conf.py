"""How the documentation is built: ``make docs``."""

import inspect
import re
import sys
import warnings
from pathlib import Path

import click
import typer
from docutils import nodes
from sphinx.util import logging
from typer.cli import get_docs_for_click

import skart
from skart.cli import app as command

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from make_notebook import NOTEBOOK, make_notebook  # noqa: E402

project = "skart"
author = "The skart developers"
copyright = f"{author}, BSD 3-Clause"
version = release = skart.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.viewcode",
    "numpydoc",
    "myst_parser",
    "sphinx_design",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build"]
templates_path = ["_templates"]
nitpicky = True
smartquotes = False  # they would get into the values of defaults
toc_object_entries_show_parents = "hide"

# Pages -----------------------------------------------------------------------------

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
copybutton_exclude = ".linenos, .gp, .go"

html_theme = "pydata_sphinx_theme"
html_title = "skart"
html_static_path = ["_static"]
html_css_files = ["skart.css"]
html_show_sourcelink = False
html_theme_options = {
    "logo": {"text": "skart"},
    "navbar_align": "left",
    "header_links_before_dropdown": 4,
    "show_prev_next": True,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_sidebars = {"index": [], "changes": [], "commands": []}

# Reference -------------------------------------------------------------------------

autodoc_default_options = {"member-order": "bysource"}
autosummary_generate = True
numpydoc_show_class_members = False  # the template lists them
numpydoc_xref_param_type = True
# Sections, their order, and parameters as in the signature.
numpydoc_validation_checks = {
    *("GL06", "GL07", "GL08", "PR01", "PR02", "PR03", "PR04", "PR07", "RT03"),
    *("SS03", "SS05", "SS06", "YD01"),
}
# Their parameters are those of the parent class.
numpydoc_validation_exclude = {
    r"\.BoostedSVC$",
    r"\.(get|set)_params$",  # scikit-learn's
    r"\.HybridCNNClassifier$",
    r"\.StackedClassifier$",
    r"\.UnreadableImageError$",  # made by skart alone
}
numpydoc_xref_ignore = "all"
numpydoc_xref_aliases = {
    "Audit": "skart.audit.Audit",
    "DataFrame": "pandas.DataFrame",
    "DenseHeadClassifier": "skart.DenseHeadClassifier",
    "Evaluation": "skart.evaluation.Evaluation",
    "FeatureStore": "skart.FeatureStore",
    "LazyFeatures": "skart.features.LazyFeatures",
    "LazyImages": "skart.images.LazyImages",
    "Pipeline": "sklearn.pipeline.Pipeline",
    "RandomizedSearchCV": "sklearn.model_selection.RandomizedSearchCV",
    "StoreSection": "skart.store.StoreSection",
    "ndarray": "numpy.ndarray",
}

# Where names of other projects are documented. Written down, so that the build needs
# no network.
ELSEWHERE = {
    "joblib": "https://joblib.readthedocs.io/en/stable/generated/{name}.html",
    "numpy": "https://numpy.org/doc/stable/reference/generated/{name}.html",
    "pandas": "https://pandas.pydata.org/docs/reference/api/{name}.html",
    "sklearn": "https://scikit-learn.org/stable/modules/generated/{name}.html",
}


# Documented names by the short names that docstrings and pages use.
PUBLIC = {
    name: f"{package.__name__}.{name}"
    for package in map(skart.__getattr__, skart.__all__)
    if hasattr(package, "__path__")
    for name in package.__all__
}


def link_short_names(app, env, node, contnode):
    """Resolve `FeatureExtractor`, with or without `skart.`, to its documented name."""
    if node.get("refdomain") != "py":
        return None
    name, *rest = node["reftarget"].removeprefix("skart.").split(".")
    if name not in PUBLIC:
        return None
    target = ".".join([PUBLIC[name], *rest])
    python, page = env.get_domain("py"), node["refdoc"]
    return python.resolve_xref(env, page, app.builder, "obj", target, node, contnode)


def link_elsewhere(app, env, node, contnode):
    """Link names of other projects."""
    name = node.get("reftarget", "")
    if name.startswith(("python:", "numpy:")):
        text = contnode.astext().rpartition(":")[2]
        return nodes.inline(text=text.replace("array_like", "array-like"))
    address = ELSEWHERE.get(name.partition(".")[0])
    if node.get("refdomain") != "py" or address is None:
        return None
    return nodes.reference("", "", contnode, refuri=address.format(name=name))


def skip_inherited(app, kind, name, member, skip, options):
    """Leave out members that are inherited from scikit-learn."""
    if re.fullmatch(r"set_\w+_request|get_metadata_routing", name):
        return True
    member = getattr(member, "fget", member)  # of a property
    module = getattr(inspect.unwrap(member), "__module__", None) or ""
    return skip or module.startswith("sklearn.")


def write_commands(app):
    """Write the reference of the command, from the help texts."""
    group = typer.main.get_command(command)
    for one in group.commands.values():
        one.short_help = one.help.partition("\n")[0]  # else cut off
    text = get_docs_for_click(obj=group, ctx=click.Context(group), name="skart")
    text = text.replace("# `skart`", "# The skart command", 1)
    # An underlined heading, within the section of a command.
    text = re.sub(r"^Examples\n-+\n", "**Examples**:\n\n", text, flags=re.M)
    (HERE / "commands.md").write_text(text, encoding="utf-8")


def check_notebook(app):
    """Warn if the notebook is not that of the script, which the gallery runs."""
    if NOTEBOOK.read_text(encoding="utf-8") != make_notebook():
        logging.getLogger(__name__).warning(
            f"{NOTEBOOK.name} is not up to date: run python docs/make_notebook.py"
        )


# Gallery ---------------------------------------------------------------------------

# Scripts show their figures where there is a screen.
warnings.filterwarnings("ignore", message="FigureCanvasAgg is non-interactive")

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"plot_",
    "ignore_pattern": r"^(?!plot_)",
    "within_subsection_order": "FileNameSortKey",
    "backreferences_dir": "api/generated/examples",
    "doc_module": ("skart",),
    "image_srcset": ["2x"],
    "capture_repr": ("_repr_html_",),
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_signature": False,
    "min_reported_time": 1,
    "remove_config_comments": True,
}


def setup(app):
    """Connect the functions above."""
    app.connect("builder-inited", write_commands)
    app.connect("builder-inited", check_notebook)
    app.connect("missing-reference", link_short_names)
    app.connect("missing-reference", link_elsewhere)
    app.connect("autodoc-skip-member", skip_inherited)
