"""Prefixes, learned from the lines that show an instruction."""

import pytest

from ebpftop.verifier.prefix import head_of, learn, plain

INSN = "8: (79) r1 = *(u64 *)(r0 +0)"
OTHERS = ["; (*n)++; @ a.c:9", "R0 invalid mem access 'map_value_or_null'", "from 3 to 8: R0=1 R10=fp0"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("agent-1  | ", "agent-1  | "),
        ("W0302 10:11:12.123456       1 loader.go:99] ", "W0302 10:11:13.000001       1 loader.go:101] "),
        ("ERRO[0009] ", "WARN[0012] "),
        ("2026-03-02T10:11:12Z  DEBUG agent: ", "2026-03-02T10:11:13Z  WARN agent: "),
        ("  99  ", " 100  "),
        ("Mär 02 10:11:12 rechner dienst[12]: ", "Mär 02 10:11:13 rechner dienst[12]: "),
        ("+", "+"),
    ],
)
def test_numbers_and_levels_may_differ(first: str, second: str) -> None:
    prefix = learn([first + INSN])
    assert prefix is not None
    for text in OTHERS:
        assert prefix.off(second + text) == (text, 0)


def test_a_string_is_told_from_a_line() -> None:
    prefix = learn([f'{{"level":"warn","msg":"{INSN}"}}'])
    assert prefix is not None
    assert prefix.off('{"level":"warn","msg":"R0 !read_ok"}') == ('R0 !read_ok"}', 1)


@pytest.mark.parametrize(
    "line",
    [
        INSN,
        f"\t{INSN}",
        f"regs=4 stack=0 before {INSN}",
        f"mark_precise: frame0: regs=r2 stack= before {INSN}",
        f"0: R1=ctx() R10=fp0 {INSN}",
        f"; {INSN}",
        f"program f: load program: permission denied: {INSN}",
    ],
)
def test_what_the_kernel_and_summaries_have_before_an_instruction_is_no_prefix(line: str) -> None:
    assert not head_of(line)


def test_where_most_lines_have_none_there_is_none() -> None:
    assert learn([INSN, INSN, f"odd: {INSN}"]) is None


def test_a_log_without_instructions_has_it_before_the_count() -> None:
    lines = ["edge: R0 !read_ok", "edge: processed 3 insns (limit 1000000) max_states_per_insn 0"]
    prefix = learn(lines)
    assert prefix is not None
    assert prefix.off(lines[0]) == ("R0 !read_ok", 0)
    assert learn(["R0 !read_ok", "is odd processed 3 insns (limit 1000000)"]) is None


def test_a_plain_log_is_told_from_others() -> None:
    assert plain([INSN, *OTHERS])
    assert not plain([f"x: {INSN}"])
    assert not plain([f"{INSN} {INSN}"])
