"""The probe of irq/ counts the soft interrupts that the kernel counts."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.tracing import trace
from support.workloads import Worker

pytestmark = pytest.mark.bpf

SLEEP = "import time\ndef work():\n    for _ in range(211): time.sleep(0.001)"


def softirqs() -> dict[str, int]:
    """Soft interrupts of each kind since boot, over all CPUs, see proc(5)."""
    lines = Path("/proc/softirqs").read_text().splitlines()[1:]
    return {kind.strip(): sum(map(int, counts.split())) for kind, _, counts in (line.partition(":") for line in lines)}


def test_soft_interrupts_are_those_of_proc() -> None:
    with Worker(SLEEP) as worker:
        before = softirqs()
        with trace("irq/softirqs") as traced:
            first = softirqs()
            worker.work()
            last = softirqs()
        after = softirqs()
    assert last["TIMER"] > first["TIMER"]
    for kind in before:
        ran = traced.count("run time", vector=kind)
        # one may be running, counted but not ended, on each end
        assert last[kind] - first[kind] - 1 <= ran <= after[kind] - before[kind] + 1, kind
        assert traced.count("delay", vector=kind) <= ran + 1, kind
    assert traced.count("delay", vector="TIMER") >= last["TIMER"] - first["TIMER"] - 1
    assert traced.losses() == {}
