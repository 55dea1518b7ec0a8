import os
from pathlib import Path

from ebpftop.kernel.kallsyms import Symbol, resolve

TEXT = """\
ffffffff81000000 T _stext
ffffffff81000000 T _text
ffffffff81000040 T __x64_sys_read
ffffffff81000040 T ksys_read
ffffffff81000100 t helper
ffffffff81000200 D some_data
ffffffffc0001000 t nf_hook\t[nf_tables]
ffffffffc0001080 t bpf_prog_1234_on_switch\t[bpf]
"""


def resolved(tmp_path: Path, *addresses: int, text: str = TEXT) -> list[Symbol]:
    file = tmp_path / "kallsyms"
    file.write_text(text)
    fd = os.open(file, os.O_RDONLY)
    try:
        return resolve(fd, addresses)
    finally:
        os.close(fd)


def test_an_address_lies_in_the_function_that_starts_last_before_it(tmp_path: Path) -> None:
    found = resolved(tmp_path, 0xFFFFFFFF810000FF, 0xFFFFFFFF81000040, 0xFFFFFFFFC0001003)
    assert found == [
        Symbol(0xFFFFFFFF81000040, 0xFFFFFFFF81000100, "ksys_read", "vmlinux"),  # not an alias with underscores
        Symbol(0xFFFFFFFFC0001000, 0xFFFFFFFFC0001080, "nf_hook", "nf_tables"),
    ]


def test_data_gaps_and_places_before_all_functions_are_no_functions(tmp_path: Path) -> None:
    assert resolved(tmp_path, 0xFFFFFFFF80000000, 0xFFFFFFFF81000204, 0xFFFFFFFFD0000000) == []


def test_lines_need_no_order(tmp_path: Path) -> None:
    text = "".join(reversed(TEXT.splitlines(keepends=True)))
    assert [each.name for each in resolved(tmp_path, 0xFFFFFFFF81000101, text=text)] == ["helper"]


def test_hidden_addresses_tell_nothing(tmp_path: Path) -> None:
    hidden = "".join("0" * 16 + line[16:] + "\n" for line in TEXT.splitlines())
    assert resolved(tmp_path, 0xFFFFFFFF81000101, 0, text=hidden) == []
    assert resolved(tmp_path, 1, text="") == []
