"""The layout of a map's keys and values, as BCC described it to the loader; without NumPy."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

FAILURES = "_failures"  # the map in which every probe counts what it could not record
GROUPS = "_groups"  # the map with the cgroups whose threads a probe counts; see ebpftop_maps.h


class Field(msgspec.Struct, frozen=True):
    """One field: `dtype` is NumPy's name ("<u4"; "S16" is text of 16 bytes); `count` > 1 is an array of them."""

    name: str
    dtype: str
    offset: int
    count: int = 1


class Record(msgspec.Struct, frozen=True):
    """A struct, or a scalar as one field; `size` in bytes, padding included."""

    size: int
    fields: list[Field]


class MapLayout(msgspec.Struct, frozen=True, kw_only=True):
    """One map. `kind` is the kernel's BPF_MAP_TYPE. A ring buffer's `value` is its record, `max_entries` its bytes."""

    name: str
    kind: int
    max_entries: int
    key: Record
    value: Record


class OpenWaits(msgspec.Struct, frozen=True, kw_only=True):
    """The map of waits that have begun and not ended, by thread. since: the field with their start (monotonic ns),
    which is 0 while a thread doesn't wait. holder: the field with the thread that holds the lock. waker, woken: the
    fields with the thread that last woke it, and the time (monotonic ns). The fields are 0 if unknown; a name is "" if
    there is no such field.
    """

    map: str
    since: str
    holder: str = ""
    waker: str = ""
    woken: str = ""


def again(stacks: str) -> str:
    """The overflow map of a stack map, for stacks whose bucket is taken; `ebpftop_stacks_maps.h` fills both."""
    return f"{stacks}_again"


COPY = (
    ("time", "<u8", 1),
    ("value", "<u8", 1),
    ("start", "<u8", 1),
    ("code", "<u8", 1),
    ("top", "<u8", 1),
    ("mapped", "<u8", 1),
    ("regs", "<u8", 21),
    ("cpu", "<u4", 1),
    ("tgid", "<u4", 1),
    ("kernel", "<i4", 1),
    ("token", "<i4", 1),
    ("bytes", "<u4", 1),
    ("python", "<u4", 1),
    ("frames", "<u8", 1),
    ("tid", "<u8", 1),
    ("thread", "S16", 1),
    ("entries", "<u8", 256),
)
"""Fields of a copied stack, which is its last field: name, dtype and count; see `probes/include/ebpftop_copies.h`."""


KNOWN_PLACE = (("ip", "<u8", 1), ("sp", "<u8", 1), ("python", "<u8", 1), ("tgid", "<u4", 1), ("way", "<u4", 1))
KNOWN = (
    ("top", "<u8", 1),
    ("mapped", "<u8", 1),
    ("sum", "<u8", 1),
    ("number", "<i4", 1),
    ("depth", "<u4", 1),
)
"""Fields of the key and of the value of a known stack, whose last field are the places of its return addresses; see
`probes/include/ebpftop_user_stacks_maps.h`.
"""


def signature(fields: Iterable[Field]) -> tuple[tuple[str, str, int], ...]:
    """The name, dtype and count of each field."""
    return tuple((each.name, each.dtype, each.count) for each in fields)


def copied(stacks: str) -> str:
    """The ring buffer of copied user stacks, which can't be kept as addresses in a stack map."""
    return f"{stacks}_copied"


def by_pointers(stacks: str) -> str:
    """The map of programs whose stacks need no copies."""
    return f"{stacks}_by_pointers"


def known(stacks: str) -> str:
    """The map of user stacks that the kernel recognises."""
    return f"{stacks}_known"


def python_programs(stacks: str) -> str:
    """The map of programs that are a Python; see `probes/include/ebpftop_python.h`, also for the following ones."""
    return f"{stacks}_pythons"


def python_functions(stacks: str) -> str:
    """The ring buffer of Python functions."""
    return f"{stacks}_python_functions"


PYTHON_FUNCTION = (
    ("id", "<u4", 1),
    ("minor", "<u4", 1),
    ("first", "<u4", 1),
    ("name_state", "<u4", 1),
    ("name_length", "<u4", 1),
    ("file_state", "<u4", 1),
    ("file_length", "<u4", 1),
    ("lines_length", "<u4", 1),
    ("name", "u1", 256),
    ("file", "u1", 512),
)
"""Fields of a Python function, whose last one is `lines`."""


def beside(stacks: str) -> set[str]:
    """All maps that belong to a stack map."""
    makers = again, copied, by_pointers, known, python_programs, python_functions
    return {name(stacks) for name in makers}
