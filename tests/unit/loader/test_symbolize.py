"""Names of functions in this very process."""

import contextlib
import ctypes
import mmap
import os
import struct
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from ebpftop.base.answering import Answering
from ebpftop.base.gaps import NO_MAP, NO_SYMBOL, NOT_IN_MAP, STRIPPED, UNREADABLE
from ebpftop.handover import protocol, transport
from ebpftop.handover.protocol import Addresses, Offsets, ProcessSymbols, RequestSymbols, SymbolRange
from ebpftop.kernel.elf import Elf
from ebpftop.kernel.kallsyms import Symbol
from ebpftop.kernel.mappings import Mappings
from ebpftop.loader import shares, symbolize
from tests.support.elf_file import FUNCTION, elf
from tests.support.slow_fuse import slow_file

TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
START_NS = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]) * TICK_NS
GETPID = ctypes.cast(ctypes.CDLL(None).getpid, ctypes.c_void_p).value or 0
LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.mmap.restype = LIBC.mremap.restype = ctypes.c_void_p
LIBC.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
LIBC.mremap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int, ctypes.c_void_p]
MAP_FIXED, MREMAP_MAYMOVE, MREMAP_FIXED = 16, 1, 2
IN_FILE = 0x1000  # where the function is in the files that are made here


@pytest.fixture
def code() -> Iterator[int]:
    """The address of a page of code that no file holds."""
    with mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC) as page:
        view = ctypes.c_char.from_buffer(page)
        yield ctypes.addressof(view)
        del view


def looked_up(
    *addresses: int, known: dict[str, list[int]] | None = None, version: str = "", names: bool = True
) -> ProcessSymbols:
    """What is said of this process."""
    return told(*addresses, known=known, version=version, names=names)[0]


def told(
    *addresses: int, known: dict[str, list[int]] | None = None, version: str = "", names: bool = True
) -> tuple[ProcessSymbols, list[str]]:
    """That, and the problems with files."""
    ours, theirs = transport.pair()
    mine = Addresses(
        id=7, tgid=os.getpid(), start_ns=START_NS, addresses=list(addresses), known=known or {}, perf_map=version
    )
    symbolize.run(theirs, RequestSymbols(run=-3, kernel=[], processes=[mine], names=names), lambda: None)
    theirs.close()
    received = transport.Receiver(ours).receive()
    ours.close()
    assert received is not None
    assert isinstance(received[0], protocol.Symbols)
    (process,) = received[0].processes
    return process, received[0].problems


def named(process: ProcessSymbols) -> list[str]:
    return [each.name for each in process.ranges]


def asked(monkeypatch: pytest.MonkeyPatch, *addresses: int, start_ns: int = START_NS) -> list[SymbolRange]:
    """What is told of addresses in this process."""
    return answered(monkeypatch, *addresses, start_ns=start_ns)[0]


def answered(
    monkeypatch: pytest.MonkeyPatch, *addresses: int, start_ns: int = START_NS
) -> tuple[list[SymbolRange], list[str]]:
    """That, and what went wrong."""
    ours, theirs = transport.pair()
    mine = Addresses(id=7, tgid=os.getpid(), start_ns=start_ns, addresses=list(addresses))
    gave_up: list[bool] = []
    symbolize.run(theirs, RequestSymbols(run=-3, kernel=[], processes=[mine]), lambda: gave_up.append(True))
    theirs.close()
    received = transport.Receiver(ours).receive()
    ours.close()
    assert gave_up == [True]
    assert received is not None
    assert isinstance(received[0], protocol.Symbols)
    if not received[0].processes:
        return [], received[0].problems
    (process,) = received[0].processes
    assert process.id == 7
    return process.ranges, received[0].problems


@contextlib.contextmanager
def running(path: Path, data: bytes) -> Iterator[int]:
    """The address at which this process could execute what this file holds."""
    path.write_bytes(data)
    address = map_code(path)
    try:
        yield address
    finally:
        LIBC.munmap(ctypes.c_void_p(address), ctypes.c_size_t(len(data)))


