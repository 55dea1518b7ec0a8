"""A ring buffer of records of one struct, read by the thousand with NumPy.

The kernel's layout (kernel/bpf/ringbuf.c): one page with the consumer's position, one with the producer's, then the
data, mapped twice in a row so that no record is split at the end. Each record is preceded by 8 bytes: its length with a
busy bit (still being written) and a discard bit, and a page offset. Records start at multiples of 8.

If the struct's last field is a text, a record may end early, anywhere within it. Then records have no constant stride,
and their headers are followed one by one.

Positions and headers are read before the data that they guard, and all data is read before the kernel may overwrite it.
x86-64 keeps that order; arm64 does only with `_in_order`.
"""

from __future__ import annotations

import mmap
import os
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

_HEADER = 8
_BUSY, _DISCARDED = 1 << 31, 1 << 30
_LENGTH = _DISCARDED - 1
_KEEPS_ORDER = os.uname().machine == "x86_64"
_lock = threading.Lock()
_FIRST = np.array([(1 << 8 * count) - 1 for count in range(8)], "<u8")  # masks of a word's first bytes


class RingBroken(Exception):
    """The ring buffer contains something that this reader can't read; the text says what."""


class Ring:
    """Reads the ring buffer of `size` bytes behind a descriptor, whose records are all of one dtype.

    most: the most bytes that ever waited. Keeps a mapping, and with it the map, until `close`. Raises OSError.
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
        self._data = memoryview(self._kernels)[page:]
        self._headers = self._data.cast("I")
        self._words = np.frombuffer(self._data, "<u8")
        self.size, self.most = size, 0
        self._record = record
        self._fields = {name: (record[name], record.fields[name][1]) for name in record.names or () if record.fields}
        kind, start = list(self._fields.values())[-1]
        self._least = start if kind.kind == "S" else record.itemsize
        self._stride = -(-(_HEADER + record.itemsize) // 8) * 8
        self._slot = np.dtype(
            {
                "names": ["header", "record"],
                "formats": ["<u4", record],
                "offsets": [0, _HEADER],
                "itemsize": self._stride,
            }
        )

    @property
    def waiting(self) -> int:
        """Waiting bytes, including headers and discarded records."""
        return int(self._producer[0]) - int(self._consumer[0])

    def drain(self, limit: int | None = None) -> Array:
        """A copy of the finished records, oldest first, which frees their space.

        If the last field is a text, it is as long as the batch needs, padded with zeros. `limit` bounds the number of
        records, including discarded ones. Raises RingBroken.
        """
        at = int(self._consumer[0])
        waiting = int(self._producer[0]) - at
        if not 0 <= waiting <= self.size:
            raise RingBroken(f"a ring buffer of {self.size:,} bytes claims to hold {waiting:,}")
        self.most = max(self.most, waiting)
        _in_order()
        offset = at & (self.size - 1)
        records, read = self._equal(offset, waiting, limit) or self._unequal(offset, waiting, limit)
        _in_order()
        self._consumer[0] = at + read  # last: from here on the kernel may write over them
        return records

    def in_place(self) -> Iterator[tuple[int, memoryview]]:
        """The finished records in place, oldest first, each with the position of its end; empty for a discarded one.
        They are valid until `release`; nothing is copied. Raises RingBroken.
        """
        start = int(self._consumer[0])
        waiting = int(self._producer[0]) - start
        if not 0 <= waiting <= self.size:
            raise RingBroken(f"a ring buffer of {self.size:,} bytes claims to hold {waiting:,}")
        self.most = max(self.most, waiting)
        _in_order()
        offset = at = start & (self.size - 1)
        while at < offset + waiting:
            header = self._headers[at // 4]
            if header & _BUSY:
                return
            length = header & _LENGTH
            following = at + (length + _HEADER + 7 & ~7)
            if following > offset + waiting:
                raise RingBroken(f"a record of {length:,} bytes in a ring buffer that holds {waiting:,}")
            end = at + _HEADER + (0 if header & _DISCARDED else length)
            _in_order()
            yield start + following - offset, self._data[at + _HEADER : end]
            at = following

    def release(self, end: int) -> None:
        """Let the kernel overwrite everything up to a position returned by `in_place`."""
        _in_order()
        self._consumer[0] = end

    def _equal(self, offset: int, waiting: int, limit: int | None) -> tuple[Array, int] | None:
        """Records of full length, and how many bytes they took; None if one is shorter."""
        count, rest = divmod(waiting, self._stride)
        if rest:
            return None
        if limit is not None:
            count = min(count, limit)
        slots = np.frombuffer(self._data, self._slot, count, offset)
        headers = slots["header"].copy()
        busy = headers & _BUSY != 0
        if busy.any():
            count = int(busy.argmax())
            headers = headers[:count]
        if (headers & _LENGTH != self._record.itemsize).any():
            return None
        _in_order()
        records: Array = slots["record"][:count][headers & _DISCARDED == 0]
        return records, count * self._stride

    def _unequal(self, offset: int, waiting: int, limit: int | None) -> tuple[Array, int]:
        """Records that may end within their last field, and how many bytes they took."""
        places, lengths, read = self._places(offset, offset + waiting, limit)
        self._check(lengths)
        _in_order()
        count = -(-max(int(lengths.max(initial=0)), self._least + 1) // 8)
        words = self._words[places[:, None] + np.arange(1, count + 1)]  # copies
        full, rest = lengths // 8, lengths % 8
        words[np.arange(count) > full[:, None]] = 0
        partly = np.flatnonzero(full < count)
        words[partly, full[partly]] &= _FIRST[rest[partly]]
        return words.view(self._cut(count * 8)).reshape(len(words)), read

    def _cut(self, size: int) -> np.dtype[Any]:
        """The record in `size` bytes; its last field takes the rest."""
        fields = dict(self._fields)
        last, (_, start) = fields.popitem()
        return np.dtype(
            {
                "names": [*fields, last],
                "formats": [*(kind for kind, _ in fields.values()), f"S{size - start}"],
                "offsets": [*(at for _, at in fields.values()), start],
                "itemsize": size,
            }
        )

    def _places(self, offset: int, end: int, limit: int | None) -> tuple[Array, Array, int]:
        """Where finished records begin, in words, their lengths, and how many bytes were passed over."""
        headers, at, last = self._headers, offset // 4, end // 4
        places: list[int] = []
        found: list[int] = []
        while at < last and (limit is None or len(places) < limit):
            header = headers[at]
            if header & _BUSY:
                break
            places.append(at)
            found.append(header)
            at += ((header & _LENGTH) + 15 >> 3) * 2
        if at > last:
            raise RingBroken(f"a record ends {4 * (at - last):,} bytes beyond what the ring buffer holds")
        taken = np.array(found, "<u4")
        kept = taken & _DISCARDED == 0
        return np.array(places, np.intp)[kept] // 2, (taken[kept] & _LENGTH).astype(np.intp), 4 * at - offset

    def _check(self, lengths: Array) -> None:
        wrong = (lengths < self._least) | (lengths > self._record.itemsize)
        if wrong.any():
            raise RingBroken(
                f"a record of {int(lengths[wrong.argmax()]):,} bytes in a ring buffer of records of "
                f"{self._record.itemsize:,}"
            )

    def close(self) -> None:
        """Drop the mapping; the ring can't be drained afterwards."""
        del self._consumer, self._producer, self._words
        self._headers.release()
        self._data.release()
        self._own.close()
        self._kernels.close()


def _in_order() -> None:
    """Order all earlier reads before all later reads and writes: releasing and taking a lock does that. Emulated
    machines can't show its effect, because they have the host's memory order.
    """
    if not _KEEPS_ORDER:
        for _ in range(2):
            with _lock:
                pass
