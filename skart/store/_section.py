"""The part of a feature store that belongs to one way of computing features."""

import hashlib
import json
import warnings

import numpy as np

from skart.store._errors import mended


class StoreSection:
    """The arrays of one identity in a :class:`FeatureStore`; made by its ``section``.

    Parameters
    ----------
    store : FeatureStore
        Where the arrays are kept.
    identity : dict
        All that the arrays depend on beside the image.

    See Also
    --------
    skart.FeatureStore.section : Makes it.
    """

    def __init__(self, store, identity):
        self.store = store
        self.identity = identity
        self.key = hashlib.sha256(
            json.dumps(identity, sort_keys=True).encode()
        ).digest()[:16]
        self._database = store._database
        self._spare = None  # takes what a store that is read only can't

    @property
    def shape(self):
        """Shape of one array: a tuple of int; None until the first is stored."""
        return self._form()[0]

    @property
    def dtype(self):
        """Dtype of the arrays; None until the first is stored."""
        return self._form()[1]

    @mended
    def missing(self, digests):
        """Find the arrays that are yet to be computed.

        Parameters
        ----------
        digests : list of bytes or None
            Digests of images; None is always missing.

        Returns
        -------
        missing : ndarray of bool, shape (len(digests),)
            Where nothing is stored.
        """
        with self._database.transaction() as transaction:
            known = bool(transaction.get("sections", self.key))
            missing = np.array(
                [
                    not (known and digest)
                    or not transaction.has("arrays", self.key + digest)
                    for digest in digests
                ],
                bool,
            )
        return (
            missing if self._spare is None else missing & self._spare.missing(digests)
        )

    @mended
    def read(self, digests):
        """Read arrays, checking each against its checksum.

        Parameters
        ----------
        digests : list of bytes or None
            Digests of images; None is never found.

        Returns
        -------
        arrays : ndarray of shape (len(digests), ...)
            The arrays, zeros where there is none; None while nothing is stored.
        found : ndarray of bool, shape (len(digests),)
            Where there is one. Damaged arrays are deleted, with a warning.
        """
        found = np.zeros(len(digests), bool)
        shape, dtype = self._form()
        if shape is None:
            return None, found
        arrays = np.zeros((len(digests), *shape), dtype)
        damaged = []
        with self._database.transaction() as transaction:
            for index, (array, digest) in enumerate(zip(arrays, digests, strict=True)):
                value = digest and transaction.get("arrays", self.key + digest)
                if value and len(value) == array.nbytes:
                    array.reshape(-1)[:] = np.frombuffer(value, dtype)
                    found[index] = True
                elif digest and value is not None:
                    damaged.append(digest)
        if damaged:
            self._drop(damaged)
        if self._spare is not None and not found.all():
            there = self._spare.read(digests)
            arrays[there[1]] = there[0][there[1]]
            found |= there[1]
        return arrays, found

    @mended
    def write(self, digests, arrays):
        """Store arrays in one transaction: all of them or, if it is killed, none.

        Arrays that are stored already are kept: two processes may have computed the
        same one.

        Parameters
        ----------
        digests : list of bytes
            Digests of images.
        arrays : ndarray of shape (len(digests), ...)
            What was computed from them.

        Returns
        -------
        n_new : int
            Number of arrays that were not stored already.

        Raises
        ------
        StoreError
            If the disk or ``max_bytes`` is full; the store stays as it was.
        """
        if self.store.read_only:
            return self._write_beside(digests, arrays)
        with self._database.transaction(write=True) as transaction:
            n_new = sum(
                transaction.add("arrays", self.key + digest, array.tobytes())
                for digest, array in zip(digests, arrays, strict=True)
            )
            known = transaction.get("sections", self.key)
            section = {
                "identity": self.identity,
                "shape": arrays.shape[1:],
                "dtype": arrays.dtype.name,
                "writes": len(digests) + (json.loads(known)["writes"] if known else 0),
            }
            transaction.put("sections", self.key, json.dumps(section).encode())
        return n_new

    def _write_beside(self, digests, arrays):
        if self._spare is None:
            warnings.warn(
                f"nothing can be written to the feature store {self.store.root}: what "
                "it lacks is computed, and not kept",
                stacklevel=4,
            )
            self._spare = self.store.temporary().section(self.identity)
        return self._spare.write(digests, arrays)

    def _drop(self, damaged):
        message = f"{len(damaged)} arrays in the feature store {self.store.root} are"
        if self.store.read_only:
            warnings.warn(f"{message} damaged", stacklevel=4)
            return
        with self._database.transaction(write=True) as transaction:
            for digest in damaged:
                transaction.delete("arrays", self.key + digest)
        warnings.warn(f"{message} damaged and will be computed anew", stacklevel=4)

    @mended
    def _form(self):
        with self._database.transaction() as transaction:
            known = transaction.get("sections", self.key)
        if not known:
            return (None, None) if self._spare is None else self._spare._form()
        section = json.loads(known)
        return tuple(section["shape"]), np.dtype(section["dtype"])
