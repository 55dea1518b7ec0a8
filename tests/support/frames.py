"""Hand-written frames, for tests of everything that reads frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from ebpftop.frames.columns import Array, intern, pack
from ebpftop.frames.messages import (
    Answer,
    AnyFrame,
    Catalog,
    Column,
    ColumnInfo,
    Columns,
    Cost,
    Detached,
    Events,
    Function,
    Hello,
    Loaded,
    Losses,
    Mark,
    ProbeInfo,
    Process,
    Processes,
    ProgramCost,
    Refused,
    Rejected,
    Snapshot,
    Stack,
    Stacks,
    Tried,
    ViewInfo,
)

SECOND = 1_000_000_000
EPOCH = 1_700_000_000 * SECOND  # realtime of the first snapshot

LATENCY = ViewInfo(
    name="latency",
    map="latency",
    show="histogram",
    title="Run queue latency",
    unit="ns",
    by=["tgid"],
    columns=[ColumnInfo(field="tgid", title="Process", decode="process")],
)
CALLS = ViewInfo(
    name="calls",
    map="calls",
    show="table",
    title="System calls",
    columns=[
        ColumnInfo(field="tgid", title="Process", decode="process"),
        ColumnInfo(field="nr", title="Call", decode="syscall"),
        ColumnInfo(field="count", title="Calls", unit="count", role="counter"),
        ColumnInfo(field="last_ns", title="Last", unit="ns", role="gauge"),
    ],
    sort="count",
)
EXECS = ViewInfo(
    name="execs",
    map="events",
    show="events",
    title="Programs started",
    columns=[
        ColumnInfo(field="tgid", title="Process", decode="process"),
        ColumnInfo(field="args", title="Arguments", decode="string"),
        ColumnInfo(field="errno", title="Error", decode="errno"),
    ],
)
SAMPLES = ViewInfo(
    name="samples",
    map="counts",
    show="stacks",
    title="CPU samples",
    unit="count",
    by=["tgid"],
    columns=[ColumnInfo(field="tgid", title="Process", decode="process")],
)

TIMED = msgspec.structs.replace(SAMPLES, moments="moments")


def moments(run: int, *samples: tuple[int, int, int, int], losses: Losses | None = None) -> Events:
    """Samples of `TIMED`: (monotonic ns, CPU, identity of the process, number of the stack)."""
    time, cpu, process, stack = zip(*samples, strict=True)
    fields = columns(time=time, cpu=np.array(cpu, "<u4"), tgid=np.array(process, "<u4"), stack=np.array(stack, "<u4"))
    return Events(run=run, map="moments", columns=fields, count=len(samples), losses=losses or Losses())


def columns(**fields: Sequence[Any] | Array) -> Columns:
    """Lists of texts become dictionary columns, lists of numbers `<u8`; arrays stay unchanged."""
    return pack({name: _column(values) for name, values in fields.items()})


def _column(values: Sequence[Any] | Array) -> Array | Column:
    if isinstance(values, np.ndarray):
        return values
    if values and isinstance(values[0], str):
        return intern(np.array(values, object))
    return np.array(values, "<u8")


def hello(**changes: Any) -> Hello:
    fields = {
        "version": "0.1.0",
        "host": "web-03",
        "kernel": "6.12.0",
        "machine": "x86_64",
        "cpus": 8,
        "boot_realtime_ns": EPOCH - 3600 * SECOND,
    }
    return Hello(**(fields | changes))


def probe(id: str, views: Sequence[ViewInfo] = (), **changes: Any) -> ProbeInfo:
    category, _, name = id.partition("/")
    fields = {
        "title": name.capitalize(),
        "summary": f"What {name} does.",
        "category": category,
        "question": f"Is it {name}?",
        "overhead": "low",
        "params": [],
        "views": list(views),
        "source": "int on_event(void *ctx) { return 0; }\n",
        "available": True,
    }
    return ProbeInfo(id=id, **(fields | changes))


def catalog(*probes: ProbeInfo) -> Catalog:
    return Catalog(probes=list(probes))


def answering(frame: AnyFrame, request: int) -> AnyFrame:
    """The frame with this request number, if it is an answer that has none yet."""
    unset = isinstance(frame, Answer | Refused) and not frame.request
    return msgspec.structs.replace(frame, request=request) if unset else frame


def loaded(run: int, id: str, *views: ViewInfo, **changes: Any) -> Loaded:
    fields = {"params": {}, "variant": "raw", "meaning": "exact", "attached": ["raw_tracepoint:sched_switch"]}
    return Loaded(run=run, probe=id, views=list(views), **(fields | changes))


def mark(text: str, at: float, **changes: Any) -> Mark:
    """A mark `at` seconds after the first snapshot."""
    passed = round(at * SECOND)
    clocks = {
        "realtime_ns": EPOCH + passed,
        "monotonic_ns": 1000 * SECOND + passed,
        "boottime_ns": 3600 * SECOND + passed,
    }
    return Mark(text=text, **(clocks | changes))


def snapshot(run: int, seq: int, maps: Mapping[str, Columns], *, at: float | None = None, **losses: int) -> Snapshot:
    """A snapshot `at` seconds (by default `seq`) after the first."""
    passed = round((seq if at is None else at) * SECOND)
    return Snapshot(
        run=run,
        seq=seq,
        realtime_ns=EPOCH + passed,
        monotonic_ns=1000 * SECOND + passed,
        boottime_ns=3600 * SECOND + passed,
        maps=dict(maps),
        losses=Losses(**losses),
    )


def events(run: int, name: str, rows: Columns, **losses: int) -> Events:
    first = next(iter(rows.values()))
    count = len(first.data) // np.dtype(first.dtype).itemsize
    return Events(run=run, map=name, columns=rows, count=count, losses=Losses(**losses))


def stacks(each: Mapping[int, Sequence[str]]) -> Stacks:
    """Stacks by their numbers, functions by name: `f_[k]` is one of the kernel, `[why]` a missing one, "" an unknown
    one in /lib/libc.so.6; the others are in /bin/app.
    """
    names = sorted({name for stack in each.values() for name in stack})
    functions = [_function(number, name) for number, name in enumerate(names)]
    return Stacks(
        functions=functions,
        stacks=[Stack(id=key, functions=[names.index(name) for name in stack]) for key, stack in each.items()],
    )


def _function(number: int, name: str) -> Function:
    if name.endswith("_[k]"):
        return Function(id=number, side="kernel", name=name.removesuffix("_[k]"), offset=16 * number)
    if name.startswith("["):
        return Function(id=number, side="missing", name=name[1:-1])
    return Function(id=number, side="user", name=name, module="/bin/app" if name else "/lib/libc.so.6", offset=number)


def samples(run: int, seq: int, counts: Mapping[tuple[int, int], int]) -> Snapshot:
    """`SAMPLES`: how often each (process, stack) was seen since attaching."""
    tgids, numbers = zip(*counts, strict=True) if counts else ((), ())
    stack = np.array(numbers, "<u4")
    rows = columns(tgid=np.array(tgids, "<u4"), stack=stack, count=list(counts.values()))
    return snapshot(run, seq, {"counts": rows})


def cost(run: int, at: float, run_count: int, run_time_ns: int, *, accounted: bool = True) -> Cost:
    program = ProgramCost(name="on_switch", run_count=run_count, run_time_ns=run_time_ns)
    return Cost(run=run, monotonic_ns=1000 * SECOND + round(at * SECOND), accounted=accounted, programs=[program])


def process(id: int, comm: str, **changes: Any) -> Process:
    """An identity whose tgid is 1000 more than its number."""
    fields = {"tgid": 1000 + id, "start_ns": id, "ppid": 1, "parent": "init", "command": f"/bin/{comm} --x"}
    return Process(id=id, comm=comm, **(fields | changes))


def processes(*each: Process) -> Processes:
    return Processes(processes=list(each))


def rejected(run: int, id: str, **changes: Any) -> Rejected:
    fields: dict[str, Any] = {
        "params": {},
        "stage": "verify",
        "error": "the kernel rejected the program: Permission denied",
        "variant": "raw",
        "function": "on_enter",
        "text": C,
        "log": LOG,
        "headers": {"ebpftop.h": "\n"},
        "places": [(0, 0, 17), (8, 0, 18), (10, 0, 19)],
        "tried": [Tried(variant="raw", reason="the kernel rejected the program: Permission denied")],
    }
    return Rejected(run=run, probe=id, **(fields | changes))


# The log as the kernel writes it for BCC's rewritten text.
LOG = """\
0: R1=ctx() R10=fp0
; u64 *count = bpf_map_lookup_elem((void *)bpf_pseudo_fd(1, -1), &pid); @ main.c:29
7: (85) call bpf_map_lookup_elem#1    ; R0=map_value_or_null(id=1,map=counts,ks=4,vs=8)
; *count += 1; @ main.c:30
8: (79) r1 = *(u64 *)(r0 +0)
R0 invalid mem access 'map_value_or_null'
processed 9 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
"""
C = "".join(f"line {n}\n" for n in range(1, 17)) + (
    "    u64 *count = counts.lookup(&pid);\n    *count += 1;\n    return 0;\n}\n"
)


def detached(run: int) -> Detached:
    return Detached(run=run)
