from ebpftop.verifier.path import LOOK_BACK, back

LEVEL_2 = """\
0: R1=ctx() R10=fp0
0: (85) call bpf_get_prandom_u32#7    ; R0_w=scalar()
1: (b7) r6 = 0                        ; R6_w=0
2: (15) if r0 == 0x0 goto pc+2        ; R0_w=scalar()
3: (b7) r6 = 1                        ; R6_w=1
4: (95) exit

from 2 to 5: R0=0 R6=0 R10=fp0
5: (bf) r1 = r6                       ; R1_w=0 R6=0
6: (79) r2 = *(u64 *)(r1 +0)
R1 invalid mem access 'scalar'
""".splitlines()

CALLS = """\
0: (b7) r6 = 5                        ; R6_w=5
1: (85) call pc+3
caller:
 R6_w=5 R10=fp0
callee:
 frame1: R1=ctx() R10=fp0
5: (b7) r0 = 7                        ; frame1: R0_w=7
6: (95) exit
returning from callee:
 frame1: R0_w=7 R1=ctx() R10=fp0
to caller at 2:
 R0_w=7 R6_w=5 R10=fp0
2: (bf) r1 = r0                       ; R0=7 R1_w=7
3: (79) r2 = *(u64 *)(r1 +0)
""".splitlines()


def line(lines: list[str], insn: int) -> int:
    return next(number for number, text in enumerate(lines) if text.startswith(f"{insn}: ("))


def test_the_other_side_of_a_branch_is_passed_over() -> None:
    visits = list(back(LEVEL_2, line(LEVEL_2, 6)))
    assert [visit.insn for visit in visits] == [5, 2, 1, 0]
    assert [visit.taken for visit in visits] == [False, True, False, False]
    assert visits[1].state.startswith("from 2 to 5: R0=0")


def test_a_branch_that_falls_through_is_not_taken() -> None:
    (visit,) = (visit for visit in back(LEVEL_2, line(LEVEL_2, 4)) if visit.insn == 2)
    assert not visit.taken


def test_a_branch_known_to_be_taken() -> None:
    lines = ["4: (56) if w2 != 0x2710 goto pc+13 18: R1=ctx() R10=fp0", "18: (bc) w1 = w0"]
    assert [(visit.insn, visit.taken) for visit in back(lines, 1)] == [(4, True)]


def test_branches_come_back_to_the_latest_visit_still_open() -> None:
    lines = """\
1: (07) r6 += 1
2: (15) if r0 == 0x0 goto pc+9
3: (07) r7 += 1
2: (15) if r0 == 0x0 goto pc+9
3: (07) r7 += 1
from 2 to 12: R0=0 R10=fp0
12: (95) exit
from 2 to 12: R0=0 R10=fp0
12: (79) r2 = *(u64 *)(r1 +0)
""".splitlines()
    assert [visit.line for visit in back(lines, 8)] == [1, 0]


def test_functions_are_deeper() -> None:
    visits = list(back(CALLS, line(CALLS, 3)))
    assert [(visit.insn, visit.depth) for visit in visits] == [(2, 0), (6, 1), (5, 1), (1, 0), (0, 0)]
    assert [(visit.insn, visit.depth) for visit in back(CALLS, line(CALLS, 6))] == [(5, 0), (1, -1), (0, -1)]


def test_where_the_branch_is_missing_the_way_ends() -> None:
    assert [visit.insn for visit in back(["3: (95) exit", "from 2 to 5: R0=0", "5: (95) exit", "6: (95) exit"], 3)] == [
        5
    ]


def test_only_so_many_lines_are_looked_at() -> None:
    """Work is counted, not time: a million lines cost what `LOOK_BACK` do."""
    lines = ["1: (07) r6 += 1"] * 1_000_000
    assert sum(1 for _ in back(lines, 999_999)) == LOOK_BACK
