import pickle
import re
import shutil
import signal
import sqlite3

import joblib
import numpy as np
import pandas as pd
import pytest
import skimage
from helpers import save_image, start
from PIL import ImageFile
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import RandomizedSearchCV
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline, make_union
from sklearn.preprocessing import StandardScaler
from tqdm import tqdm

from skart import (
    FeatureExtractor,
    FeatureStore,
    HandcraftedFeatures,
    ImageLoader,
    load_model,
    save_model,
)
from skart.features.descriptors import hsv, luminance, sift
from skart.features.descriptors._table import DESCRIPTORS
from skart.images import UnreadableImageError

SIZE = 96


def features(names=("hsv", "luminance"), **parameters):
    return HandcraftedFeatures(names, **({"verbose": False} | parameters))


def load(paths, **parameters):
    return ImageLoader(SIZE, **parameters).transform(paths)


def written(cache):
    """Vectors of each kind that were ever computed for a store."""
    info = FeatureStore(cache).info()
    assert info["arrays"] == info["writes"]  # none was computed twice
    return {x["identity"]["handcrafted"]: x["arrays"] for x in info["sections"]}


@pytest.fixture
def n_searches(monkeypatch):
    """Return a function that counts the images in which patches were looked for."""
    done, search = [], skimage.feature.SIFT.detect_and_extract

    def counting(finder, image):
        done.append(image.shape)
        return search(finder, image)

    monkeypatch.setattr(skimage.feature.SIFT, "detect_and_extract", counting)
    return lambda: len(done)


def test_descriptors_are_concatenated_in_order(image_paths):
    images = np.asarray(load(image_paths))
    found = features(("luminance", "hsv")).fit_transform(load(image_paths))
    assert found.dtype == np.float32
    expected = [np.concatenate([luminance(image), hsv(image)]) for image in images]
    np.testing.assert_array_equal(found, expected)
    names = features(("luminance", "hsv")).get_feature_names_out()
    assert len(names) == found.shape[1] and len(set(names)) == len(names)
    assert names[0] == "luminance_mean" and names[9] == "hsv_mean_h"
    np.testing.assert_array_equal(features("hsv").transform(images), found[:, 9:])


def test_all_descriptors(image_paths):
    everything = features(tuple(DESCRIPTORS), n_words=20)
    found = everything.fit_transform(load(image_paths))
    assert found.shape == (12, len(everything.get_feature_names_out()))
    assert np.isfinite(found).all()
    assert "lbp_0" in everything.get_feature_names_out()
    assert "sift_19" in everything.get_feature_names_out()


def test_lazy_images_and_arrays_give_equal_features(image_paths, tmp_path):
    X = load(image_paths)
    expected = features(cache=tmp_path).transform(X)
    pixels = np.asarray(X)
    near = np.clip(pixels + 0.2, 0, 255)
    for array in (pixels, pixels.astype(float), list(pixels), near):
        found = features(cache=tmp_path).transform(array)
        np.testing.assert_array_equal(found, expected)


def test_result_does_not_depend_on_batch_size_and_n_jobs(image_paths):
    model = features((*HandcraftedFeatures().descriptors, "sift"), n_words=12)
    X = load(image_paths)
    expected = model.fit_transform(X)
    for rows in ([4], [7, 3, 3, 0]):
        np.testing.assert_array_equal(model.transform(X[rows]), expected[rows])
    np.testing.assert_array_equal(model.set_params(n_jobs=2).transform(X), expected)


@pytest.mark.slow
def test_processes_and_threads_give_equal_features(image_paths):
    X = load(image_paths)
    with joblib.parallel_config("loky", n_jobs=2):
        found = features("hsv").transform(X[:3])
    np.testing.assert_array_equal(found, features("hsv").transform(X[:3]))


