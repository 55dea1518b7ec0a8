"""Copied stacks in a ring buffer: when they are unwound, in which order room is made, and what they may hold."""

from __future__ import annotations

import itertools
import os
import struct
import time
from collections.abc import Iterator, Sequence
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebpftop.base.gaps import NOWHERE
from ebpftop.collector.codes import PATIENCE, Codes, Interpreter, Program
from ebpftop.collector.copies import AT_ONCE, PAGE, Copies, Sample
from ebpftop.collector.known import KnownStacks, added_up
from ebpftop.collector.pythons import DEEPER, Pythons
from ebpftop.collector.unwound import Tokens, UnwoundStacks
from ebpftop.frames.layout import COPY, Field, MapLayout, Record
from ebpftop.unwind.stack import Code, Space
from ebpftop.unwind.tables import Effort, Tables
from tests.unit.unwind.test_hostile import BASE, END, ORDINARY, START, cie, fde

ROOM = 2 * PAGE
HEAD = struct.Struct("<6Q21Q2I2i2I2Q16s256Q")
LENGTH = HEAD.size + ROOM
STRIDE = LENGTH + 8
PT_REGS_IP, PT_REGS_SP = 16, 19  # places in struct pt_regs
TOKEN = -(1 << 31) + 5
SIZE = 1 << 17
SP = 0x7FFF_0000_0000 + 0x100
PLACE = BASE + START + 16
CALLER = BASE + START + 99
SECRET = b"hunter2!" * 8


def layout(*, name: str = "stack", dtype: str = "<u8") -> MapLayout:
    sizes = {"<u8": 8, "<u4": 4, "<i4": 4, "S16": 16}
    fields, at = [], 0
    for field, kind, count in COPY:
        fields.append(Field(field, dtype if field == "time" else kind, at, count))
        at += sizes[kind] * count
    fields.append(Field(name, "u1", at, ROOM))
    value = Record(at + ROOM, fields)
    return MapLayout(name="stacks_copied", kind=27, max_entries=SIZE, key=Record(0, []), value=value)


class Known(Codes):
    """Programs whose code a test gives."""

    def __init__(self) -> None:
        super().__init__(lambda _: None, lambda: None)
        tables = Tables(cie(ORDINARY) + fde(len(cie(ORDINARY)), b"") + b"\0\0\0\0", 0)
        self.there = Space([Code(BASE, BASE + END, BASE, tables)])
        self.of: dict[int, Space | str] = {}
        self.ages: list[float] = []
        self.looks_again = False
        self.interpreter: Interpreter | None = None

    def python(self, program: Program) -> Interpreter | None:
        return self.interpreter

    def space(self, program: Program, mapped: int, age: float, now: float) -> Space | str | None:
        self.ages.append(age)
        return self.of.get(program.tgid) or ("late" if age >= PATIENCE else None)

    def again(self, program: Program, age: float, now: float) -> bool:
        return self.looks_again and age < 1000

    def effort(self, program: Program, now: float) -> Effort:
        return Effort(1 << 20)


class Taught(KnownStacks):
    """Keeps what the kernel would be told."""

    def __init__(self) -> None:
        self.told: list[tuple[object, ...]] = []

    def add(
        self,
        place: tuple[int, int, int, int],
        program: tuple[int, int],
        at: Sequence[int],
        words: memoryview,
        number: int,
    ) -> None:
        self.told.append((place, program, [*at], [words[each] for each in at], number))


class Woven(Pythons):
    """Takes note of what it is given."""

    def __init__(self) -> None:
        self.told: list[tuple[Program, Interpreter]] = []
        self.given: list[tuple[tuple[int, ...], list[int], list[int], bool]] = []

    def take(self) -> None:
        pass

    def tell(self, program: Program, interpreter: Interpreter) -> None:
        self.told.append((program, interpreter))

    def woven(
        self, places: Sequence[int], bounds: Sequence[int], entries: Sequence[int], *, deeper: bool = False
    ) -> tuple[int, ...]:
        self.given.append((tuple(places), list(bounds), list(entries), deeper))
        return (-1, *places)


