"""Names of functions in this very process."""

import ctypes
import mmap
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ebpftop.handover import protocol, transport
from ebpftop.handover.protocol import Addresses, RequestSymbols, SymbolRange
from ebpftop.loader import symbolize

TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
START_NS = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]) * TICK_NS
GETPID = ctypes.cast(ctypes.CDLL(None).getpid, ctypes.c_void_p).value or 0


@pytest.fixture
def code() -> Iterator[int]:
    """The address of a page of code that no file holds."""
    with mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC) as page:
        view = ctypes.c_char.from_buffer(page)
        yield ctypes.addressof(view)
        del view


def asked(monkeypatch: pytest.MonkeyPatch, *addresses: int, start_ns: int = START_NS) -> list[SymbolRange]:
    """What is told of addresses in this process."""
    ours, theirs = transport.pair()
    monkeypatch.setattr(symbolize.resource, "setrlimit", lambda *_: None)
    mine = Addresses(id=7, tgid=os.getpid(), start_ns=start_ns, addresses=list(addresses))
    gave_up: list[bool] = []
    symbolize.run(theirs, RequestSymbols(run=-3, kernel=[], processes=[mine]), lambda: gave_up.append(True))
    theirs.close()
    received = transport.Receiver(ours).receive()
    ours.close()
    assert gave_up == [True]
    assert received is not None
    assert isinstance(received[0], protocol.Symbols)
    assert [number for number, _ in received[0].processes] == [7]
    return received[0].processes[0][1]


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
    assert [each.name for each in found if each.start == code + 32] == [""]


def test_another_process_of_the_same_number_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(monkeypatch, GETPID, start_ns=START_NS - 5_000_000_000) == []


def test_a_file_that_was_replaced_is_read_as_it_is_mapped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("the file behind a mapping is shown to root")
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