def test_stored_features_are_not_computed_again(image_paths, tmp_path, count_decodes):
    first = features(cache=tmp_path).fit_transform(load(image_paths))
    assert sorted(count_decodes) == image_paths
    assert written(tmp_path) == {"hsv": 12, "luminance": 12}
    again = features(("luminance", "hsv"), cache=FeatureStore(tmp_path))
    found = again.transform(load(image_paths[::-1] + image_paths[:2]))
    np.testing.assert_array_equal(found[:12, 9:], first[::-1, :42])
    assert len(count_decodes) == 12
    assert written(tmp_path) == {"hsv": 12, "luminance": 12}


def test_only_missing_descriptors_are_computed(image_paths, tmp_path, count_decodes):
    features("hsv", cache=tmp_path).transform(load(image_paths[:5]))
    features(("hsv", "luminance"), cache=tmp_path).transform(load(image_paths[:5]))
    assert len(count_decodes) == 10
    assert written(tmp_path) == {"hsv": 5, "luminance": 5}
    # Only images that lack something are decoded, for what they lack.
    features("luminance", cache=tmp_path).transform(load(image_paths[:8]))
    features(("luminance", "hsv"), cache=tmp_path).transform(load(image_paths[:8]))
    assert len(count_decodes) == 16
    assert written(tmp_path) == {"hsv": 8, "luminance": 8}


def test_no_file_is_written_without_a_cache(image_paths, tmp_path, monkeypatch):
    stored = features(cache=tmp_path / "store").transform(load(image_paths))

    def connect(*args, **options):
        raise AssertionError("a store was opened")

    monkeypatch.setattr(sqlite3, "connect", connect)
    found = features().fit(load(image_paths)).transform(load(image_paths))
    np.testing.assert_array_equal(found, stored)
    found = features().fit_transform(load(image_paths))
    np.testing.assert_array_equal(found, stored)


def test_image_sizes_have_separate_sections(image_paths, tmp_path):
    store = FeatureStore(tmp_path)
    for n, loading in enumerate([{"size": 64}, {"size": 96}, {"resize": "pad"}]):
        images = ImageLoader(**({"size": 64} | loading)).transform(image_paths[:2])
        stored = features("hsv", cache=store).transform(images)
        np.testing.assert_array_equal(stored, features("hsv").transform(images))
        assert store.info()["arrays"] == 2 * n + 2


def test_descriptor_versions_have_separate_sections(image_paths, tmp_path):
    store = FeatureStore(tmp_path)
    images = load(image_paths[:2])
    expected = features("hsv").transform(images)
    features("hsv", cache=store).transform(images)
    (section,) = store.info()["sections"]
    identity = section["identity"]
    assert identity["version"] == DESCRIPTORS["hsv"].version
    store.clear()
    digests = store.digest_files(image_paths[:2])
    older = identity | {"version": identity["version"] - 1}
    store.section(older).write(digests, expected + 1)
    found = features("hsv", cache=store).transform(images)
    np.testing.assert_array_equal(found, expected)
    # Those of this version are read.
    store.clear()
    store.section(identity).write(digests, expected + 1)
    found = features("hsv", cache=store).transform(images)
    np.testing.assert_array_equal(found, expected + 1)


def test_equal_files_are_computed_once(folder_of_images, tmp_path):
    copy = tmp_path / "copy.jpg"
    shutil.copy(folder_of_images[0], copy)
    paths = [folder_of_images[0], str(copy), folder_of_images[1], folder_of_images[0]]
    found = features("hsv", cache=tmp_path / "store").transform(load(paths))
    assert written(tmp_path / "store") == {"hsv": 2}
    np.testing.assert_array_equal(found[[1, 3]], found[[0, 0]])


