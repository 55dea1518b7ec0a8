"""Lines as the machine's own compiler writes them, and as anybody may."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ebpftop.kernel.dwarf_lines import DebugLines
from ebpftop.kernel.elf import BadElf, Elf
from ebpftop.kernel.source_lines import SourceLines

SOURCE = """\
__attribute__((noinline)) int leaf(int n) {
    __asm__ volatile("");
    return n * 3;
}
#line 70 "made/by.y"
__attribute__((noinline)) int middle(int n) {
    return leaf(n) + 1;
}
#line 20 "main.c"
int main(int n, char **_) {
    return middle(n) + middle(2);
}
"""


def read(path: Path) -> tuple[Elf, DebugLines]:
    data = path.read_bytes()
    elf = Elf(lambda length, at: data[at : at + length], len(data))
    line, line_str, strings = (
        (elf.section(name) or (0, b""))[1] for name in (b".debug_line", b".debug_line_str", b".debug_str")
    )
    return elf, DebugLines(line, line_str, strings)


def place(elf: Elf, name: bytes) -> int:
    address = elf.address(elf.places()[0][name])
    assert address is not None
    return address


def of(elf: Elf, lines: DebugLines, name: bytes) -> SourceLines:
    function = elf.function(place(elf, name))
    assert function is not None
    return lines.of(function.start, function.end)


@pytest.fixture(params=["2", "3", "4", "5", "5 -gz=zlib", "4 -ffunction-sections", "5 -flto"])
def program(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "main.c").write_text(SOURCE)
    options = f"-gdwarf-{request.param}".split()
    subprocess.run(["cc", "-O1", "-g", *options, "-o", "main", "sub/main.c"], cwd=tmp_path, check=True)
    return tmp_path / "main"


def test_functions_have_the_lines_of_the_source(program: Path) -> None:
    elf, lines = read(program)
    for name, file, first, last in (
        (b"leaf", "main.c", 1, 4),
        (b"middle", "by.y", 70, 72),
        (b"main", "main.c", 20, 22),
    ):
        found = of(elf, lines, name)
        assert {Path(each).name for each in found.files} == {file}
        assert found.rows[0][0] == place(elf, name)
        assert {line for _, _, line in found.rows} <= {*range(first, last + 1)}
        assert len(found.rows) > (name == b"main")
        assert [at for at, _, _ in found.rows] == sorted({at for at, _, _ in found.rows})
    assert of(elf, lines, b"leaf").files == ["sub/main.c"]


def test_an_address_of_no_unit_has_no_lines(program: Path) -> None:
    _, lines = read(program)
    assert lines.of(0, 8) == lines.of(1 << 40, (1 << 40) + 8) == SourceLines([], [])


def unit(operations: bytes, *, version: int = 4, base: int = -5, width: int = 14, special: int = 13) -> bytes:
    """One unit with one file, `a.c`."""
    lengths = bytes([0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1])[: special - 1]
    head = bytes([1, 1, 1, base & 255, width, special]) + lengths + b"\0a.c\0\0\0\0\0"
    body = version.to_bytes(2, "little") + len(head).to_bytes(4, "little") + head + operations
    return len(body).to_bytes(4, "little") + body


def at(address: int) -> bytes:
    return b"\0\x09\x02" + address.to_bytes(8, "little")


END = b"\0\x01\x01"


def test_what_only_looks_like_an_address_leads_to_no_other_lines() -> None:
    """An operand holds the bytes of an operation that would set a nearer address."""
    true = unit(at(0x1000) + b"\x01\x02\x40\x03\x07\x01\x02\x40" + END)
    decoy = unit(b"\0\x0d\x80" + b"\0" + at(0x1010) + b"\x01" + END)
    lines = DebugLines(decoy + true)
    assert lines.of(0x1020, 0x1030).rows == [(0x1020, 0, 1)]
    assert lines.of(0x1020, 0x1050).rows == [(0x1020, 0, 1), (0x1040, 0, 8)]


def test_steps_are_bounded() -> None:
    lines = DebugLines(unit(at(0x1000) + b"\x01" * (5 << 20) + END))
    with pytest.raises(BadElf, match="too long"):
        lines.of(0x1000, 0x1001)


GOOD = unit(at(0x1000) + b"\x01\x13\x25\x03\x07\x01\x02\x40" + END) + unit(at(0x2000) + b"\x30\x31" + END, version=3)


@given(st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), max_size=6), st.integers(0, len(GOOD)))
@example([(0, 255), (1, 255), (2, 255), (3, 255)], 20)
def test_damaged_sections_are_read_to_an_end(changes: list[tuple[int, int]], length: int) -> None:
    data = bytearray(GOOD)
    for where, byte in changes:
        data[where] = byte
    try:
        lines = DebugLines(bytes(data[:length]))
        for start in (0x1000, 0x1001, 0x2000, 0):
            found = lines.of(start, start + 64)
            assert all(start <= row[0] < start + 64 and row[1] < len(found.files) for row in found.rows)
    except BadElf:
        pass


@given(st.binary(max_size=400))
def test_any_bytes_are_read_to_an_end(data: bytes) -> None:
    program = (5).to_bytes(2, "little") + b"\x08\0" + data
    DebugLines(len(program).to_bytes(4, "little") + program + at(0x1000)).of(0x1000, 0x2000)
