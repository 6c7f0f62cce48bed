"""``skart export``: a model as one file for OpenVINO or ONNX Runtime."""

from pathlib import Path
from typing import Literal

from skart.cli import _options as options
from skart.cli._app import check_out, command, option


@command
def export(
    model: options.Model,
    to: option(
        Literal["openvino", "onnx"] | None,
        "The format: that of OpenVINO, or ONNX. Default: by the suffix of --out, else "
        "openvino.",
    ) = None,
    out: option(
        Path | None,
        "The file to write, ending in .openvino or .onnx. The default is the "
        "model's name with that suffix.",
    ) = None,
    weights: options.ModelWeights = None,
    force: options.Force = False,
):
    """Export a model as one file that runs without skart, Keras and TensorFlow.

    The file takes images and returns the probability of each movement. It contains the
    weights of the backbone, the movements and how images are prepared. `skart predict`
    runs it, too. Requires `pip install 'skart[export]'`.

    Examples
    --------
        skart export model.skart

        skart export model.skart --out served.onnx
    """
    from skart.persistence import export_model, load_model, model_info
    from skart.persistence._exported import SUFFIXES

    if to is None:
        is_onnx = out is not None and out.suffix == SUFFIXES["onnx"]
        to = "onnx" if is_onnx else "openvino"
    out = out or model.with_suffix(SUFFIXES[to])
    check_out(out, force=force, suffix=SUFFIXES[to])
    pipe = load_model(model, weights=weights)
    notes = model_info(model)["notes"] or {}
    kept = {name: notes.get(name) for name in ("calibration", "digests")}
    export_model(pipe, out, format=to, notes=kept)
    return f"{out}: {out.stat().st_size / 1e6:.1f} MB, {len(pipe.classes_)} movements"