def test_unreadable_images(image_paths, tmp_path):
    bad = [tmp_path / "text.jpg", tmp_path / "missing.jpg"]
    bad[0].write_text("a letter")
    paths = [*image_paths[:2], bad[0], image_paths[2], bad[1]]
    cache = tmp_path / "store"
    with pytest.raises(UnreadableImageError, match="2 of 5") as caught:
        features(cache=cache).transform(load(paths))
    assert sorted(caught.value.failures) == sorted(map(str, bad))
    blank = load(paths, on_error="blank")
    with pytest.warns(UserWarning, match="2 of"):
        found = features(cache=cache).transform(blank)
    assert sorted(blank.failures) == sorted(map(str, bad))
    black = features().transform(np.zeros((1, SIZE, SIZE, 3), np.uint8))
    np.testing.assert_array_equal(found[[2, 4]], black[[0, 0]])
    # Blanks are found again, and never handed to a loader that wants errors.
    described = written(cache)
    with pytest.warns(UserWarning, match="2 of 5"):
        features(cache=cache).transform(load(paths, on_error="blank"))
    assert written(cache) == described == {"hsv": 4, "luminance": 4}
    with pytest.raises(UnreadableImageError):
        features(cache=cache).transform(load(paths))


def test_file_that_changes_while_it_is_read(tmp_path, monkeypatch):
    path = save_image(tmp_path / "a.jpg", seed=1)
    prepare = ImageFile.ImageFile.load_prepare

    def replace_and_prepare(image):
        save_image(tmp_path / "a.jpg", seed=2)
        return prepare(image)

    monkeypatch.setattr(ImageFile.ImageFile, "load_prepare", replace_and_prepare)
    with pytest.raises(OSError, match="a.jpg.* changed while it was read"):
        features(cache=tmp_path / "store").transform(load([path]))


KILLED = """
import os, signal, sys
from skart import FeatureStore, HandcraftedFeatures, ImageLoader

n_writes = 3

class Killed(FeatureStore):  # when the second kind of the second batch is to be stored
    def section(self, identity):
        section = super().section(identity)
        write = section.write

        def write_or_die(digests, arrays):
            global n_writes
            if n_writes == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            n_writes -= 1
            return write(digests, arrays)

        section.write = write_or_die
        return section

images = ImageLoader(int(sys.argv[2])).transform(sys.argv[3:])
HandcraftedFeatures(("hsv", "luminance"), cache=Killed(sys.argv[1])).transform(images)
"""


@pytest.mark.slow
def test_killed_process_loses_only_the_current_batch(tmp_path):
    size = 1000  # two in a batch
    paths = [save_image(tmp_path / f"{seed}.jpg", seed=seed) for seed in range(6)]
    process = start(KILLED, tmp_path / "store", size, *paths)
    stderr = process.communicate()[1]
    assert process.returncode == -signal.SIGKILL, stderr
    assert written(tmp_path / "store") == {"hsv": 4, "luminance": 2}
    images = ImageLoader(size).transform(paths)
    found = features(cache=tmp_path / "store").transform(images)
    assert written(tmp_path / "store") == {"hsv": 6, "luminance": 6}
    np.testing.assert_array_equal(found, features().transform(images))


def test_damaged_vector_is_computed_again(image_paths, tmp_path, count_decodes):
    found = features(cache=tmp_path).transform(load(image_paths))
    (database,) = tmp_path.glob("features-*.sqlite")
    vector = found[4, :42].tobytes()
    assert vector in database.read_bytes()  # perhaps also in unused parts of pages
    database.write_bytes(database.read_bytes().replace(vector, bytes(len(vector))))
    with pytest.warns(UserWarning, match="damaged"):
        again = features(cache=tmp_path).transform(load(image_paths))
    np.testing.assert_array_equal(again, found)
    assert len(count_decodes) == 13
    writes = FeatureStore(tmp_path).info()["writes"]
    assert writes == 2 * 12 + 1


