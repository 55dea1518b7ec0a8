"""Which programs' code is requested, when again, and what answers may hold."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass, field
from math import inf

import pytest

from ebpftop.base.gaps import ENDED, LATE
from ebpftop.collector import codes
from ebpftop.collector.codes import AGAIN, AT_ONCE, LESS, PATIENCE, Codes, Interpreter, Program
from ebpftop.handover.protocol import CodeRange, CodeRead, Message, ProgramCode, PythonBuild, RequestCode, UnwindTables
from ebpftop.unwind.stack import Space
from ebpftop.unwind.tables import Effort
from tests.unit.unwind.test_hostile import BASE, END, ORDINARY, START, cie, fde

ONE, TWO, FORK = Program(11, 5, 0x1000, 0x7000), Program(12, 5, 0x1000, 0x7010), Program(13, 6, 0x1000, 0x7000)
PYTHON = PythonBuild(runtime=0x8000, minor=12, interpreters=40, next=0, threads=72)
FRAMES = cie(ORDINARY) + fde(len(cie(ORDINARY)), b"") + b"\0\0\0\0"
PUSHED = b"\x41\x0e\x10\x86\x02\x43\x0d\x06"  # push %rbp; mov %rsp, %rbp
RANGE = CodeRange(start=BASE, end=BASE + END, base=BASE, file="f")


@dataclass
class Asked:
    """Codes, with what they request and how often they say that more is known."""

    requests: list[RequestCode] = field(default_factory=list)
    reads: int = 0
    warnings: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.codes = Codes(self._request, self._read, self.warnings.append)

    def _request(self, message: Message) -> None:
        assert isinstance(message, RequestCode)
        self.requests.append(message)

    def _read(self) -> None:
        self.reads += 1

    def answer(
        self,
        *ranges: CodeRange,
        tables: bytes = FRAMES,
        seconds: float = 0.0,
        python: PythonBuild | None = None,
        **sizes: int,
    ) -> None:
        """The last request, all its programs alike."""
        memfd = os.memfd_create("tables")
        os.write(memfd, tables)
        programs = [ProgramCode(id=each.id, ranges=list(ranges or [RANGE])) for each in self.requests[-1].programs]
        files = [UnwindTables(file="f", python=python, **({"frames_size": len(tables)} | sizes))]
        self.codes.answered(CodeRead(programs=programs, files=files, cpu_seconds=seconds), [memfd])
        with pytest.raises(OSError, match="Bad file"):
            os.fstat(memfd)


@pytest.fixture
def asked() -> Asked:
    return Asked()


def known(asked: Asked, **given: object) -> Space:
    """A program whose code was read at 100 s."""
    assert asked.codes.space(ONE, 1, 0.0, 100.0) is None
    asked.codes.tick(100.0)
    asked.answer(**given)
    found = asked.codes.space(ONE, 1, 0.1, 100.1)
    assert isinstance(found, Space)
    return found


def test_a_program_is_requested_once_and_its_samples_wait(asked: Asked) -> None:
    assert asked.codes.space(ONE, 1, 0.0, 100.0) is None
    asked.codes.tick(100.0)
    assert asked.codes.space(ONE, 1, 0.0, 100.1) is None
    assert asked.codes.space(TWO, 1, 0.0, 100.1) is None
    asked.codes.tick(100.1)  # an answer is awaited
    (request,) = asked.requests
    assert [(each.tgid, each.start_ns, each.code, each.stack) for each in request.programs] == [ONE]
    asked.answer()
    assert asked.reads == 1
    assert isinstance(asked.codes.space(ONE, 1, 0.2, 100.2), Space)
    asked.codes.tick(100.2)
    assert asked.requests[-1].known == ["f"]
    assert [each.tgid for each in asked.requests[-1].programs] == [12]


def test_patience_ends(asked: Asked) -> None:
    assert asked.codes.space(ONE, 1, 0.0, 100.0) is None
    assert asked.codes.space(ONE, 1, PATIENCE + 0.1, 105.1) == LATE


def test_samples_that_are_old_when_they_are_first_seen_wait_for_one_answer(asked: Asked) -> None:
    assert asked.codes.space(ONE, 1, PATIENCE, 100.0) is None
    assert asked.codes.space(ONE, 1, PATIENCE, 100.4) is None
    assert asked.codes.space(ONE, 1, PATIENCE, 100.6) == LATE
    assert asked.codes.space(TWO, 1, inf, 100.6) == LATE  # there is no other time


def test_one_that_has_ended_says_so(asked: Asked) -> None:
    assert asked.codes.space(ONE, 1, 0.0, 100.0) is None
    asked.codes.tick(100.0)
    asked.codes.answered(CodeRead(programs=[], files=[]), [])
    assert asked.codes.space(ONE, 1, 0.0, 100.1) == ENDED


def test_a_fork_has_the_code_of_its_parent_at_once(asked: Asked) -> None:
    found = known(asked, python=PYTHON)
    assert asked.codes.space(FORK, 1, 0.0, 100.2) is found
    assert asked.codes.python(FORK) == asked.codes.python(ONE) is not None
    assert asked.codes.space(FORK._replace(tgid=14), 2, 0.0, 100.2) is None  # it has mapped more
    assert asked.codes.space(TWO, 1, 0.0, 100.2) is None  # another program


def test_a_fork_that_ended_before_its_code_was_read_has_that_of_its_parent(asked: Asked) -> None:
    assert asked.codes.space(ONE, 1, 0.0, 100.0) is None
    asked.codes.tick(100.0)
    assert asked.codes.space(FORK, 1, 0.0, 100.0) is None
    asked.answer()
    asked.codes.tick(100.1)
    asked.codes.answered(CodeRead(programs=[], files=[]), [])
    assert asked.codes.space(FORK, 1, 0.1, 100.1) is asked.codes.space(ONE, 1, 0.1, 100.1)


def test_programs_whose_places_are_not_random_are_no_forks_by_them(asked: Asked) -> None:
    first = ONE._replace(stack=codes.FIXED)
    assert asked.codes.space(first, 1, 0.0, 100.0) is None
    asked.codes.tick(100.0)
    asked.answer()
    assert asked.codes.space(first, 1, 0.1, 100.1) is not None
    assert asked.codes.space(first._replace(tgid=12), 1, 0.1, 100.1) is None


def test_a_task_that_failed_is_tried_again_later(asked: Asked) -> None:
    assert asked.codes.space(ONE, 1, 0.0, 100.0) is None
    asked.codes.tick(100.0)
    asked.codes.answered(None, [])
    assert asked.codes.space(ONE, 1, 0.1, 100.1) is None  # it waits
    asked.codes.tick(100.1)
    assert len(asked.requests) == 1
    assert asked.codes.space(ONE, 1, AGAIN, 100.0 + AGAIN) is None
    asked.codes.tick(100.0 + AGAIN)
    assert len(asked.requests) == 2
    asked.answer()
    assert isinstance(asked.codes.space(ONE, 1, 1.0, 101.0), Space)


def test_new_mappings_are_looked_at_again_but_not_all_the_time(asked: Asked) -> None:
    before = known(asked)
    assert asked.codes.space(ONE, 2, 0.0, 100.0 + AGAIN / 2) is before  # it was read a moment ago
    assert asked.codes.space(ONE, 2, 0.0, 100.0 + AGAIN) is None
    assert asked.codes.space(ONE, 2, LESS, 100.0 + AGAIN) is before  # what waits too long goes by what is known
    asked.codes.tick(101.0)
    asked.answer()
    after = asked.codes.space(ONE, 2, 0.0, 101.0)
    assert isinstance(after, Space)
    assert after is not before
    assert asked.codes.again(ONE, 0.2, 101.1) is False  # taken before it was read
    assert asked.codes.again(ONE, 0.0, 102.0) is True
    assert asked.codes.again(ONE, 0.0, 102.0) is True


def test_other_code_at_the_same_place_is_read_again(asked: Asked) -> None:
    before = known(asked)
    asked.codes.changed([12])
    assert asked.codes.space(ONE, 1, 0.0, 100.1) is before
    asked.codes.changed([11])
    assert asked.codes.space(ONE, 1, 0.0, 100.1) is None


def test_programs_of_one_request_and_those_remembered_are_bounded(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(codes, "MOST_PROGRAMS", AT_ONCE + 2)
    for number in range(3 * AT_ONCE):
        assert asked.codes.space(ONE._replace(tgid=number), 1, 0.0, 100.0) is None
    for _ in range(4):
        asked.codes.tick(100.0)
        asked.codes.answered(None, [])
    assert [len(request.programs) for request in asked.requests] == [AT_ONCE, 2]
    remembered = [program.tgid for request in asked.requests for program in request.programs]
    assert remembered == [*range(2 * AT_ONCE - 2, 3 * AT_ONCE)]


def test_reading_code_costs_a_share_of_a_cpu(asked: Asked) -> None:
    assert asked.codes.space(ONE, 1, 0.0, 100.0) is None
    asked.codes.tick(100.0)
    asked.answer(seconds=codes.SPENT_AT_ONCE + 3 * codes.SHARE)
    assert asked.codes.space(TWO, 1, 0.0, 101.0) is None
    for now in (101.0, 102.0):
        asked.codes.tick(now)
        assert len(asked.requests) == 1
    asked.codes.tick(103.5)
    assert len(asked.requests) == 2


@pytest.mark.parametrize(
    ("programs", "length", "kept"),
    [
        ([PUSHED] * 40, 100, True),
        ([PUSHED] * 39 + [b""], 100, True),  # one is in assembler
        ([PUSHED] * 36 + [b""] * 4, 100, False),
        ([b""] * 40, 100, False),
        ([PUSHED] * 40, 20, False),  # they are too short to tell
    ],
)
def test_frame_pointers_are_found_in_tables(asked: Asked, programs: list[bytes], length: int, kept: bool) -> None:
    tables = cie(ORDINARY)
    for number, program in enumerate(programs):
        body = struct.pack("<IQQB", len(tables) + 4, START + number * length, length, 0) + program
        tables += struct.pack("<I", len(body)) + body
    known(asked, tables=tables + b"\0\0\0\0")
    assert asked.codes.by_pointers(ONE) is kept


@pytest.mark.parametrize(
    ("tables", "sizes"),
    [
        (b"\x14\0\0\0" * 3, {}),  # a record that goes beyond the end
        (b"\x04\0\0\0\0\0\0\0" * 70_000, {}),  # records without end
        (FRAMES, {"frames_size": 1 << 40}),
        (FRAMES, {"header_size": -8}),
        (FRAMES, {"header_size": 1 << 20}),
    ],
)
def test_tables_that_are_none_cost_their_own_file(asked: Asked, tables: bytes, sizes: dict[str, int]) -> None:
    space = known(asked, tables=tables, **sizes)
    registers = [*range(7), 0x7FFF0000, *range(8, 16), BASE + START + 16]
    found = space.unwind(registers, memoryview(bytes(64)).cast("Q"), Effort(1 << 20), whole=4096)
    assert found.places == (BASE + START + 16,)
    assert found.ended
    assert not asked.codes.by_pointers(ONE)


def test_an_answer_about_what_was_not_requested_changes_nothing(asked: Asked) -> None:
    assert asked.codes.space(ONE, 1, 0.0, 100.0) is None
    asked.codes.tick(100.0)
    ranges = [CodeRange(start=5, end=1, base=9, file="never sent"), CodeRange(start=0, end=1 << 64, base=-5, file="?")]
    asked.codes.answered(
        CodeRead(programs=[ProgramCode(id=0, ranges=ranges), ProgramCode(id=9, ranges=[])], files=[]), []
    )
    space = asked.codes.space(ONE, 1, 0.0, 100.1)
    assert isinstance(space, Space)
    found = space.unwind([0] * 16 + [77], memoryview(bytes(8)).cast("Q"), Effort(1), whole=4096)
    assert found.places == (77,)
    assert found.ended


def test_a_python_is_found_where_its_file_is_mapped(asked: Asked) -> None:
    assert asked.codes.python(ONE) is None
    known(asked, python=PYTHON)
    assert asked.codes.python(ONE) == Interpreter(BASE + 0x8000, 12, 40, 0, 72)
    assert asked.warnings == []


def test_a_python_that_is_not_known_is_told_once(asked: Asked) -> None:
    known(asked, python=PythonBuild(problem="no Python functions in stacks of python3.9: why"))
    assert asked.codes.python(ONE) is None
    asked.codes.space(TWO, 1, 0.0, 110.0)
    asked.codes.tick(110.0)
    asked.answer()
    assert asked.warnings == ["no Python functions in stacks of python3.9: why"]
