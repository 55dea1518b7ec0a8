"""Readers of files that are anybody's: whatever the bytes, only the errors they state, and no more work than the file
is large.
"""

from __future__ import annotations

import contextlib
import io
import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ebpftop.kernel import mappings, perf_map
from ebpftop.kernel.demangle import demangle
from ebpftop.kernel.elf import BadElf, Elf, Function
from ebpftop.kernel.perf_map import Compiled
from ebpftop.kernel.usdt import static_probes
from ebpftop.loader.binaries import cached_libraries
from tests.support.elf_file import FUNCTION, INDIRECT, elf, note

seeded = settings(
    max_examples=300,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
FUNCTIONS = {b"one": (FUNCTION, 0), b"two@@V_1.2": (FUNCTION, 16), b"fast": (INDIRECT, 32)}
NOTES = note(b"shop", b"sold", 0x401008) + note(b"shop", b"bought", 0x401010, semaphore=0x401020)
WHOLE = elf(FUNCTIONS, NOTES, base=0x400000)
EDGES = st.sampled_from([0, 1, 2, 24, 55, 56, 63, 64, 127, 0xFFFF, 1 << 31, (1 << 32) - 1, 1 << 62, (1 << 64) - 1])
# (place, bytes, value): fields of the header, of the tables behind it, and anything else
EDITS = st.lists(
    st.tuples(
        st.one_of(st.integers(0, 119), st.integers(0x1000, len(WHOLE) - 1)),
        st.sampled_from([1, 2, 4, 8]),
        st.one_of(EDGES, st.integers(0, (1 << 64) - 1)),
    ),
    max_size=6,
)


def edited(data: bytes, edits: list[tuple[int, int, int]]) -> bytes:
    changed = bytearray(data)
    for place, width, value in edits:
        changed[place : place + width] = (value & ((1 << 8 * width) - 1)).to_bytes(width, "little")
    return bytes(changed)


class Counted:
    """Reads of a file, counted in bytes."""

    def __init__(self, data: bytes) -> None:
        self._data, self.read_bytes = data, 0

    def read(self, length: int, offset: int) -> bytes:
        found = self._data[offset : offset + length]
        self.read_bytes += len(found)
        return found

    def elf(self) -> Elf:
        return Elf(self.read, len(self._data))


@seeded
@given(EDITS, st.integers(0, len(WHOLE)))
def test_an_elf_file_is_read_or_refused_and_its_places_can_be_attached_to(
    edits: list[tuple[int, int, int]], cut: int
) -> None:
    for data in (edited(WHOLE, edits), edited(WHOLE, edits)[:cut]):
        counted = Counted(data)
        with contextlib.suppress(BadElf):
            file = counted.elf()
            file.function(0x401008)
            places = [*file.places()[0].values()]
            assert all(file.place(name)[0] == place for name, place in file.places()[0].items())
            probes = static_probes(file)
            assert all(0 <= place < 1 << 63 for place in [*places, *(probe.offset for probe in probes)])
            assert all(probe.semaphore < 1 << 32 for probe in probes)
        assert counted.read_bytes <= 9 * len(data)  # the last table is read before it is one too many


@seeded
@given(st.lists(st.one_of(st.binary(max_size=40), st.from_regex(rb"\A[0-9a-f]{1,18} -?[0-9a-f]{1,12} .{0,8}\Z"))))
def test_a_perf_map_names_only_addresses_that_were_asked(lines: list[bytes]) -> None:
    asked = [0, 0x1000, 0xFFFF, 1 << 40]
    for address, found in perf_map.compiled(io.BytesIO(b"\n".join(lines)), asked).items():
        assert address in asked
        assert found.start <= address < found.end


@seeded
@given(st.one_of(st.binary(max_size=200), st.from_regex(rb"\A[0-9a-f]+-[0-9a-f]+ ..x. [0-9a-f]+ .{5} [0-9]+ .*\Z")))
def test_a_line_of_maps_is_a_mapping_or_none(line: bytes) -> None:
    found = mappings._mapping(line)
    assert found is None or (found.start >= 0 and found.inode >= 0)


@seeded
@given(st.from_regex(r"\A_Z[NSTLIE0-9_a-z]{0,60}\Z"))
def test_a_mangled_name_is_told_somehow(name: str) -> None:
    assert 0 < len(demangle([name])[name]) <= 4096


@seeded
@given(st.integers(0, 8), EDITS)
def test_a_cache_of_libraries_names_no_path_longer_than_there_are(
    tmp_path: Path, count: int, edits: list[tuple[int, int, int]]
) -> None:
    header = struct.pack("<20sII20x", b"glibc-ld.so.cache1.1", count, 0)
    entry = struct.pack("<iIIIQ", 0x0303, 48 + 24 * 4, 60, 0, 0)
    data = header + entry * 4 + b"libc.so.6\0" + b"x" * 9_000
    cache = tmp_path / "cache"
    cache.write_bytes(edited(data, [(at % len(data), width, value) for at, width, value in edits]))
    assert all(len(name) <= 4096 and len(path) <= 4096 for name, path in cached_libraries(cache))


# ---------------------------------------------------------------- what was found


def test_an_object_file_which_has_no_segments_and_tells_no_size_of_them_is_read() -> None:
    data = bytearray(WHOLE)
    struct.pack_into("<HH", data, 54, 0, 0)  # e_phentsize, e_phnum
    file = Counted(bytes(data)).elf()
    assert not file.linked
    assert file.function(0x401000) == Function(0x401000, 0x401004, b"one")
    assert file.places() == ({}, {b"fast"})


def test_tables_that_overlap_are_not_read_again_and_again() -> None:
    """Each of 2,000 sections is the same table of symbols."""
    sections = struct.unpack_from("<Q", WHOLE, 40)[0]
    symbols, strings = (WHOLE[sections + 64 * n : sections + 64 * n + 64] for n in (2, 3))
    data = bytearray(WHOLE[:sections] + (WHOLE[sections : sections + 128] + symbols + strings) + symbols * 2_000)
    struct.pack_into("<H", data, 60, 2_004)  # e_shnum
    pad = bytes(2_000_000)  # tables of some size
    struct.pack_into("<Q", data, sections + 3 * 64 + 32, len(data) + len(pad) - 0x1000)
    counted = Counted(bytes(data) + pad)
    with pytest.raises(BadElf, match="its tables overlap"):
        counted.elf().function(0x401000)


def test_names_that_overlap_do_not_fill_the_memory_when_addresses_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ebpftop.kernel.elf._LARGEST", 1 << 16)
    long = {b"f" * 1_000: (FUNCTION, 0)} | {b"g%d" % n: (FUNCTION, 0) for n in range(211)}
    data = bytearray(elf(long))
    first = data.find(struct.pack("<IBB", 1, 16 | FUNCTION, 0))
    for number in range(1, 212):
        struct.pack_into("<I", data, first + 24 * number, 1 + number)
    with pytest.raises(BadElf, match="too many"):
        Counted(bytes(data)).elf().function(0x401000)


def test_functions_at_one_place_are_not_all_looked_through_for_each_address() -> None:
    same = {b"f%05d" % n: (FUNCTION, 0) for n in range(5_000)}
    file = Counted(elf(same)).elf()
    assert file.function(0x401002) == Function(0x401000, 0x401004, b"f04936")  # of the last 64 the first


def test_a_segment_beyond_all_files_makes_no_place_that_no_kernel_takes() -> None:
    data = edited(WHOLE, [(64 + 8, 8, (1 << 64) - 0x100)])  # p_offset
    assert Counted(data).elf().places()[0] == {}


def test_a_counter_beyond_32_bits_is_left_out() -> None:
    far = bytearray(elf({}, note(b"shop", b"sold", 0x401008, semaphore=0x402000), writable=True))
    struct.pack_into("<Q", far, 64 + 56 + 8, 1 << 33)  # p_offset of the second segment
    assert static_probes(Counted(bytes(far)).elf()) == []


def test_a_perf_map_is_read_as_far_as_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(perf_map, "LARGEST", 24)
    lines = b"1000 20 near\n2000 20 nearer\n3000 20 beyond\n"
    assert perf_map.compiled(io.BytesIO(lines), [0x1000, 0x2010, 0x3000]) == {
        0x1000: Compiled(0x1000, 0x1020, b"near"),
        0x2010: Compiled(0x2000, 0x2020, b"nearer"),
    }


def test_of_a_perf_map_the_newest_function_holds_an_address_and_bad_lines_end_nothing() -> None:
    lines = b"1000 100 gone\n1040 10 old\n1040 10 new\n1060 10 other\n1040 zz none\n1060 0 none\n"
    found = perf_map.compiled(io.BytesIO(lines), [0x1044, 0x1050, 0x1068])
    assert {address: each.name for address, each in found.items()} == {0x1044: b"new", 0x1068: b"other"}
