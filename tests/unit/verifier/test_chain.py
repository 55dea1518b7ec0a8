"""Where a register got what it was refused for, in small logs written as the kernel writes them."""

from ebpftop.verifier.chain import MOST, trace
from ebpftop.verifier.loop import turn
from ebpftop.verifier.source import Quotes

UNBOUND = "scalar()"
BOUND = "scalar(smin=smin32=0,smax=umax=smax32=umax32=15,var_off=(0x0; 0xf))"


def steps(log: str, name: str, **how: bool) -> list[tuple[int | None, str]]:
    """Instruction and why of each step that led to what `name` held before the last instruction."""
    lines = log.strip().splitlines()
    return [(step.insn, step.why) for step in trace(lines, len(lines) - 1, name, Quotes(lines), **how)]


def test_copies_are_followed_to_the_call_that_gave_the_value() -> None:
    found = "map_value_or_null(id=1,map=counts,ks=4,vs=8)"
    log = f"""
; u64 *count = counts.lookup(&pid); @ a.c:7
5: (85) call bpf_map_lookup_elem#1    ; R0_w={found}
6: (bf) r7 = r0                       ; R0_w={found} R7_w={found}
7: (79) r1 = *(u64 *)(r7 +0)
"""
    held = "a value of 8 bytes in the map counts or NULL"
    assert steps(log, "R7") == [
        (5, f"`count` (R0) is what the lookup returns: {held}"),
        (6, f"R7 is a copy of R0: {held}"),
    ]


def test_the_stack_is_followed() -> None:
    log = f"""
0: (85) call bpf_get_prandom_u32#7    ; R0_w={UNBOUND}
1: (7b) *(u64 *)(r10 -8) = r0         ; R0_w={UNBOUND} R10=fp0 fp-8_w={UNBOUND}
2: (b7) r0 = 1                        ; R0_w=1
3: (79) r2 = *(u64 *)(r10 -8)         ; R2_w={UNBOUND} R10=fp0
4: (0f) r1 += r2
"""
    assert steps(log, "R2") == [
        (0, "R0 is what `bpf_get_prandom_u32` returns: any number"),
        (1, "R0 is put on the stack at fp-8"),
        (3, "R2 is read back from the stack at fp-8: any number"),
    ]


def test_where_a_bound_is_lost() -> None:
    log = f"""
1: (71) r2 = *(u8 *)(r1 +0)           ; R1=ctx() R2_w={BOUND}
2: (67) r2 <<= 60                     ; R2_w={UNBOUND}
3: (0f) r6 += r2
"""
    assert steps(log, "R2") == [
        (1, "R2 is read from memory: R1, and is a number from 0 to 15"),
        (2, "the bound of R2 is lost here: it was a number from 0 to 15, and is any number"),
    ]


def test_where_a_bound_is_learned() -> None:
    log = f"""
1: (85) call bpf_ktime_get_ns#5       ; R0_w={UNBOUND}
2: (25) if r0 > 0xf goto pc+3         ; R0_w={BOUND}
3: (57) r0 &= 15                      ; R0_w={BOUND}
4: (0f) r6 += r0
"""
    assert steps(log, "R0")[1:] == [
        (2, "where the branch is not taken, R0 is a number from 0 to 15"),
        (3, "R0 is changed, and still is a number from 0 to 15"),
    ]


def test_a_check_of_half_a_register_bounds_nothing() -> None:
    log = f"""
1: (85) call bpf_ktime_get_ns#5       ; R0_w={UNBOUND}
2: (26) if w0 > 0xf goto pc+3         ; R0_w=scalar(smin32=0,smax32=umax32=15)
3: (0f) r6 += r0
"""
    assert steps(log, "R0")[1] == (
        2,
        "this check leaves the upper 32 bits, which it doesn't look at, open: R0 is still any number",
    )


def test_a_check_of_a_copy_is_told_where_it_is_about_bounds() -> None:
    log = f"""
1: (85) call bpf_ktime_get_ns#5       ; R0_w={UNBOUND}
2: (bf) r1 = r0                       ; R0_w=scalar(id=1) R1_w=scalar(id=1)
3: (67) r1 <<= 32                     ; R1_w=scalar()
4: (77) r1 >>= 32                     ; R1_w=scalar(umax=0xffffffff)
5: (25) if r1 > 0xf goto pc+3         ; R1_w={BOUND}
6: (0f) r6 += r0
"""
    check = (5, "this checks R1, which was computed from R0, and proves nothing about R0 itself")
    assert steps(log, "R0", offset=True)[1:] == [check]
    assert check not in steps(log, "R0")


def test_a_check_of_a_plain_copy_counts() -> None:
    log = f"""
1: (85) call bpf_ktime_get_ns#5       ; R0_w={UNBOUND}
2: (bf) r1 = r0                       ; R0_w=scalar(id=1) R1_w=scalar(id=1)
3: (25) if r1 > 0xf goto pc+3         ; R0_w={BOUND} R1_w={BOUND}
4: (0f) r6 += r0
"""
    assert steps(log, "R0", offset=True)[1:] == [(3, "where the branch is not taken, R0 is a number from 0 to 15")]


