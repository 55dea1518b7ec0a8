from ebpftop.model.origins import Origins

AUTHOR = """\
#include "ebpftop_things.h"
int on_enter(void *ctx)
{
    // copy(away) is called below
    copy(one);
    u32 n = 1;
    copy_all(n);
    return 0;
}
"""
HEADERS = {
    "ebpftop.h": "int basic;\n",
    "ebpftop_things.h": """\
static inline __attribute__((always_inline)) void copy(char *to)
{
    *to = 1;
}
static void inner(u32 n)
{
    copy(n);
}
static void copy_all(u32 n)
{
    inner(n);
}
""",
}
THINGS = 2  # the second of them
FILE = "my/probe/probe.bpf.c"


def test_an_instruction_of_a_header_counts_to_the_line_that_calls_it() -> None:
    places = [(0, 0, 3), (1, THINGS, 3), (4, 0, 6), (6, THINGS, 6), (8, THINGS, 3), (9, 0, 8)]
    origins = Origins(places, AUTHOR, HEADERS, FILE)
    assert origins.lines == [(0, 3), (1, 5), (4, 6), (6, 7), (8, 5), (9, 8)]
    assert origins.quotes == {
        0: "; { @ my/probe/probe.bpf.c:3",
        1: "; *to = 1; @ ebpftop_things.h:3",
        4: "; u32 n = 1; @ my/probe/probe.bpf.c:6",
        6: "; { @ ebpftop_things.h:6",
        8: "; *to = 1; @ ebpftop_things.h:3",
        9: "; return 0; @ my/probe/probe.bpf.c:8",
    }


def test_one_that_nobody_calls_counts_to_the_line_before() -> None:
    calls_nothing = "int on_enter(void *ctx)\n{\n}\n"
    assert Origins([(0, THINGS, 3)], calls_nothing, HEADERS, FILE).lines == []
    assert Origins([(0, 0, 2), (1, THINGS, 3)], calls_nothing, HEADERS, FILE).lines == [(0, 2), (1, 2)]
    assert Origins([(0, 0, 2), (1, 99, 1)], AUTHOR, HEADERS, FILE).lines == [(0, 2)]
