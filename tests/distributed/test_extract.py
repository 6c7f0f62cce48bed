"""Extraction on workers: threads of this process, and real processes."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import worker_encoders
from dask_clusters import Cluster, wait_for
from distributed import Client
from helpers import finish, save_image, start
from local_server import LocalServer, encode
from PIL import Image
from pyarrow import parquet
from toy_backbone import ToyNet

from skart import (
    Encoder,
    FeatureExtractor,
    FeatureStore,
    HandcraftedFeatures,
    ImageLoader,
)
from skart.datasets import list_images, make_paintings
from skart.distributed import extract
from skart.images import UnreadableImageError

LOADER = ImageLoader(32)


def encoder(function=worker_encoders.mean_colour, **parameters):
    extractor = FeatureExtractor(Encoder(function, name="colour"), verbose=False)
    return extractor.set_params(**parameters)


def count_writes(store):
    return FeatureStore(store).info()["writes"]


@pytest.fixture
def paths(tmp_path):
    """Twelve different images, to be changed at will."""
    return [save_image(tmp_path / "images" / f"{i:02}.png", seed=i) for i in range(12)]


@pytest.fixture(scope="module")
def settled(tmp_path_factory):
    """Twelve different images whose digests are remembered; read only."""
    folder = tmp_path_factory.mktemp("settled")
    paths = [save_image(folder / f"{i:02}.png", seed=i) for i in range(12)]
    time.sleep(2.1)
    return paths


@pytest.mark.parametrize("kind", ["encoder", "handcrafted"])
def test_same_features_as_in_one_process(client, paths, tmp_path, kind):
    make = {
        "encoder": lambda name: encoder(cache=tmp_path / name, horizontal_flip=True),
        "handcrafted": lambda name: HandcraftedFeatures(
            ["hsv", "lbp"], cache=tmp_path / name, verbose=False
        ),
    }[kind]
    report = extract(
        make("far"), paths, client=client, loader=LOADER, shard_size=5, verbose=False
    )
    assert report.seconds > 0
    assert report.n_images == report.n_computed == 12 and report.n_shards == 3
    assert report.failures == {} and report.n_stored == report.n_retried == 0
    n_writes = count_writes(tmp_path / "far")
    images = LOADER.transform(paths)
    np.testing.assert_array_equal(
        make("far").fit_transform(images), make("here").fit_transform(images)
    )
    assert count_writes(tmp_path / "far") == n_writes


def test_network(client, paths, tmp_path, toy_backbone):
    extractor = FeatureExtractor(
        toy_backbone, weights=None, cache=tmp_path / "store", verbose=False
    )
    extract(extractor, paths, client=client, loader=LOADER, shard_size=6)
    n_writes = count_writes(tmp_path / "store")
    found = extractor.transform(LOADER.transform(paths))
    assert count_writes(tmp_path / "store") == n_writes == 12
    expected = extractor.set_params(cache=None).transform(LOADER.transform(paths))
    np.testing.assert_allclose(found, expected, atol=1e-6 * np.abs(expected).max())


def test_what_is_stored_is_not_computed(client, settled, tmp_path):
    extractor = encoder(cache=tmp_path / "store")
    options = {"client": client, "loader": LOADER, "shard_size": 4}
    extract(extractor, settled[:8], **options)
    # Files that the store does not remember are digested, not computed.
    copies = [shutil.copy(path, tmp_path) for path in settled]
    report = extract(extractor, (path for path in settled + copies), **options)
    assert (report.n_images, report.n_stored, report.n_computed) == (24, 20, 4)
    assert count_writes(tmp_path / "store") == 12


def test_finished_paths_are_not_sent(client, settled, tmp_path):
    extractor = encoder(cache=tmp_path / "store")
    options = {"client": client, "loader": LOADER}
    extract(extractor, settled, **options)
    report = extract(extractor, settled, **options)
    assert (report.n_stored, report.n_shards) == (12, 0)


def test_relative_paths(client, paths, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path / "images")
    names = [Path(path).name for path in paths]
    extractor = encoder(cache=tmp_path / "store")
    assert extract(extractor, names, client=client, loader=LOADER).n_computed == 12
    assert extract(extractor, paths, client=client, loader=LOADER).n_stored == 12


class TestUnreadableImages:
    @pytest.fixture
    def all_paths(self, paths, tmp_path):
        bad = tmp_path / "images" / "bad.png"
        bad.write_bytes(b"no image")
        return [*paths[:6], str(bad), str(tmp_path / "missing.png"), *paths[6:]]

    def extract(self, client, paths, tmp_path, **options):
        extractor = encoder(cache=tmp_path / "store")
        return extract(
            extractor, paths, client=client, loader=LOADER, shard_size=5, **options
        )

    def test_copies(self, client, all_paths, tmp_path):
        copies = [shutil.copy(x, f"{x}.copy") for x in (all_paths[6], all_paths[0])] * 2
        with pytest.warns(UserWarning, match="3 of 18 images can't be read"):
            report = self.extract(
                client, copies[:2] + all_paths + copies[2:], tmp_path, on_error="skip"
            )
        assert report.n_computed == 12

    def test_raise(self, client, all_paths, tmp_path):
        with pytest.raises(UnreadableImageError) as caught:
            self.extract(client, all_paths, tmp_path)
        with pytest.raises(UnreadableImageError) as expected:
            encoder(cache=tmp_path / "other").transform(LOADER.transform(all_paths))
        assert str(caught.value) == str(expected.value)
        assert count_writes(tmp_path / "store") == 12

    def test_skip(self, client, all_paths, tmp_path):
        with pytest.warns(UserWarning, match="2 of 14 images can't be read; left out"):
            report = self.extract(client, all_paths, tmp_path, on_error="skip")
        assert report.n_computed == 12 and len(report.failures) == 2
        assert count_writes(tmp_path / "store") == 12

    def test_blank(self, client, all_paths, tmp_path):
        with pytest.warns(UserWarning, match="replaced by a black image"):
            self.extract(client, all_paths, tmp_path, on_error="blank")
        assert count_writes(tmp_path / "store") == 13
        loader = ImageLoader(32, on_error="blank")
        with pytest.warns(UserWarning, match="replaced by a black image"):
            features = encoder(cache=tmp_path / "store").transform(
                loader.transform(all_paths)
            )
        assert (features[6:8] == 0).all() and (features[:6] > 0).all()
        assert count_writes(tmp_path / "store") == 13


class TestErrors:
    def test_exception_of_a_worker(self, client, paths, tmp_path):
        Image.new("RGB", (40, 40), "red").save(paths[-1])
        extractor = encoder(worker_encoders.fail_on_red, cache=tmp_path / "store")
        with pytest.raises(ValueError, match="an image is red"):
            extract(extractor, paths, client=client, loader=LOADER, shard_size=1)
        assert count_writes(tmp_path / "store") >= 1

    @pytest.mark.parametrize(
        "function, problem",
        [
            (lambda images: images.mean(axis=(1, 2)), "lambda"),
            (worker_encoders.Network(), "it has 8 MB"),
        ],
        ids=["lambda", "network"],
    )
    def test_encoders_that_cannot_be_sent(
        self, client, paths, tmp_path, function, problem
    ):
        extractor = encoder(function, cache=tmp_path / "store")
        with pytest.raises(TypeError, match=f"'colour' can't be sent.*{problem}"):
            extract(extractor, paths, client=client, loader=LOADER)

    def test_other_weights_on_a_worker(self, client, paths, tmp_path, toy_backbone):
        file = tmp_path / "toy.weights.h5"
        ToyNet().save_weights(file)

        def paths_of_another_machine():
            ToyNet().save_weights(file)
            yield from paths

        extractor = FeatureExtractor(
            toy_backbone, weights=file, cache=tmp_path / "store", verbose=False
        )
        with pytest.raises(ValueError, match="other features, of weights .* instead"):
            extract(extractor, paths_of_another_machine(), client=client, loader=LOADER)

    def test_changed_encoder(self, client, paths, tmp_path):
        extractor = encoder(worker_encoders.identity, cache=tmp_path / "store")
        extract(extractor, paths[:1], client=client, loader=LOADER)
        extractor.backbone.function = worker_encoders.one_channel
        with pytest.raises(ValueError, match="pass it another version"):
            extract(extractor, paths, client=client, loader=LOADER)

    def test_parameters(self, client, paths, tmp_path):
        extractor = encoder(cache=tmp_path / "store")
        with pytest.raises(TypeError, match="client must be a distributed.Client"):
            extract(extractor, paths, client="tcp://127.0.0.1:8786")
        with pytest.raises(ValueError, match="Did you mean 'raise'"):
            extract(extractor, paths, client=client, on_error="rais")
        with pytest.raises(TypeError, match="got one path"):
            extract(extractor, paths[0], client=client)
        with pytest.raises(ValueError, match="pass cache"):
            extract(encoder(), paths, client=client)

    @pytest.mark.slow
    def test_no_workers(self, paths, tmp_path):
        extractor = encoder(cache=tmp_path / "store")
        with Client(
            processes=False, n_workers=0, dashboard_address="127.0.0.1:0"
        ) as client:
            with pytest.raises(TimeoutError, match="no workers at .* took a shard"):
                extract(extractor, paths, client=client, timeout=0.1)

    @pytest.mark.slow
    def test_resources_that_no_worker_has(self, client, paths, tmp_path):
        with pytest.raises(TimeoutError, match="no workers with GPU=1 at"):
            extract(
                encoder(cache=tmp_path / "store"),
                paths,
                client=client,
                resources={"GPU": 1},
                timeout=0.1,
            )

    def test_without_dask(self, client, paths, monkeypatch):
        monkeypatch.setitem(sys.modules, "distributed", None)
        with pytest.raises(ImportError, match=r"pip install 'skart\[dask\]'"):
            extract(encoder(), paths, client=client)


@pytest.mark.slow
def test_dask_is_imported_late():
    code = (
        "import sys, skart.cli, skart.distributed; skart.distributed.extract\n"
        "assert not {'dask', 'distributed'} & set(sys.modules)"
    )
    finish(start(code))


@pytest.fixture(scope="module")
def paintings(tmp_path_factory):
    """400 paintings."""
    folder = make_paintings(
        tmp_path_factory.mktemp("paintings") / "paintings",
        n_artists=5,
        n_per_artist=8,
        size_range=(40, 64),
        verbose=False,
    )
    return list_images(folder)


def test_urls_and_rows_of_tables_are_extracted(client, tmp_path):
    pages = {f"/{i}.png": encode(i) for i in range(9)}
    table = pa.table({"image": [encode(20), encode(21), b"no image"]})
    parquet.write_table(table, tmp_path / "works.parquet")
    rows = [f"{tmp_path}/works.parquet#image={row}" for row in range(3)]
    with LocalServer(pages) as server:
        names = [f"{server.url}{page}" for page in [*pages, "/none.png"]] + rows
        extractor = encoder(cache=tmp_path / "store")
        options = {"client": client, "loader": LOADER, "on_error": "skip"}
        with pytest.warns(UserWarning, match="2 of 13 images can't be read"):
            report = extract(extractor, names, shard_size=4, **options)
        assert set(report.failures) == {names[9], rows[2]}
        assert report.n_computed == 11
        with pytest.warns(UserWarning, match="2 of 13 images can't be read"):
            again = extract(extractor, names, shard_size=4, **options)
        assert again.n_stored == 11 and again.n_computed == 0
        assert all(server.requests[page] == 1 for page in pages)
    good = [name for name in names if name not in report.failures]
    features = extractor.transform(LOADER.transform(good))  # the server is gone
    expected = [list(pages.values()), [encode(20), encode(21)]]
    expected = encoder().transform(LOADER.transform(sum(expected, [])))
    np.testing.assert_array_equal(features, expected)


@pytest.mark.slow
def test_processes_of_their_own(paintings, start_cluster, tmp_path):
    extractor = FeatureExtractor(
        "MobileNetV2", weights=None, engine="keras", cache=tmp_path / "far"
    )
    report = extract(extractor, paintings, client=start_cluster().client, loader=LOADER)
    assert report.n_computed == count_writes(tmp_path / "far") == 400
    found = extractor.transform(LOADER.transform(paintings))
    assert count_writes(tmp_path / "far") == 400
    expected = extractor.set_params(cache=None).transform(LOADER.transform(paintings))
    np.testing.assert_allclose(found, expected, atol=1e-6 * np.abs(expected).max())


@pytest.mark.slow
def test_killed_worker(paintings, start_cluster, tmp_path):
    (tmp_path / "counts").mkdir()
    cluster = start_cluster(COUNTS=str(tmp_path / "counts"))
    store = tmp_path / "store"
    extractor = encoder(worker_encoders.mean_colour_slowly, cache=store)
    reports = []

    def run():
        reports.append(
            extract(
                extractor,
                paintings,
                client=cluster.client,
                loader=LOADER,
                shard_size=10,
            )
        )

    thread = threading.Thread(target=run)
    thread.start()
    wait_for(lambda: FeatureStore(store).info()["arrays"] > 50)
    os.kill(next(iter(cluster.pids().values())), signal.SIGKILL)
    thread.join(120)
    assert reports[0].n_computed == count_writes(store) == 400
    n_computed = sum(file.stat().st_size for file in (tmp_path / "counts").iterdir())
    assert 400 <= n_computed <= 400 + 3 * 10  # running, waiting and sent at that time
    images = LOADER.transform(paintings)
    np.testing.assert_array_equal(
        extractor.transform(images), encoder().transform(images)
    )


RUN = """
import sys
from distributed import Client
from skart import Encoder, FeatureExtractor, ImageLoader
from skart.datasets import list_images
from skart.distributed import extract
from worker_encoders import mean_colour_slowly

