"""Tables that are broken, lie, or were made to keep a reader busy: bounded, and no crash."""

from __future__ import annotations

import contextlib
import struct
from functools import cache
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ebpftop.base.gaps import COMPILED, NO_TABLES, NOWHERE
from ebpftop.kernel.elf import Elf
from ebpftop.loader.code import Sections, sections
from ebpftop.unwind.cursor import WORD, BadTables, Cursor
from ebpftop.unwind.expressions import evaluate
from ebpftop.unwind.rows import RBP, RIP, RSP, Interpreter
from ebpftop.unwind.stack import DEEPEST, Code, Space, Unwound
from ebpftop.unwind.tables import Effort, Tables, TooMuch

START, END = 0x1000, 0x200000
MUCH = 1 << 20
BASE = 0x400000


@cache
def real() -> Sections:
    """Of a program that is on any machine."""
    data = Path("/bin/sh").read_bytes()
    found = sections(Elf(lambda length, at: data[at : at + length], len(data)))
    assert found is not None
    return found


def functions() -> list[int]:
    header = real().header
    count = int.from_bytes(header[8:12], "little")
    starts = struct.unpack_from(f"<{2 * count}i", header, 12)[::2]
    return [start + real().header_at for start in starts]


def asked(tables: Tables, pc: int) -> None:
    """Nothing else may come of it."""
    effort = Effort(MUCH)
    with contextlib.suppress(BadTables, TooMuch):
        tables.step(pc, effort)
    assert MUCH - effort.left <= 2 * (32 << 10)


@given(st.binary(max_size=400), st.binary(max_size=64), st.integers(0, 1 << 48))
def test_bytes_that_are_no_tables_end(frames: bytes, header: bytes, pc: int) -> None:
    try:
        tables = Tables(frames, 0x2000, header, 0x1000)
    except BadTables:
        return
    asked(tables, pc)


@given(st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 255)), min_size=1, max_size=40), st.randoms())
def test_real_tables_with_changed_bytes_end(changes: list[tuple[int, int]], choice: object) -> None:
    frames, header = bytearray(real().frames), bytearray(real().header)
    for at, byte in changes:
        both = frames if at % 3 else header
        both[at % len(both)] = byte
    try:
        tables = Tables(bytes(frames), real().frames_at, bytes(header), real().header_at)
    except BadTables:
        return
    starts = functions()
    for at, _ in changes:
        asked(tables, starts[at % len(starts)] + at % 64)


@given(st.binary(max_size=300), st.integers(0, 1 << 63), st.integers(-(1 << 63), 1 << 63))
@example(b"\x0a" * 300, 1, -8)  # remembers without end
@example(b"\x0b", 1, -8)  # restores what was never remembered
@example(b"\x05" + b"\xff" * 20, 1, -8)  # a number without end
@example(b"\x16\x10\xff\xff\xff\xff\x0f", 1, -8)  # an expression of 4 GB
def test_instructions_end(program: bytes, code_unit: int, data_unit: int) -> None:
    nothing = Cursor(b"", 0, 0)
    try:
        row = Interpreter(START, code_unit, data_unit).row(nothing, Cursor(program, 0, len(program)), END)
    except BadTables:
        return
    assert len(row.rules) <= RIP + 1


@given(st.binary(max_size=256), st.lists(st.integers(0, WORD), max_size=3))
def test_expressions_end_in_64_bits(expression: bytes, given_words: list[int]) -> None:
    words = iter(range(1 << 20))
    try:
        value = evaluate(expression, lambda register: register, lambda _: next(words), given_words)
    except BadTables:
        return
    assert 0 <= value <= WORD


def cie(program: bytes) -> bytes:
    body = b"\0\0\0\0\x01zR\0\x01\x78\x10\x01\x00" + program
    return struct.pack("<I", len(body)) + body


def fde(at: int, program: bytes) -> bytes:
    body = struct.pack("<IQQB", at + 4, START, END - START, 0) + program
    return struct.pack("<I", len(body)) + body