def test_a_pointer_moved_too_far_leads_to_what_moved_it() -> None:
    log = f"""
0: R6=map_value(map=values,ks=4,vs=16) R10=fp0
0: (85) call bpf_get_prandom_u32#7    ; R0_w={UNBOUND}
1: (57) r0 &= 15                      ; R0_w={BOUND}
2: (0f) r6 += r0                      ; R0_w={BOUND} R6_w=map_value(map=values,ks=4,vs=16,smin=0,smax=umax=15)
3: (71) r1 = *(u8 *)(r6 +8)
"""
    assert [insn for insn, _ in steps(log, "R6", offset=True)] == [0, 1, 2]
    assert [insn for insn, _ in steps(log, "R6")] == [None, 2]


def test_a_call_takes_arguments_away() -> None:
    log = """
0: (b7) r3 = 1                        ; R3_w=1
1: (85) call bpf_ktime_get_ns#5       ; R0_w=scalar()
2: (bf) r0 = r3
"""
    assert steps(log, "R3") == [(1, "a call leaves R1 to R5 without a value, so what R3 held is gone")]


def test_an_argument_comes_from_the_caller() -> None:
    log = """
0: (b7) r1 = 0                        ; R1_w=0
1: (85) call pc+2
caller:
 R10=fp0
callee:
 frame1: R1=0 R10=fp0
4: (79) r0 = *(u64 *)(r1 +0)
"""
    assert steps(log, "R1") == [
        (0, "R1 is set here: the number 0"),
        (1, "R1 is an argument of the function called here"),
    ]


def test_what_a_function_does_with_its_own_registers_is_passed_over() -> None:
    log = """
0: (b7) r6 = 5                        ; R6_w=5
1: (85) call pc+3
caller:
 R6_w=5 R10=fp0
callee:
 frame1: R1=ctx() R10=fp0
5: (b7) r6 = 7                        ; frame1: R6_w=7
6: (b7) r0 = 7                        ; frame1: R0_w=7
7: (95) exit
returning from callee:
 frame1: R0_w=7 R6_w=7 R10=fp0
to caller at 2:
 R0_w=7 R6_w=5 R10=fp0
2: (79) r2 = *(u64 *)(r6 +0)
"""
    assert steps(log, "R6") == [(0, "R6 is set here: the number 5")]
    assert steps(log, "R0") == [(6, "R0 is set here: the number 7")]


def test_a_bound_forgotten_for_a_loop() -> None:
    log = f"""
0: (b7) r6 = 0                        ; R6_w=0
1: (e5) may_goto pc+2                 ; R6=0
from 1 to 4: R6={UNBOUND} R10=fp0
4: (0f) r7 += r6
"""
    assert steps(log, "R6")[1] == (
        1,
        "the verifier forgets the bound of R6 here, so that the loop converges: it was the number 0, and is any number",
    )


def test_where_it_all_began() -> None:
    assert steps("0: (79) r2 = *(u64 *)(r1 +8)", "R1") == [(None, "R1 is the program's context when it starts")]
    assert steps("0: (bf) r0 = r7", "R7") == [(None, "nothing on this path gives R7 a value")]
    unknown = [(None, "R7 got its value before the beginning of this log")]
    assert steps("900: (bf) r0 = r7", "R7") == unknown
    assert steps("0: (bf) r0 = r7", "R7", cut=True) == unknown


def test_a_loop_is_told_once() -> None:
    log = "0: (b7) r1 = 0\n" + "1: (07) r1 += 1\n2: (05) goto pc-2\n" * 1_000 + "3: (79) r0 = *(u64 *)(r1 +0)"
    assert [insn for insn, _ in steps(log, "R1")] == [0, 1]


def test_a_chain_has_an_end() -> None:
    log = "".join(f"{number}: (07) r1 += 1\n" for number in range(1_000)) + "1000: (79) r0 = *(u64 *)(r1 +0)"
    assert len(steps(log, "R1")) == MOST


def test_one_turn_of_a_loop() -> None:
    lines = """\
2: (0f) r0 += r1                      ; R0=1 R1=1
3: (07) r1 += 1                       ; R1=2
4: (15) if r1 == 0x989680 goto pc+1   ; R1=2
5: (05) goto pc-4
2: (0f) r0 += r1                      ; R0=3 R1=2
3: (07) r1 += 1""".splitlines()
    assert [(step.insn, step.why) for step in turn(lines, 5, Quotes(lines))] == [
        (4, "this branch is not taken"),
        (5, "comes back to instruction 2"),
        (3, "here the verifier gave up"),
    ]
    assert [step.insn for step in turn(lines[:2], 1, Quotes(lines))] == [3]
    assert turn(["R0 !read_ok"], 0, Quotes([])) == []
