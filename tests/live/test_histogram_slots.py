"""The kernel's side of a histogram puts every value into the slot from which user space makes its bounds."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from ebpftop.stats.slots import SLOTS, bounds
from tests.support.probes import write_probe
from tests.support.tracing import any_kernel, trace
from tests.support.workloads import Worker

pytestmark = pytest.mark.bpf

# The first argument of getpgid(2), which harms nothing whatever it is.
SOURCE = """
#include "ebpftop.h"
BPF_PERCPU_ARRAY(values, u64, LL_SLOTS);

int on_enter(struct bpf_raw_tracepoint_args *ctx)
{
    struct pt_regs *regs = (struct pt_regs *)ctx->args[0];
    if (ctx->args[1] != 121 || !wanted_current())
        return 0;
    u32 slot = ll_slot(READ(regs, di));
    u64 *count = values.lookup(&slot);
    if (count)
        *count += 1;
    return 0;
}
"""
PARAMS = '[params.pid]\ntype = "pid"\nhelp = "only this process"\n'
VIEW = '\n[[views]]\nmap = "values"\nshow = "histogram"\n'
ASK = """
import ctypes
libc = ctypes.CDLL(None)
values = [ctypes.c_uint64(int(value)) for value in sys.argv[1:]]
def work():
    for value in values: libc.syscall(121, value)
"""
VALUES = sorted(
    {value for value in range(70)}
    | {(1 << power) + step for power in range(3, 64) for step in (-1, 0, 1)}
    | {(odd << power) - step for power in range(60) for odd in (9, 11, 13, 15) for step in (0, 1)}
    | {(1 << 64) - 1, (1 << 64) - 2}
)


@any_kernel
def test_every_value_falls_between_the_bounds_of_its_slot(tmp_path: Path) -> None:
    write_probe(tmp_path, "made/slots", params=PARAMS, view=VIEW, source=SOURCE)
    with Worker(ASK, *VALUES) as worker, trace("made/slots", probes=tmp_path, pid=worker.pid) as traced:
        worker.work()
    buckets = [bounds(slot) for slot in range(SLOTS)]
    expected = Counter(next((low, high) for low, high in buckets if low <= value < high) for value in VALUES)
    assert traced.buckets("values") == expected
