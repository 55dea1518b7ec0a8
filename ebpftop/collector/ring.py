"""A ring buffer of fixed-size records, decoded by the thousand with NumPy.

The kernel's layout (kernel/bpf/ringbuf.c): one page that holds the consumer's position, one with the producer's, then
the data, mapped twice in a row so that no record is torn at the end. Before each record stand 8 bytes: its length with
a busy bit (still being written) and a discard bit, and a page offset. Records start at multiples of 8.

Positions and headers are read before what they guard, which x86-64 keeps in that order; on arm64 this is untested.
"""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

_HEADER = 8
_BUSY, _DISCARDED = 1 << 31, 1 << 30
_LENGTH = _DISCARDED - 1


class RingBroken(Exception):
    """The ring buffer holds what this reader can't read; the text says what."""


class Ring:
    """Reads the ring buffer of `size` bytes behind a descriptor, whose records are all of one dtype.

    Keeps a mapping, and with it the map, until `close`. Raises OSError.
    """

    def __init__(self, fd: int, size: int, record: np.dtype[Any]) -> None:
        page = mmap.PAGESIZE
        self._own = mmap.mmap(fd, page, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        try:
            self._kernels = mmap.mmap(fd, page + 2 * size, mmap.MAP_SHARED, mmap.PROT_READ, offset=page)
        except OSError:
            self._own.close()
            raise
        self._consumer = np.frombuffer(self._own, "<u8", 1)
        self._producer = np.frombuffer(self._kernels, "<u8", 1)
        self._data_at = page
        self._size, self._record = size, record
        stride = -(-(_HEADER + record.itemsize) // 8) * 8
        self._slot = np.dtype(
            {"names": ["header", "record"], "formats": ["<u4", record], "offsets": [0, _HEADER], "itemsize": stride}
        )

    def drain(self, limit: int | None = None) -> Array:
        """A copy of the finished records, oldest first, which makes room for new ones.

        `limit` bounds how many are taken, discarded ones included. Raises RingBroken.
        """
        at = int(self._consumer[0])
        waiting = int(self._producer[0]) - at
        if not 0 <= waiting <= self._size:
            raise RingBroken(f"a ring buffer of {self._size:,} bytes claims to hold {waiting:,}")
        stride = self._slot.itemsize
        count = waiting // stride if limit is None else min(waiting // stride, limit)
        offset = self._data_at + (at & (self._size - 1))
        slots = np.frombuffer(self._kernels, self._slot, count, offset)
        headers = slots["header"].copy()
        busy = headers & _BUSY != 0
        if busy.any():
            count = int(busy.argmax())
            headers = headers[:count]
        lengths = headers & _LENGTH
        if (lengths != self._record.itemsize).any():
            wrong = int(lengths[(lengths != self._record.itemsize).argmax()])
            raise RingBroken(f"a record of {wrong:,} bytes in a ring buffer of records of {self._record.itemsize:,}")
        records: Array = slots["record"][:count][headers & _DISCARDED == 0]
        self._consumer[0] = at + count * stride  # last: from here on the kernel may write over them
        return records

    def close(self) -> None:
        """Drop the mapping; the ring can't be drained afterwards."""
        del self._consumer, self._producer
        self._own.close()
        self._kernels.close()
