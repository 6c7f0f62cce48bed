"""Arrays in a store that were computed in the same way."""

import itertools
import json
import warnings

import numpy as np

from skart.store._sqlite import StoreError, retry
from skart.store._upstream import section_key


class StoreSection:
    """Stored arrays computed in the same way; see :meth:`FeatureStore.section`.

    Parameters
    ----------
    store : FeatureStore
        Store that contains the section.
    identity : dict
        Everything but the image that determines an array, as plain values.
    """

    def __init__(self, store, identity):
        self.store = store
        self.identity = identity
        self.key = section_key(identity)
        self._database = store._database
        self._remote = store._remote_section(self.key)  # None without an upstream
        self._spare = None  # a temporary section for arrays of a read-only store

    @property
    def shape(self):
        """Shape of one array, a tuple of int; None until the first is stored."""
        return self._form()[0]

    @property
    def dtype(self):
        """Dtype of the arrays; None until the first is stored."""
        return self._form()[1]

    def missing(self, digests):
        """Return which arrays are not stored, here or in the upstream.

        Arrays that only the upstream has are copied to the store.

        Parameters
        ----------
        digests : list of bytes or None
            Digests of images; None is missing.

        Returns
        -------
        missing : ndarray of bool, shape (len(digests),)
            True where no array is stored.

        Raises
        ------
        StoreError
            If the store or its upstream can't be used.
        """
        missing = self._missing(digests)
        if self._fetch(digests, missing):
            missing = self._missing(digests)
        return missing

    @retry
    def _missing(self, digests):
        missing = np.ones(len(digests), bool)
        with self._database.transaction() as transaction:
            if transaction.get(b"S" + self.key):
                for index, digest in enumerate(digests):
                    missing[index] = not digest or not transaction.has(
                        b"A" + self.key + digest
                    )
        if self._spare is not None:
            missing &= self._spare._missing(digests)
        return missing

    def read(self, digests):
        """Read arrays and compare each with its checksum.

        Arrays that only the upstream has are copied to the store.

        Parameters
        ----------
        digests : list of bytes or None
            Digests of images; None is never found.

        Returns
        -------
        arrays : ndarray of shape (len(digests), ...)
            The arrays, zeros where none is found; None if the section is empty.
        found : ndarray of bool, shape (len(digests),)
            True where an array is found. Damaged arrays are deleted with a warning.

        Raises
        ------
        StoreError
            If the store or its upstream can't be used.
        """
        arrays, found = self._read(digests)
        if self._fetch(digests, ~found):
            arrays, found = self._read(digests)
        return arrays, found

    @retry
    def _read(self, digests):
        found = np.zeros(len(digests), bool)
        shape, dtype = self._form()
        if shape is None:
            return None, found
        arrays = np.zeros((len(digests), *shape), dtype)
        prefix, damaged = b"A" + self.key, []
        with self._database.transaction() as transaction:
            for index, (array, digest) in enumerate(zip(arrays, digests, strict=True)):
                value = digest and transaction.get(prefix + digest)
                if value and len(value) == array.nbytes:
                    array.reshape(-1)[:] = np.frombuffer(value, dtype)
                    found[index] = True
                elif digest and value is not None:
                    damaged.append(prefix + digest)
        if damaged:
            self._delete(damaged)
        if self._spare is not None and not found.all():
            spare_arrays, spare_found = self._spare._read(digests)
            arrays[spare_found] = spare_arrays[spare_found]
            found |= spare_found
        return arrays, found

    @retry
    def write(self, digests, arrays):
        """Store arrays in one transaction; keep those that are stored already.

        Parameters
        ----------
        digests : list of bytes
            Digests of images.
        arrays : ndarray of shape (len(digests), ...)
            The array of each.

        Returns
        -------
        n_new : int
            Number of arrays that were not stored before.

        Raises
        ------
        StoreError
            If the disk is full or ``max_bytes`` is reached; the store is unchanged.

        Warns
        -----
        UserWarning
            If the store is read-only: the arrays go to a temporary store.
        """
        if self.store.read_only:
            return self._write_spare(digests, arrays)
        key = b"S" + self.key
        with self._database.transaction(write=True) as transaction:
            # Another process may have computed the same array with other last bits.
            n_new = sum(
                transaction.add(b"A" + self.key + digest, array.tobytes())
                for digest, array in zip(digests, arrays, strict=True)
            )
            known = transaction.get(key)
            section = {
                "identity": self.identity,
                "shape": arrays.shape[1:],
                "dtype": arrays.dtype.name,
                "writes": len(digests) + (json.loads(known)["writes"] if known else 0),
            }
            transaction.put(key, json.dumps(section).encode())
        return n_new

    def _write_spare(self, digests, arrays):
        if self._spare is None:
            warnings.warn(
                f"nothing can be written to the feature store {self.store.root}: "
                "features that it lacks are computed and not kept",
                stacklevel=4,
            )
            self._spare = self.store.temporary().section(self.identity)
        return self._spare.write(digests, arrays)

    def _delete(self, damaged):
        message = f"{len(damaged)} arrays in the feature store {self.store.root} are"
        if self.store.read_only:
            warnings.warn(f"{message} damaged", stacklevel=4)
            return
        with self._database.transaction(write=True) as transaction:
            for key in damaged:
                transaction.delete(key)
        warnings.warn(f"{message} damaged and will be computed anew", stacklevel=4)

    def _fetch(self, digests, mask):
        """Copy arrays from the upstream to the store; return the number of them."""
        wanted = [key for key in itertools.compress(digests, mask) if key]
        if self._remote is None or not wanted:
            return 0
        n_rows = 0
        for keys, arrays in self._remote.fetch(wanted):
            self._check_upstream(self._remote)
            self.write(keys, arrays)
            n_rows += len(keys)
        return n_rows

    @retry
    def _digests(self):
        """Return the digests of all arrays, sorted."""
        prefix = b"A" + self.key
        with self._database.transaction() as transaction:
            return [key[len(prefix) :] for key in transaction.keys(prefix)]

    def _check_upstream(self, remote):
        """Raise StoreError if arrays of an upstream are of another shape or dtype."""
        form = self._local_form()
        if form is None or remote.form() is None or remote.form() == form:
            return
        (found_shape, found), (shape, dtype) = remote.form(), form
        raise StoreError(
            f"{remote.name}/section.json: arrays have shape {found_shape} and dtype "
            f"{found}; in the feature store {self.store.root}, the same features have "
            f"shape {shape} and dtype {dtype}. If the function of an Encoder has "
            "changed, pass it another version; else delete the wrong ones."
        )

    def _form(self):
        """Return shape and dtype of the arrays, or None and None."""
        form = self._local_form()
        if form is None and self._remote is not None:
            form = self._remote.form()
        return form or (None, None)

    @retry
    def _local_form(self):
        with self._database.transaction() as transaction:
            known = transaction.get(b"S" + self.key)
        if not known:
            return None if self._spare is None else self._spare._local_form()
        section = json.loads(known)
        return tuple(section["shape"]), np.dtype(section["dtype"])
