"""Python functions on copied stacks: which programs are a Python, and the name of each function.

A copy includes the frames of the interpreter, see `probes/include/ebpftop_python_maps.h`. Each call of its evaluation
loop runs some of them. Where on the stack the loop keeps its own variables shows which native frame it is; the Python
frames replace that frame.
"""

from __future__ import annotations

import ctypes
import struct
from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from ebpftop.base.gaps import PYTHON_LEFT_OUT
from ebpftop.collector.codes import Interpreter, Program
from ebpftop.collector.functions import Functions
from ebpftop.collector.layout import dtype
from ebpftop.collector.ring import Ring, RingBroken
from ebpftop.frames.layout import PYTHON_FUNCTION, MapLayout
from ebpftop.kernel import libbpf
from ebpftop.kernel.python_build import CODE_AT
from ebpftop.kernel.python_lines import PythonLines

MOST = 1 << 16  # functions, and places in them, that are known at a time
DEEPER = 3  # in a copy: the last call of the loop runs more than it says
UNREADABLE = 0xFFFFFFFF
_LOW = 0xFFFFFFFF

_HEAD = struct.Struct("<8I")
_ENCODINGS = {1: "latin-1", 2: "utf-16-le", 4: "utf-32-le"}  # by bytes of a character
_LIBRARIES = ("/site-packages/", "/dist-packages/", "/lib-dynload/")


class PythonFunction(NamedTuple):
    """code: the offset of its first instruction in its code object."""

    name: str
    file: str
    module: str
    first: int
    code: int
    lines: PythonLines


class Pythons:
    """programs: the descriptor of their map; functions: the ring buffer of functions. The caller keeps the descriptors.

    Raises `ValueError` for other records, `OSError`.
    """

    def __init__(self, programs: int, fd: int, layout: MapLayout, functions: Functions) -> None:
        *fields, lines = layout.value.fields
        if tuple((each.name, each.dtype, each.count) for each in fields) != PYTHON_FUNCTION or lines.name != "lines":
            raise ValueError(f"{layout.name!r} holds something other than what ebpftop_python_maps.h puts there")
        self.name, self.fd, self.ring = layout.name, fd, Ring(fd, layout.max_entries, dtype(layout.value))
        self._programs, self._functions = programs, functions
        self._texts = {field.name: (field.offset, field.count) for field in fields}
        self._lines_at = lines.offset
        self._known: dict[int, PythonFunction] = {}
        self._places: dict[int, int] = {}

    def tell(self, program: Program, interpreter: Interpreter) -> None:
        """Have the interpreter's frames of a program copied."""
        key = (ctypes.c_uint64 * 2)(program.stack, program.code)
        value = struct.pack("<Q4I", *interpreter)
        library = libbpf.library()
        library.bpf_map_update_elem(self._programs, ctypes.byref(key), ctypes.create_string_buffer(value), 0)

    def take(self) -> None:
        """Take new functions. Raises `RingBroken`."""
        for position, record in self.ring.in_place():
            if len(record):
                if len(record) < self._lines_at:
                    raise RingBroken(f"a Python function of {len(record):,} bytes")
                self._learn(record)
            self.ring.release(position)

    def _learn(self, record: memoryview) -> None:
        number, minor, first, *texts, _ = _HEAD.unpack_from(record)
        name = self._text(record, "name", *texts[:2], end=False)
        file = self._text(record, "file", *texts[2:], end=True)
        lines = PythonLines(bytes(record[self._lines_at :]), first)
        if len(self._known) >= MOST:
            self._known.clear()
        self._known[number] = PythonFunction(name, file, short(file), first, CODE_AT.get(minor, 0), lines)

    def _text(self, record: memoryview, field: str, state: int, length: int, *, end: bool) -> str:
        start, room = self._texts[field]
        width = state >> 2 & 7
        if width not in _ENCODINGS:
            return ""
        size = length * width
        cut = size >= room
        size = room - 4 if cut else size
        text = bytes(record[start : start + size]).decode(_ENCODINGS[width], "replace")
        return text if not cut else f"…{text}" if end else f"{text}…"

    def place(self, entry: int) -> int:
        """The place of a frame: a negative number, unlike any address. See `Functions.python`."""
        found = self._places.get(entry)
        if found is None:
            number = entry >> 32
            if number not in self._known and number != UNREADABLE:
                self.take()  # it was told before the copy was
            if len(self._places) >= MOST:
                self._places.clear()
            found = self._places[entry] = self._place(self._known.get(number), entry & _LOW)
        return found

    def _place(self, known: PythonFunction | None, distance: int) -> int:
        if known is None:
            return -1 - self._functions.python("", "Python", "", 0)
        line = known.lines.line(distance - known.code)
        return -1 - self._functions.python(known.name, known.module, known.file, line)

    def woven(
        self, places: Sequence[int], bounds: Sequence[int], entries: Sequence[int], *, deeper: bool = False
    ) -> tuple[int, ...]:
        """The places of a stack, with the calls of the interpreter's loop replaced by the Python frames that they ran.

        bounds: where the frame of each place begins. The end of the last frame isn't known, so it never counts as a
        loop.
        """
        loops: dict[int, list[int]] = {}
        run: list[int] = []
        for index, entry in enumerate(entries):
            if entry >> 32:
                run.append(entry)
                continue
            at = bisect_right(bounds, bounds[0] + entry) - 1
            if run and at < len(bounds) - 1:
                found = loops.setdefault(at, [])
                found += map(self.place, run)
                if deeper and index == len(entries) - 1:
                    found.append(-1 - self._functions.missing(PYTHON_LEFT_OUT))
            run = []
        return tuple(each for at, place in enumerate(places) for each in loops.get(at, (place,)))

    def close(self) -> None:
        self.ring.close()


def short(file: str) -> str:
    """The part of a path that distinguishes a file from others: its path below a library, or its last two names."""
    for library in _LIBRARIES:
        if library in file:
            return file.rpartition(library)[2]
    _, name, below = file.rpartition("/lib/python3.")
    if name and "/" in below:
        return below.partition("/")[2]
    return "/".join(file.split("/")[-2:])
