"""Images at URLs: loaded, digested and stored like files."""

import hashlib
import json
import os
import pickle
import threading
import time

import joblib
import numpy as np
import pandas as pd
import pytest
from helpers import run, shallow
from local_server import (
    LocalServer,
    cut_off,
    dripping,
    encode,
    failing,
    redirecting,
    send,
    stalling,
)
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from skart import FeatureStore, HandcraftedFeatures, ImageLoader
from skart.audit import audit_collection
from skart.datasets import load_catalogue
from skart.images import LazyImages, UnreadableImageError, find_readable
from skart.persistence import load_model, save_model
from skart.plotting import ImageSizeDisplay
from skart.report import write_audit

N = 12


@pytest.fixture
def server():
    pages = {f"/{i}.png": encode(i) for i in range(N)} | {"/text": b"no image"}
    with LocalServer(pages) as server:
        yield server


@pytest.fixture
def urls(server):
    return [f"{server.url}/{i}.png" for i in range(N)]


@pytest.fixture
def files(urls, server, tmp_path):
    """Files of the same contents, in the same order."""
    folder = tmp_path / "files"
    folder.mkdir()
    for i in range(N):
        (folder / f"{i}.png").write_bytes(server.pages[f"/{i}.png"])
    return [str(folder / f"{i}.png") for i in range(N)]


def features(cache, **parameters):
    return HandcraftedFeatures(["hsv"], cache=cache, verbose=False, **parameters)


def test_urls_are_decoded_in_order(urls, files, server):
    order = [3, 0, 3, 11, 7]
    mixed = [urls[3], files[0], urls[3], urls[11], files[7]]
    expected = np.asarray(ImageLoader(24).transform([files[i] for i in order]))
    images = ImageLoader(24).transform(mixed)
    assert server.n_requests == 0  # until they are read
    np.testing.assert_array_equal(np.asarray(images), expected)
    np.testing.assert_array_equal(images[1], expected[1])
    assert server.n_requests == 3


def test_more_images_are_fetched_at_once_than_there_are_cores(server):
    page = encode(0)

    def slow(handler, _):
        time.sleep(0.1)
        send(handler, page)

    server.pages |= {f"/slow/{i}": slow for i in range(40)}
    images = ImageLoader(24).transform([f"{server.url}/slow/{i}" for i in range(40)])
    assert np.asarray(images).shape == (40, 24, 24, 3)
    assert server.most == 4


def test_failures_are_named_together(urls, server):
    server.pages |= {
        "/gone": failing(404),
        "/busy": failing(503, Retry_After="1000"),
        "/away": redirecting("http://localhost:1/"),
        "/cut": cut_off,
        "/stall": stalling(2),
        "/drip": dripping,
    }
    bad = {
        "gone": "HTTP 404 Not Found",
        "busy": "the server asks to wait 1000 s",
        "away": "must lead to public addresses",
        "cut": "a broken answer",
        "stall": "no answer within 0.5 s",
        "drip": "not complete after 5 s",
        "text": "not an image in a supported format",
    }
    X = list(urls)
    for place, name in enumerate(bad):
        X.insert(2 * place, f"{server.url}/{name}")
    start = time.monotonic()
    with pytest.raises(UnreadableImageError) as raised:
        np.asarray(ImageLoader(24, timeout=0.5).transform(X))
    assert time.monotonic() - start < 30
    failures = raised.value.failures
    assert list(failures) == [f"{server.url}/{name}" for name in bad]
    for name, reason in bad.items():
        assert reason in failures[f"{server.url}/{name}"]
    assert server.requests["/gone"] == 1

    loader = ImageLoader(24, timeout=0.5, on_error="blank")
    X = [url for url in X if not url.endswith(("cut", "stall", "drip"))]
    with pytest.warns(UserWarning, match=f"4 of {len(X)} images can't be read"):
        images = np.asarray(loader.transform(X))
    assert len(images) == len(X)
    blank = images.max(axis=(1, 2, 3)) == 0
    assert [url for url, one in zip(X, blank, strict=True) if one] == [
        f"{server.url}/{name}" for name in ("gone", "busy", "away", "text")
    ]


