import contextlib
import ctypes
import lzma
import os
import resource
import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from ebpftop.kernel.elf import BadElf, Elf, Function

BASE = 0x400000  # where the segment is loaded
FUNC, OBJECT = 2, 1


def elf_file(*symbols: tuple[bytes, int, int, int], kind: int = 2, extra: bytes = b"") -> bytes:
    """A file of one segment (bytes 0x1000 to 0x3000 at BASE) and one table of symbols (name, type, value, size)."""
    names = b"\0" + b"".join(name + b"\0" for name, *_ in symbols)
    table, at = bytes(24), 1
    for name, type_, value, size in symbols:
        table += struct.pack("<IBBHQQ", at, type_, 0, 1, value, size)
        at += len(name) + 1
    section_names = b"\0.gnu_debugdata\0"
    segments_at, table_at = 64, 64 + 56
    names_at = table_at + len(table)
    section_names_at = names_at + len(names)
    extra_at = section_names_at + len(section_names)
    sections_at = extra_at + len(extra)
    sections = [
        (0, 0, 0, 0, 0),
        (0, kind, table_at, len(table), 2),
        (0, 3, names_at, len(names), 0),
        (0, 3, section_names_at, len(section_names), 0),
        (1, 1, extra_at, len(extra), 0),
    ]
    header = struct.pack(
        "<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 3, 62, 1, 0, segments_at, sections_at, 0, 64, 56, 1, 64, 5, 3
    )
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0x1000, BASE, BASE, 0x2000, 0x2000, 0x1000)
    packed = b"".join(struct.pack("<IIQQQQIIQQ", n, k, 0, 0, o, s, link, 0, 0, 0) for n, k, o, s, link in sections)
    return header + segment + table + names + section_names + extra + packed


def read_from(data: bytes) -> Callable[[int, int], bytes]:
    return lambda length, offset: data[offset : offset + length]


def test_functions_are_found_by_address() -> None:
    elf = Elf(read_from(elf_file((b"main", FUNC, BASE + 16, 32), (b"after", FUNC, BASE + 64, 8))))
    assert elf.function(BASE + 16) == elf.function(BASE + 47) == Function(BASE + 16, BASE + 48, b"main")
    assert elf.function(BASE + 48) is None  # between the two
    assert elf.function(BASE + 15) is None
    assert elf.function(BASE + 64) == Function(BASE + 64, BASE + 72, b"after")


def test_offsets_in_the_file_become_addresses() -> None:
    elf = Elf(read_from(elf_file()))
    assert [elf.address(offset) for offset in (0xFFF, 0x1000, 0x2FFF, 0x3000)] == [None, BASE, BASE + 0x1FFF, None]


def test_of_several_names_the_one_authors_use_is_told() -> None:
    names = (b"__read", FUNC, BASE, 8), (b"__libc_read", FUNC, BASE, 8), (b"read", FUNC, BASE, 8)
    found = Elf(read_from(elf_file(*names))).function(BASE)
    assert found is not None
    assert found.name == b"read"


def test_a_function_without_a_size_reaches_to_the_next() -> None:
    elf = Elf(
        read_from(elf_file((b"start", FUNC, BASE, 0), (b"data", OBJECT, BASE + 4, 4), (b"end", FUNC, BASE + 9, 1)))
    )
    assert elf.function(BASE + 8) == Function(BASE, BASE + 9, b"start")


def test_a_stripped_file_may_carry_its_names_packed() -> None:
    inner = elf_file((b"inner", FUNC, BASE + 8, 8))
    elf = Elf(read_from(elf_file((b"exported", FUNC, BASE, 8), kind=11, extra=lzma.compress(inner))))
    assert [function and function.name for function in map(elf.function, (BASE, BASE + 8))] == [b"exported", b"inner"]


