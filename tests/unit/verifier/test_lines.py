import pytest

from ebpftop.verifier.lines import line_for, quote, quotes


@pytest.mark.parametrize(("insn", "line"), [(0, 25), (1, 25), (2, 25), (3, 1026), (99, 1026)])
def test_an_instruction_without_a_line_takes_the_one_before(insn: int, line: int) -> None:
    assert line_for({0: 25, 1: 25, 3: 1026}, insn) == line


def test_before_the_first_line_nothing_is_known() -> None:
    assert line_for({11: 7}, 0) is None
    assert line_for({}, 3) is None


LOG = """\
0: R1=ctx() R10=fp0
; #endif @ main.c:3
0: (85) call bpf_get_current_pid_tgid#14
;  @ main.c:0
1: (18) r1 = 0xffff888104430400
; #if !defined(X) @ main.c:4
3: (79) r1 = *(u64 *)(r0 +0)
from 1 to 4: R0=0
4: (95) exit
R0 invalid mem access 'map_value_or_null'"""


def test_a_log_quotes_the_author() -> None:
    source = "BPF_HASH(c, u32);\n  u32 pid = now();\n  *count += 1;"
    assert quote(LOG, quotes({0: 2, 1: 2, 3: 3}, source, "a.c")).split("\n") == [
        "0: R1=ctx() R10=fp0",
        "; u32 pid = now(); @ a.c:2",
        "0: (85) call bpf_get_current_pid_tgid#14",
        "1: (18) r1 = 0xffff888104430400",
        "; *count += 1; @ a.c:3",
        "3: (79) r1 = *(u64 *)(r0 +0)",
        "from 1 to 4: R0=0",
        "4: (95) exit",
        "R0 invalid mem access 'map_value_or_null'",
    ]


def test_spliced_lines_and_unknown_ones_are_not_quoted() -> None:
    quoted = quote(LOG, quotes({0: 100_002, 3: 1}, "int x;", "a.c")).split("\n")
    assert [row for row in quoted if row.startswith(";")] == ["; int x; @ a.c:1"]
    assert [row for row in quote(LOG, quotes({}, "int x;", "a.c")).split("\n") if row.startswith(";")] == []
