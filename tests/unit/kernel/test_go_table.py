"""Tables made here, of all layouts; and what a Go compiler writes, where there is one."""

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebpftop.kernel.elf import BadElf, Elf
from ebpftop.kernel.go_table import GoTable
from tests.support.go_table import GO_1_16, GO_1_18, GO_1_20, GoFunction, go_table

TEXT = 0x401000
FUNCTIONS = [
    GoFunction("_rt0_amd64_linux", 16, [(0, "/go/src/runtime/rt0.s", 8)]),
    GoFunction("main.(*T).Burn", 64, [(0, "/app/main.go", 27), (10, "/app/main.go", 300), (20, "/app/inlined.go", 2)]),
    GoFunction("main.main", 32, [(0, "/app/main.go", 5)]),
]


@pytest.mark.parametrize("magic", [GO_1_16, GO_1_18, GO_1_20])
def test_functions_and_lines_are_those_of_the_table(magic: int) -> None:
    table = GoTable(go_table(FUNCTIONS, TEXT, magic), TEXT)
    assert table.function(TEXT - 1) is None
    assert table.function(TEXT) == (TEXT, TEXT + 16, b"_rt0_amd64_linux")
    assert table.function(TEXT + 16) == table.function(TEXT + 79) == (TEXT + 16, TEXT + 80, b"main.(*T).Burn")
    assert table.function(TEXT + 111) == (TEXT + 80, TEXT + 112, b"main.main")
    assert table.function(TEXT + 112) is None
    files, rows = table.lines(TEXT + 16, TEXT + 80)
    assert files == ["/app/main.go", "/app/inlined.go"]
    assert rows == [(TEXT + 16, 0, 27), (TEXT + 26, 0, 300), (TEXT + 36, 1, 2)]


def test_another_version_is_none_that_is_known() -> None:
    with pytest.raises(BadElf, match="another version"):
        GoTable(go_table(FUNCTIONS, TEXT, 0xFFFFFFF2), TEXT)


@pytest.fixture(scope="module", params=[[], ["-ldflags=-s -w"], ["-buildmode=pie", "-ldflags=-s -w"]])
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("go") is None:
        pytest.skip("there is no Go compiler here")
    folder = tmp_path_factory.mktemp("go")
    (folder / "go.mod").write_text("module example.com/dotted.name\n")
    (folder / "main.go").write_text(
        "package main\n\ntype T struct{ n int }\n\n//go:noinline\nfunc (t *T) Burn() int {\n\treturn t.n * 3\n}\n\n"
        "func main() {\n\tprintln((&T{3}).Burn())\n}\n"
    )
    subprocess.run(["go", "build", *request.param, "-o", "program", "."], cwd=folder, check=True)
    return folder / "program"


def test_the_compilers_own_table_is_read(program: Path) -> None:
    data = program.read_bytes()
    elf = Elf(lambda length, at: data[at : at + length], len(data))
    table = GoTable.of(elf)
    assert table is not None
    first = table.function(elf.entry)
    assert first is not None
    assert (first.start, first.name[:5]) == (elf.entry, b"_rt0_")
    code = elf.section(b".text")
    assert code is not None
    found = {each.name: each for at in range(0, len(code[1]), 16) if (each := table.function(code[0] + at))}
    files, rows = table.lines(*found[b"main.(*T).Burn"][:2])
    assert [Path(each).name for each in files] == ["main.go"]
    assert {line for _, _, line in rows} <= {6, 7}


GOOD = go_table(FUNCTIONS, TEXT)


@given(st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), max_size=6), st.integers(0, len(GOOD)))
def test_damaged_tables_are_read_to_an_end(changes: list[tuple[int, int]], length: int) -> None:
    data = bytearray(GOOD)
    for at, byte in changes:
        data[at] = byte
    try:
        table = GoTable(bytes(data[:length]), TEXT)
    except BadElf:
        return
    for address in range(TEXT - 4, TEXT + 120, 9):
        function = table.function(address)
        assert function is None or function.start <= address < function.end
        files, rows = table.lines(address, address + 64)
        assert all(address <= at < address + 64 and file < len(files) for at, file, _ in rows)
