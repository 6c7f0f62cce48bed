"""Reading weights that PyTorch saved, without PyTorch and without running code."""

import collections
import io
import pickle
from pathlib import Path
from typing import NamedTuple

import numpy as np

# What torch.save wrote before version 1.6: pickles of this number, of the version of
# the protocol, of facts on the system, of the tensors and of the keys of the storages;
# then the length and the data of each storage.
_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001

_DTYPES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "<i1",
    "ByteStorage": "<u1",
    "BoolStorage": "?",
}


class _Tensor(NamedTuple):
    storage: tuple  # (key, dtype, length)
    offset: int
    shape: tuple
    strides: tuple


def _rebuild_tensor(storage, offset, shape, strides, *_):
    return _Tensor(storage, offset, shape, strides)


class _Unpickler(pickle.Unpickler):
    """Unpickler of tensors; no other name is looked up, so no code is run."""

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild_tensor
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        raise pickle.UnpicklingError(f"it names {module}.{name}, which is no tensor")

    def persistent_load(self, reference):
        kind, dtype, key, _, length, view = reference
        if kind != "storage" or dtype not in _DTYPES.values() or view is not None:
            raise pickle.UnpicklingError(f"it refers to {kind!r}, which is no storage")
        return key, dtype, length


def read_tensors(path):
    """Read the tensors that ``torch.save`` wrote before PyTorch 1.6.

    Parameters
    ----------
    path : str or path
        File with a dict of tensors, such as the ``state_dict`` of a network.

    Returns
    -------
    tensors : dict of str to ndarray
        The tensors, in the order of the file.

    Raises
    ------
    ValueError
        If the file is damaged, or contains other objects than tensors.
    """
    try:
        # In memory, so that a damaged length reads no more than the file has.
        file = io.BytesIO(Path(path).read_bytes())
        header = [_Unpickler(file).load() for _ in range(3)]
        if header[:2] != [_MAGIC, _PROTOCOL] or not header[2]["little_endian"]:
            raise ValueError("it was not written by PyTorch before version 1.6")
        tensors = _Unpickler(file).load()
        storages = _read_storages(file, tensors.values())
        return {str(name): _as_array(x, storages) for name, x in tensors.items()}
    except OSError:
        raise
    except Exception as error:  # a damaged pickle raises many kinds
        raise ValueError(f"{str(path)!r} can't be read as weights: {error}") from error


def _read_storages(file, tensors):
    """Return the arrays of the storages by their keys."""
    dtypes = {key: dtype for (key, dtype, _), *_ in tensors}
    storages = {}
    for key in _Unpickler(file).load():
        (length,) = np.frombuffer(file.read(8), "<i8")
        dtype = np.dtype(dtypes[key])
        data = file.read(max(0, length) * dtype.itemsize)
        storages[key] = np.frombuffer(data, dtype, length)
    return storages


def _as_array(tensor, storages):
    """Return a tensor as a view of its storage."""
    (key, _, _), offset, shape, strides = tensor
    data = storages[key][offset:]
    # As ints of Python, which don't overflow; 0 for a scalar.
    last = sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
    if min((offset, *shape, *strides), default=0) < 0 or last >= len(data):
        raise ValueError(f"a tensor of shape {shape} is not inside its storage")
    if np.prod(shape, dtype=float) > len(data):
        raise ValueError(f"a tensor of shape {shape} repeats its storage")
    return np.lib.stride_tricks.as_strided(
        data, shape, [data.itemsize * stride for stride in strides], writeable=False
    )
