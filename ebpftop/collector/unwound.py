"""User stacks that were unwound here, under numbers like those of the stacks in the kernel's map; and what was counted
of them, as further rows of the map that counts stacks.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable
from typing import Any

import numpy as np

from ebpftop.collector.maps import MapReader
from ebpftop.frames.columns import Array
from ebpftop.unwind.stack import Unwound

UNWOUND = 1 << 29  # in the number of such a stack; the kernel's are smaller, or have a higher bit
MOST = 1 << 15  # stacks, and rows
FULL = -errno.ENOBUFS  # in place of a number; the kernel has others


class UnwoundStacks:
    """Stacks by number. A number is never given twice."""

    def __init__(self) -> None:
        self._numbers: dict[Unwound, int] = {}
        self._stacks: dict[int, Unwound] = {}
        self._next = UNWOUND

    def number(self, stack: Unwound) -> int:
        """`FULL` where there is no room for another one."""
        number = self._numbers.get(stack)
        if number is None:
            if len(self._stacks) >= MOST or self._next >= 2 * UNWOUND:
                return FULL
            number = self._numbers[stack] = self._next
            self._stacks[number] = stack
            self._next += 1
        return number

    def get(self, number: int) -> Unwound | None:
        return self._stacks.get(number)

    def keep(self, numbers: Iterable[int]) -> None:
        """Forget all others."""
        kept = self._stacks.keys() & set(numbers)
        self._stacks = {number: self._stacks[number] for number in kept}
        self._numbers = {stack: number for number, stack in self._stacks.items()}


class UnwoundRows:
    """Reads a map as `MapReader` does, with the rows that were counted here among the kernel's.

    lost: what was not counted, as there was no room. user: the field of the key that holds a user stack's number.
    """

    def __init__(self, reader: MapReader, stacks: UnwoundStacks, user: str) -> None:
        self._reader, self._stacks, self._user = reader, stacks, user
        self._rows: dict[tuple[int, ...], int] = {}  # by the key's fields
        self.lost = 0

    def add(self, key: tuple[int, ...], value: int) -> None:
        """Count it in the row of a key."""
        if key not in self._rows and len(self._rows) >= MOST:
            self.lost += 1
        else:
            self._rows[key] = self._rows.get(key, 0) + value

    def read(self) -> tuple[Array, Array]:
        """See `MapReader.read`. Raises `OSError`."""
        keys, values = self._reader.read()
        if not self._rows:
            return keys, values
        return np.append(keys, np.array(list(self._rows), keys.dtype)), np.append(values, self._values(values.dtype))

    def _values(self, kind: np.dtype[Any]) -> Array:
        made = np.zeros(len(self._rows), kind)
        made[(kind.names or ("",))[0]] = np.fromiter(self._rows.values(), "<u8", len(self._rows))
        return made

    def delete(self, keys: Array) -> int:
        """See `MapReader.delete`. Raises `OSError`."""
        user = keys[self._user]
        own = (user & UNWOUND != 0) & (user >= 0) | (user == FULL)
        for key in keys[own].tolist():
            self._rows.pop(key, None)
        if own.any():
            at = (keys.dtype.names or ()).index(self._user)
            self._stacks.keep(key[at] for key in self._rows)
        return int(own.sum()) + self._reader.delete(keys[~own])
