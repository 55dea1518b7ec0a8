import pytest

from ebpftop.verifier.source import Place, Quotes, Source, result_of_call

C = "int f(void *ctx)\r\n{\r\n    u64 *count = find();\r\n    *count += 1;\r\n    x();\r\n    x();\r\n}\r\n"
LOG = [
    "0: R1=ctx() R10=fp0",
    "; int f(void *ctx) @ dir/count.bpf.c:1",
    "0: (85) call find",
    ";  @ count.bpf.c:0",
    "1: (b7) r2 = 1",
    "; *count += 1; @ count.bpf.c:4",
    "2: (79) r1 = *(u64 *)(r0 +0)",
    "; *count += 1;",
    "3: (95) exit",
    "; ",
    "4: (95) exit",
]


@pytest.mark.parametrize(
    ("line", "place"),
    [
        (0, None),
        (2, Place("dir/count.bpf.c", 1, "int f(void *ctx)")),
        (4, None),
        (6, Place("count.bpf.c", 4, "*count += 1;")),
        (8, Place(None, None, "*count += 1;")),
        (10, None),
    ],
)
def test_the_line_a_log_quotes(line: int, place: Place | None) -> None:
    assert Quotes(LOG).at(line) == place


@pytest.mark.parametrize("line", [6, 8])
def test_with_the_file_old_logs_have_numbers_too(line: int) -> None:
    assert Quotes(LOG, Source("src/count.bpf.c", C)).at(line) == Place("src/count.bpf.c", 4, "    *count += 1;")


@pytest.mark.parametrize(
    "place",
    [
        Place("count.bpf.c", 4, "*other += 1;"),  # the file was changed since
        Place("helpers.h", 3, "return 1;"),
        Place(None, None, "x();"),  # twice in the file
        Place("count.bpf.c", 99, "*nothing;"),
        Place(None, None, ""),
    ],
)
def test_a_line_that_is_not_the_one_quoted_is_not_shown(place: Place) -> None:
    assert Source("count.bpf.c", C).quote(place) == place


def test_one_of_two_equal_lines_is_chosen_by_its_number() -> None:
    assert Source("count.bpf.c", C).quote(Place("other.c", 6, "x();")) == Place("count.bpf.c", 6, "    x();")


def test_a_number_without_text_is_quoted_from_the_file_of_that_name() -> None:
    source = Source("/src/count.bpf.c", C)
    assert source.quote(Place("count.bpf.c", 4, "")).text == "    *count += 1;"
    assert source.quote(Place("other.c", 4, "")).text == ""


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("u64 *count = counts.lookup(&pid);", "count"),
        ("count = bpf_map_lookup_elem((void *)bpf_pseudo_fd(1, -1), &k);", "count"),
        ("struct event *e = (struct event *)bpf_ringbuf_reserve(&rb, 8, 0);", "e"),
        ("u64 zero = 0, *count = counts.lookup(", "count"),
        ("if (x == f(y))", ""),
        ("*count += 1;", ""),
        ("a = f(); b = g();", ""),
        ("", ""),
    ],
)
def test_the_variable_that_takes_a_calls_result(text: str, name: str) -> None:
    assert result_of_call(text) == name
