"""BPF maps created and filled by tests."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ebpftop.frames.columns import Array
from ebpftop.frames.layout import Field, MapLayout, Record
from ebpftop.kernel import libbpf

HASH, ARRAY, PERCPU_HASH, PERCPU_ARRAY, STACK_TRACE, LRU_HASH, LRU_PERCPU_HASH = 1, 2, 5, 6, 7, 9, 10
QUEUE, RINGBUF = 22, 27

U32 = Record(4, [Field("key", "<u4", 0)])
U64 = Record(8, [Field("value", "<u8", 0)])


@contextmanager
def new_map(kind: int, key: Record, value: Record, entries: int) -> Iterator[tuple[int, MapLayout]]:
    """A descriptor, closed afterwards, and the layout of a new map."""
    layout = MapLayout(name="test", kind=kind, max_entries=entries, key=key, value=value)
    create = libbpf.library().bpf_map_create
    fd = libbpf.checked(create(kind, b"test", key.size, value.size, entries, None), "making a map")
    try:
        yield fd, layout
    finally:
        os.close(fd)


def update(fd: int, keys: Array, values: Array) -> None:
    """Set one value per key; per-CPU maps take one row per key and one column per CPU."""
    for key, value in zip(keys, values, strict=True):
        result = libbpf.library().bpf_map_update_elem(fd, key.tobytes(), value.tobytes(), 0)
        libbpf.checked(result, "filling a map")


def fill(fd: int, keys: Array, values: Array) -> None:
    """Set one value per key in one system call."""
    batch = libbpf.library().bpf_map_update_batch
    count = ctypes.c_uint32(len(keys))
    libbpf.checked(batch(fd, _address(keys), _address(values), ctypes.byref(count), None), "filling a map")


def _address(array: np.ndarray[Any, Any]) -> ctypes.c_void_p:
    return ctypes.c_void_p(np.ascontiguousarray(array).ctypes.data)
