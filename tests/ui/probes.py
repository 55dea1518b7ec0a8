"""A small catalog, and frames of its probes: like run queue latency, system calls, new programs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from ebpftop.frames.messages import ColumnInfo, Events, ParamInfo, Snapshot, ViewInfo
from ebpftop.stats.slots import slot_of
from tests.support.frames import LATENCY, columns, events, probe, snapshot

BY_PROCESS = ViewInfo(
    name="by process",
    map="by_process",
    show="table",
    title="System calls by process",
    sort="count",
    columns=[
        ColumnInfo(field="tgid", title="process", decode="process"),
        ColumnInfo(field="count", title="calls", unit="count", role="counter"),
        ColumnInfo(field="total_ns", title="time", unit="ns", role="counter"),
    ],
)
BY_CALL = ViewInfo(
    name="by call",
    map="by_call",
    show="table",
    title="System calls by name",
    sort="count",
    columns=[
        ColumnInfo(field="nr", title="call", decode="syscall"),
        ColumnInfo(field="count", title="calls", unit="count", role="counter"),
    ],
)
EXECS = ViewInfo(
    name="execs",
    map="events",
    show="events",
    title="New programs",
    columns=[
        ColumnInfo(field="tgid", title="process", decode="process"),
        ColumnInfo(field="path", title="program", decode="string"),
    ],
)
NULL_C = """// A map value used unchecked.
BPF_HASH(counts, u32, u64);

int on_enter(void *ctx)
{
    u32 pid = 1;
    u64 *count = counts.lookup(&pid);
    *count += 1;
    return 0;
}
"""
NULL_LOG = """0: R1=ctx() R10=fp0
; u32 pid = 1;
0: (b7) r1 = 1                        ; R1_w=1
1: (63) *(u32 *)(r10 -4) = r1         ; R1_w=1 R10=fp0 fp-8=1
; u64 *count = counts.lookup(&pid);
2: (18) r1 = 0xffff9fdb0a3c5400       ; R1_w=map_ptr(map=counts,ks=4,vs=8)
4: (85) call bpf_map_lookup_elem#1    ; R0_w=map_value_or_null(id=1,map=counts,ks=4,vs=8)
; *count += 1;
5: (79) r1 = *(u64 *)(r0 +0)
R0 invalid mem access 'map_value_or_null'
processed 6 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
"""
NULL_PLACES = [(0, 0, 6), (2, 0, 7), (5, 0, 8)]

PID = ParamInfo(name="pid", type="pid", help="only this process")
WHICH = ParamInfo(name="which", type="enum", help="which ones", default="all", choices=["all", "failed"])
RUNQLAT = probe(
    "cpu/runqlat", [LATENCY], title="Run queue latency", question="Is the CPU saturated?", params=[PID, WHICH]
)
SYSCOUNT = probe("cpu/syscount", [BY_PROCESS, BY_CALL], title="System calls", question="Who calls the kernel?")
EXECSNOOP = probe("cpu/execsnoop", [EXECS], title="New programs", question="What is started?")
VFSSTAT = probe("disk/vfsstat", title="File operations", available=False, reason="needs kprobes")
NULL_DEREF = probe("lab/null-deref", title="A value used unchecked", source=NULL_C, available=None, reason="ask root")
PROBES = (EXECSNOOP, RUNQLAT, SYSCOUNT, VFSSTAT, NULL_DEREF)
RUN = {info.id: number for number, info in enumerate(PROBES, 1)}  # the run each is loaded as


def latencies(seq: int, counts: Mapping[int, Mapping[int, int]]) -> Snapshot:
    """runqlat: for each process its values (ns) and how often they came since attaching."""
    rows = [(tgid, slot_of(ns), count) for tgid, values in counts.items() for ns, count in values.items()]
    tgids, slots, totals = zip(*rows, strict=True)
    return snapshot(
        RUN["cpu/runqlat"], seq, {"latency": columns(tgid=list(tgids), slot=list(slots), count=list(totals))}
    )


def calls(seq: int, counts: Mapping[int, int], by_call: Mapping[str, int] | None = None, **losses: int) -> Snapshot:
    """syscount: for each process its calls since attaching, 1 µs each."""
    totals = np.array(list(counts.values()), "<u8")
    names = by_call or {"read": 1}
    maps = {
        "by_process": columns(tgid=np.array(list(counts), "<u4"), count=totals, total_ns=totals * 1000),
        "by_call": columns(nr=list(names), count=list(names.values())),
    }
    return snapshot(RUN["cpu/syscount"], seq, maps, **losses)


def execs(rows: Iterable[tuple[int, str]]) -> Events:
    """execsnoop: process and program."""
    tgids, paths = zip(*rows, strict=True)
    return events(RUN["cpu/execsnoop"], "events", columns(tgid=list(tgids), path=list(paths)))
