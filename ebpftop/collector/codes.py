"""The code of programs whose stacks are unwound: its location, and the unwind tables of its files. A root task reads
both for each program that was sampled, and again when its mappings change.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Iterable
from math import inf
from typing import NamedTuple

from msgspec.structs import astuple

from ebpftop.base.gaps import ENDED, LATE, UNREADABLE_TABLES, broken
from ebpftop.handover import protocol
from ebpftop.handover.protocol import CodeRange, CodeRead, PythonBuild, UnwindTables
from ebpftop.unwind.cursor import WORD, BadTables
from ebpftop.unwind.stack import Code, Space
from ebpftop.unwind.tables import Effort, Tables, TooMuch

VDSO = "[vdso]"
HALF = (1 << 32) - 1
RUN = -13  # the number of the task that answers
AT_ONCE = 16  # programs of one request
AGAIN = 0.5  # seconds from one look at a program to the next
MOST_PROGRAMS = 1024
MOST_STEPS = 1 << 17  # that are kept of all programs, and of all files
SPENT_AT_ONCE, SHARE = 2.0, 0.03  # CPU seconds of root tasks: at first, and of each second from then on
FAILED = 0.1  # CPU seconds that a task which failed counts for
EFFORT, EFFORT_A_SECOND = 1 << 20, 1 << 17  # bytes of tables that are read for a program: at first, and from then on

PATIENCE, LESS = 5.0, 1.0  # seconds that a sample waits for its program's code, and for what is new in it
AT_FIRST = 0.5  # seconds after the first sample of a program in which none is given up, however old it is
FIXED = 0x7FFF_FF80_0000  # a stack that begins above doesn't lie at random, and tells nothing (x86-64)
MOST_PROBLEMS = 32  # of Pythons, that are told


class Program(NamedTuple):
    """The identity of a program: a process, and the addresses at which the code and stack of its executable begin."""

    tgid: int
    start_ns: int
    code: int
    stack: int


class Interpreter(NamedTuple):
    """The CPython of a program: see `PythonBuild`; here `runtime` is an address in its memory."""

    runtime: int
    minor: int
    interpreters: int
    next: int
    threads: int


class _Known:
    """The known facts of a program. mapped: its pages of executable memory when it was read. why:
    why it can't be read.
    """

    __slots__ = ("by_pointers", "effort", "files", "mapped", "python", "read_at", "refilled", "since", "space", "why")

    def __init__(self, now: float) -> None:
        self.space: Space | None = None
        self.files: set[str] = set()
        self.by_pointers = False
        self.python: Interpreter | None = None
        self.mapped = -1
        self.read_at = -AGAIN  # when the request was sent, monotonic seconds
        self.why = ""
        self.effort, self.refilled = Effort(EFFORT), now
        self.since = now


class Codes:
    """Programs by identity. `read` is called when more is known, `warn` with each thing that can't be read."""

    def __init__(
        self,
        request: Callable[[protocol.Message], None],
        read: Callable[[], None],
        warn: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._request, self._read, self._warn = request, read, warn
        self._programs: dict[Program, _Known] = {}
        self._tables: dict[str, Tables | str | None] = {}
        self._pythons: dict[str, PythonBuild] = {}  # by file
        self._problems: set[str] = set()  # those that were told
        self._wanted: dict[Program, int] = {}  # with its pages of executable memory
        self._asked: dict[Program, int] = {}
        self._may_spend, self._may_since = SPENT_AT_ONCE, 0.0

    def space(self, program: Program, mapped: int, age: float, now: float) -> Space | str | None:
        """Its code, or a text that says why there is none. None: it is being read, and a sample this many seconds old
        may wait for it. An infinitely old sample waits for nothing. mapped: see `_Known`.
        """
        known = self._programs.pop(program, None)
        if known is None:
            if len(self._programs) >= MOST_PROGRAMS:
                oldest = next(iter(self._programs))
                del self._programs[oldest]
                self._wanted.pop(oldest, None)
            known = _Known(now)
            self._inherit(program, known, mapped)
        self._programs[program] = known  # the last one, as it was used last
        if known.why:
            return known.why
        wanted = mapped != known.mapped and self._want(program, known, mapped, now)
        if known.space is None:
            waits = age < PATIENCE or (age < inf and now < known.since + AT_FIRST)
            return None if waits else LATE
        return None if wanted and age < LESS else known.space

    def _inherit(self, program: Program, known: _Known, mapped: int) -> bool:
        """Whether it is a fork of a known program and has as much mapped: then it runs the same code."""
        if program.stack >= FIXED:
            return False
        for each, other in reversed(self._programs.items()):
            if other.space is not None and (each.code, each.stack, other.mapped) == (*program[2:], mapped):
                known.space, known.files, known.mapped = other.space, other.files, mapped
                known.by_pointers, known.python = other.by_pointers, other.python
                return True
        return False

    def again(self, program: Program, age: float, now: float) -> bool:
        """A sample hit an address without known code. Whether it should wait, because code may have
        been mapped since.
        """
        known = self._programs[program]
        return known.read_at < now - age and age < LESS and self._want(program, known, known.mapped, now)

    def _want(self, program: Program, known: _Known, mapped: int, now: float) -> bool:
        """Whether it is being read, or will be."""
        if program not in self._wanted and program not in self._asked:
            if now < known.read_at + AGAIN:
                return False
            self._wanted[program] = mapped
        return True

    def by_pointers(self, program: Program) -> bool:
        """Whether all of its files keep frame pointers."""
        known = self._programs.get(program)
        return known is not None and known.by_pointers

    def python(self, program: Program) -> Interpreter | None:
        """Its interpreter, if it is a Python whose functions can be read."""
        known = self._programs.get(program)
        return known.python if known is not None else None

    def effort(self, program: Program, now: float) -> Effort:
        """How much may be read of a program's tables now."""
        known = self._programs[program]
        more = int((now - known.refilled) * EFFORT_A_SECOND)
        if more > 0:
            known.effort.left, known.refilled = min(EFFORT, known.effort.left + more), now
        return known.effort

    def changed(self, tgids: Iterable[int]) -> None:
        """The code in these processes has changed."""
        gone = set(tgids)
        for program, known in self._programs.items() if gone else ():
            if program.tgid in gone:
                known.mapped, known.read_at = -1, -AGAIN
                if program in self._asked:
                    self._asked[program] = -1

    # ---------------------------------------------------------------- requests

    @property
    def due(self) -> bool:
        return bool(self._wanted) and not self._asked

    def tick(self, now: float) -> None:
        """Request the wanted programs, unless an answer is pending or enough time was spent (monotonic seconds)."""
        self._may_spend = min(SPENT_AT_ONCE, self._may_spend + (now - self._may_since) * SHARE)
        self._may_since = now
        if not self.due or self._may_spend < 0:
            return
        for program in list(self._wanted)[:AT_ONCE]:
            self._asked[program] = self._wanted.pop(program)
            self._programs[program].read_at = now
        programs = [
            protocol.Program(id=number, tgid=each.tgid, start_ns=each.start_ns, code=each.code, stack=each.stack)
            for number, each in enumerate(self._asked)
        ]
        self._request(protocol.RequestCode(run=RUN, programs=programs, known=list(self._tables)))

    def answered(self, answer: CodeRead | None, descriptors: list[int]) -> None:
        """Take an answer and its descriptors; None: no answer will come."""
        asked, self._asked = self._asked, {}
        try:
            self._add(answer.files if answer else [], descriptors)
        finally:
            for each in descriptors:
                os.close(each)
        found = {each.id: each.ranges for each in answer.programs} if answer else {}
        for number, (program, mapped) in enumerate(asked.items()):
            known = self._programs.get(program)
            if known is None:
                continue
            if number in found:
                self._learn(known, found[number])
                known.mapped = mapped
            elif answer is None:
                pass  # another time
            elif known.space is None:
                if not self._inherit(program, known, mapped):
                    known.why = ENDED
            else:
                known.mapped = mapped  # it has ended; what is known of it holds for what was sampled before
        self._may_spend -= FAILED if answer is None else answer.cpu_seconds
        self._forget()
        self._read()

    def _learn(self, known: _Known, ranges: list[CodeRange]) -> None:
        known.files = {each.file for each in ranges if each.file in self._tables}
        known.space = Space(
            [Code(each.start, each.end, each.base, self._of(each.file), not each.file) for each in ranges]
        )
        known.python = self._python(ranges)
        files = {each.file for each in ranges if each.file} - {VDSO}  # that one calls nothing
        tables = [self._tables.get(each, UNREADABLE_TABLES) for each in files]
        try:
            known.by_pointers = all(
                each is None or (isinstance(each, Tables) and each.keep_frame_pointers(Effort(EFFORT)))
                for each in tables
            )
        except TooMuch:
            known.by_pointers = False

    def _python(self, ranges: list[CodeRange]) -> Interpreter | None:
        """If Python is in a library, the program itself may have nothing of it but the name."""
        found = [(each.base, self._pythons[each.file]) for each in ranges if each.file in self._pythons]
        for base, build in found:
            if not build.problem:
                return Interpreter(base + build.runtime & WORD, *(each & HALF for each in astuple(build)[1:-1]))
        for _, build in found[-1:]:
            if build.problem not in self._problems and len(self._problems) < MOST_PROBLEMS:
                self._problems.add(build.problem)
                self._warn(build.problem)
        return None

    def _of(self, file: str) -> Tables | str | None:
        return self._tables.get(file, UNREADABLE_TABLES) if file else None

    def _add(self, files: list[UnwindTables], descriptors: list[int]) -> None:
        rest = iter(descriptors)
        for each in files:
            if each.python is not None:
                self._pythons[each.file] = each.python
            if not each.frames_size:
                self._tables[each.file] = None
                continue
            try:
                self._tables[each.file] = _tables(each, next(rest))
            except BadTables as bad:
                self._tables[each.file] = broken(str(bad))
            except (OSError, ValueError, StopIteration):
                self._tables[each.file] = UNREADABLE_TABLES

    def _forget(self) -> None:
        """Drop files that no program uses, and unwind steps if there are many."""
        used = set[str]().union(*(known.files for known in self._programs.values()))
        self._tables = {file: tables for file, tables in self._tables.items() if file in used}
        self._pythons = {file: build for file, build in self._pythons.items() if file in used}
        spaces = [known.space for known in self._programs.values() if known.space is not None]
        tables = [each for each in self._tables.values() if isinstance(each, Tables)]
        for remembering in (spaces, tables):
            if sum(each.kept for each in remembering) > MOST_STEPS:
                for each in remembering:
                    each.forget()


def _tables(what: UnwindTables, descriptor: int) -> Tables:
    """Raises `BadTables`, `OSError`, `ValueError`."""
    size = os.fstat(descriptor).st_size
    if not 0 < what.header_size + what.frames_size <= size or min(what.header_size, what.frames_size) < 0:
        raise ValueError("not the size that was announced")
    both = memoryview(mmap.mmap(descriptor, size, prot=mmap.PROT_READ))
    header, frames = both[: what.header_size], both[what.header_size : what.header_size + what.frames_size]
    return Tables(frames, what.frames, header, what.header)