class Ring:
    """Copies in a file like a ring buffer, and what was counted."""

    def __init__(self) -> None:
        self.fd = os.memfd_create("ring")
        os.truncate(self.fd, 2 * PAGE + 2 * SIZE)
        self.codes, self.stacks, self.tokens, self.known = Known(), UnwoundStacks(), Tokens(), Taught()
        self.counted: list[tuple[int, tuple[int, ...], str]] = []
        self.pythons = Woven()
        self.copies = Copies(
            self.fd,
            layout(),
            None,
            self.codes,
            self.stacks,
            self._count,
            self.tokens,
            self.known,
            self.pythons,
        )
        self.at = 0

    def _count(self, sample: Sample, value: int) -> None:
        stack = self.stacks.get(sample.user)
        assert stack is not None
        assert value == 1
        assert (sample.tid, sample.thread) == (sample.tgid + 1, b"worker")
        self.counted.append((sample.tgid, stack.places, stack.ended))

    def put(
        self,
        tgid: int,
        words: Sequence[int],
        *,
        ip: int = PLACE,
        size: int | None = None,
        sp: int = SP,
        token: int = 0,
        python: int = 0,
        entries: Sequence[int] = (),
        frames: int | None = None,
    ) -> None:
        registers = [*range(21)]
        registers[PT_REGS_IP], registers[PT_REGS_SP] = ip, sp
        kept = 8 * len(words) if size is None else size
        count = len(entries) if frames is None else frames
        interpreted = python, count, tgid + 1, b"worker", *entries, *bytes(256 - len(entries))
        head = HEAD.pack(
            time.monotonic_ns(), 1, 5, 0x1000, 0x7000, 9, *registers, 1, tgid, -14, token, kept, *interpreted
        )
        stack = bytearray(SECRET * (ROOM // len(SECRET)))
        start = sp & PAGE - 1
        stack[start : start + 8 * len(words)] = struct.pack(f"<{len(words)}Q", *words)
        self.raw(head + bytes(stack))

    def raw(self, record: bytes) -> None:
        content = struct.pack("<II", len(record), 0) + record
        for copy in (0, SIZE):
            os.pwrite(self.fd, content, 2 * PAGE + copy + self.at)
        self.at += -(-len(content) // 8) * 8
        os.pwrite(self.fd, struct.pack("<Q", self.at), PAGE)

    def consumer(self) -> int:
        return int(struct.unpack("<Q", os.pread(self.fd, 8, 0))[0])


@pytest.fixture
def ring() -> Iterator[Ring]:
    made = Ring()
    yield made
    made.copies.close()
    os.close(made.fd)


def test_a_known_programs_stack_is_unwound_and_its_room_is_free(ring: Ring) -> None:
    ring.codes.of[7] = ring.codes.there
    ring.put(7, [CALLER, 0])
    ring.copies.take()
    assert ring.counted == [(7, (PLACE, CALLER - 1), "")]
    assert ring.consumer() == STRIDE
    assert not ring.copies.waiting


def test_one_that_waits_keeps_its_room_and_holds_up_nobody(ring: Ring) -> None:
    ring.codes.of[7] = ring.codes.there
    for tgid in (7, 8, 7):
        ring.put(tgid, [CALLER, 0])
    ring.copies.take()
    ring.copies.take()
    assert [tgid for tgid, _, _ in ring.counted] == [7, 7]  # each once
    assert ring.consumer() == STRIDE
    assert ring.copies.waiting
    ring.codes.of[8] = ring.codes.there
    ring.copies.take()
    assert [tgid for tgid, _, _ in ring.counted] == [7, 7, 8]
    assert ring.consumer() == 3 * STRIDE
    assert not ring.copies.waiting


def test_nothing_waits_at_the_end(ring: Ring) -> None:
    ring.put(8, [CALLER, 0])
    ring.copies.take(last=True)
    assert ring.codes.ages == [inf]
    assert ring.counted == [(8, (PLACE,), "late")]
    assert ring.consumer() == ring.at


def test_in_a_ring_that_is_half_full_as_many_wait_as_leave_it_so(ring: Ring) -> None:
    half = SIZE // 2 // STRIDE
    for _ in range(half + 2):
        ring.put(8, [CALLER, 0])
    ring.copies.take()
    assert ring.counted == [(8, (PLACE,), "late")] * 2
    assert ring.consumer() == 2 * STRIDE
    assert ring.copies.waiting


def test_unwinding_takes_a_share_of_a_cpu(ring: Ring, monkeypatch: pytest.MonkeyPatch) -> None:
    ring.codes.of[7] = ring.codes.there
    for _ in range(4):
        ring.put(7, [CALLER, 0])
    spent = itertools.count(0, 0.6 * AT_ONCE)
    monkeypatch.setattr(time, "thread_time", lambda: next(spent))
    ring.copies.take()
    assert len(ring.counted) == 2
    ring.copies.take(last=True)
    assert len(ring.counted) == 4


INTERPRETER = Interpreter(0x8000, 12, 40, 0, 72)


def test_a_pythons_frames_are_woven_into_where_native_ones_begin(ring: Ring) -> None:
    ring.codes.of[7], ring.codes.interpreter = ring.codes.there, INTERPRETER
    ring.put(7, [CALLER, 0], python=2, entries=[1 << 32, 8])
    ring.put(7, [CALLER, 0], python=DEEPER, entries=[5], frames=1 << 31)  # as many as there can be
    ring.copies.take()
    (first, second) = ring.pythons.given
    assert first == ((PLACE, CALLER - 1), [SP, SP + 8], [1 << 32, 8], False)
    assert (second[2], second[3]) == ([5, *bytes(255)], True)
    assert ring.counted[0] == (7, (-1, PLACE, CALLER - 1), "")
    assert ring.pythons.told == []


def test_stacks_that_differ_in_their_python_functions_alone_are_known_as_two(ring: Ring) -> None:
    ring.codes.of[7] = ring.codes.there
    ring.codes.interpreter = INTERPRETER
    calls = [[1 << 32, 8], [2 << 32, 8]]
    for token, entries in enumerate(calls, TOKEN):
        ring.put(7, [CALLER, 0], token=token, python=2, entries=entries)
    ring.put(7, [CALLER, 0], token=TOKEN + 2)  # its frames are not copied yet: the next time it will be another one
    ring.copies.take()
    assert [place for place, *_ in ring.known.told] == [(PLACE, SP, added_up(entries), 7) for entries in calls]


def test_a_python_that_is_not_copied_yet_is_told(ring: Ring) -> None:
    ring.codes.of[7], ring.codes.interpreter = ring.codes.there, INTERPRETER
    ring.put(7, [CALLER, 0])
    ring.put(7, [CALLER, 0], python=1)  # a thread that runs none
    ring.copies.take()
    assert ring.pythons.told == [(Program(7, 5, 0x1000, 0x7000), INTERPRETER)]
    assert ring.pythons.given == []


def test_another_program_is_told_nothing(ring: Ring) -> None:
    ring.codes.of[7] = ring.codes.there
    ring.put(7, [CALLER, 0], python=2, entries=[1 << 32, 8])
    ring.copies.take()
    assert ring.counted == [(7, (PLACE, CALLER - 1), "")]
    assert (ring.pythons.told, ring.pythons.given) == ([], [])


def test_a_place_without_known_code_is_waited_for_once(ring: Ring) -> None:
    ring.codes.of[7] = ring.codes.there
    ring.codes.looks_again = True
    ring.put(7, [0x1234, 0])
    ring.copies.take()
    assert (ring.counted, ring.copies.waiting) == ([], True)
    ring.codes.looks_again = False
    ring.copies.take()
    assert ring.counted == [(7, (PLACE,), NOWHERE)]


def test_a_program_without_code_says_why_beside_what_ran(ring: Ring) -> None:
    ring.codes.of[7] = "it has ended"
    ring.put(7, [CALLER, 0])
    ring.copies.take()
    assert ring.counted == [(7, (PLACE,), "it has ended")]


def test_a_token_gets_its_number_and_the_kernel_is_told_where_the_return_addresses_are(ring: Ring) -> None:
    ring.codes.of[7] = ring.codes.there
    ring.put(7, [CALLER, 0], token=TOKEN)
    ring.copies.take()
    number = ring.tokens.numbers[TOKEN]
    stack = ring.stacks.get(number)
    assert stack is not None
    assert stack.places == (PLACE, CALLER - 1)
    assert ring.known.told == [((PLACE, SP, 0, 7), (0x7000, 9), [0, 1], [CALLER, 0], number)]
    assert ring.counted == []  # the kernel counts


def test_a_stack_that_may_be_another_one_the_next_time_is_not_told(ring: Ring) -> None:
    ring.codes.of = {7: ring.codes.there, 8: "it has ended"}
    ring.put(7, [0x1234, 0], token=TOKEN)
    ring.put(8, [CALLER, 0], token=TOKEN + 1)
    ring.copies.take()
    assert {*ring.tokens.numbers} == {TOKEN, TOKEN + 1}
    assert ring.known.told == []


def test_records_that_are_no_copies_are_refused(ring: Ring) -> None:
    for wrong in (layout(name="else"), layout(dtype="<i8")):
        with pytest.raises(ValueError, match="something other"):
            Copies(ring.fd, wrong, None, ring.codes, ring.stacks, lambda *_: None)


@given(
    st.lists(st.sampled_from([0, 1, CALLER, SP, SP + 8, (1 << 64) - 1]), max_size=20),
    st.sampled_from([0, 7, 8, 160, 4096, ROOM, (1 << 32) - 1]),
    st.sampled_from([SP, SP + 4, 0, 7, 0x7FFF_0000_0FFF, (1 << 63) - 1, (1 << 64) - 1]),
    st.sampled_from([PLACE, BASE, BASE + END, 0, 1, (1 << 64) - 1]),
)
def test_whatever_a_stack_holds_only_places_in_code_come_of_it(words: list[int], size: int, sp: int, ip: int) -> None:
    ring = Ring()
    try:
        ring.codes.of[7] = ring.codes.there
        ring.put(7, words, size=size, sp=sp, ip=ip)
        ring.copies.take()
        ((_, places, _),) = ring.counted
        assert places[0] in (ip, ip - 1)
        assert all(BASE <= place < BASE + END for place in places[1:])
        assert ring.consumer() == ring.at
    finally:
        ring.copies.close()
        os.close(ring.fd)
