"""Finds files with the symbols that a stripped program lacks, which distributions and debuginfod put at known paths.

They are found by build ID, or by name and CRC: GDB's manual, "Debugging Information in Separate Files". Call this with
root given up, because the paths come from the file itself.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import stat
import zlib
from collections.abc import Iterator

from ebpftop.kernel.elf import BadElf, Elf

_DEBUG = "/usr/lib/debug"
_CHUNK = 1 << 20


def debug_file(elf: Elf, path: str) -> Elf | None:
    """The debug file for this one, which is mapped from `path`; None if there is none."""
    build_id = elf.build_id()
    for place in _by_build_id(build_id.hex()) if len(build_id) > 1 else ():
        found = _opened(place)
        if found is not None:
            if found[0].build_id() == build_id:
                return found[0]
            os.close(found[1])
    link = elf.debug_link()
    if link is None:
        return None
    folder = os.path.dirname(path)
    for place in (f"{folder}/{link[0]}", f"{folder}/.debug/{link[0]}", f"{_DEBUG}{folder}/{link[0]}"):
        found = _opened(place)
        if found is not None:
            if _crc(found[1]) == link[1]:
                return found[0]
            os.close(found[1])
    return None


def _by_build_id(name: str) -> Iterator[str]:
    yield f"{_DEBUG}/.build-id/{name[:2]}/{name[2:]}.debug"
    with contextlib.suppress(KeyError):
        yield f"{pwd.getpwuid(os.geteuid()).pw_dir}/.cache/debuginfod_client/{name}/debuginfo"


def _opened(place: str) -> tuple[Elf, int] | None:
    """The file and its descriptor, which stays open, because the file is read on demand."""
    try:
        if not stat.S_ISREG(os.stat(place).st_mode):
            return None
        descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError):
        return None
    try:
        return Elf.of(descriptor), descriptor
    except (OSError, BadElf):
        os.close(descriptor)
        return None


def _crc(descriptor: int) -> int:
    crc = at = 0
    while chunk := os.pread(descriptor, _CHUNK, at):
        crc, at = zlib.crc32(chunk, crc), at + len(chunk)
    return crc
