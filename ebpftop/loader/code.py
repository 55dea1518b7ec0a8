"""Root task: reports where the code of processes is mapped, and the unwind tables of its files.

As root it only opens files. Only after giving up root's rights does it read them, because they may come from anybody
and contain anything. Of a file, only its tables leave the task, in sealed memory, and the location of its Python's
state.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import time
from collections.abc import Callable
from typing import NamedTuple

from ebpftop.base.inert import inert
from ebpftop.handover import protocol, transport
from ebpftop.handover.protocol import (
    UNREADABLE,
    CodeRange,
    Program,
    ProgramCode,
    PythonBuild,
    RequestCode,
    UnwindTables,
)
from ebpftop.kernel import python_build
from ebpftop.kernel.elf import BadElf, Elf
from ebpftop.kernel.mappings import Mapping, Mappings
from ebpftop.loader.mapped_files import MappedFiles
from ebpftop.loader.shares import Shares

MOST_PROGRAMS = 64  # of one request
_LARGEST = 64 << 20  # bytes of one file's tables
_ALL = 256 << 20  # and of all in an answer
_X86_64 = 62
_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
_STARTCODE, _STARTSTACK = 23, 25  # fields of /proc/PID/stat behind the name, see proc(5)


class Sections(NamedTuple):
    """The unwind tables of a file: addresses and contents."""

    header_at: int
    header: bytes
    frames_at: int
    frames: bytes


def sections(elf: Elf) -> Sections | None:
    """None if a file has none. Raises `BadElf`, `OSError`."""
    if elf.machine != _X86_64:
        raise BadElf("code for another architecture")
    frames = elf.section(b".eh_frame")
    if frames is None or not frames[1]:
        return None
    header = elf.section(b".eh_frame_hdr") or (0, b"")
    return Sections(*header, *frames)


def run(channel: socket.socket, request: RequestCode, give_up_root: Callable[[], None]) -> None:
    """Answer with `CodeRead`."""
    files = MappedFiles()
    programs: list[tuple[Program, Mappings]] = []
    for each in request.programs[:MOST_PROGRAMS]:
        with contextlib.suppress(OSError, ValueError, IndexError):  # it has ended, or executes another one
            mappings = _mappings(each, files)
            for mapping in mappings.mappings:
                files.open(mappings, mapping)
            programs.append((each, mappings))
    named = [(each, [(mapping, found.file(mapping)) for mapping in found.mappings]) for each, found in programs]
    give_up_root()
    reading = _Reading(files, set(request.known))
    answer = [ProgramCode(id=each.id, ranges=[reading.range(*mapped) for mapped in found]) for each, found in named]
    tables = list(reading.tables.values())
    answered = protocol.CodeRead(programs=answer, files=tables, cpu_seconds=time.process_time())
    try:
        transport.send(channel, answered, reading.memfds)
    finally:
        transport.close_all(reading.memfds)


def _mappings(program: Program, files: MappedFiles) -> Mappings:
    """Raises `OSError`, and `ProcessLookupError`, `ValueError` or `IndexError` if it is another program."""
    _check(program)
    mappings = Mappings(program.tgid, program.start_ns, None, files.answering)
    _check(program)
    return mappings


def _check(program: Program) -> None:
    with open(f"/proc/{program.tgid}/stat", "rb") as file:
        fields = file.read().rpartition(b")")[2].split()
    if (int(fields[_STARTCODE]), int(fields[_STARTSTACK])) != (program.code, program.stack):
        raise ProcessLookupError(program.tgid)


class _Reading:
    """Reads each file once. tables: of those that aren't known. memfds: with those that there are."""

    def __init__(self, files: MappedFiles, known: set[str]) -> None:
        self.tables: dict[str, UnwindTables] = {}
        self.memfds: list[int] = []
        self._files, self._known = files, known
        self._elfs: dict[str, Elf | None] = {}
        self._shares = Shares("no unwind tables")
        self._room = _ALL

    def range(self, mapping: Mapping, file: str) -> CodeRange:
        """What is mapped there; `file` is empty for memory that anything may be written to."""
        base, readable = 0, not file
        if file:
            with self._shares.share(mapping.module):
                base, readable = self._base(mapping, file), True
        return CodeRange(start=mapping.start, end=mapping.end, base=base, file=file if readable else UNREADABLE)

    def _base(self, mapping: Mapping, file: str) -> int:
        """The address that corresponds to address 0 of the file. Raises `BadElf`, `OSError`."""
        if file not in self._elfs:
            self._elfs[file] = None
            elf = self._files.elf(mapping)
            if elf is not None and file not in self._known:
                self._read(elf, file, mapping.module)
            self._elfs[file] = elf
        elf = self._elfs[file]
        place = elf.mapped(mapping.offset, mapping.end - mapping.start) if elf else None
        if place is None:
            raise BadElf("mapped where it has no code")
        return mapping.start - place

    def _read(self, elf: Elf, file: str, name: str) -> None:
        found, python = sections(elf), _python(elf, name)
        size = len(found.header) + len(found.frames) if found else 0
        if size > min(_LARGEST, self._room):
            raise BadElf("its tables are too large")
        self._room -= size
        if found is None:
            self.tables[file] = UnwindTables(file=file, python=python)
            return
        self.memfds.append(_sealed(found.header + found.frames))
        self.tables[file] = UnwindTables(
            file=file,
            header=found.header_at,
            header_size=len(found.header),
            frames=found.frames_at,
            frames_size=len(found.frames),
            python=python,
        )


def _python(elf: Elf, name: str) -> PythonBuild | None:
    found = python_build.build(elf, name)
    if found is None:
        return None
    problem = f"no Python functions in stacks of {inert(name)}: {found.problem}" if found.problem else ""
    return PythonBuild(**found._replace(problem=problem)._asdict())


def _sealed(content: bytes) -> int:
    memfd = os.memfd_create("ebpftop-tables", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    with open(memfd, "wb", closefd=False) as file:
        file.write(content)
    fcntl.fcntl(memfd, fcntl.F_ADD_SEALS, _SEALS)
    return memfd
