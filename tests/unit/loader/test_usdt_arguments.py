"""Where the arguments of static probes are, as C; and nothing of a stranger's text in it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebpftop.loader.targets import Place
from ebpftop.loader.usdt_arguments import definitions, values

MEMORY = "({{ {kind} value_ = 0; bpf_probe_read_user(&value_, sizeof(value_), {address}); value_; }})"


def memory(kind: str, place: str) -> str:
    return MEMORY.format(kind=kind, address=f"(const void *)((ctx)->{place}LL)")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("8@%rdi", ["((u64)(ctx)->di)"]),
        ("1@%dil -2@%r10w", ["((u8)(ctx)->di)", "((s16)(ctx)->r10)"]),
        ("4@%edx 8@%rax", ["((u32)(ctx)->dx)", "((u64)(ctx)->ax)"]),
        ("-4@$-7", ["((s32)-7LL)"]),
        ("-4@-1204(%rbp)", [memory("s32", "bp + -1204")]),
        ("8@(%rsp)", [memory("u64", "sp + 0")]),
        ("8@%rdi 8@(%rax,%rbx,8)", []),  # not all of it is understood
        ("8@counter(%rip)", []),
        ("3@%rdi", []),
        ("8@%xmm0", []),
        ("8@%rdi;", []),
        ("8@%rdi\n", []),
        (" 8@%rdi", []),
    ],
)
def test_operands_of_x86(text: str, expected: list[str]) -> None:
    assert values(text, "x86_64") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("8@x0 -4@w19", ["((u64)(ctx)->regs[0])", "((s32)(ctx)->regs[19])"]),
        ("8@[sp, 16] 4@[x1]", [memory("u64", "sp + 16"), memory("u32", "regs[1] + 0")]),
        ("-4@5", ["((s32)5LL)"]),
        ("8@x31", []),
        ("8@[x1, x2]", []),
    ],
)
def test_operands_of_arm(text: str, expected: list[str]) -> None:
    assert values(text, "aarch64") == expected


@given(st.text(alphabet='0123456789-@%$()[], abcdirspxw"\\;{}\n#', max_size=60))
def test_nothing_but_our_own_words_is_made_of_any_text(text: str) -> None:
    number = r"-?[0-9]+LL"
    field = r"\(ctx\)->[a-z0-9]+(\[[0-9]+\])?"
    ours = re.compile(
        rf"\(\([us][0-9]+\)({field}|{number})\)"
        rf"|\(\{{ [us][0-9]+ value_ = 0; bpf_probe_read_user\(&value_, sizeof\(value_\), "
        rf"\(const void \*\)\({field} \+ {number}\)\); value_; \}}\)"
    )
    for machine in ("x86_64", "aarch64"):
        assert all(ours.fullmatch(value) for value in values(text, machine))


def test_the_sites_of_a_probe_must_agree() -> None:
    def site(name: str, arguments: str, mechanism: str = "usdt") -> Place:
        return Place(mechanism=mechanism, target="t", run="r", program="r", name=name, arguments=arguments)

    places = [site("one", "8@$1"), site("one", "8@$1"), site("two", "8@$1"), site("two", "8@$2")]
    places += [site("no-name", "8@$1"), site("three", "8@$1", "uprobe"), site("four", "")]
    assert definitions(places) == ["-DUSDT_one_1(ctx)=((u64)1LL)"]
