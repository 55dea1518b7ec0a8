"""Root task: finds the functions of addresses, in the kernel and in processes.

As root it only opens files. It reads them after giving up root's rights, because they may come from anybody and contain
anything. Each file has its share of time, and the smallest come first, so that a file made to keep the reader busy
costs only its own names and those of larger files. Answers are whole ranges, so addresses next to a known one need no
request.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from ebpftop.base.gaps import NO_MAP, NO_SYMBOL, NOT_IN_MAP, STRIPPED, UNREADABLE
from ebpftop.base.inert import inert
from ebpftop.handover import protocol, transport
from ebpftop.handover.protocol import Addresses, Offsets, ProcessSymbols, RequestSymbols, SymbolRange
from ebpftop.kernel import kallsyms, perf_map
from ebpftop.kernel.demangle import demangle
from ebpftop.kernel.elf import Function
from ebpftop.kernel.mappings import Mapping, Mappings, open_again
from ebpftop.loader.debug_files import debug_file
from ebpftop.loader.file_names import FileNames
from ebpftop.loader.mapped_files import FileKey, MappedFiles, file_of, size_of
from ebpftop.loader.shares import Shares

_LONGEST = 1024  # characters of a name
_END = 1 << 62  # no place in a file is beyond
_LINE = struct.Struct("<III")
_LINE_SECONDS, _ALL_LINES_SECONDS = 0.3, 1.0  # of processor time for lines, of one file and of all
_FARTHEST, _LAST_LINE = 1 << 32, 1 << 31


def run(channel: socket.socket, request: RequestSymbols, give_up_root: Callable[[], None]) -> None:
    """Answer with `Symbols`. Unknown names are left out."""
    files = MappedFiles()
    kernel = -1
    if request.kernel:
        with contextlib.suppress(OSError):
            kernel = os.open(kallsyms.PATH, os.O_RDONLY | os.O_CLOEXEC)
    processes: list[_Process] = []
    for each in request.processes:
        with contextlib.suppress(OSError, ValueError, IndexError):  # it has ended
            processes.append(_Process(each, files, names=request.names))
    give_up_root()
    ended: list[_Ended] = []
    for noted in request.files:
        with contextlib.suppress(OSError, ValueError):  # it is gone, or another one
            ended.append(_Ended(noted, files))
    shares = Shares("functions without a name")
    functions: list[SymbolRange] = []
    with shares.share("the kernel"):
        functions = _kernel(kernel, request.kernel) if kernel >= 0 else []
    _add_lines(_resolve([*processes, *ended], files, shares))
    plain = demangle({known.name for each in (*processes, *ended) for known in each.answers.values()})
    transport.send(
        channel,
        protocol.Symbols(
            kernel=functions,
            processes=[each.symbols(plain) for each in (*processes, *ended)],
            problems=shares.problems,
            cpu_seconds=time.process_time(),
        ),
    )


def _kernel(fd: int, addresses: list[int]) -> list[SymbolRange]:
    return [
        SymbolRange(start=each.start, end=each.end, base=each.start, name=each.name, module=each.module)
        for each in kallsyms.resolve(fd, addresses)
    ]


class _Found(NamedTuple):
    """A function that an address in a process lies in."""

    process: _Addresses
    address: int
    function: Function


def _resolve(
    processes: Sequence[_Addresses], files: MappedFiles, shares: Shares
) -> list[tuple[FileNames, list[_Found]]]:
    """Resolve the addresses of processes as far as possible. Returns the functions by file."""
    living = [each for each in processes if isinstance(each, _Process)]
    for process in sorted(living, key=lambda each: size_of(each.perf_map)):
        with shares.share(f"the perf map of process {process.asked.tgid}"):
            process.read_perf_map()
    asked: dict[FileKey, list[tuple[_Addresses, Mapping, int]]] = defaultdict(list)
    for each in processes:
        for mapping, address in each.unresolved():
            asked[file_of(mapping)].append((each, mapping, address))
    resolved: list[tuple[FileNames, list[_Found]]] = []
    for key in sorted(asked, key=files.size):
        (_, first, _), *_ = asked[key]
        with shares.share(inert(first.module), silent=first.nameless):
            elf = files.elf(first)
            if elf is not None:
                debug = debug_file(elf, os.fsdecode(first.path)) if elf.stripped and first.inode else None
                names = FileNames(elf, debug)
                found: list[_Found] = []
                resolved.append((names, found))
                for each, mapping, address in asked[key]:
                    mapped = each.answers[address].mapped
                    each.answers[address], function = _range(address, mapping, mapped, names)
                    if function is not None:
                        found.append(_Found(each, address, function))
    return resolved


def _add_lines(resolved: list[tuple[FileNames, list[_Found]]]) -> None:
    """Add the source lines of functions as far as their time allows: they are worth less than names."""
    shares = Shares("functions without lines", _LINE_SECONDS, _ALL_LINES_SECONDS)
    for names, found in resolved:
        with shares.share("a file"):
            for process, address, function in found:
                files, rows = names.lines(function)
                packed = b"".join(
                    _LINE.pack(at - function.start, file, line)
                    for at, file, line in rows
                    if at - function.start < _FARTHEST and 0 <= line < _LAST_LINE
                )
                known = process.answers[address]
                process.answers[address] = msgspec.structs.replace(known, files=files, lines=packed)


class _Addresses:
    """Addresses whose functions are wanted, and the known facts. id: the requester's name for them."""

    def __init__(self, number: int) -> None:
        self.id = number
        self.answers: dict[int, SymbolRange] = {}  # by address

    def mapping(self, address: int) -> Mapping | None:
        """What is mapped there."""
        raise NotImplementedError

    def unresolved(self) -> Iterator[tuple[Mapping, int]]:
        """Addresses without a name."""
        for address, known in self.answers.items():
            mapping = None if known.name else self.mapping(address)
            if mapping is not None:
                yield mapping, address

    def why(self, address: int) -> str:
        """Why an address has no name, if its file doesn't tell."""
        return UNREADABLE

    def ranges(self, plain: dict[str, str]) -> list[SymbolRange]:
        """The known ranges, with these names."""
        for address, known in self.answers.items():
            if not (known.name or known.why):
                self.answers[address] = msgspec.structs.replace(known, why=self.why(address))
        found = {each.start: each for each in self.answers.values()}
        return [_named(each, plain[each.name]) for each in found.values()]

    def symbols(self, plain: dict[str, str]) -> ProcessSymbols:
        """Everything that is known."""
        raise NotImplementedError


