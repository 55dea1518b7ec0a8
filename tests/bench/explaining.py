"""Explaining a log of a million lines, against reading it line by line; then both as whole processes."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from ebpftop.verifier.failures import failures
from tests.bench.table import Row, interleaved, mib, ms

LINES = 1_000_000
ROUNDS = 9
MEMORY = 200 << 20  # bytes
READS = "import sys\nfor line in open(sys.argv[1]): pass\n"
STEP = (
    "; sum += values[i]; @ long.bpf.c:%d\n"
    "%d: (0f) r1 += r2                     ; R1_w=scalar(smin=0,smax=umax=0xffffffff,var_off=(0x0; 0xffffffff)) R2=2\n"
)
FAILURE = (
    "; *count += sum; @ long.bpf.c:70\n"
    "6000: (85) call bpf_map_lookup_elem#1    ; R0_w=map_value_or_null(id=1,map=counts,ks=4,vs=8)\n"
    "6001: (79) r1 = *(u64 *)(r0 +0)\n"
    "R0 invalid mem access 'map_value_or_null'\n"
    f"processed {LINES // 2} insns (limit 1000000) max_states_per_insn 4 total_states 9 peak_states 9 mark_read 5\n"
)


def rows() -> list[Row]:
    """Times, one after the other in turn, and the most memory a process of each held."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        write(log)
        explain = [sys.executable, "-m", "ebpftop", "explain", "--json", str(log)]
        read = [sys.executable, "-c", READS, str(log)]
        most = run(explain)  # which warms the page cache too
        inside = interleaved(ROUNDS, lambda: explained(log), lambda: lines(log))
        whole = interleaved(ROUNDS, lambda: run(explain), lambda: run(read))
        what, peer = f"explain a log of {LINES:,} lines", "reading it line by line"
        return [
            Row(what, inside[0], peer, inside[1], ms, target=3.0),
            Row(f"{what}, the whole process", whole[0], peer, whole[1], ms),
            Row(
                f"{what}, most memory",
                [most],
                unit=mib,
                note=f"≤ {mib(MEMORY)} {'met' if most <= MEMORY else 'MISSED'}",
            ),
        ]


def explained(log: Path) -> None:
    with log.open("rb", buffering=0) as stream:
        (failure,) = failures(stream)
    assert failure.insn == 6001


def lines(log: Path) -> None:
    with log.open() as file:
        for _ in file:
            pass


def write(log: Path) -> None:
    """A log of `LINES` lines: half comments, half instructions with what is known behind them."""
    with log.open("w") as file:
        file.write("func#0 @0\n0: R1=ctx() R10=fp0\n")
        for number in range((LINES - FAILURE.count("\n") - 2) // 2):
            file.write(STEP % (number % 60 + 10, number % 5_990 + 1))
        file.write(FAILURE)


def run(command: list[str]) -> float:
    """Run to the end; the most memory it held, in bytes, or this process where that holds more."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as running:
        _, status, used = os.wait4(running.pid, 0)
        running.returncode = os.waitstatus_to_exitcode(status)
    assert running.returncode == 0, command
    return used.ru_maxrss * 1024.0
