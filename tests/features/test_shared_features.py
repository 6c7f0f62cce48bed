"""Features that an upstream has are not computed."""

from pathlib import Path

import numpy as np
import pytest
from helpers import finish, save_image, shallow, start

from skart import Encoder, FeatureExtractor, FeatureStore, ImageLoader
from skart.features._stored import count_missing


def second(tmp_path, url, name="second"):
    return FeatureStore(tmp_path / name, upstream=url)


@pytest.fixture
def paintings(tmp_path):
    return [save_image(tmp_path / "images" / f"{i}.jpg", seed=i) for i in range(6)]


def test_nothing_is_computed_that_the_upstream_has(paintings, tmp_path, work):
    images = ImageLoader(size=32).transform(paintings)
    first = FeatureStore(tmp_path / "first")
    expected = shallow(cache=first).fit_transform(images)
    first.push(tmp_path / "shared", verbose=False)
    before = work()
    other = second(tmp_path, tmp_path / "shared")
    np.testing.assert_array_equal(shallow(cache=other).fit_transform(images), expected)
    shallow(cache=second(tmp_path, tmp_path / "shared", "third")).precompute(images)
    assert work() == before
    more = ImageLoader(size=32).transform(
        [*paintings, save_image(tmp_path / "7.jpg", seed=7)]
    )
    shallow(cache=other).fit_transform(more)
    assert work() == (before[0] + 1, before[1] + 1)


def test_maps_come_from_the_upstream(paintings, tmp_path, work):
    images = ImageLoader(size=32).transform(paintings)
    first = FeatureStore(tmp_path / "first")
    expected = np.asarray(shallow(cache=first, pooling=None).fit_transform(images))
    first.push(tmp_path / "shared", verbose=False)
    before = work()
    other = second(tmp_path, tmp_path / "shared")
    maps = shallow(cache=other, pooling=None).fit_transform(images)
    np.testing.assert_array_equal(maps[[4, 2]], expected[[4, 2]])
    assert work() == before


@pytest.mark.parametrize("engines", [("keras", "openvino"), ("openvino", "keras")])
def test_engine_of_the_upstream_is_used(paintings, tmp_path, work, engines):
    pytest.importorskip("openvino")
    images = ImageLoader(size=32).transform(paintings)
    first = FeatureStore(tmp_path / "first")
    expected = shallow(cache=first, engine=engines[0]).fit_transform(images)
    first.push(tmp_path / "shared", verbose=False)
    before = work()
    other = second(tmp_path, tmp_path / "shared")
    np.testing.assert_array_equal(shallow(cache=other).fit_transform(images), expected)
    assert work() == before
    # An engine that is named computes.
    shallow(cache=other, engine=engines[1]).fit_transform(images)
    assert work() == (before[0] + 6, before[1] + 6)


@pytest.mark.slow
def test_features_by_openvino_where_it_is_not_installed(paintings, tmp_path, work):
    pytest.importorskip("openvino")
    images = ImageLoader(size=32).transform(paintings)
    first = FeatureStore(tmp_path / "first")
    shallow(cache=first, engine="openvino").fit_transform(images)
    first.push(tmp_path / "shared", verbose=False)
    code = """
import sys, warnings
from importlib import util
find = util.find_spec
util.find_spec = lambda name, *args: None if name == "openvino" else find(name, *args)
sys.path.insert(0, sys.argv[1])
from helpers import shallow
from skart import FeatureStore, ImageLoader
images = ImageLoader(size=32).transform(sys.argv[4:])
store = FeatureStore(sys.argv[2], upstream=sys.argv[3])
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    shallow(cache=store).fit_transform(images)
assert any("that OpenVINO computed" in str(x.message) for x in caught)
(section,) = store.info()["sections"]
assert "engine" not in section["identity"] and section["arrays"] == 6
"""
    tests = Path(__file__).parents[1]
    places = tmp_path / "second", tmp_path / "shared"
    finish(start(code, tests, *places, *paintings))


def test_encoder_with_an_upstream(paintings, tmp_path):
    images, seen = ImageLoader(size=32).transform(paintings), []

    def encode(batch):
        seen.append(len(batch))
        return batch.reshape(len(batch), -1)[:, :5].astype("f4")

    def extract(store):
        encoder = Encoder(encode, name="five pixels")
        return FeatureExtractor(encoder, cache=store, verbose=False).transform(images)

    first = FeatureStore(tmp_path / "first")
    expected = extract(first)
    first.push(tmp_path / "shared", verbose=False)
    other = extract(second(tmp_path, tmp_path / "shared"))
    np.testing.assert_array_equal(other, expected)
    assert sum(seen) == 6


def test_missing_features_are_counted(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (6, 75, 75, 3), np.uint8)
    extractor = shallow(cache=tmp_path / "store")
    assert count_missing(extractor, images) == 6
    assert not (tmp_path / "store").exists()
    extractor.precompute(images[:4])
    assert count_missing(extractor, images) == 2
    assert (
        count_missing(shallow(cache=extractor.cache, layer="block2_pool"), images) == 6
    )