def test_each_url_is_fetched_once_for_all_features(urls, files, server, tmp_path):
    expected = features(None).fit_transform(ImageLoader(24).transform(files))
    X = [*urls, *urls[:5], *files[:2]]
    store = tmp_path / "store"
    found = features(store).fit_transform(ImageLoader(24).transform(X))
    np.testing.assert_array_equal(found, expected[[*range(N), *range(5), 0, 1]])
    assert server.requests == {f"/{i}.png": 1 for i in range(N)}
    assert FeatureStore(store).info()["writes"] == N
    # The digests are those of files, and remembered by URL.
    digests = FeatureStore(store).recall_digests(urls, [(0, 0, 0, 0)] * N)
    contents = [server.pages[f"/{i}.png"] for i in range(N)]
    assert digests == [hashlib.sha256(content).digest() for content in contents]
    again = features(store).fit_transform(ImageLoader(24).transform(urls))
    np.testing.assert_array_equal(again, expected)
    assert server.n_requests == N
    # Other features of the same images: each is fetched again, once.
    features(store).fit(ImageLoader(30).transform(X)).transform(
        ImageLoader(30).transform(X)
    )
    assert server.n_requests == 2 * N


def test_contents_that_are_stored_are_not_computed_again(urls, files, server, tmp_path):
    features(tmp_path / "store").fit_transform(ImageLoader(24).transform(files))
    features(tmp_path / "store").fit_transform(ImageLoader(24).transform(urls))
    assert server.n_requests == N
    assert FeatureStore(tmp_path / "store").info()["writes"] == N


def test_same_content_at_two_urls(server, tmp_path):
    server.pages |= {f"/copy/{i}": encode(0) for i in range(100)}
    X = [f"{server.url}/copy/{i}" for i in range(100)]
    found = features(tmp_path).fit_transform(ImageLoader(24).transform(X))
    assert (found == found[0]).all()
    assert server.n_requests == 100
    assert FeatureStore(tmp_path).info()["writes"] == 1


def test_changed_content_gets_its_own_features(urls, files, server, tmp_path):
    features(tmp_path / "store").fit_transform(ImageLoader(24).transform(urls))
    server.pages["/3.png"] = encode(100)
    images = ImageLoader(30).transform(urls)  # which have to be fetched
    found = features(tmp_path / "store").fit_transform(images)
    (tmp_path / "files/3.png").write_bytes(encode(100))
    expected = features(None).fit_transform(ImageLoader(30).transform(files))
    np.testing.assert_array_equal(found, expected)


def test_unreadable_urls_are_blank_wherever_they_occur(urls, server, tmp_path):
    X = [f"{server.url}/text", *urls[:3], f"{server.url}/text", f"{server.url}/gone"]
    loader = ImageLoader(24, on_error="blank")
    with pytest.warns(UserWarning, match="images can't be read"):
        found = features(tmp_path).fit_transform(loader.transform(X))
    np.testing.assert_array_equal(found[0], found[4])
    np.testing.assert_array_equal(found[0], found[5])
    assert server.requests["/text"] == server.requests["/gone"] == 1
    with pytest.raises(UnreadableImageError, match=f"2 of {len(X)} images"):
        features(tmp_path).fit_transform(ImageLoader(24).transform(X))


def test_an_error_loses_no_work(urls, server, tmp_path):
    X = [*urls[:2], f"{server.url}/gone", *urls[2:]]
    with pytest.raises(UnreadableImageError, match="Check these URLs, leave them out"):
        features(tmp_path).fit_transform(ImageLoader(24).transform(X))
    assert FeatureStore(tmp_path).info()["writes"] == N
    with pytest.raises(UnreadableImageError, match=f"1 of {N + 1} images"):
        features(tmp_path).fit_transform(ImageLoader(24).transform(X))
    assert server.requests == {f"/{i}.png": 1 for i in range(N)} | {"/gone": 2}