def map_code(path: Path, at: int | None = None) -> int:
    """Map this file for execution, in place of what is at an address."""
    flags = mmap.MAP_PRIVATE | (MAP_FIXED if at else 0)
    with path.open("rb") as file:
        size = path.stat().st_size
        address: int = LIBC.mmap(at, size, mmap.PROT_READ | mmap.PROT_EXEC, flags, file.fileno(), 0)
    return address


def test_an_address_in_a_library_is_named_with_all_of_its_function(monkeypatch: pytest.MonkeyPatch) -> None:
    (found,) = asked(monkeypatch, GETPID, GETPID + 1)
    assert found.name in ("getpid", "__getpid")
    assert (found.start, found.base) == (GETPID, GETPID)
    assert found.end > GETPID + 1
    assert "libc" in found.module


def test_what_lies_in_no_mapping_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(monkeypatch, 0, 8, (1 << 64) - 1) == []


def test_the_kernels_code_in_a_process_has_names(monkeypatch: pytest.MonkeyPatch) -> None:
    spans = [line.split()[0] for line in Path("/proc/self/maps").read_text().splitlines() if line.endswith("[vdso]")]
    start, end = (int(part, 16) for part in spans[0].split("-"))
    names = {each.name for each in asked(monkeypatch, *range(start, end, 16)) if each.module == "[vdso]"}
    assert "clock_gettime" in {name.removeprefix("__vdso_") for name in names}


def test_a_just_in_time_compilers_own_names_are_used(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    listing = Path(f"/tmp/perf-{os.getpid()}.map")
    listing.write_text(f"nonsense\n{code + 64:x} 20 py::hot loop:/tmp/x.py\n{code:x} 10 py::cold\n")
    try:
        found = asked(monkeypatch, code + 70, code + 8, code + 32)
    finally:
        listing.unlink()
    named = {(each.start - code, each.end - code, each.name, each.module) for each in found if each.name}
    assert named == {(64, 96, "py::hot loop:/tmp/x.py", "[jit]"), (0, 16, "py::cold", "[jit]")}
    assert [(each.name, each.why) for each in found if each.start == code + 32] == [("", NOT_IN_MAP)]


def test_code_without_a_perf_map_says_so(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    (found,) = asked(monkeypatch, code + 8)
    assert (found.start, found.name, found.why) == (code + 8, "", NO_MAP)


def test_a_file_says_why_its_code_has_no_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, symbols, why in (("stripped", {}, STRIPPED), ("known", {b"main": (FUNCTION, 0)}, NO_SYMBOL)):
        with running(tmp_path / name, elf(symbols, stripped=not symbols)) as address:
            (found,) = asked(monkeypatch, address + 0x800)
        assert (found.name, found.module, found.why) == ("", name, why)


def test_another_process_of_the_same_number_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(monkeypatch, GETPID, start_ns=START_NS - 5_000_000_000) == []


@pytest.mark.root
def test_a_file_that_was_replaced_is_read_as_it_is_mapped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    original = next(
        line.split()[-1]
        for line in Path("/proc/self/maps").read_text().splitlines()
        if "libz.so" in line or "/libm.so" in line
    )
    copy = tmp_path / "copied.so"
    copy.write_bytes(Path(original).read_bytes())
    library = ctypes.CDLL(str(copy))
    function = getattr(library, "crc32", None) or library.cos
    address = ctypes.cast(function, ctypes.c_void_p).value or 0
    copy.unlink()
    copy.write_bytes(b"something else")
    (found,) = asked(monkeypatch, address)
    assert found.module == "copied.so"
    assert "crc32" in found.name or "cos" in found.name


# ---------------------------------------------------------------- files that are made to do harm


def object_file() -> bytes:
    """Without segments, whose size it doesn't tell."""
    data = bytearray(elf({b"main": (FUNCTION, 0)}))
    struct.pack_into("<HH", data, 54, 0, 0)
    return bytes(data)


def odd_tables() -> bytes:
    data = bytearray(elf({b"main": (FUNCTION, 0)}))
    struct.pack_into("<H", data, 58, 7)  # e_shentsize
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (object_file(), None),
        (odd_tables(), "unknown table entry size"),
        (b"\x7fELF" + bytes(4096), "not a 64-bit little-endian ELF file"),
    ],
)
def test_a_file_that_can_not_be_read_costs_its_own_names_and_no_others(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, data: bytes, why: str | None
) -> None:
    with running(tmp_path / "bad\x1b.so", data) as address:
        found, problems = answered(monkeypatch, address, GETPID)
    assert {(each.start, each.name, each.module, each.why) for each in found if each.start == address} == {
        (address, "", "bad\x1b.so", UNREADABLE)
    }
    assert {each.name for each in found} & {"getpid", "__getpid"}
    assert problems == ([f"functions without a name in bad\\x1b.so: {why}"] if why else [])


