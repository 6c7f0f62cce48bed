"""Commands and models with parts of a user's own."""

import os

import numpy as np
import pytest
from helpers import run
from own_parts import flatten
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skart import ImageLoader, save_model


@pytest.mark.parametrize("name", ["predict", "evaluate", "report", "export", "info"])
def test_commands_name_what_they_cannot_load(name, image_paths, tmp_path):
    flat = FunctionTransformer(flatten)
    model = make_pipeline(ImageLoader(16), flat, LogisticRegression())
    model.fit(image_paths, np.arange(12) % 2)
    file = tmp_path / "model.skart"
    with pytest.warns(UserWarning, match="to load it, pass trusted="):
        save_model(model, file)
    arguments = [name, str(file)]
    if name in ("predict", "evaluate", "report"):
        folder = os.path.dirname(image_paths[0])
        arguments += [folder, "--cache", str(tmp_path / "cache")]
    done = run(*arguments, code=0 if name == "info" else 2)
    assert "In Python, if you trust their code" in done.output
    call = f"load_model({str(file)!r}, trusted=['own_parts.flatten'])"
    assert call in done.output.replace("\n", " ")