def test_a_packed_table_that_takes_gigabytes_to_unpack_costs_its_own_names_only() -> None:
    packed = bytearray(lzma.compress(elf_file((b"inner", FUNC, BASE + 8, 8))))
    block = 12  # behind the stream's header: size, flags, one filter with one byte, the dictionary's size
    size = 4 * packed[block] + 4
    packed[block + 4] = 40  # 4 GiB
    struct.pack_into("<I", packed, block + size - 4, zlib.crc32(packed[block : block + size - 4]))
    elf = Elf(read_from(elf_file((b"exported", FUNC, BASE, 8), kind=11, extra=bytes(packed))))
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (3 << 30, before[1]))
    try:
        assert [function and function.name for function in map(elf.function, (BASE, BASE + 8))] == [b"exported", None]
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.mark.parametrize("cut", [0, 3, 40, 63])
def test_what_is_no_elf_file_is_refused(cut: int) -> None:
    with pytest.raises(BadElf):
        Elf(read_from(elf_file()[:cut]))
    with pytest.raises(BadElf):
        Elf(read_from(b"\x7fELF\x01" + bytes(100)))  # 32 bits


def test_damaged_files_are_read_as_far_as_they_make_sense() -> None:
    whole = elf_file((b"main", FUNC, BASE, 32), extra=b"not packed")
    for place in range(24, len(whole)):
        for byte in (0, 0x7F, 0xFF):
            damaged = whole[:place] + bytes([byte]) + whole[place + 1 :]
            with contextlib.suppress(BadElf):
                elf = Elf(read_from(damaged))
                elf.address(0x1000)
                elf.function(BASE + 1)
        with contextlib.suppress(BadElf):
            Elf(read_from(whole[:place])).function(BASE)


def test_addresses_no_file_can_have_are_left_out() -> None:
    elf = Elf(read_from(elf_file((b"high", FUNC, (1 << 64) - 16, 8), (b"long", FUNC, BASE, (1 << 64) - 1))))
    assert elf.function((1 << 64) - 16) is None
    assert elf.function(BASE) is None


def test_a_real_library_tells_where_its_functions_are() -> None:
    libc = ctypes.CDLL(None)
    address = ctypes.cast(libc.getpid, ctypes.c_void_p).value or 0
    for line in Path("/proc/self/maps").read_text().splitlines():
        span, _, offset, *_ = line.split()
        start, end = (int(part, 16) for part in span.split("-"))
        if start <= address < end:
            fd = os.open(line.split()[-1], os.O_RDONLY)
            try:
                elf = Elf.of(fd)
                place = elf.address(address - start + int(offset, 16))
                assert place is not None
                found = elf.function(place)
            finally:
                os.close(fd)
            assert found is not None
            assert found.name in (b"getpid", b"__getpid")
            return
    pytest.skip(f"{sys.executable} does not map its libc from a file")


@pytest.mark.parametrize("path", ["libc.so.6", "libssl.so.3", sys.executable])
def test_each_function_of_a_real_file_is_found_by_its_name_alone(path: str) -> None:
    if "/" not in path:
        path = f"/lib/{os.uname().machine}-linux-gnu/{path}"
    if not os.path.exists(path):
        pytest.skip(f"{path} is not here")
    with open(path, "rb") as file:
        elf = Elf.of(file.fileno())
        found, chosen = elf.places()
        assert found or chosen
        for name, place in found.items():
            assert elf.place(name)[0] == place
        assert all(elf.place(name)[1] for name in chosen)
        assert elf.place(b"no such function") == (None, False)


def test_a_name_that_is_only_the_end_or_the_beginning_of_others_is_not_found() -> None:
    data = elf_file((b"getpid", FUNC, BASE + 16, 8), (b"open@@V1", FUNC, BASE + 32, 8), (b"main", FUNC, BASE + 48, 8))
    elf = Elf(read_from(data))
    assert elf.place(b"getpid") == (0x1010, False)
    assert elf.place(b"open") == (0x1020, False)
    assert [elf.place(name)[0] for name in (b"pid", b"get", b"ope", b"V1", b"")] == [None] * 5


def test_a_table_full_of_one_name_costs_no_more_than_all_its_symbols() -> None:
    data = elf_file((b"f\0" * 200_000, FUNC, BASE + 16, 8), (b"f", FUNC, BASE + 32, 8))
    assert Elf(read_from(data)).place(b"f") == (0x1010, False)
