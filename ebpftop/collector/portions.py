"""The counts of a map's keys, divided among what each key has stood for, one after another: processes with the same
pid, stacks with the same addresses.

The kernel counts by number and never restarts. When another process or other code has taken the place of the old one,
the key's count so far is taken; the remainder belongs to the new one.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import numpy.typing as npt

from ebpftop.collector.layout import opaque
from ebpftop.frames.columns import Array

Values = dict[str, Array]
Reading = tuple[Array, Values]  # keys, and their values


class Portions:
    """How much of each key's values has been taken. `gauges`: fields that don't add up, of which
    nothing can be taken.
    """

    def __init__(self, gauges: Collection[str] = ()) -> None:
        self._gauges = gauges
        self._keys: Array | None = None
        self._taken: Values = {}

    def __bool__(self) -> bool:
        return self._keys is not None and bool(len(self._keys))

    def remaining(self, keys: Array, values: Values) -> Values:
        """The values of these keys minus the part taken; never below 0."""
        if self._keys is None or not len(keys):
            return values
        _, at, of = np.intersect1d(opaque(keys), self._keys, return_indices=True)
        if not len(at):
            return values
        remaining = dict(values)
        for name, array in values.items():
            if name not in self._gauges:
                taken = self._taken[name][of]
                remaining[name] = array.copy()
                remaining[name][at] = np.where(array[at] > taken, array[at] - taken, 0)
        return remaining

    def take(self, keys: Array, values: Values) -> None:
        """Take the values of these keys so far, replacing the smaller part taken before."""
        self.drop(keys)
        new = opaque(keys)
        if self._keys is None:
            self._keys, self._taken = new, {name: array.copy() for name, array in values.items()}
        else:
            self._keys = np.concatenate((self._keys, new))
            self._taken = {name: np.concatenate((array, values[name])) for name, array in self._taken.items()}

    def among(self, keys: Array) -> npt.NDArray[np.bool_]:
        """A mask of these keys: those of which something has been taken."""
        return np.zeros(len(keys), bool) if self._keys is None else np.isin(opaque(keys), self._keys)

    def only(self, keys: Array) -> None:
        """Forget all but these keys; another one that comes back begins at 0."""
        if self._keys is not None:
            self._keep(np.isin(self._keys, opaque(keys)))

    def drop(self, keys: Array) -> None:
        """Forget keys that are gone from the map."""
        if self._keys is not None:
            self._keep(~np.isin(self._keys, opaque(keys)))

    def _keep(self, mask: Array) -> None:
        if self._keys is not None:
            self._keys, self._taken = self._keys[mask], {name: array[mask] for name, array in self._taken.items()}


def values_at(keys: Array, reading: Reading) -> Values:
    """The values of these keys in a reading, 0 if it has none."""
    found = {name: np.zeros((len(keys), *array.shape[1:]), array.dtype) for name, array in reading[1].items()}
    if len(keys) and len(reading[0]):
        _, at, of = np.intersect1d(opaque(keys), opaque(reading[0]), return_indices=True)
        for name, array in found.items():
            array[at] = reading[1][name][of]
    return found


def some(values: Values) -> Array:
    """A mask of the rows with a value that isn't 0."""
    counted: Array = np.any([(array != 0).any(axis=tuple(range(1, array.ndim))) for array in values.values()], axis=0)
    return counted
