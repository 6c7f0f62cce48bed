"""Make the notebook of the tutorial from its script.

    python docs/make_notebook.py

The gallery runs the script when the documentation is built, so that the notebook's code
has run, too.
"""

import json
from pathlib import Path

from sphinx_gallery.gen_gallery import DEFAULT_GALLERY_CONF
from sphinx_gallery.notebook import jupyter_notebook
from sphinx_gallery.py_source_parser import (
    remove_config_comments,
    split_code_and_text_blocks,
)

EXAMPLES = Path(__file__).parents[1] / "examples"
SCRIPT = EXAMPLES / "plot_00_tutorial.py"
NOTEBOOK = EXAMPLES / "tutorial.ipynb"

# TensorFlow is there on hosted machines, with a GPU if one was chosen.
_INSTALL = """%pip install --quiet "skart[lite]"
%matplotlib inline"""


def make_notebook():
    """Return the notebook as text."""
    _, blocks = split_code_and_text_blocks(SCRIPT)
    blocks = [(kind, remove_config_comments(text), n) for kind, text, n in blocks]
    conf = DEFAULT_GALLERY_CONF | {"first_notebook_cell": _INSTALL}
    notebook = jupyter_notebook(blocks, conf, EXAMPLES)
    # Of the one that runs it.
    notebook["metadata"] = {
        "accelerator": "GPU",
        "kernelspec": notebook["metadata"]["kernelspec"],
    }
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    NOTEBOOK.write_text(make_notebook(), encoding="utf-8")
