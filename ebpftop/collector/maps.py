"""Reads whole BPF maps into reused NumPy buffers, thousands of entries per system call.

The kernel's interface is `BPF_MAP_LOOKUP_BATCH` (linux/bpf.h). It walks whole buckets and returns ENOENT at the end,
and ENOSPC if the next bucket is larger than the remaining space. Its input and output cursors must be different memory.
"""

from __future__ import annotations

import ctypes
import errno
from typing import Any

import numpy as np
import numpy.typing as npt

from ebpftop.base.map_types import PER_CPU
from ebpftop.collector.layout import dtype, opaque
from ebpftop.frames.layout import MapLayout
from ebpftop.kernel import libbpf

Array = npt.NDArray[Any]

_NO_BATCHES = -524  # ENOTSUPP, the answer of stack traces, queues and maps of maps
_SLACK = 64  # room beyond max_entries: while one bucket is read, entries may move to the next


class MapReader:
    """Reads the map behind a descriptor, which the caller keeps.

    Entries may come and go during a reading: none is returned twice, and none that existed throughout is missed. The
    fields of one value may differ by an update in flight.
    """

    def __init__(self, fd: int, layout: MapLayout) -> None:
        self._fd = fd
        self._entries = layout.max_entries
        self._library = libbpf.library()
        self._cpus = libbpf.possible_cpus() if layout.kind in PER_CPU else 0
        self._cursors = [ctypes.create_string_buffer(max(4, layout.key.size)) for _ in range(2)]
        self._batches = True
        room = layout.max_entries + _SLACK
        self._keys = np.empty(room, dtype(layout.key))
        if self._cpus:  # one value a CPU, each rounded up to 8 bytes
            self._values = np.empty((room, self._cpus), dtype(layout.value, multiple=8))
            self._summed = np.empty(room, dtype(layout.value))
        else:
            self._values = self._summed = np.empty(room, dtype(layout.value))

    def read(self) -> tuple[Array, Array]:
        """All (keys, values) as structured arrays of equal length, valid until the next call.

        Values of a per-CPU map are summed over the CPUs, field by field in the field's own type. For a text, the value
        of the first CPU that has one is taken. Raises OSError.
        """
        count = self._read_batches() if self._batches else self._read_one_by_one()
        return self._keys[:count], self._over_cpus(count)

    def delete(self, keys: Array) -> int:
        """Delete entries by key, a structured array as returned by `read`. Returns how many existed. Raises OSError."""
        packed = opaque(keys.astype(self._keys.dtype, copy=False))
        at = deleted = 0
        while at < len(packed):
            count = ctypes.c_uint32(len(packed) - at)
            result = self._library.bpf_map_delete_batch(self._fd, _at(packed, at), ctypes.byref(count), None)
            if result == _NO_BATCHES:
                return sum(self._library.bpf_map_delete_elem(self._fd, _at(packed, i)) == 0 for i in range(len(packed)))
            if result not in (0, -errno.ENOENT):
                raise libbpf.failure(result, "deleting from a map")
            deleted += count.value
            at += count.value + 1  # past the one that was gone already
        return deleted

    # ---------------------------------------------------------------- how

    def _grow(self, used: int) -> None:
        """Double the buffers. Arrays returned earlier keep the old buffers alive."""
        keys, values, summed = (
            np.empty((2 * len(old), *old.shape[1:]), old.dtype) for old in (self._keys, self._values, self._summed)
        )
        keys[:used], values[:used] = self._keys[:used], self._values[:used]
        self._keys, self._values, self._summed = keys, values, summed if self._cpus else values

    def _read_batches(self) -> int:
        got, before = 0, None
        following, spare = self._cursors
        while True:
            if len(self._keys) - got < _SLACK:
                self._grow(got)
            count = ctypes.c_uint32(len(self._keys) - got)
            result = self._library.bpf_map_lookup_batch(
                self._fd, before, following, _at(self._keys, got), _at(self._values, got), ctypes.byref(count), None
            )
            if result == -errno.ENOSPC:
                self._grow(got)
                continue
            if result == _NO_BATCHES:
                self._batches = False
                return self._read_one_by_one()
            if result not in (0, -errno.ENOENT):
                raise libbpf.failure(result, "reading a map")
            got += count.value
            if result:
                return got
            before, following, spare = following, spare, following

    def _read_one_by_one(self) -> int:
        got, before = 0, None
        for _ in range(self._entries):
            key = _at(self._keys, got)
            result = self._library.bpf_map_get_next_key(self._fd, before, key)
            if result == -errno.ENOENT:
                break
            libbpf.checked(result, "reading a map")
            before = key
            got += self._library.bpf_map_lookup_elem(self._fd, key, _at(self._values, got)) == 0
        return got

    def _over_cpus(self, count: int) -> Array:
        summed, values = self._summed[:count], self._values[:count]
        if not self._cpus:
            return summed
        for name in summed.dtype.names or ():
            field = values[name]
            if field.dtype.kind == "S":
                summed[name] = field[np.arange(count), (field != b"").argmax(axis=1)]
            else:
                np.add.reduce(field, axis=1, dtype=field.dtype, out=summed[name])
        return summed


def _at(array: Array, row: int) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data + row * array.strides[0])
