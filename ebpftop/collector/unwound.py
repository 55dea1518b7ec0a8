"""User stacks unwound here, with numbers like those of stacks in the kernel's map, and the rows of a map that name
them.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ebpftop.collector.layout import opaque
from ebpftop.collector.maps import MapReader
from ebpftop.frames.columns import Array
from ebpftop.unwind.stack import Unwound

UNWOUND = 1 << 29  # in the number of such a stack; the kernel's are smaller, or have a higher bit
MOST = 1 << 15  # stacks, and rows
FULL = -errno.ENOBUFS  # in place of a number; the kernel has others
_TOKENS = -(1 << 30)  # a smaller number is the token of a stack that was copied: see ebpftop_user_stacks_maps.h
_MOST_OF_TOKENS = 1 << 12  # rows of the kernel's map that have tokens

Key = tuple[Any, ...]  # numbers, and texts as bytes


class UnwoundStacks:
    """Stacks by number. A number is never reused. in_use: the holders of numbers that are still wanted."""

    def __init__(self) -> None:
        self._numbers: dict[Unwound, int] = {}
        self._stacks: dict[int, Unwound] = {}
        self._next = UNWOUND
        self.in_use: list[Callable[[], Iterable[int]]] = []

    def number(self, stack: Unwound) -> int:
        """The number of a stack; `FULL` if there is no room for another one."""
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

    def tidy(self) -> None:
        """Forget stacks that nothing names any longer."""
        kept = self._stacks.keys() & set[int]().union(*(numbers() for numbers in self.in_use))
        self._stacks = {number: self._stacks[number] for number in kept}
        self._numbers = {stack: number for number, stack in self._stacks.items()}


class Tokens:
    """The numbers of copied stacks, by the tokens under which the kernel counts them in the meantime.

    all_taken: every existing copy has been unwound. over: no more will come.
    """

    def __init__(self) -> None:
        self.numbers: dict[int, int] = {}
        self.all_taken = self.over = False

    def give(self, token: int, number: int) -> None:
        if len(self.numbers) >= 2 * MOST:
            del self.numbers[next(iter(self.numbers))]
        self.numbers[token] = number


class UnwoundRows:
    """Reads a map like `MapReader`, and adds the rows counted here to the kernel's. Rows whose stack is still to be
    unwound are left out until then; their token is then replaced by its number.

    lost: counts that were dropped for lack of space. user: the key's field with the number of a user stack. gauge: the
    map's values may shrink again.
    """

    def __init__(
        self, reader: MapReader, stacks: UnwoundStacks, user: str, tokens: Tokens | None = None, *, gauge: bool = False
    ) -> None:
        self._reader, self._stacks, self._user, self._gauge = reader, stacks, user, gauge
        self._tokens = tokens or Tokens()
        self._rows: dict[Key, list[int]] = {}  # values by the key's fields
        self._raw: tuple[Array, Array] | None = None  # rows with tokens as the kernel has them,
        self._of: Array = np.empty(0, "V1")  # and the keys under which they were given
        self._unknown: set[int] = set()  # tokens that were left out
        self._numbers: set[int] = set()
        self._at = 0  # the user stack's place among the key's fields
        self.lost = 0
        stacks.in_use.append(self._in_use)

    def add(self, key: Key, *values: int) -> None:
        """Add to the row of a key."""
        row = self._rows.get(key)
        if row is not None:
            for at, value in enumerate(values):
                row[at] += value
        elif len(self._rows) >= MOST:
            self.lost += 1
        else:
            self._rows[key] = [*values]

    def read(self) -> tuple[Array, Array]:
        """See `MapReader.read`. Raises `OSError`."""
        keys, values = self._reader.read()
        self._at = (keys.dtype.names or ()).index(self._user)
        user = keys[self._user]
        self._numbers = set(user[user >= UNWOUND].tolist())
        tokens = user < _TOKENS
        if tokens.any():
            keys, values = self._named(keys, values, tokens)
        else:
            self._raw = None
        if self._rows:
            own = np.array([tuple(row) for row in self._rows.values()], values.dtype)
            keys, values = np.append(keys, np.array(list(self._rows), keys.dtype)), np.append(values, own)
        elif self._raw is None:
            return keys, values
        return _merged(keys, values)

    def _named(self, keys: Array, values: Array, tokens: Array) -> tuple[Array, Array]:
        """The rows, with tokens replaced by numbers."""
        if tokens.sum() > _MOST_OF_TOKENS:
            keys, values, tokens = self._retire(keys, values, tokens)
        keys, raw = keys.copy(), keys[tokens].copy()
        known, unknown, numbers = self._tokens.numbers, set[int](), []
        for token in raw[self._user].tolist():
            number = known.get(token)
            if number is None and (self._tokens.over or (self._tokens.all_taken and token in self._unknown)):
                number = FULL
            if number is None:
                unknown.add(token)
            numbers.append(number or 0)  # which is none of a copy's
        keys[self._user][tokens] = numbers
        self._unknown = unknown
        self._raw, self._of = (raw, values[tokens].copy()), opaque(keys[tokens].copy())
        there = ~tokens
        there[tokens] = [number != 0 for number in numbers]
        return keys[there], values[there]

    def _retire(self, keys: Array, values: Array, tokens: Array) -> tuple[Array, Array, Array]:
        """Make room in the kernel's map: rows whose values no longer change move here."""
        raw, now = keys[tokens], values[tokens]
        if self._raw is None:
            return keys, values, tokens
        _, at, before = np.intersect1d(opaque(raw.copy()), opaque(self._raw[0]), return_indices=True)
        still = now[at] == self._raw[1][before]
        if self._gauge:
            still &= now[at] == np.zeros(1, now.dtype)
        gone = []
        for row in at[still].tolist():
            key = raw[row].tolist()
            number = self._tokens.numbers.get(key[self._at])
            if number is not None:
                gone.append(row)
                if not self._gauge:
                    self.add((*key[: self._at], number, *key[self._at + 1 :]), *now[row].tolist())
        self._reader.delete(raw[gone].copy())
        kept = np.ones(len(keys), bool)
        kept[np.flatnonzero(tokens)[gone]] = False
        return keys[kept], values[kept], tokens[kept]

    def delete(self, keys: Array) -> None:
        """Delete rows by keys that `read` returned, here and in the kernel's map. Raises `OSError`."""
        for key in keys.tolist():
            self._rows.pop(key, None)
        self._reader.delete(keys)
        if self._raw is not None:
            self._reader.delete(self._raw[0][np.isin(self._of, opaque(keys))])
        self._numbers -= set(keys[self._user].tolist())
        self._stacks.tidy()

    def _in_use(self) -> Iterable[int]:
        return {key[self._at] for key in self._rows} | self._numbers | set(self._tokens.numbers.values())


def _merged(keys: Array, values: Array) -> tuple[Array, Array]:
    """One row per key, in order of first appearance."""
    packed = opaque(keys)
    _, first, row = np.unique(packed, return_index=True, return_inverse=True)
    if len(first) == len(keys):
        return keys, values
    summed = np.zeros(len(first), values.dtype)
    for name in values.dtype.names or ():
        np.add.at(summed[name], row.reshape(-1), values[name])
    order = np.argsort(first)
    return keys[first[order]], summed[order]
