"""Model files that are damaged or contain other values than those saved."""

import json
import zipfile

import numpy as np
import pytest
from helpers import head, rewritten
from model_files import forged, forged_schema, node, places, put, read_schema
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skart import (
    FeatureExtractor,
    FineTuneClassifier,
    ImageLoader,
    load_model,
    save_model,
)
from skart.persistence import ModelFileError, model_info


def test_damaged_files_are_errors(fitted, blobs, tmp_path):
    file, damaged = tmp_path / "model.skart", tmp_path / "damaged"
    save_model(fitted, file)
    content = file.read_bytes()
    expected = fitted.predict_proba(blobs[0])
    for end in {*range(1, len(content), len(content) // 40), len(content) - 1}:
        damaged.write_bytes(content[:end])
        with pytest.raises(ModelFileError, match="damaged"):
            load_model(damaged)
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
    inside = [
        member.header_offset + 30 + len(member.filename) + member.file_size // 2
        for member in members
    ]
    for place in inside:
        damaged.write_bytes(flipped(content, place))
        with pytest.raises(ModelFileError, match="damaged"):
            load_model(damaged)
    # Some bytes between members, such as times, are not used.
    others = np.random.default_rng(0).integers(0, len(content), 60).tolist()
    for place in [*others, *range(len(content) - 160, len(content), 3)]:
        damaged.write_bytes(flipped(content, place))
        try:
            loaded = load_model(damaged)
        except ModelFileError:
            continue
        np.testing.assert_array_equal(loaded.predict_proba(blobs[0]), expected)


OTHERS = [None, 7, "x", [], {}, [[1]], True]


def check_other_values(file, damaged, values, step=1):
    """Assert that a file with any other value loads or raises ModelFileError."""
    n_errors = 0
    for member in ("skart.json", "schema.json"):
        with zipfile.ZipFile(file) as archive:
            content = json.loads(archive.read(member))
        for at in list(places(content))[::step]:
            for value in values:
                changed = json.dumps(put(content, at, value))
                rewritten(file, damaged, {member: changed})
                try:
                    load_model(damaged)
                except ModelFileError:
                    n_errors += 1
    assert n_errors


@pytest.mark.filterwarnings("ignore:.* was saved with")
def test_values_of_other_types_load_or_are_errors(blobs, tmp_path):
    save_model(SVC().fit(*blobs), tmp_path / "model.skart")
    check_other_values(tmp_path / "model.skart", tmp_path / "damaged", OTHERS[:2], 5)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.* was saved with")
@pytest.mark.parametrize("kind", ["machine", "features", "head", "fine_tuned"])
def test_values_of_other_types_in_large_models(kind, image_paths, blobs, tmp_path):
    y = np.arange(12) % 2
    images = ImageLoader(32).transform(image_paths)
    backbone = {"backbone": "MobileNetV2", "weights": None}
    step = 1
    if kind == "machine":
        model = make_pipeline(StandardScaler(), SVC()).fit(*blobs)
    elif kind == "features":
        extractor = FeatureExtractor(**backbone, layer="Conv1", verbose=False)
        model = make_pipeline(extractor, LogisticRegression()).fit(images, y)
    elif kind == "head":
        model, step = head(epochs=1).fit(*blobs), 3
    else:
        cut = {"unfreeze_from": "block_16_project_BN", "epochs": 1}
        model = FineTuneClassifier(head(epochs=1), **backbone, **cut).fit(images, y)
        step = 7
    save_model(model, tmp_path / "model.skart")
    check_other_values(tmp_path / "model.skart", tmp_path / "damaged", OTHERS, step)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "other"}, "the format in skart.json is not 'skart model'"),
        ({"format_version": "1"}, "lacks the versions it was saved with"),
        ({"versions": {"skart": "1"}}, "lacks the versions it was saved with"),
        (
            {"format_version": 2},
            "in format 2; .* reads formats up to 1. Update",
        ),
        ({"notes": [1]}, "lacks an entry, or one has"),
        (
            {"backbones": [{"step": "features"}]},
            "lacks an entry, or one has",
        ),
    ],
)
def test_skart_json_is_checked(fitted, tmp_path, changes, message):
    file = tmp_path / "model.skart"
    save_model(fitted, file)
    content = json.dumps(model_info(file) | changes)
    rewritten(file, tmp_path / "changed", {"skart.json": content})
    for function in (load_model, model_info):
        with pytest.raises(ModelFileError, match=message):
            function(tmp_path / "changed")


def test_backbone_needs_recorded_weights(tmp_path):
    model = make_pipeline(FeatureExtractor(weights=None), head())
    with pytest.raises(ModelFileError, match="lacks the weights of featureextractor"):
        load_model(forged(model, tmp_path / "forged"))


@pytest.mark.parametrize("trunk", [None, "x", [], {"backbone": 1}])
def test_invalid_trunk_is_an_error(tmp_path, trunk):
    model = LogisticRegression()
    model.trunk_ = trunk
    forged(model, tmp_path / "forged")
    if trunk is None:
        assert load_model(tmp_path / "forged").trunk_ is None
    else:
        with pytest.raises(ModelFileError, match="has an invalid trunk_"):
            load_model(tmp_path / "forged")


def test_missing_parameter_is_an_error(fitted, tmp_path):
    save_model(fitted, tmp_path / "model.skart")
    schema = read_schema(tmp_path / "model.skart").replace('"C":', '"of_old":')
    members = {"schema.json": schema}
    file = rewritten(tmp_path / "model.skart", tmp_path / "old", members)
    with pytest.raises(ModelFileError, match="logisticregression in it has no C"):
        load_model(file)


@pytest.mark.parametrize("depth", [50, 300, 20_000])
def test_deeply_nested_files_are_errors(tmp_path, depth):
    content = "[" * depth + "]" * depth
    deep = node("builtins", "str", "JsonNode", content=content, is_json=True)
    with pytest.raises(ModelFileError):
        load_model(forged_schema(deep, tmp_path / "forged"))
    for _ in range(min(depth, 300)):
        deep = node("builtins", "list", "ListNode", content=[deep])
    with pytest.raises(ModelFileError):
        load_model(forged_schema(deep, tmp_path / "forged"))


def flipped(content, place):
    return content[:place] + bytes([content[place] ^ 0x41]) + content[place + 1 :]
