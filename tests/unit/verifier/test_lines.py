import pytest

from ebpftop.verifier.lines import line_for, lines_of, mark, quote, quotes


def marked(text: str, base: int = 0) -> list[str]:
    """The marked text, with the markers shortened to their numbers."""
    rows = mark(text, base).split("\n")
    return [row.removesuffix(' "/virtual/main.c"').replace("#line ", "@") for row in rows if row]


def test_statements_are_numbered_and_calls_stay_whole() -> None:
    text = "int f(void *ctx) {\n    u64 *v = counts.lookup(\n        &pid\n    );\n\n    return 0;\n}"
    assert marked(text) == [
        "@1", "int f(void *ctx) {", "@2", "    u64 *v = counts.lookup(", "        &pid", "    );",
        "@6", "    return 0;", "@7", "}",
    ]  # fmt: skip


def test_numbers_start_from_a_base() -> None:
    assert marked("a;\nb;", base=1000) == ["@1001", "a;", "@1002", "b;"]


def test_braces_among_arguments_begin_nothing() -> None:
    assert marked("M({\n  a;\n  b;\n}, 1);\nc;") == ["@1", "M({", "  a;", "  b;", "}, 1);", "@5", "c;"]


def test_a_macro_is_one_line_however_long() -> None:
    assert marked("#define A \\\n  b; \\\n  c;\nd;") == ["@1", "#define A \\", "  b; \\", "  c;", "@4", "d;"]


def test_comments_hide_what_is_in_them() -> None:
    text = "a; /* b;\nc;\n{ */ d;\n// e;\nf; // g {\nh;"
    assert marked(text) == ["@1", "a; /* b;", "c;", "{ */ d;", "// e;", "@5", "f; // g {", "@6", "h;"]


def test_strings_hide_what_is_in_them() -> None:
    text = 'a("(\\"/*");\nb(\'(\',\n";");\nc;'
    assert marked(text) == ["@1", 'a("(\\"/*");', "@2", "b('(',", '";");', "@4", "c;"]


def test_a_statement_over_several_lines_is_marked_once() -> None:
    assert marked("x =\n  1 +\n  2;\ny;") == ["@1", "x =", "  1 +", "  2;", "@4", "y;"]


def test_directives_amid_arguments_stay_unmarked_and_branches_begin_alike() -> None:
    text = "#ifdef A\nf(a,\n#else\ng(b,\n#endif\n  c);\nd;"
    assert marked(text) == ["@1", "#ifdef A", "@2", "f(a,", "#else", "@4", "g(b,", "#endif", "  c);", "@7", "d;"]


def test_windows_line_ends_are_kept() -> None:
    assert marked("#define A \\\r\n  1\r\nb;\r\nc;") == ["@1", "#define A \\\r", "  1\r", "@3", "b;\r", "@4", "c;"]


def test_the_text_itself_is_unchanged() -> None:
    text = 'int f(void *ctx) {\n\tif (a) /* x */\n\t\treturn "}{";\n\n\treturn 0;\n}\n'
    assert "\n".join(row for row in mark(text).split("\n") if not row.startswith("#line")).rstrip("\n") == text.rstrip(
        "\n"
    )


DEBUG_SOURCE = """\
Disassembly of function f
; #line 3 "/virtual/main.c" // Line  25
   0:\t85 00 00 00 0e 00 00 00\tcall 14
   1:\t18 11 00 00 ff ff ff ff 00 00 00 00 00 00 00 00\tld_pseudo\tr1, 1, 4294967295
;  // Line1026
   3:\t95 00 00 00 00 00 00 00\texit

Disassembly of function g
   0:\t05 00 ff ff 00 00 00 00\tgoto -1
; return x; // Line   7
  11:\tb7 00 00 00 00 00 00 00\tr0 = 0
"""


def test_the_table_of_lines() -> None:
    assert lines_of(DEBUG_SOURCE) == {"f": {0: 25, 1: 25, 3: 1026}, "g": {11: 7}}
    assert lines_of("/virtual/main.c:2:10: error: use of undeclared identifier 'y'\n") == {}


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
