from ebpftop.catalog.numbering import mark


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