def test_a_file_that_takes_too_long_costs_its_own_names_and_no_others(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = Elf.function

    def slow(self: Elf, address: int) -> object:
        while self.machine == 40:
            pass
        return before(self, address)

    monkeypatch.setattr(Elf, "function", slow)
    monkeypatch.setattr(shares, "_EACH_SECONDS", 0.5)
    with running(tmp_path / "slow.so", elf({b"main": (FUNCTION, 0)}, machine=40)) as address:
        found, problems = answered(monkeypatch, address + 0x1000, GETPID)
    assert {each.name for each in found} & {"getpid", "__getpid"}
    assert problems == ["functions without a name in slow.so: it takes too long to read"]


def test_a_fault_of_a_reader_costs_one_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = Elf.function

    def faulty(self: Elf, address: int) -> object:
        return before(self, address // (self.machine - 40))

    def hungry(self: Elf, address: int) -> object:
        raise MemoryError

    with running(tmp_path / "odd.so", elf({b"main": (FUNCTION, 0)}, machine=40)) as address:
        monkeypatch.setattr(Elf, "function", faulty)
        problems = answered(monkeypatch, address + 0x1000, GETPID)[1]
        monkeypatch.setattr(Elf, "function", hungry)
        more = answered(monkeypatch, address + 0x1000)[1]
    assert [text for text in problems if "odd.so" in text] == [
        "functions without a name in odd.so: internal error: ZeroDivisionError('integer division or modulo by zero')"
    ]
    assert more == ["functions without a name in odd.so: it takes too much memory to read"]


def test_the_kernels_memory_in_a_process_is_no_compilers(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """Both are of no file; the compiler's is asked first."""
    vdso = next(line for line in Path("/proc/self/maps").read_text().splitlines() if line.endswith("[vdso]"))
    start, end = (int(part, 16) for part in vdso.split()[0].split("-"))
    assert "[vdso]" in {each.module for each in asked(monkeypatch, code, *range(start, end, 16)) if each.name}


def test_of_many_mappings_only_those_asked_for_are_kept() -> None:
    (kept,) = Mappings(os.getpid(), START_NS, [8, GETPID, GETPID + 1], Answering()).mappings
    assert kept.start <= GETPID < kept.end


def test_nothing_is_parsed_before_root_is_given_up(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    order: list[str] = []
    elf_of, read_perf_map, resolve = Elf.of, symbolize._Process.read_perf_map, symbolize.kallsyms.resolve

    def elf_after(descriptor: int) -> Elf:
        order.append("a file")
        return elf_of(descriptor)

    def perf_map_after(process: symbolize._Process) -> None:
        order.append("a perf map")
        read_perf_map(process)

    def kernel_after(fd: int, addresses: list[int]) -> list[Symbol]:
        order.append("the kernel's symbols")
        return resolve(fd, addresses)

    monkeypatch.setattr(Elf, "of", elf_after)
    monkeypatch.setattr(symbolize._Process, "read_perf_map", perf_map_after)
    monkeypatch.setattr(symbolize.kallsyms, "resolve", kernel_after)
    ours, theirs = transport.pair()
    mine = Addresses(id=7, tgid=os.getpid(), start_ns=START_NS, addresses=[GETPID, code])
    request = RequestSymbols(run=-3, kernel=[1 << 63], processes=[mine])
    symbolize.run(theirs, request, lambda: order.append("root is given up"))
    theirs.close()
    ours.close()
    assert order[0] == "root is given up"
    assert set(order[1:]) == {"a file", "a perf map", "the kernel's symbols"}


# ---------------------------------------------------------------- what may have changed


def test_what_is_mapped_as_before_is_not_looked_up_again() -> None:
    first = looked_up(GETPID)
    (mapped,) = {each.mapped for each in first.ranges}
    again = looked_up(known={mapped: [GETPID], "another": [GETPID + 1]})
    assert again.again == [GETPID + 1]
    assert named(again) == named(first)


def test_what_is_mapped_can_be_looked_up_without_names() -> None:
    first = looked_up(GETPID, GETPID + 1, 8, names=False)
    ((mapped, addresses),) = first.mapped.items()
    assert (addresses, first.ranges) == ([GETPID, GETPID + 1], [])
    assert {each.mapped for each in looked_up(GETPID).ranges} == {mapped}


def test_another_file_under_the_same_path_is_another(tmp_path: Path) -> None:
    path = tmp_path / "upgraded.so"
    with running(path, elf({b"before": (FUNCTION, 0)})) as address:
        first = looked_up(address + IN_FILE)
        known = {first.ranges[0].mapped: [address + IN_FILE]}
        path.rename(tmp_path / "kept")  # as a package manager leaves it to those who run it
        path.write_bytes(elf({b"after": (FUNCTION, 0)}))
        kept = looked_up(known=known)
        assert set(named(kept)) <= {"before"}
        map_code(path, address)
        replaced = looked_up(known=known)
    assert named(first) == ["before"]
    assert (replaced.again, named(replaced)) == ([address + IN_FILE], ["after"])


def test_a_deleted_file_keeps_its_names_until_another_is_mapped(tmp_path: Path) -> None:
    path = tmp_path / "deleted.so"
    with running(path, elf({b"deleted": (FUNCTION, 0)})) as address:
        known = {looked_up(address + IN_FILE).ranges[0].mapped: [address + IN_FILE]}
        path.unlink()
        if os.geteuid() == 0:  # the file behind a mapping is shown to root
            assert named(looked_up(known=known)) == ["deleted"]
        other = tmp_path / "other.so"
        other.write_bytes(elf({b"other": (FUNCTION, 0)}))
        map_code(other, address)
        assert named(looked_up(known=known)) == ["other"]


def test_code_that_was_moved_is_no_longer_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "moved.so"
    with running(path, elf({b"moved": (FUNCTION, 0)})) as address:
        size = path.stat().st_size
        known = {looked_up(address + IN_FILE).ranges[0].mapped: [address + IN_FILE]}
        target = map_code(path)  # a place to move it to
        assert LIBC.mremap(address, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, target) == target
        moved = looked_up(target + IN_FILE, known=known)
    LIBC.munmap(ctypes.c_void_p(target), ctypes.c_size_t(size))
    assert moved.again == [address + IN_FILE]
    assert [(each.start, each.name) for each in moved.ranges] == [(target + IN_FILE, "moved")]


def test_each_change_of_a_perf_map_has_its_names_looked_up_again(code: int) -> None:
    listing = Path(f"/tmp/perf-{os.getpid()}.map")
    before = looked_up(code, GETPID)
    known = {each.mapped: [each.start] for each in before.ranges}
    assert before.perf_map == ""
    try:
        seen = []
        version = before.perf_map
        for text, mode in (
            (f"{code:x} 10 first\n", "w"),
            (f"{code:x} 10 second\n", "a"),
            (f"{code:x} 10 third\n", "w"),
            ("", "w"),
        ):
            with listing.open(mode) as file:
                file.write(text)
            changed = looked_up(known=known, version=version)
            assert changed.again == [code]
            seen += named(changed)
            version = changed.perf_map
            assert looked_up(known=known, version=version).again == []
    finally:
        listing.unlink()
    assert seen == ["first", "second", "third", ""]
    assert looked_up(known=known, version=version).again == []  # deleted: it has named what there is


def of_file(path: Path, *offsets: int, inode: int = 0, device: bytes = b"", give_up: list[str]) -> list[ProcessSymbols]:
    """What is told of places in a file that nobody maps any longer. give_up: what happened, in order."""
    status = path.stat()
    ours, theirs = transport.pair()
    asked = Offsets(
        id=-9,
        path=bytes(path),
        device=device or b"%02x:%02x" % (os.major(status.st_dev), os.minor(status.st_dev)),
        inode=inode or status.st_ino,
        offsets=list(offsets),
    )
    symbolize.run(
        theirs, RequestSymbols(run=-3, kernel=[], processes=[], files=[asked]), lambda: give_up.append("root")
    )
    theirs.close()
    received = transport.Receiver(ours).receive()
    ours.close()
    assert received is not None
    assert isinstance(received[0], protocol.Symbols)
    return received[0].processes


def test_what_the_dead_had_mapped_is_opened_without_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "app"
    path.write_bytes(elf({b"_R" + b"NvC1a1f": (FUNCTION, 0)}))
    happened: list[str] = []
    opened = symbolize.open_again
    monkeypatch.setattr(symbolize, "open_again", lambda *given: happened.append("open") or opened(*given))
    (found,) = of_file(path, IN_FILE + 1, give_up=happened)
    assert happened == ["root", "open"]
    ((start, name, symbol),) = ((each.start, each.name, each.symbol) for each in found.ranges)
    assert (found.id, start, name, symbol) == (-9, IN_FILE, "a::f", "_RNvC1a1f")
    assert found.perf_map == str(path.stat().st_ctime_ns)


def test_another_file_at_the_place_of_a_dead_programs_tells_nothing(tmp_path: Path) -> None:
    path = tmp_path / "app"
    path.write_bytes(elf({b"f": (FUNCTION, 0)}))
    assert of_file(path, IN_FILE, inode=path.stat().st_ino + 1, give_up=[]) == []
    assert of_file(path, IN_FILE, device=b"ff:ff", give_up=[]) == []
    os.mkfifo(tmp_path / "pipe")
    assert of_file(tmp_path / "pipe", IN_FILE, give_up=[]) == []


@pytest.mark.root
@pytest.mark.skipif(not os.path.exists("/dev/fuse"), reason="this kernel has no FUSE")
def test_a_file_system_that_does_not_answer_costs_the_names_in_its_own_files(tmp_path: Path) -> None:
    before = set(psutil.Process().children())
    with slow_file(tmp_path, mmap.PAGESIZE, 1 << 30) as path, open(path, "rb") as file:
        (server,) = set(psutil.Process().children()) - before
        protection = mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
        with mmap.mmap(file.fileno(), mmap.PAGESIZE, flags=mmap.MAP_PRIVATE, prot=protection) as page:
            view = ctypes.c_char.from_buffer(page)
            address = ctypes.addressof(view)
            del view
            server.suspend()
            try:
                found, problems = told(GETPID, address)
            finally:
                server.resume()
    assert any("getpid" in name for name in named(found))
    assert [(each.start, each.why) for each in found.ranges if not each.name] == [(address, UNREADABLE)]
    assert problems == ["functions without a name in disk: its file system doesn't answer"]