class TestSift:
    def test_visual_words_are_counted(self, image_paths):
        X = load(image_paths)
        model = features("sift", n_words=10).fit(X)
        assert model.vocabulary_.shape == (10, 128)
        for image, counted in zip(np.asarray(X), model.transform(X), strict=True):
            patches = sift(image)
            patches = patches[patches.any(axis=1)].astype(float)
            distances = np.linalg.norm(patches[:, None] - model.vocabulary_, axis=2)
            words = np.bincount(distances.argmin(axis=1), minlength=10)
            np.testing.assert_allclose(counted, words / len(patches), rtol=1e-5)

    def test_image_without_patches_has_no_words(self, image_paths):
        model = features("sift", n_words=10).fit(load(image_paths))
        assert not model.transform(np.full((1, SIZE, SIZE, 3), 90)).any()

    def test_transform_before_fit_raises(self, image_paths):
        model = features(("hsv", "sift"))
        with pytest.raises(NotFittedError):
            model.transform(load(image_paths[:2]))
        with pytest.raises(NotFittedError):
            model.get_feature_names_out()
        assert model.__sklearn_tags__().requires_fit
        assert not features("hsv").__sklearn_tags__().requires_fit

    def test_refit_without_sift_forgets_the_vocabulary(self, image_paths):
        X = load(image_paths)
        model = features(("hsv", "sift"), n_words=5).fit(X)
        model.set_params(descriptors="hsv").fit(X)
        assert not hasattr(model, "vocabulary_")

    def test_visual_words_depend_on_random_state(self, image_paths, tmp_path):
        X = load(image_paths)
        one, same, other = (
            features("sift", n_words=8, random_state=seed, cache=tmp_path).fit(X)
            for seed in (0, 0, 1)
        )
        np.testing.assert_array_equal(one.vocabulary_, same.vocabulary_)
        assert (one.vocabulary_ != other.vocabulary_).any()

    def test_patches_are_computed_once_without_a_cache(self, image_paths, n_searches):
        model = features(("hsv", "sift"), n_words=8)
        model.fit_transform(load(image_paths))
        assert n_searches() == 12

    @pytest.mark.parametrize("n_jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
    def test_search_over_words_computes_patches_once(
        self, image_paths, tmp_path, n_jobs
    ):
        pipe = Pipeline(
            [
                ("load", ImageLoader(SIZE)),
                ("count", features(("hsv", "sift"), cache=tmp_path)),
                ("head", LogisticRegression()),
            ]
        )
        search = RandomizedSearchCV(
            pipe,
            {"count__n_words": range(4, 8)},
            n_iter=2,
            cv=2,
            n_jobs=n_jobs,
            random_state=0,
        )
        search.fit(np.array(image_paths), ["a", "b"] * 6)
        assert len(set(search.cv_results_["param_count__n_words"])) == 2
        info = FeatureStore(tmp_path).info()
        assert info["arrays"] == 24
        # Workers that need an image at the same moment may each describe it.
        assert 24 <= info["writes"] <= 24 * n_jobs

    def test_too_few_patches(self, image_paths):
        model = features("sift", n_words=10).fit(load(image_paths))
        learned = model.vocabulary_
        flat = np.full((3, SIZE, SIZE, 3), 90, np.uint8)
        with pytest.raises(ValueError, match="3 images have 0 patches .* smaller n_wo"):
            model.fit(flat)
        assert model.vocabulary_ is learned  # a fit that is refused changes nothing

    @pytest.mark.parametrize("way", ["pickle", "save_model"])
    def test_round_trips(self, image_paths, tmp_path, way):
        model = features(["hsv", "sift"], n_words=8, cache=tmp_path / "a")
        pipe = make_pipeline(ImageLoader(SIZE), model, StandardScaler())
        expected = pipe.fit_transform(image_paths)
        if way == "pickle":
            again = pickle.loads(pickle.dumps(pipe))
        else:
            save_model(pipe, tmp_path / "model.skart")
            again = load_model(tmp_path / "model.skart", cache=tmp_path / "b")
            assert again[1].cache == tmp_path / "b"
            assert load_model(tmp_path / "model.skart")[1].cache is None
        np.testing.assert_array_equal(again.transform(image_paths), expected)


@pytest.mark.slow
def test_union_with_network_features(image_paths, tmp_path):
    network = FeatureExtractor(
        "VGG16", weights=None, layer="block1_pool", cache=tmp_path
    )
    union = make_union(network, HandcraftedFeatures("hsv", cache=tmp_path))
    pipe = make_pipeline(ImageLoader(SIZE), union)
    found = pipe.fit_transform(image_paths[:3])
    assert found.shape == (3, 64 + 42)
    names = pipe.get_feature_names_out()
    assert names[-1] == "handcraftedfeatures__hsv_value_7"
    np.testing.assert_array_equal(
        found[:, 64:], features("hsv").transform(load(image_paths[:3]))
    )


def test_parallel_extractions_into_one_store(image_paths, tmp_path):
    kinds = [("hsv", "lbp"), ("lbp", "hsv"), ("luminance", "hsv", "lbp")]
    union = FeatureUnion(
        [(str(i), features(kind, cache=tmp_path)) for i, kind in enumerate(kinds)],
        n_jobs=3,
    )
    with joblib.parallel_config("threading"):
        found = union.fit_transform(load(image_paths))
    np.testing.assert_array_equal(found[:, :42], found[:, 96 + 54 : 96 + 96])
    np.testing.assert_array_equal(found[:, 42:150], found[:, [*range(42, 96)] * 2])
    assert FeatureStore(tmp_path).info()["arrays"] == 36


def test_dataframe_output(image_paths):
    model = features("luminance").set_output(transform="pandas")
    table = model.fit_transform(load(image_paths[:2]))
    assert isinstance(table, pd.DataFrame)
    assert list(table.columns) == list(model.get_feature_names_out())


@pytest.mark.parametrize(
    "parameters, error, message",
    [
        ({"descriptors": "glmc"}, ValueError, "got 'glmc'. Did you mean 'glcm'"),
        ({"descriptors": ["hsv", "gabour"]}, ValueError, "Did you mean 'gabor'"),
        ({"descriptors": ["hsv", "hsv"]}, ValueError, "must be different names"),
        ({"descriptors": ()}, ValueError, "must be different names"),
        ({"descriptors": None}, ValueError, "got None"),
        ({"descriptors": [["hsv"]]}, ValueError, "must be names of descriptors"),
        ({"n_words": 0}, ValueError, "'n_words' parameter"),
        ({"cache": 5}, TypeError, "cache must be"),
        ({"cache": ""}, TypeError, "cache must be"),
        ({"n_jobs": 0}, ValueError, "n_jobs"),
    ],
)
def test_invalid_parameters_raise(image_paths, parameters, error, message):
    with pytest.raises(error, match=message):
        features().set_params(**parameters).fit_transform(load(image_paths[:1]))


def test_invalid_images_raise(image_paths):
    with pytest.raises(ValueError, match=r"put ImageLoader\(\) ahead"):
        features().fit(image_paths)


def test_docstring_lists_all_descriptors():
    rows = re.findall(r'^ *"(\w+)" +(\S+)  \S', HandcraftedFeatures.__doc__, re.M)
    lengths = {kind: str(len(row.names or ())) for kind, row in DESCRIPTORS.items()}
    assert dict(rows) == lengths | {"sift": "n_words"}
    assert tuple(kind for kind, _ in rows[:8]) == HandcraftedFeatures().descriptors


def test_scikit_learn_conventions(image_paths):
    model = features(["hsv"], n_words=7)
    parameters = model.get_params()
    model.fit_transform(load(image_paths[:1]))
    assert model.get_params() == parameters == clone(model).get_params()


def test_progress_bar(image_paths, capsys, monkeypatch):
    init = tqdm.__init__

    def init_without_delay(progress, *args, **options):
        init(progress, *args, **(options | {"delay": 0}))

    monkeypatch.setattr(tqdm, "__init__", init_without_delay)
    features("hsv", verbose=True).transform(load(image_paths))
    assert "hand-crafted features: 100%" in capsys.readouterr().err
    features("hsv").transform(load(image_paths[:7]))
    assert capsys.readouterr().err == ""
