"""Identifies the CPython in a file: its version, and where the interpreter keeps its state.

Nothing is read from a process: `_PyRuntime` is a variable, and from 3.13 on it begins with a description of its structs
(`_Py_DebugOffsets`). The file is untrusted.
"""

from __future__ import annotations

import re
import struct
from typing import NamedTuple

from ebpftop.kernel.elf import Elf

OLDEST, NEWEST = 11, 14  # of 3.x
_KNOWN = f"3.{OLDEST} to 3.{NEWEST} are supported"
_RUNTIME, _VERSION, _SECTION = b"_PyRuntime", b"Py_Version", b".PyRuntime"
_COOKIE = b"xdebugpy"
_NAMED = re.compile(r"(lib)?python3?(\.\d+)?[a-z]*(\.so.*)?")
_FARTHEST = 1 << 24  # bytes into a struct
_BEFORE = {11: (40, 0, 16), 12: (40, 0, 72)}  # interpreters.head; next, threads.head
_WORDS = struct.Struct("<56Q")

# From 3.13 on: the positions of those three among the words of the offsets, and the fields whose offsets the probe's C
# assumes: next, current_frame and thread_id of a thread's state; previous, executable, instr_ptr and owner of a frame;
# filename, qualname, linetable, firstlineno and co_code_adaptive of code.
_PLACES = {13: (5, 8, 9), 14: (5, 8, 9)}
_EXPECTED = {
    13: {21: 8, 23: 72, 24: 152, 29: 8, 30: 0, 31: 56, 33: 70, 35: 112, 37: 128, 38: 136, 39: 68, 43: 200},
    14: {24: 8, 26: 72, 27: 152, 32: 8, 33: 0, 34: 56, 36: 74, 40: 112, 42: 128, 43: 136, 44: 68, 48: 208},
}
CODE_AT = {11: 184, 12: 192, 13: 200, 14: 208}  # offset of the first instruction in a code object


class Build(NamedTuple):
    """See `handover.protocol.PythonBuild`."""

    runtime: int = 0
    minor: int = 0
    interpreters: int = 0
    next: int = 0
    threads: int = 0
    problem: str = ""


def build(elf: Elf, name: str) -> Build | None:
    """The build; None if a file contains no CPython. name: the file's. Raises `BadElf`, `OSError`."""
    runtime = elf.begin(_SECTION) or 0
    if not runtime and not _NAMED.fullmatch(name):
        return None
    runtime = elf.variable(_RUNTIME) or runtime
    if not runtime:
        return Build(problem="it has no symbol _PyRuntime")
    head = elf.bytes_at(runtime, _WORDS.size)
    words = _WORDS.unpack(head) if len(head) == _WORDS.size else (0,) * 56
    described = head.startswith(_COOKIE)
    version = words[1] if described else _word(elf, _VERSION)
    major, minor = version >> 24 & 255, version >> 16 & 255
    if not version:
        return Build(problem=f"it is older than 3.{OLDEST}, or has no symbol Py_Version: {_KNOWN}")
    if major != 3 or not OLDEST <= minor <= NEWEST:
        return Build(problem=f"it is {major}.{minor}: {_KNOWN}")
    if minor in _BEFORE:
        return Build(runtime, minor, *_BEFORE[minor])
    if not described:
        return Build(problem=f"it is 3.{minor} and doesn't describe its memory layout")
    if words[2]:
        return Build(problem="it is a free-threaded build, which is not supported")
    places = [words[at] for at in _PLACES[minor]]
    if any(words[at] != place for at, place in _EXPECTED[minor].items()) or max(places) > _FARTHEST:
        return Build(problem=f"it is 3.{minor} with an unknown memory layout")
    return Build(runtime, minor, *places)


def _word(elf: Elf, name: bytes) -> int:
    """The value of a variable, 0 if there is none."""
    address = elf.variable(name)
    return int.from_bytes(elf.bytes_at(address, 8), "little") if address else 0