class _Ended(_Addresses):
    """Offsets in a file that ended processes had mapped. The file is opened with the remaining rights.

    Raises `OSError`, `ValueError` where it can't be, or is another file now.
    """

    def __init__(self, asked: Offsets, files: MappedFiles) -> None:
        super().__init__(asked.id)
        self._mapping = Mapping(0, _END, 0, asked.device, asked.inode, asked.path)
        arguments = asked.path, asked.device, asked.inode
        if not files.answering.answers(asked.device, lambda: os.pread(open_again(*arguments), 1, 0)):
            raise FileNotFoundError(asked.path)
        descriptor = open_again(*arguments)
        self._changed = os.fstat(descriptor).st_ctime_ns
        files.add(self._mapping, descriptor)
        self.answers = {offset: _place(offset, self._mapping, "") for offset in asked.offsets}

    def mapping(self, address: int) -> Mapping:
        return self._mapping

    def symbols(self, plain: dict[str, str]) -> ProcessSymbols:
        return ProcessSymbols(id=self.id, ranges=self.ranges(plain), perf_map=str(self._changed))


class _Process(_Addresses):
    """One process's addresses. Creating it requires root and opens what is needed; nothing is read then.

    Raises `OSError`, `ValueError`, `IndexError` where it has ended.
    """

    def __init__(self, asked: Addresses, files: MappedFiles, *, names: bool) -> None:
        super().__init__(asked.id)
        self.asked = asked
        known = [address for addresses in asked.known.values() for address in addresses]
        addresses = [*asked.addresses, *known]
        self._mappings = Mappings(asked.tgid, asked.start_ns, addresses, files.answering)
        self._identities = {each: self._mappings.identity(each) for each in self._mappings.mappings}
        self.perf_map: int | None = None
        self.version = asked.perf_map  # one that was deleted has named what there is
        if any(mapping.nameless for mapping in self._mappings.mappings):
            self.perf_map = self._mappings.perf_map()
            if self.perf_map is not None:
                self.version = perf_map.version(self.perf_map)
        self.again = [
            address
            for mapped, addresses in asked.known.items()
            for address in addresses
            if self._may_differ(mapped, address)
        ]
        self.mapped: dict[str, list[int]] = defaultdict(list)
        for address in () if names else asked.addresses:
            if (found := self._mappings.at(address)) is not None:
                self.mapped[self._identities[found]].append(address)
        for address in (*(asked.addresses if names else ()), *self.again):
            if (found := self._mappings.at(address)) is not None:
                self.answers[address] = _place(address, found, self._identities[found])
        for mapping in {found for address in self.answers if (found := self._mappings.at(address)) is not None}:
            files.open(self._mappings, mapping)

    def _may_differ(self, mapped: str, address: int) -> bool:
        found = self._mappings.at(address)
        if found is None or self._identities[found] != mapped:
            return True
        return found.nameless and self.version != self.asked.perf_map

    def _nameless(self, address: int) -> bool:
        found = self._mappings.at(address)
        return found is not None and found.nameless

    def read_perf_map(self) -> None:
        """Raises `OSError`."""
        wanted = [address for address in self.answers if self._nameless(address)]
        if self.perf_map is None or not wanted:
            return
        with os.fdopen(self.perf_map, "rb") as file:
            for address, each in perf_map.compiled(file, wanted).items():
                self.answers[address] = SymbolRange(
                    start=each.start,
                    end=each.end,
                    base=each.start,
                    name=each.name.decode("utf-8", "backslashreplace"),
                    module="[jit]",
                    mapped=self.answers[address].mapped,
                )

    def mapping(self, address: int) -> Mapping | None:
        return self._mappings.at(address)

    def why(self, address: int) -> str:
        if not self._nameless(address):
            return UNREADABLE
        return NO_MAP if self.perf_map is None else NOT_IN_MAP

    def symbols(self, plain: dict[str, str]) -> ProcessSymbols:
        return ProcessSymbols(
            id=self.id, ranges=self.ranges(plain), mapped=self.mapped, again=self.again, perf_map=self.version
        )


