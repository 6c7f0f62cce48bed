"""Models whose backbone is a function of the user's own."""

import numpy as np
import own_parts
import pytest
from helpers import head
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skart import Encoder, FeatureExtractor, ImageLoader, load_model, save_model
from skart.persistence import ExportError, ModelFileError, export_model, model_info


def make(function, classifier=None, **parameters):
    encoder = Encoder(function, name="mine", **parameters)
    return make_pipeline(
        ImageLoader(16),
        FeatureExtractor(encoder, verbose=False),
        classifier or LogisticRegression(),
    )


@pytest.mark.parametrize(
    ("parameters", "parts"),
    [
        ({"function": own_parts.flatten}, ["own_parts.flatten"]),
        ({"function": own_parts.Bright(3)}, ["own_parts.Bright"]),
        (
            {"function": own_parts.flatten, "preprocess": own_parts.double},
            ["own_parts.double", "own_parts.flatten"],
        ),
    ],
)
def test_functions_are_saved_by_their_names(parameters, parts, image_paths, tmp_path):
    model = make(**parameters).fit(image_paths, np.arange(12) % 2)
    file = tmp_path / "model.skart"
    with pytest.warns(UserWarning, match="to load it, pass trusted="):
        save_model(model, file)
    assert sorted(model_info(file)["untrusted"]) == parts
    assert model_info(file)["parameters"]["featureextractor__backbone__name"] == (
        "'mine'"
    )
    with pytest.raises(ModelFileError, match=f"it holds {parts[0]}"):
        load_model(file)
    loaded = load_model(file, trusted=parts, cache=tmp_path / "cache")
    assert loaded[1].backbone.name == "mine"
    np.testing.assert_array_equal(
        loaded.predict_proba(image_paths), model.predict_proba(image_paths)
    )
    # Without the network that the object had loaded.
    assert getattr(loaded[1].backbone.function, "n_loaded", 1) == 1


def local_function():
    def make(images):  # named as a function of this module
        return own_parts.flatten(images)

    return make


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda images: images.mean((1, 2)), "a lambda has no name"),
        (local_function(), "since it is defined within a function"),
        (own_parts.Slots(), "backbone__function.*can't be saved"),
    ],
)
def test_functions_without_an_import_path_are_not_saved(
    function, message, image_paths, tmp_path
):
    model = make(own_parts.flatten).fit(image_paths, np.arange(12) % 2)
    model.set_params(featureextractor__backbone__function=function)
    with pytest.raises(TypeError, match=message):
        save_model(model, tmp_path / "model.skart")
    assert not (tmp_path / "model.skart").exists()


def test_encoders_are_not_exported(image_paths, tmp_path):
    model = make(own_parts.flatten, head(epochs=1))
    model.fit(image_paths, np.arange(12) % 2)
    with pytest.raises(ExportError, match="the function of the encoder 'mine' is"):
        export_model(model, tmp_path / "model.openvino")