address, folder, store = sys.argv[1:]
extractor = FeatureExtractor(Encoder(mean_colour_slowly, name="colour"), cache=store)
report = extract(
    extractor,
    list_images(folder),
    client=Client(address),
    loader=ImageLoader(32),
    shard_size=10,
    verbose=False,
)
print(report.n_stored, report.n_computed)
"""


@pytest.mark.slow
def test_killed_client(paintings, start_cluster, tmp_path):
    (tmp_path / "counts").mkdir()
    cluster = start_cluster(COUNTS=str(tmp_path / "counts"))
    folder, store = Path(paintings[0]).parents[2], tmp_path / "store"
    environment = {"PYTHONPATH": cluster.python_path}
    command = [sys.executable, "-c", RUN, cluster.address, str(folder), str(store)]
    options = {"env": os.environ | environment, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **options) as client:
        try:
            wait_for(lambda: FeatureStore(store).info()["arrays"] > 50)
        finally:
            client.kill()
    n_stored = FeatureStore(store).info()["arrays"]
    done = subprocess.run(command, **options, check=True, timeout=120)
    assert done.stdout.split() == [str(n_stored), str(400 - n_stored)]
    assert count_writes(store) == 400


@pytest.mark.slow
def test_image_on_which_workers_die(paths, start_cluster, tmp_path):
    Image.new("RGB", (40, 40), "red").save(paths[5])
    cluster = start_cluster(DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES="1")
    extractor = encoder(worker_encoders.die_on_red, cache=tmp_path / "store")
    with pytest.raises(UnreadableImageError) as caught:
        extract(extractor, paths, client=cluster.client, loader=LOADER, shard_size=4)
    assert caught.value.failures == {paths[5]: "a worker died 2 times on it"}
    assert count_writes(tmp_path / "store") == 11


@pytest.mark.slow
def test_workers_that_cannot_compute(paths, start_cluster, tmp_path):
    other = tmp_path / "site" / "keras-1.2.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text("Name: keras\nVersion: 1.2\n")
    root = Path(worker_encoders.__file__).parents[1]
    cluster = start_cluster(PYTHONPATH=f"{other.parent}{os.pathsep}{root}")
    options = {"client": cluster.client, "loader": LOADER}
    with pytest.raises(ImportError, match="No module named 'worker_encoders'"):
        extract(encoder(cache=tmp_path / "store"), paths, **options)
    extractor = HandcraftedFeatures("hsv", cache=tmp_path / "store")
    with pytest.warns(UserWarning, match="worker tcp://.* has keras 1.2, and this"):
        extract(extractor, paths, **options)


@pytest.mark.slow
def test_waiting_for_workers(paths, tmp_path, capfd):
    extractor = encoder(cache=tmp_path / "store")
    with Client(
        processes=False, n_workers=0, dashboard_address="127.0.0.1:0"
    ) as client:
        late = threading.Timer(12, client.cluster.scale, [1])
        late.start()
        report = extract(extractor, paths, client=client, loader=LOADER)
        late.join()
    assert report.n_computed == 12
    assert "waiting for workers at inproc://" in capfd.readouterr().err


@pytest.mark.slow
def test_two_clusters_fill_one_upstream(paintings, tmp_path):
    stores, clusters = [], []
    try:
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            clusters.append(Cluster(tmp_path / name, {"COUNTS": str(tmp_path)}))
            stores.append(FeatureStore(tmp_path / name / "store"))
        parts = [paintings[:250], paintings[150:]]  # a hundred of them twice

        def fill(cluster, store, part):
            extractor = encoder(worker_encoders.mean_colour_slowly, cache=store)
            extract(extractor, part, client=cluster.client, loader=LOADER)
            return store.push(tmp_path / "upstream")

        with ThreadPoolExecutor(2) as pool:
            pushed = list(pool.map(fill, clusters, stores, parts))
    finally:
        for cluster in clusters:
            cluster.close()
    assert 400 <= sum(done["arrays"] for done in pushed) <= 500
    third = FeatureStore(tmp_path / "third", upstream=tmp_path / "upstream")
    # It would raise an error if it were called.
    found = encoder(worker_encoders.fail, cache=third).transform(
        LOADER.transform(paintings)
    )
    expected = encoder().transform(LOADER.transform(paintings))
    np.testing.assert_array_equal(found, expected)
