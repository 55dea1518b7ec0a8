"""Root task: find the functions that contain addresses of the kernel and of processes.

Root opens what only root may; only then, with root's rights given up, are files read that may be anybody's and hold
anything. Answers are whole ranges, so that addresses near a known one need no further request.
"""

from __future__ import annotations

import contextlib
import os
import resource
import socket
from bisect import bisect_right
from collections.abc import Callable

from ebpftop.handover import protocol, transport
from ebpftop.handover.protocol import Addresses, RequestSymbols, SymbolRange
from ebpftop.kernel import kallsyms
from ebpftop.kernel.demangle import demangle
from ebpftop.kernel.elf import BadElf, Elf
from ebpftop.kernel.mappings import Mapping, Mappings

_LONGEST = 400  # characters of a name
_CPU_SECONDS, _MEMORY = 30, 4 << 30  # for files made to keep a reader busy
_VDSO = "[vdso]"


def run(channel: socket.socket, request: RequestSymbols, give_up_root: Callable[[], None]) -> None:
    """Answer with `Symbols`. Addresses without an answer are left out."""
    files = _Files()
    kernel = -1
    if request.kernel:
        with contextlib.suppress(OSError):
            kernel = os.open(kallsyms.PATH, os.O_RDONLY | os.O_CLOEXEC)
    processes = [_Process(each, files) for each in request.processes]
    give_up_root()
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    transport.send(
        channel,
        protocol.Symbols(
            kernel=_kernel(kernel, request.kernel) if kernel >= 0 else [],
            processes=[(each.requested.id, each.ranges(files)) for each in processes],
        ),
    )


def _kernel(fd: int, addresses: list[int]) -> list[SymbolRange]:
    return [
        SymbolRange(start=each.start, end=each.end, base=each.start, name=each.name, module=each.module)
        for each in kallsyms.resolve(fd, addresses)
    ]


class _Files:
    """The mapped files, each opened and read once however many processes map it."""

    def __init__(self) -> None:
        self._descriptors: dict[tuple[bytes, int], int] = {}
        self._read: dict[tuple[bytes, int], Elf | None] = {}
        self._vdso = _own_vdso()

    def open(self, mappings: Mappings, mapping: Mapping) -> None:
        key = mapping.device, mapping.inode
        if mapping.inode and key not in self._descriptors:
            with contextlib.suppress(OSError):
                self._descriptors[key] = mappings.open(mapping)

    def elf(self, mapping: Mapping) -> Elf | None:
        key = mapping.device, mapping.inode
        if key not in self._read:
            self._read[key] = None
            with contextlib.suppress(BadElf, OSError, MemoryError):
                if mapping.module == _VDSO:
                    elf = Elf(lambda length, offset: self._vdso[offset : offset + length])
                elif key in self._descriptors:
                    elf = Elf.of(self._descriptors[key])
                else:
                    return None
                elf.function(0)  # all are read now, where trouble is expected
                self._read[key] = elf
        return self._read[key]


def _own_vdso() -> bytes:
    """The kernel's own code in a process, the same in all that are 64-bit."""
    with contextlib.suppress(OSError, ValueError), open("/proc/self/maps", "rb") as maps:
        for line in maps:
            if line.rstrip().endswith(_VDSO.encode()):
                start, end = (int(part, 16) for part in line.split()[0].split(b"-"))
                with open("/proc/self/mem", "rb", buffering=0) as memory:
                    return os.pread(memory.fileno(), end - start, start)
    return b""


class _Process:
    """One process's addresses. Making it takes root and opens what is needed, `ranges` reads."""

    def __init__(self, addresses: Addresses, files: _Files) -> None:
        self.requested = addresses
        self._mappings: Mappings | None = None
        self._perf_map = b""
        try:
            self._mappings = Mappings(addresses.tgid, addresses.start_ns)
        except (OSError, ValueError, IndexError):
            return  # it has ended
        mapped = self._mappings.holding(addresses.addresses)
        for mapping in mapped:
            files.open(self._mappings, mapping)
        if any(mapping.nameless for mapping in mapped):
            self._perf_map = self._mappings.perf_map()

    def ranges(self, files: _Files) -> list[SymbolRange]:
        if self._mappings is None:
            return []
        compiled = _Compiled(self._perf_map)
        found: dict[int, SymbolRange] = {}
        for address in self.requested.addresses:
            mapping = self._mappings.at(address)
            if mapping is not None:
                known = compiled.range(address) or _range(address, mapping, files.elf(mapping))
                found[known.start] = known
        return list(found.values())


def _range(address: int, mapping: Mapping, elf: Elf | None) -> SymbolRange:
    """The range of the function, or the single address with what is known about it."""
    offset = address - mapping.start + mapping.offset
    place = elf.address(offset) if elf is not None else None
    if elf is None or place is None:
        return SymbolRange(start=address, end=address + 1, base=address - offset, name="", module=mapping.module)
    function = elf.function(place)
    base = address - place  # where the file's address 0 is in the process
    if function is None:
        return SymbolRange(start=address, end=address + 1, base=base, name="", module=mapping.module)
    name = demangle(function.name.decode("utf-8", "backslashreplace"))[:_LONGEST]
    start, end = base + function.start, base + function.end
    return SymbolRange(start=start, end=end, base=start, name=name, module=mapping.module)


class _Compiled:
    """Functions that a just-in-time compiler made, as listed in its perf map."""

    def __init__(self, text: bytes) -> None:
        self._ranges: list[tuple[int, int, bytes]] = []
        for line in text.split(b"\n"):
            parts = line.split(None, 2)
            if len(parts) == 3:
                with contextlib.suppress(ValueError):
                    start, size = int(parts[0], 16), int(parts[1], 16)
                    if 0 <= start < 1 << 63 and 0 < size < 1 << 32:
                        self._ranges.append((start, start + size, parts[2]))
        self._ranges.sort()
        self._starts = [start for start, _, _ in self._ranges]

    def range(self, address: int) -> SymbolRange | None:
        after = bisect_right(self._starts, address)
        if not after or address >= self._ranges[after - 1][1]:
            return None
        start, end, name = self._ranges[after - 1]
        text = name.decode("utf-8", "backslashreplace")[:_LONGEST]
        return SymbolRange(start=start, end=end, base=start, name=text, module="[jit]")