def test_a_reason_of_many_images_is_given_once(server):
    X = [f"{server.url}/gone/{i}" for i in range(9)] + [f"{server.url}/text"]
    with pytest.raises(UnreadableImageError) as raised:
        np.asarray(ImageLoader(24).transform(X))
    lines = str(raised.value).splitlines()
    assert len(lines) == 4 and len(raised.value.failures) == 10
    assert lines[1].startswith("  9 images: HTTP 404 Not Found ('http://127.0.0.1:")
    assert lines[1].endswith("/gone/2' and 6 more)")
    assert lines[2].startswith(f"  {X[-1]!r}: not an image")


def test_features_of_a_network(urls, files, server, tmp_path):
    extractor = shallow(pooling="avg", cache=tmp_path / "store")
    images = ImageLoader(32).transform(urls)
    extractor.precompute(images)
    found = extractor.fit_transform(images)
    assert server.n_requests == N
    expected = extractor.fit_transform(ImageLoader(32).transform(files))
    np.testing.assert_array_equal(found, expected)


def test_kept_contents_are_found_without_the_server(
    urls, server, tmp_path, monkeypatch
):
    loader = ImageLoader(24, keep=str(tmp_path / "kept"))
    first = np.asarray(loader.transform(urls))
    assert server.n_requests == N
    assert len(list((tmp_path / "kept").iterdir())) == N
    server.pages.clear()
    np.testing.assert_array_equal(np.asarray(loader.transform(urls)), first)
    monkeypatch.setenv("SKART_KEEP", str(tmp_path / "kept"))
    np.testing.assert_array_equal(np.asarray(ImageLoader(24).transform(urls)), first)
    assert server.n_requests == N


