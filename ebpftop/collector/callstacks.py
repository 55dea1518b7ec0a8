"""The call stacks named by rows of a map: read once from the kernel's map, and merged.

A row has the kernel's number of a kernel stack, of a user stack, or of both; a negative number says why there is none.
The kernel's numbers stand only for addresses, so a process and its forks share them. A user stack has a meaning only
together with its process.
"""

from __future__ import annotations

import ctypes
import errno
from collections.abc import Container, Iterator, Mapping

import numpy as np
import numpy.typing as npt

from ebpftop.base import gaps
from ebpftop.collector.functions import KERNEL, Change, Functions
from ebpftop.collector.unwound import FULL, UnwoundStacks
from ebpftop.frames.columns import Array
from ebpftop.frames.layout import MapLayout
from ebpftop.kernel import libbpf

NONE = -errno.EFAULT  # there is no such stack: a kernel thread has no user's, user code no kernel's
_REASONS = {
    -errno.EEXIST: gaps.TAKEN,
    -errno.ENOMEM: gaps.MAP_FULL,
    -errno.ENOSPC: gaps.NO_ROOM,
    -errno.EAGAIN: gaps.NOT_COPIED,
    FULL: gaps.TOO_MANY,
}
_AGAIN = 1 << 30  # in the number of a stack in the second map

Codes = Mapping[int, int | None]
_NO_CODES: Codes = {}


class StackMap:
    """The addresses behind the kernel's stack numbers. The caller keeps the descriptors.

    `again`: the descriptor of the map for stacks whose slot in the first map was taken, as in
    `probes/include/ebpftop_stacks_maps.h`; None if a probe has none.
    """

    def __init__(self, fd: int, again: int | None, layout: MapLayout) -> None:
        self._fd, self._again, self._library = fd, again, libbpf.library()
        self.depth = layout.value.size // 8  # addresses a stack has room for
        self._buffer = np.zeros(self.depth, "<u8")
        self._key = ctypes.c_uint32()

    def addresses(self, number: int) -> list[int]:
        """Innermost first; empty if the map has no such stack. Raises `OSError`."""
        again = self._again is not None and number & _AGAIN
        self._key.value = number & ~_AGAIN if again else number
        fd = self._again if again else self._fd
        place = ctypes.c_void_p(self._buffer.ctypes.data)
        result = self._library.bpf_map_lookup_elem(fd, ctypes.byref(self._key), place)
        if result == -errno.ENOENT:
            return []
        libbpf.checked(result, "reading a call stack")
        filled: list[int] = self._buffer[: np.count_nonzero(self._buffer)].tolist()
        return filled


class StackNumbering:
    """Gives each pair of a user stack and a kernel stack its number in the stream. unwound: user stacks with numbers
    that aren't the kernel's.
    """

    def __init__(self, stacks: StackMap, functions: Functions, unwound: UnwoundStacks | None = None) -> None:
        self._stacks, self._functions = stacks, functions
        self.unwound = unwound or UnwoundStacks()
        self._known: dict[tuple[int, int, int], int] = {}  # (identity, user's, kernel's) → the stream's

    def merge(self, identities: Array | None, user: Array | None, kernel: Array | None) -> npt.NDArray[np.uint32]:
        """The numbers of the rows' stacks. identities: of the processes, needed for user stacks. Raises `OSError`."""
        columns = [column for column in (identities, user, kernel) if column is not None]
        rows = np.zeros((len(columns[0]), 3), np.int64)
        for at, column in enumerate((identities if user is not None else None, user, kernel)):
            if column is not None:
                rows[:, at] = column.astype(np.int32, copy=False) if at else column
        distinct, inverse = np.unique(rows, axis=0, return_inverse=True)
        has_user, has_kernel = user is not None, kernel is not None
        numbers = np.empty(len(distinct), "<u4")
        for at, (identity, user_id, kernel_id) in enumerate(distinct.tolist()):
            key = (identity, user_id if has_user else NONE, kernel_id if has_kernel else NONE)
            number = self._known.get(key)
            if number is None:
                number = self._known[key] = self._functions.stack([*self._path(key, has_user)])
            numbers[at] = number
        return numbers[inverse.reshape(-1)]

    def renew(self, change: Change) -> dict[int, int | None]:
        """Give stacks whose code has changed new numbers from now on.

        Returns, by old number, the number of the stack in which either code may have run; None if there is no code now.
        Raises `OSError`.
        """
        renewed: dict[int, int | None] = {}
        for key, number in list(self._known.items()):
            identity, user, _ = key
            codes = change.get(identity)
            if not codes or user < 0:
                continue
            replaced = [codes[address] for address in self._places(user) if address in codes]
            if replaced:
                del self._known[key]
                renewed[number] = self._functions.stack([*self._path(key, True, codes)]) if all(replaced) else None
        return renewed

    def of(self, identities: set[int]) -> set[int]:
        """The numbers of these processes' stacks."""
        return {number for key, number in self._known.items() if key[0] in identities}

    def forget(self, known: Container[int]) -> None:
        """Drop the stacks of forgotten processes: no row will name them again."""
        self._known = {key: number for key, number in self._known.items() if not key[0] or key[0] in known}

    def drop(self, numbers: set[int]) -> None:
        """Give these stacks new numbers from now on."""
        self._known = {key: number for key, number in self._known.items() if number not in numbers}

    def _path(self, key: tuple[int, int, int], has_user: bool, codes: Codes = _NO_CODES) -> Iterator[int]:
        """Outermost first: the user stack, then the kernel stack. codes: replacements for the code
        at some addresses.
        """
        identity, user, kernel = key
        if user != NONE:
            yield from self._side(identity, user, codes)
        elif has_user:
            yield self._functions.missing(gaps.NO_USER_STACK)
        if kernel != NONE:
            yield from self._side(KERNEL, kernel)
        elif not has_user:
            yield self._functions.missing(gaps.NO_STACK)

    def _side(self, space: int, number: int, codes: Codes = _NO_CODES) -> Iterator[int]:
        if number < 0:
            yield self._functions.missing(_REASONS.get(number) or gaps.missing(-number))
            return
        places = self._places(number)
        if not places:
            yield self._functions.missing(gaps.NOT_IN_STACK_MAP)
        if why := self._ended(number, len(places)):
            yield self._functions.missing(why)
        for address in places:
            if address < 0:  # of no code, but of what an interpreter runs: see `Pythons.place`
                yield -1 - address
            else:
                yield codes.get(address) or self._functions.number(space, address)

    def _places(self, number: int) -> list[int]:
        """Addresses of the running code, outermost first. A call is before the address that it returns to."""
        if (stack := self.unwound.get(number)) is not None:
            return [*stack.places[::-1]]
        addresses = self._stacks.addresses(number)
        return [*(address - 1 for address in addresses[:0:-1]), *addresses[:1]]

    def _ended(self, number: int, count: int) -> str:
        """Why a stack's outermost functions are missing; empty if none are."""
        if (stack := self.unwound.get(number)) is not None:
            return stack.ended
        return gaps.more_than(count) if count == self._stacks.depth else ""
