"""Texts of /proc that say where a thread waits, also cut and hostile ones."""

from __future__ import annotations

import pytest

from ebpftop.kernel import waiting
from ebpftop.kernel.waiting import COMPAT, Call

STACK = b"""[<0>] anon_pipe_read+0x3b4/0x4d0
[<0>] fuse_dev_do_read.isra.0+0x1/0x2 [fuse]
[<0>] 0xffffffffc0a01234
[<0>] entry_SYSCALL_64_after_hwframe+0x76/0x7e
"""
ARGUMENTS = b" 0x3 0x7ffe 0x1000 0x0 0xffffffffffffffff 0x5"


def test_a_stack_is_functions_and_modules() -> None:
    assert waiting.stack(STACK) == [
        "anon_pipe_read",
        "fuse_dev_do_read.isra.0 [fuse]",
        "0xffffffffc0a01234",
        "entry_SYSCALL_64_after_hwframe",
    ]


@pytest.mark.parametrize(("raw", "read"), [(b"", []), (b"\0\n[<0>]", []), (b"[<0>] a+0x", ["a"])])
def test_a_stack_that_is_none_or_cut_has_what_is_whole(raw: bytes, read: list[str]) -> None:
    assert waiting.stack(raw) == read


def test_a_stack_has_an_end() -> None:
    assert len(waiting.stack(b"[<0>] f+0x1/0x2\n" * 1000)) == waiting.MOST_FRAMES
    assert waiting.stack(b"[<0>] " + b"f" * 5000) == ["f" * 128]


SCHED = b"""python3 (1605, #threads: 2)
-------------------------------------------------------------------
se.exec_start                                :      27831057.805782
se.vruntime                                  :           973.683564
nr_switches                                  :                   31
nr_voluntary_switches                        :                   29
"""


def test_when_a_thread_ran_last_is_in_ns_of_its_cpus_clock() -> None:
    assert waiting.ran(SCHED) == waiting.Ran(27_831_057_805_782, 31)


@pytest.mark.parametrize(
    "raw",
    [b"", SCHED[:150], SCHED.replace(b"27831057.805782", b"0.000000"), SCHED.replace(b".805782", b".-05782")],
    ids=["none", "cut", "never", "wrong"],
)
def test_where_it_does_not_say_nothing_is_known(raw: bytes) -> None:
    assert waiting.ran(raw) is None


def test_a_call_has_a_number_and_six_arguments() -> None:
    found = waiting.call(b"0" + ARGUMENTS + b" 0x7ffc2d8ad5a8 0x7f3a1c8a51fc\n")
    assert found == Call(0, (3, 0x7FFE, 0x1000, 0, (1 << 64) - 1, 5))


def test_a_call_from_below_4_gib_is_one_of_32_bits() -> None:
    found = waiting.call(b"3" + ARGUMENTS + b" 0xffffd5a8 0xf7f3a1c8\n")
    assert found is not None
    assert found.number == COMPAT + 3
    static = waiting.call(b"3" + ARGUMENTS + b" 0x7ffc2d8ad5a8 0x401000\n")  # its code lies low, its stack doesn't
    assert static is not None
    assert static.number == 3


@pytest.mark.parametrize("raw", [b"running\n", b"-1 0x7ffc2d8ad5a8 0x7f3a1c8a51fc\n", b"", b"0 0x3", b"0" * 5000])
def test_what_is_no_call_is_none(raw: bytes) -> None:
    assert waiting.call(raw) is None


def test_switches_are_all_kinds_together_or_unknown() -> None:
    assert waiting.switches({"voluntary_ctxt_switches": "3", "nonvoluntary_ctxt_switches": "4"}) == 7
    assert waiting.switches({"voluntary_ctxt_switches": "3"}) is None
    assert waiting.switches({"voluntary_ctxt_switches": "x", "nonvoluntary_ctxt_switches": "4"}) is None
