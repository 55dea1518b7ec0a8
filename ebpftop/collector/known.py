"""Tells the kernel about unwound stacks, so that it recognises them later: by where their return addresses are, and by
a sum of them. `probes/include/ebpftop_user_stacks_maps.h` has the other side.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ebpftop.collector.layout import dtype
from ebpftop.frames.layout import KNOWN, KNOWN_PLACE, MapLayout, signature
from ebpftop.kernel import libbpf

WAYS = 4  # stacks with the same innermost function at the same place
_FACTOR, _WORD = 0x9E3779B97F4A7C15, (1 << 64) - 1


def added_up(words: Iterable[int]) -> int:
    """The sum of return addresses or Python frames, innermost first."""
    total = 0
    for word in words:
        total = (total ^ word) * _FACTOR & _WORD
        total ^= total >> 29
    return total


class KnownStacks:
    """The map behind a descriptor, which the caller keeps. Raises `ValueError` if it isn't such a map."""

    def __init__(self, fd: int, layout: MapLayout) -> None:
        *fields, at = layout.value.fields
        if signature(layout.key.fields) != KNOWN_PLACE or signature(fields) != KNOWN or at.dtype != "<u2":
            raise ValueError(
                f"{layout.name!r} holds something other than what ebpftop_user_stacks_maps.h looks up there"
            )
        self._fd, self._library = fd, libbpf.library()
        self._depth, self._most = at.count, layout.max_entries
        self._key = np.zeros(1, dtype(layout.key))
        self._value: np.ndarray[Any, np.dtype[Any]] = np.zeros(1, dtype(layout.value))
        self._there: dict[tuple[int, ...], tuple[int, int]] = {}  # sum and number, by the fields of the key

    def numbers(self) -> set[int]:
        """The numbers of the stacks in it."""
        return {number for _, number in self._there.values()}

    def add(
        self,
        place: tuple[int, int, int, int],
        program: tuple[int, int],
        at: Sequence[int],
        words: memoryview,
        number: int,
    ) -> None:
        """place: the registers rip and rsp, what the Python frames add up to, and the process. program: where its first
        stack began, and its pages of executable memory. at: the return addresses' places in the stack, whose words from
        rsp up these are.
        """
        if not len(at) <= self._depth or not all(0 <= each < min(len(words), 1 << 16) for each in at):
            return
        entry = added_up(words[each] for each in at), number
        ways = [(*place, way) for way in range(WAYS)]
        free = next((key for key in ways if self._there.get(key, entry) == entry), ways[number % WAYS])
        if len(self._there) >= self._most:
            self._delete(next(iter(self._there)))
        self._there.pop(free, None)
        self._there[free] = entry
        self._key[0] = free
        self._value[0] = (*program, *entry, len(at), [*at, *(0 for _ in range(self._depth - len(at)))])
        self._library.bpf_map_update_elem(self._fd, _address(self._key), _address(self._value), 0)

    def _delete(self, key: tuple[int, ...]) -> None:
        del self._there[key]
        self._key[0] = key
        self._library.bpf_map_delete_elem(self._fd, _address(self._key))


def _address(array: np.ndarray[Any, np.dtype[Any]]) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)
