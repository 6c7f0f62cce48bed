"""Threads and processes that extract features into one store at the same time."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from helpers import shallow
from sklearn.base import clone

from skart import FeatureStore, ImageLoader
from skart.images import LazyImages


class MeanwhileImages(LazyImages):
    """Images that do something else when the second batch of them is read."""

    def iter_batches(self, batch_size):
        for n, batch in enumerate(super().iter_batches(batch_size)):
            if n == 1 and self.todo:
                self.todo.pop()()
            yield batch


def meanwhile(paths, todo):
    """Return lazy images of which the second batch comes after something else."""
    images = MeanwhileImages(paths, size=(32, 32))
    images.todo = [todo]
    return images


def test_store_is_not_locked_while_images_are_computed(image_paths, tmp_path, work):
    """No lock is held: another thread computes, and stores, other images meanwhile."""

    def other():
        thread = threading.Thread(
            target=lambda: shallow(cache=tmp_path).transform(
                ImageLoader(32).transform(image_paths[6:])
            ),
            daemon=True,
        )
        thread.start()
        thread.join(60)
        assert not thread.is_alive()
        assert FeatureStore(tmp_path).info()["writes"] == 2 + 6

    one = shallow(cache=tmp_path, batch_size=2)
    one.transform(meanwhile(image_paths[:6], other))
    assert work()[1] == FeatureStore(tmp_path).info()["writes"] == 12


def test_features_stored_by_others_are_not_computed(image_paths, tmp_path, work):
    images = ImageLoader(32).transform(image_paths)
    alone = shallow().transform(images)
    n_decoded, n_passed = work()
    found = shallow(cache=tmp_path, batch_size=2).transform(
        meanwhile(image_paths, lambda: shallow(cache=tmp_path).transform(images))
    )
    assert work()[1] - n_passed == FeatureStore(tmp_path).info()["writes"] == 12
    # The other decodes all but the first batch; this one two batches of two, and one
    # and a half ahead of them.
    assert work()[0] - n_decoded <= 10 + 4 + 3
    np.testing.assert_allclose(found, alone, rtol=1e-5, atol=1e-6)


def test_same_batch_at_the_same_time(image_paths, tmp_path, work):
    """What is stored first stays, and the other's work is lost, nothing else."""
    images = ImageLoader(32).transform(image_paths)
    others = []

    class Late(FeatureStore):
        def section(self, identity):
            section = super().section(identity)
            write = section.write

            def write_late(digests, arrays):
                if not others:
                    others.append(shallow(cache=tmp_path).transform(images[:4]))
                return write(digests, arrays)

            section.write = write_late
            return section

    found = shallow(cache=Late(tmp_path), batch_size=2).transform(images)
    np.testing.assert_array_equal(found[:4], others[0])
    assert work()[1] == FeatureStore(tmp_path).info()["writes"] == 12 + 2
    assert FeatureStore(tmp_path).info()["arrays"] == 12


@pytest.mark.parametrize("shared", [False, True])
def test_threads_on_one_store(image_paths, tmp_path, shared):
    """With an extractor each, and with one for all of them."""
    images = ImageLoader(32).transform(image_paths)
    alone = shallow().transform(images)
    one = shallow(cache=tmp_path, batch_size=2)
    extractors = [one if shared else clone(one) for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        found = [*pool.map(lambda extractor: extractor.transform(images), extractors)]
    for features in found:
        np.testing.assert_array_equal(features, found[0])
        np.testing.assert_allclose(features, alone, rtol=1e-5, atol=1e-6)
    info = FeatureStore(tmp_path).info()
    assert info["arrays"] == 12 and info["writes"] <= 36