def found(
    initial: bytes, program: bytes, *words: int, at: int = BASE + START + 16, rbp: int = 6, top: int = 0
) -> Unwound:
    """The stack of a function that is described so; its registers have their numbers as values, above the stack."""
    first = cie(initial)
    tables = Tables(first + fde(len(first), program) + b"\0\0\0\0", 0)
    space = Space([Code(BASE, BASE + END, BASE, tables)])
    registers = [*range(RBP), rbp, 0x7FFF0000, *range(RSP + 1, RIP), at]
    stack = memoryview(struct.pack(f"<{len(words)}Q", *words)).cast("Q")
    return space.unwind(registers, stack, Effort(MUCH), whole=4096, top=top)


def test_records_without_end_are_no_tables() -> None:
    empty = struct.pack("<II", 4, 0)
    with pytest.raises(BadTables, match="too many"):
        Tables(empty * (1 << 17), 0)


ORDINARY = b"\x0c\x07\x08\x90\x01"  # the frame is at rsp + 8, the return address just below


def test_an_ordinary_function_returns_to_the_word_at_its_stack() -> None:
    caller = BASE + START + 99
    assert found(ORDINARY, b"", caller, 0).places == (BASE + START + 16, caller - 1)
    assert found(ORDINARY, b"", caller, 0).ended == ""
    assert found(ORDINARY, b"\x07\x10", caller, 0) == ((BASE + START + 16,), "")  # undefined: it is the first


def test_the_first_function_of_all_need_not_say_so() -> None:
    """Where the stack of the first thread began lies the count of arguments, which is no return address."""
    here, caller, nowhere = BASE + START + 16, BASE + START + 99, BASE + START - 8
    assert found(ORDINARY, b"", 1, top=0x7FFF0000) == ((here,), "")
    assert found(ORDINARY, b"", caller, 1, top=0x7FFF0008) == ((here, caller - 1), "")
    assert found(ORDINARY, b"", caller, 1).ended == NOWHERE
    assert found(ORDINARY, b"", 0, 1, at=nowhere, rbp=0, top=0x7FFF0010) == ((nowhere,), "")  # without tables
    for top in (0, 0x7FFEFFF8, 0x7FFF1000):
        assert found(ORDINARY, b"", 0, 1, at=nowhere, rbp=0, top=top).ended == NO_TABLES


def test_what_a_compiler_wrote_into_memory_is_called_so() -> None:
    registers = [*range(RBP), 0x7FFF0004, 0x7FFF0000, *range(RSP + 1, RIP), BASE + 5]
    for compiled, why in ((True, COMPILED), (False, NO_TABLES)):
        space = Space([Code(BASE, BASE + END, BASE, None, compiled)])
        stack = memoryview(bytes(64)).cast("Q")
        assert space.unwind(registers, stack, Effort(MUCH), whole=4096) == ((BASE + 5,), why)


def test_a_frame_that_is_its_own_caller_ends() -> None:
    """The return address is in a register that keeps its value, and the frame is no larger than its caller's."""
    same = b"\x0c\x07\x00\x09\x10\x03"  # cfa = rsp, return address in rbx
    for caller in (BASE + START + 99, 3):
        assert len(found(same, b"", caller).places) <= DEEPEST
    down = b"\x12\x07\x08\x90\x01"  # cfa = rsp - 64
    assert len(found(down, b"", *[BASE + START + 99] * 600).places) == 1


@pytest.mark.parametrize("first", [b"\x0a" * 33, b"\x0b", b"\x01\0\0\0\0", b"\x3f", b"\x0d\x07"])
def test_broken_instructions_are_the_reason_that_is_shown(first: bytes) -> None:
    program = first if first != b"\x0d\x07" else b"\x0f\x01\x30\x0d\x07"
    stack = found(ORDINARY, program, BASE + START + 99)
    assert stack == ((BASE + START + 16,), "invalid unwind tables")


@given(
    st.lists(st.sampled_from([BASE + START + 1, BASE + START + 99, 0, 1, 0x7FFF0000, 0x7FFF0010, WORD]), max_size=40),
    st.binary(max_size=24),
    st.integers(0, 63),
)
def test_stacks_of_any_words_end(words: list[int], program: bytes, at: int) -> None:
    stack = found(ORDINARY, program, *words, at=BASE + START + at)
    assert 1 <= len(stack.places) <= DEEPEST
    assert all(BASE <= place < BASE + END for place in stack.places)
