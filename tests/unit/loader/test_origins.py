from ebpftop.loader.compose import ROOM, SPLICED
from ebpftop.loader.origins import Origins

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
THINGS = SPLICED + ROOM


def test_an_instruction_of_a_header_counts_to_the_line_that_calls_it() -> None:
    origins = Origins({0: 3, 1: THINGS + 3, 4: 6, 6: THINGS + 6, 8: THINGS + 3, 9: 8}, AUTHOR, HEADERS)
    assert origins.lines == [(0, 3), (1, 5), (4, 6), (6, 7), (8, 5), (9, 8)]
    assert origins.quotes == {
        0: "; { @ probe.bpf.c:3",
        1: "; *to = 1; @ ebpftop_things.h:3",
        4: "; u32 n = 1; @ probe.bpf.c:6",
        6: "; { @ ebpftop_things.h:6",
        8: "; *to = 1; @ ebpftop_things.h:3",
        9: "; return 0; @ probe.bpf.c:8",
    }


def test_one_that_nobody_calls_counts_to_the_line_before() -> None:
    assert Origins({0: THINGS + 3}, "int on_enter(void *ctx)\n{\n}\n", HEADERS).lines == []
    assert Origins({0: 2, 1: THINGS + 3}, "int on_enter(void *ctx)\n{\n}\n", HEADERS).lines == [(0, 2), (1, 2)]
    assert Origins({0: 2, 1: 999_999}, AUTHOR, HEADERS).lines == [(0, 2)]
