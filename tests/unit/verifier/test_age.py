"""The age of a kernel, as the syntax of its logs tells."""

from pathlib import Path

import pytest

from ebpftop.verifier import age
from ebpftop.verifier.age import Age

HERE = Path(__file__).parent


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("5: (85) call 1", "4.9 or older"),
        (" R0=map_value(ks=8,vs=16) R10=fp", "4.9 or older"),
        (" R0=inv1 R10=fp0,call_-1", "4.16 to 5.3"),
        ("processed 8 insns, stack depth 0", "5.1 or older"),
        (" R0=inv(id=0) R10=fp0", "5.17 or older"),
        ("last_idx 15 first_idx 10", "5.3 to 6.4"),
        ("0: R1=ctx() R10=fp0", "5.18 or newer"),
        ("mark_precise: frame0: last_idx 3 first_idx 0 subseq_idx -1", "6.5 or newer"),
        ("; x = y; @ a.bpf.c:3", "6.9 or newer"),
        ("something else", ""),
    ],
)
def test_each_sign(line: str, told: str) -> None:
    assert str(age.of([line])) == told


def test_signs_are_taken_together() -> None:
    assert age.of([" R0=inv1 R10=fp0", "last_idx 1 first_idx 0"]) == Age((5, 3), (5, 17))


def test_signs_that_contradict_each_other_tell_nothing() -> None:
    assert age.of([" R0=inv1 R10=fp0", "; x = y; @ a.bpf.c:3"]) == Age()


@pytest.mark.parametrize("kernel", [(6, 1), (6, 12), (6, 18)])
def test_no_real_log_is_dated_wrongly(kernel: tuple[int, int]) -> None:
    logs = sorted((HERE / f"logs/{kernel[0]}.{kernel[1]}").glob("*.txt"))
    assert logs
    for log in logs:
        told = age.of(log.read_text().split("\n"))
        assert told.since is None or told.since <= kernel, log.name
        assert told.until is None or told.until >= kernel, log.name
