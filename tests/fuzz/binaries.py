"""Doors for files of others: ELF with its symbols and notes, unwind tables, lines of the source, Go's tables."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from hypothesis import strategies as st

from ebpftop.kernel.dwarf_lines import DebugLines
from ebpftop.kernel.elf import BadElf, Elf
from ebpftop.kernel.go_table import GoTable
from ebpftop.kernel.usdt import static_probes
from ebpftop.loader import usdt_arguments
from ebpftop.loader.binaries import cached_libraries
from ebpftop.loader.code import sections
from ebpftop.loader.file_names import FileNames
from ebpftop.unwind.cursor import BadTables
from ebpftop.unwind.stack import Code, Space
from ebpftop.unwind.tables import Effort, Tables, TooMuch
from tests.fuzz.engine import Door
from tests.support.elf_file import FUNCTION, INDIRECT, elf, note
from tests.support.go_table import GO_1_16, GO_1_18, GO_1_20, GoFunction, go_table
from tests.support.hostile import RAW
from tests.support.scratch import scratch
from tests.unit.kernel.test_dwarf_lines import END, at, unit
from tests.unit.unwind.test_hostile import cie, fde

CODE = 0x401000
MUCH = 1 << 20  # bytes of unwind tables
ODD = st.one_of(st.sampled_from(sorted(RAW.values())), st.binary(max_size=24)).map(
    lambda each: each.replace(b"\0", b"")
)


def elf_of(data: bytes) -> Elf:
    return Elf(lambda length, place: data[place : place + length], len(data))


def read_elf(data: bytes) -> None:
    """All that is asked of a file: names, places, static probes, unwind tables, lines."""
    file = elf_of(data)
    names = FileNames(file, None)
    for address in (file.entry, CODE, CODE + 8):
        with contextlib.suppress(BadElf):
            found = names.function(address)
            if found is not None:
                names.lines(found)
    for probe in static_probes(file):
        usdt_arguments.values(probe.arguments)
    file.places()
    with contextlib.suppress(BadElf, BadTables):
        found_sections = sections(file)
        if found_sections is not None:
            tables = Tables(
                found_sections.frames, found_sections.frames_at, found_sections.header, found_sections.header_at
            )
            for address in (0, found_sections.frames_at, CODE):
                with contextlib.suppress(TooMuch):
                    tables.step(address, Effort(MUCH))


def read_frames(data: bytes) -> None:
    """`.eh_frame`, asked for places in and beside the functions it may describe; and a stack that is unwound by it."""
    tables = Tables(data, 0)
    for place in (0, 0x1000, 0x1010, 0x200000, (1 << 64) - 1):
        with contextlib.suppress(BadTables, TooMuch):
            tables.step(place, Effort(MUCH))
    space = Space([Code(0x400000, 0x600000, 0x400000, tables)])
    stack = memoryview(struct.pack("<32Q", *range(0x401000, 0x401020))).cast("Q")
    space.unwind([*range(6), 0x7FFF0010, 0x7FFF0000, *range(8), 0x401010], stack, Effort(MUCH), whole=4096)


def read_lines(data: bytes) -> None:
    lines = DebugLines(data)
    for start in (0, 0x1000, 0x1001, 0x2000):
        found = lines.of(start, start + 64)
        assert all(start <= row[0] < start + 64 and row[1] < len(found.files) for row in found.rows)


def read_go(data: bytes) -> None:
    table = GoTable(data, CODE)
    for address in range(CODE - 4, CODE + 120, 9):
        found = table.function(address)
        assert found is None or found.start <= address < found.end
        files, rows = table.lines(address, address + 64)
        assert all(address <= place < address + 64 and file < len(files) for place, file, _ in rows)


def read_cache(data: bytes) -> None:
    with scratch(data) as path:
        for name, place in cached_libraries(path):
            assert len(name) <= 4096
            assert len(place) <= 4096


_kinds = st.sampled_from([FUNCTION, INDIRECT, 0, 1])
_functions = st.dictionaries(ODD, st.tuples(_kinds, st.integers(0, 80)), max_size=6)
_arguments = st.sampled_from([b"-4@%eax 8@-16(%rbp)", b"8@$-99999999999999999999", b"4@foo(%rip)", b"8@%", b"@"])
_notes = st.lists(
    st.builds(
        note,
        ODD,
        ODD,
        st.sampled_from([0, CODE, CODE + 8, 1 << 63]),
        st.integers(0, 1 << 62),
        st.integers(0, 1 << 40),
        st.one_of(_arguments, ODD),
    ),
    max_size=4,
).map(b"".join)
_elves = st.builds(
    elf,
    _functions,
    _notes,
    base=st.one_of(st.none(), st.integers(0, 1 << 62)),
    code=st.binary(max_size=80),
    machine=st.sampled_from([62, 183, 3]),
    writable=st.booleans(),
)

_operations = st.lists(
    st.one_of(
        st.binary(max_size=6),
        st.sampled_from(
            [
                b"\x0c\x07\x08",
                b"\x90\x01",
                b"\x0a",
                b"\x0b",
                b"\x0e\x10",
                b"\x0f\x01\x30",
                b"\x16\x10\x02\x77\x00",
                b"\x44",
                b"\x02\x04",
                b"\x05\x10\x01",
            ]
        ),
    ),
    max_size=12,
).map(b"".join)
_frames = st.tuples(_operations, st.lists(_operations, max_size=3), st.binary(max_size=8)).map(
    lambda parts: (first := cie(parts[0])) + _descriptions(first, parts[1]) + parts[2] + b"\0\0\0\0"
)


def _descriptions(first: bytes, programs: list[bytes]) -> bytes:
    found = first
    for program in programs:
        found += fde(len(found), program)
    return found[len(first) :]


_lines = st.lists(
    st.builds(
        unit,
        st.lists(st.one_of(st.just(at(0x1000)), st.just(END), st.binary(max_size=8)), max_size=8).map(b"".join),
        version=st.integers(1, 6),
        base=st.integers(-128, 127),
        width=st.integers(0, 255),
        special=st.integers(1, 13),
    ),
    max_size=3,
).map(b"".join)
_go = st.builds(
    go_table,
    st.lists(
        st.builds(
            GoFunction,
            st.text(max_size=12),
            st.integers(64, 90),
            st.lists(
                st.tuples(st.integers(0, 60), st.text(max_size=6), st.integers(0, 1 << 20)),
                min_size=1,
                max_size=3,
                unique_by=lambda each: each[0],
            ).map(sorted),
        ),
        min_size=1,
        max_size=4,
    ),
    st.just(CODE),
    st.sampled_from([GO_1_16, GO_1_18, GO_1_20]),
)
_caches = st.tuples(
    st.integers(0, 9),
    st.lists(st.tuples(st.integers(0, 0xFFFF), st.integers(0, 300), st.integers(0, 300)), max_size=6),
    ODD,
).map(
    lambda parts: (
        struct.pack("<20sII20x", b"glibc-ld.so.cache1.1", parts[0], 0)
        + b"".join(struct.pack("<iIIIQ", *each, 0, 0) for each in parts[1])
        + b"libc.so.6\0"
        + parts[2]
    )
)


@cache
def programs() -> Sequence[bytes]:
    functions = {b"one": (FUNCTION, 0), b"two@@V_1.2": (FUNCTION, 16), b"fast": (INDIRECT, 32)}
    notes = note(b"shop", b"sold", 0x401008) + note(
        b"shop", b"bought", 0x401010, semaphore=0x401020, arguments=b"-4@%eax"
    )
    return [elf(functions, notes, base=0x400000), elf({}, notes, writable=True)]


@cache
def unwind_tables() -> Sequence[bytes]:
    first = cie(b"\x0c\x07\x08\x90\x01")
    real = sections(elf_of(Path("/bin/sh").read_bytes()))
    return [first + fde(len(first), b"\x44\x0e\x10") + b"\0\0\0\0", *([real.frames[:4096]] if real else [])]


DOORS = [
    Door("elf", read_elf, _elves, (BadElf,), seeds=programs),
    Door("eh-frame", read_frames, _frames, (BadTables,), seeds=unwind_tables),
    Door(
        "debug-line",
        read_lines,
        _lines,
        (BadElf,),
        seeds=lambda: [unit(at(0x1000) + b"\x01\x13\x25\x03\x07\x01\x02\x40" + END)],
    ),
    Door(
        "go-table",
        read_go,
        _go,
        (BadElf,),
        seeds=lambda: [go_table([GoFunction("main.main", 32, [(0, "/a.go", 5)])], CODE)],
    ),
    Door(
        "library-cache",
        read_cache,
        _caches,
        seeds=lambda: [
            struct.pack("<20sII20x", b"glibc-ld.so.cache1.1", 1, 0)
            + struct.pack("<iIIIQ", 0x0303, 72, 82, 0, 0)
            + b"libc.so.6\0/lib/libc.so.6\0"
        ],
    ),
]
