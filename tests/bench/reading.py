"""Reading 100,000 entries of a map: our reader, the bare system call, and BCC's items()."""

from __future__ import annotations

import ctypes
import errno
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ebpftop.collector.maps import MapReader
from ebpftop.frames.layout import Field, MapLayout, Record
from ebpftop.kernel import bcc_home, headers, libbpf
from tests.bench.table import Row, interleaved, ms
from tests.support.maps import HASH, fill

ENTRIES = 100_000
ROUNDS = 9
KEY = Record(20, [Field("tgid", "<u4", 0), Field("comm", "S16", 4)])
VALUE = Record(16, [Field("count", "<u8", 0), Field("bytes", "<u8", 8)])
TEXT = """
struct key { u32 tgid; char comm[16]; };
struct value { u64 count; u64 bytes; };
BPF_HASH(entries, struct key, struct value, 100000);
"""


def rows() -> list[Row]:
    """Times of whole reads, one after the other in turn."""
    table = _bcc_table()
    _fill(table.map_fd)
    layout = MapLayout(name="entries", kind=HASH, max_entries=ENTRIES, key=KEY, value=VALUE)
    reader = MapReader(table.map_fd, layout)
    assert len(reader.read()[0]) == len(table.items()) == ENTRIES
    ours, bare, items = interleaved(ROUNDS, reader.read, _bare(table.map_fd), table.items)
    what = f"read {ENTRIES:,} map entries"
    return [
        Row(what, ours, "bare batch system call", bare, ms, target=1.3),
        Row(what, ours, "BCC items()", items, ms, target=1 / 20),
    ]


def _bcc_table() -> Any:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["BCC_KERNEL_SOURCE"] = str(headers.write_tree(Path(folder), TEXT).root)
        return bcc_home.load(bcc_home.find()).BPF(text=TEXT.encode())["entries"]


def _fill(fd: int) -> None:
    keys = np.zeros(ENTRIES, [("tgid", "<u4"), ("comm", "S16")])
    keys["tgid"] = np.arange(ENTRIES)
    keys["comm"] = b"worker"
    values = np.zeros(ENTRIES, [("count", "<u8"), ("bytes", "<u8")])
    values["count"] = np.arange(ENTRIES)
    fill(fd, keys, values)


def _bare(fd: int) -> Callable[[], None]:
    """One system call that reads all into memory used before, and nothing else."""
    room = ENTRIES + 64
    lookup = libbpf.library().bpf_map_lookup_batch
    cursor, keys, values = (ctypes.create_string_buffer(size) for size in (20, room * 20, room * 16))
    count = ctypes.c_uint32()

    def read() -> None:
        count.value = room
        result = lookup(fd, None, cursor, keys, values, ctypes.byref(count), None)
        assert (result, count.value) == (-errno.ENOENT, ENTRIES)

    return read