def test_nothing_is_written_unless_it_is_kept(urls, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    np.asarray(ImageLoader(24).transform(urls))
    assert not list(tmp_path.iterdir())


def test_cached_pixels_are_fetched_once(urls, server):
    images = ImageLoader(24, cache_pixels=True).transform(urls)
    first = np.asarray(images)
    np.testing.assert_array_equal(np.asarray(images[::-1]), first[::-1])
    features(None).fit_transform(images)
    assert server.n_requests == N


def test_pickles_and_hashes_do_not_depend_on_what_was_fetched(urls, server):
    images = ImageLoader(24).transform(urls)
    before = joblib.hash(images)
    pixels = np.asarray(images)
    assert joblib.hash(images) == before
    assert joblib.hash(ImageLoader(24).transform(urls[::-1])) != before
    copy = pickle.loads(pickle.dumps(images))
    assert isinstance(copy, LazyImages)
    np.testing.assert_array_equal(np.asarray(copy), pixels)


def test_two_threads_share_a_store(urls, server, tmp_path):
    found = {}

    def work(name):
        images = ImageLoader(24).transform(urls)
        found[name] = features(tmp_path).fit_transform(images)

    threads = [threading.Thread(target=work, args=[name]) for name in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    np.testing.assert_array_equal(found[0], found[1])
    assert server.n_requests <= 2 * N


def test_find_readable_takes_urls(urls, server):
    X = [urls[0], f"{server.url}/text", urls[1], f"{server.url}/gone"]
    with pytest.warns(UserWarning, match="2 of 4 images can't be read"):
        assert find_readable(X).tolist() == [True, False, True, False]


@pytest.fixture
def table(urls, server, tmp_path):
    """A catalogue of URLs, local files and a relative path."""
    (tmp_path / "own.png").write_bytes(encode(50))
    rows = [
        f"{url},{'Cubism' if i % 2 else 'Fauvism'},A{i % 8}"
        for i, url in enumerate(urls)
    ]
    rows += ["own.png,Cubism,A1", f" {server.url}/0.png?again ,Fauvism,A0"]
    server.pages["/0.png?again"] = encode(60)
    file = tmp_path / "works.csv"
    file.write_text("\n".join(["path,movement,artist", *rows]))
    return file


def test_catalogues_hold_urls(table, urls, server, tmp_path):
    paintings = load_catalogue(table)
    assert paintings.paths.tolist() == [
        *urls,
        str(tmp_path / "own.png"),
        f"{server.url}/0.png?again",
    ]
    assert server.n_requests == 0
    frame = pd.DataFrame({"path": urls, "movement": ["a", "b"] * 6})
    assert load_catalogue(frame, root="/elsewhere").paths.tolist() == urls


def test_model_is_fitted_on_urls(table, server, tmp_path):
    from sklearn.linear_model import LogisticRegression

    paintings = load_catalogue(table)
    pipe = make_pipeline(
        ImageLoader(24, keep=str(tmp_path / "kept")),
        features(str(tmp_path / "store")),
        LogisticRegression(),
    )
    assert clone(pipe)[0].keep == str(tmp_path / "kept")
    pipe.fit(paintings.paths, paintings.labels)
    save_model(pipe, tmp_path / "model.skart")
    loaded = load_model(tmp_path / "model.skart")
    assert loaded[0].keep is None  # no folder of another machine
    np.testing.assert_allclose(
        loaded.predict_proba(paintings.paths), pipe.predict_proba(paintings.paths)
    )


def test_audit_takes_urls(urls, server):
    server.pages["/copy.png"] = encode(0)
    X = [*urls, f"{server.url}/copy.png", urls[1], f"{server.url}/gone"]
    table = audit_collection(X, verbose=False).table
    found = table[table["problem"].isin(["unreadable", "exact duplicate"])]
    rows = found[["problem", "position", "detail"]].to_numpy(object).tolist()
    assert sorted(rows) == [
        ["exact duplicate", 0, "equal bytes"],
        ["exact duplicate", 1, "the same file again"],
        ["exact duplicate", 12, "equal bytes"],
        ["exact duplicate", 13, "the same file again"],
        ["unreadable", 14, "HTTP 404 Not Found"],
    ]
    assert server.requests == {f"/{i}.png": 1 for i in range(N)} | {
        "/1.png": 2,
        "/copy.png": 1,
        "/gone": 1,
    }


def test_pages_and_figures_take_urls(table, server, tmp_path):
    paintings = load_catalogue(table)
    display = ImageSizeDisplay.from_paths(paintings.paths)
    assert (display.widths == 30).all() and len(display.widths) == len(paintings.paths)
    assert server.n_requests == len(paintings.paths) - 1  # one is a file
    audit = audit_collection(paintings.paths, labels=paintings.labels, verbose=False)
    write_audit(audit, tmp_path / "audit.html")
    assert f'href="{server.url}/0.png"' in (tmp_path / "audit.html").read_text()


@pytest.mark.slow
def test_commands_take_urls(table, urls, server, tmp_path, toy_backbone):
    model, kept, page = (tmp_path / name for name in ("m.skart", "kept", "page.html"))
    options = ["--cache", tmp_path / "cache", "--keep", kept]
    training = ["--backbone", toy_backbone, "--weights", "random", "--epochs", "1"]
    training += ["--layer", "relu3"]
    run("train", table, "--out", model, *training, *options, code=0)
    n_images = len(urls) + 1
    assert server.n_requests == n_images
    assert len(list(kept.iterdir())) == n_images
    assert "SKART_KEEP" not in os.environ
    done = run("predict", model, urls[0], *options, "--format", "json", code=0)
    (found,) = json.loads(done.stdout)
    assert found["path"] == urls[0] and found["trained_on"]
    assert server.n_requests == n_images
    bad = f"{server.url}/gone"
    new = f"{server.url}/new.png"
    server.pages["/new.png"] = encode(99)
    cache = ["--cache", tmp_path / "cache"]
    done = run("predict", model, new, bad, *cache, "--format", "json", code=1)
    assert [one.get("error") for one in json.loads(done.stdout)] == [
        None,
        "HTTP 404 Not Found",
    ]
    assert server.requests["/new.png"] == 1
    run("predict", model, table, *options, code=0)
    run("audit", table, "--html", page, "--keep", kept)
    assert server.url in page.read_text()
    run("similar", table, urls[0], "--model", model, *options, code=0)
    run("evaluate", model, table, *options, "--folds", "2", code=0)
    assert server.n_requests == n_images + 2