def _place(address: int, mapping: Mapping, mapped: str) -> SymbolRange:
    """That single address, with its offset in the file."""
    offset = address - mapping.start + mapping.offset
    return SymbolRange(
        start=address, end=address + 1, base=address - offset, name="", module=mapping.module, mapped=mapped
    )


def _named(known: SymbolRange, plain: str) -> SymbolRange:
    symbol = known.name[:_LONGEST] if plain != known.name else ""
    return msgspec.structs.replace(known, name=plain[:_LONGEST], symbol=symbol)


def _range(address: int, mapping: Mapping, mapped: str, names: FileNames) -> tuple[SymbolRange, Function | None]:
    """The function, or that single address with what is known about it."""
    place = names.elf.address(address - mapping.start + mapping.offset)
    if place is None:
        return _place(address, mapping, mapped), None
    function = names.function(place)
    base = address - place  # where the file's address 0 is in the process
    if function is None:
        at, end, module, why = address, address + 1, mapping.module, STRIPPED if names.stripped else NO_SYMBOL
        return SymbolRange(start=at, end=end, base=base, name="", module=module, mapped=mapped, why=why), None
    start, end = base + function.start, base + function.end
    name = function.name.partition(b"@")[0].decode("utf-8", "backslashreplace")  # without its version
    found = SymbolRange(start=start, end=end, base=start, name=name, module=mapping.module, mapped=mapped)
    return found, function
