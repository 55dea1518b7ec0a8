import pytest

from ebpftop.verifier.instruction import SHOWN, Instruction, decode


@pytest.mark.parametrize(
    ("text", "op", "target", "source", "base"),
    [
        ("r6 = r1", "move", "R6", "R1", ""),
        ("w6 = w1", "move", "R6", "R1", ""),
        ("r1 = (s8)r2", "move", "R1", "R2", ""),
        ("r1 = *(u64 *)(r0 +0)", "load", "R1", "", "R0"),
        ("r1 = *(s32 *)(r10 -8)", "load", "R1", "fp-8", "R10"),
        ("r0 = *(u8 *)skb[14]", "load", "R0", "", ""),
        ("r1 = atomic64_fetch_add((u64 *)(r2 +8), r1)", "load", "R1", "", "R2"),
        ("r2 = 8", "constant", "R2", "", ""),
        ("r1 = -1", "constant", "R1", "", ""),
        ("r1 = 0xffff888104430400", "constant", "R1", "", ""),
        ("r6 += r0", "arithmetic", "R6", "R0", ""),
        ("w0 &= 1", "arithmetic", "R0", "", ""),
        ("r0 s>>= 32", "arithmetic", "R0", "", ""),
        ("r1 = be16 r1", "arithmetic", "R1", "", ""),
        ("r1 = -r1", "arithmetic", "R1", "", ""),
        ("*(u32 *)(r10 -4) = r1", "store", "fp-4", "R1", "R10"),
        ("*(u64 *)(r0 +8) = 0", "store", "", "", "R0"),
        ("lock *(u64 *)(r0 +0) += r1", "store", "", "R1", "R0"),
        ("call bpf_map_lookup_elem#1", "call", "R0", "", ""),
        ("call pc+12", "call", "R0", "", ""),
        ("goto pc-4", "jump", "", "", ""),
        ("exit", "exit", "", "", ""),
        ("may_goto pc+3", "branch", "", "", ""),
        ("BUG_99", "other", "", "", ""),
        ("", "other", "", "", ""),
    ],
)
def test_what_an_instruction_does(text: str, op: str, target: str, source: str, base: str) -> None:
    does = decode(text)
    assert (does.op, does.target, does.source, does.base) == (op, target, source, base)


def test_a_branch() -> None:
    does = decode("if w2 != 0x2710 goto pc+13 18: R1=ctx() R10=fp0")
    assert does == Instruction("if w2 != 0x2710 goto pc+13", "branch", tested="R2", wide=False)
    does = decode("if r6 > r0 goto pc-2")
    assert (does.tested, does.source, does.wide) == ("R6", "R0", True)


def test_what_stands_behind_is_left_out() -> None:
    shown = SHOWN.match("12: (0f) r6 += r10                    ; R6_w=map_value(map=a,ks=4,vs=8) R10=fp0")
    assert shown is not None
    assert (shown[1], decode(shown[2]).text, decode(shown[2]).source) == ("12", "r6 += r10", "R10")


@pytest.mark.parametrize(
    ("text", "uses"),
    [
        ("*(u64 *)(r0 +8) = r1", ("R0", "R1")),
        ("r6 += r0", ("R6", "R0")),
        ("if r6 > r0 goto pc-2", ("R6", "R0")),
        ("r1 = *(u64 *)(r10 -8)", ("R10",)),
        ("r1 = r2", ("R2",)),
        ("exit", ()),
    ],
)
def test_the_registers_it_needs(text: str, uses: tuple[str, ...]) -> None:
    assert decode(text).uses == uses
