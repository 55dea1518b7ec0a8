"""Where code lies, and the tables of its files, in this very process."""

from __future__ import annotations

import ctypes
import fcntl
import os
from pathlib import Path

import pytest

from ebpftop.handover import protocol, transport
from ebpftop.handover.protocol import CodeRead, Program, RequestCode
from ebpftop.kernel.elf import Elf
from ebpftop.loader import code
from ebpftop.unwind.tables import Effort, Tables

TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
STAT = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
HERE = Program(id=7, tgid=os.getpid(), start_ns=int(STAT[19]) * TICK_NS, code=int(STAT[23]), stack=int(STAT[25]))
GETPID = ctypes.cast(ctypes.CDLL(None).getpid, ctypes.c_void_p).value or 0


def read(*programs: Program, known: list[str] | None = None) -> tuple[CodeRead, list[int]]:
    """The answer and its descriptors."""
    ours, theirs = transport.pair()
    gave_up: list[bool] = []
    request = RequestCode(run=-6, programs=list(programs), known=known or [])
    code.run(theirs, request, lambda: gave_up.append(True))
    theirs.close()
    received = transport.Receiver(ours).receive()
    ours.close()
    assert gave_up == [True]
    assert received is not None
    assert isinstance(received[0], protocol.CodeRead)
    return received[0], received[1]


def test_a_function_of_the_c_library_has_its_description() -> None:
    answer, descriptors = read(HERE)
    try:
        (program,) = answer.programs
        (found,) = (each for each in program.ranges if each.start <= GETPID < each.end)
        with_tables = [each for each in answer.files if each.frames_size]
        assert len(with_tables) == len(descriptors)
        at = next(number for number, each in enumerate(with_tables) if each.file == found.file)
        each, size = with_tables[at], os.fstat(descriptors[at]).st_size
        assert size == each.header_size + each.frames_size
        data = os.pread(descriptors[at], size, 0)
        tables = Tables(data[each.header_size :], each.frames, data[: each.header_size], each.header)
        step = tables.step(GETPID - found.base, Effort(1 << 20))
        assert step == (7, 8, (), None, False, False)  # it has just been called: rsp + 8 is the frame
    finally:
        transport.close_all(descriptors)


def test_what_is_sent_can_not_change_and_is_sent_once() -> None:
    answer, descriptors = read(HERE, HERE)
    seals = {fcntl.fcntl(each, fcntl.F_GET_SEALS) for each in descriptors}
    transport.close_all(descriptors)
    assert seals == {fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL}
    names = [each.file for each in answer.files]
    assert len(set(names)) == len(names)
    again, none = read(HERE, known=names)
    assert (again.files, none) == ([], [])
    assert [each.base for each in again.programs[0].ranges] == [each.base for each in answer.programs[0].ranges]


def test_another_program_in_the_same_process_tells_nothing() -> None:
    for other in (
        Program(id=1, tgid=HERE.tgid, start_ns=HERE.start_ns, code=HERE.code + 4096, stack=HERE.stack),
        Program(id=1, tgid=HERE.tgid, start_ns=HERE.start_ns, code=HERE.code, stack=HERE.stack - 16),
        Program(id=1, tgid=HERE.tgid, start_ns=HERE.start_ns - 10**9, code=HERE.code, stack=HERE.stack),
    ):
        answer, descriptors = read(other)
        assert (answer.programs, answer.files, descriptors) == ([], [], [])


def test_nothing_is_parsed_before_root_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    elf_of = Elf.of

    def elf_after(descriptor: int) -> Elf:
        order.append("a file")
        return elf_of(descriptor)

    monkeypatch.setattr(Elf, "of", elf_after)
    ours, theirs = transport.pair()
    with ours, theirs:
        code.run(theirs, RequestCode(run=-13, programs=[HERE], known=[]), lambda: order.append("root is given up"))
    assert order[0] == "root is given up"
    assert "a file" in order
