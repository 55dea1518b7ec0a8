"""The files that processes have mapped, each opened only once."""

from __future__ import annotations

import contextlib
import os

from ebpftop.base.answering import Answering
from ebpftop.kernel.elf import BadElf, Elf
from ebpftop.kernel.mappings import Mapping, Mappings

VDSO = "[vdso]"

FileKey = tuple[bytes, int, bytes]  # a file: device, inode, and what the kernel calls memory that is of no file


class MappedFiles:
    """Opening requires root; nothing is read then. answering: which of their file systems answer."""

    def __init__(self) -> None:
        self.answering = Answering()
        self._descriptors: dict[FileKey, int] = {}
        self._vdso = _own_vdso()

    def open(self, mappings: Mappings, mapping: Mapping) -> None:
        found = file_of(mapping)
        if mapping.inode and found not in self._descriptors:
            with contextlib.suppress(OSError):
                self._descriptors[found] = mappings.open(mapping)

    def add(self, mapping: Mapping, descriptor: int) -> None:
        """Add a file that was opened elsewhere, unless it is known. This object then owns the descriptor."""
        if self._descriptors.setdefault(file_of(mapping), descriptor) != descriptor:
            os.close(descriptor)

    def size(self, of: FileKey) -> int:
        return size_of(self._descriptors.get(of))

    def elf(self, mapping: Mapping) -> Elf | None:
        """None if there is no file. Raises `BadElf`, `OSError`."""
        if self.answering.is_silent(mapping.device):
            raise BadElf("its file system doesn't answer")
        if mapping.module == VDSO:
            return Elf(lambda length, offset: self._vdso[offset : offset + length], len(self._vdso))
        descriptor = self._descriptors.get(file_of(mapping))
        return None if descriptor is None else Elf.of(descriptor)


def file_of(mapping: Mapping) -> FileKey:
    return mapping.device, mapping.inode, b"" if mapping.inode else mapping.path


def size_of(descriptor: int | None) -> int:
    return 0 if descriptor is None else os.fstat(descriptor).st_size


def _own_vdso() -> bytes:
    """The kernel's own code in a process, the same in all that are 64-bit."""
    with contextlib.suppress(OSError, ValueError), open("/proc/self/maps", "rb") as maps:
        for line in maps:
            if line.rstrip().endswith(VDSO.encode()):
                start, end = (int(part, 16) for part in line.split()[0].split(b"-"))
                with open("/proc/self/mem", "rb", buffering=0) as memory:
                    return os.pread(memory.fileno(), end - start, start)
    return b""
