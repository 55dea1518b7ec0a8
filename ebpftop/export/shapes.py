"""The shapes of what programs read of ours, as types: JSON schemas are made of them (`python -m tests.schemas`).

The objects themselves are made elsewhere, and every one that a test sees is held against its schema.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from ebpftop.export.triaged import Triage
from ebpftop.frames.messages import Holder, Losses, ViewInfo

Whole = Annotated[int, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0)] | None


class Shape(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """An object with these keys and no others; only those with a default may be missing."""


# ---------------------------------------------------------------- list, doctor, others, threads


class Param(Shape):
    """A probe's parameter. default: as a person would type it."""

    name: str
    type: str
    default: str | None
    help: str


class Probe(Shape):
    """A probe of the catalog. available: null if only root could tell; reason: why not, or why unknown.
    next: probes that tell more of what it finds.
    """

    id: str
    title: str
    summary: str
    category: str
    question: str
    overhead: str
    params: list[Param]
    views: list[ViewInfo]
    available: bool | None
    variant: str | None
    reason: str | None
    next: list[str]


class Check(Shape):
    """What was tried on this machine. remedy: empty if nothing needs to be done."""

    check: str
    ok: bool
    detail: str
    remedy: str


class Program(Shape):
    """A BPF program. loaded_at: ISO 8601. Costs are null while the kernel doesn't account them."""

    id: Whole
    name: str
    type: str
    tag: str
    own: bool
    holders: list[Holder]
    loaded_at: str
    run_count: Whole | None
    run_time_ns: Whole | None
    cpu_percent: Share
    events_per_second: Share
    average_ns: Share
    jited_bytes: Whole
    translated_bytes: Whole


class PlaceStack(Shape):
    """How many threads of a place have a stack; functions: innermost first."""

    count: Whole
    functions: list[str]


class Thread(Shape):
    """A thread. call: the system call it is in, as written. age_ns: for which it has not run at least."""

    tid: Whole
    pid: Whole
    comm: str
    process: str
    call: str | None
    age_ns: Whole | None


class ThreadsPlace(Shape):
    """Threads that are in one place."""

    count: Whole
    state: str
    call: str | None
    target: str | None
    waits: str | None
    age_ns: Whole | None
    stacks: list[PlaceStack]
    threads: list[Thread]


# ---------------------------------------------------------------- explain, and failures in streams


class Source(Shape):
    """A line of C; file and line are null if the log has none."""

    file: str | None
    line: Whole | None
    text: str


class Step(Shape):
    """What led to a failure; the last one is the rejected instruction."""

    insn: Whole | None
    text: str
    why: str


class ReportEvent(Shape):
    """A place that the kernel's own report points at."""

    insn: Whole | None
    text: str
    file: str
    line: Whole | None
    source: str
    said: str


class KernelReport(Shape):
    """The kernel's own report of a failure, where it writes one."""

    category: str
    problem: str
    reason: str
    at: ReportEvent | None
    causal_path: list[ReportEvent]
    suggestion: str


class Tried(Shape):
    """A variant that was passed over."""

    variant: str
    reason: str


class Failure(Shape):
    """A program that the verifier rejected, or a probe that could not be loaded: that has all keys."""

    kind: str
    message: str
    program: str
    insn: Whole | None
    source: Source | None
    explanation: str
    fix: str | None
    registers: dict[str, str]
    chain: list[Step]
    kernel_report: KernelReport | None
    fault: str
    kernel: str
    probe: str | msgspec.UnsetType = msgspec.UNSET
    stage: str | msgspec.UnsetType = msgspec.UNSET
    result: str | msgspec.UnsetType = msgspec.UNSET
    variant: str | msgspec.UnsetType | None = msgspec.UNSET
    tried: list[Tried] | msgspec.UnsetType = msgspec.UNSET
    log: str | msgspec.UnsetType = msgspec.UNSET


# ---------------------------------------------------------------- run, report and tape export: a line each


class Cost(Shape):
    """Since attaching; cpu_percent is the interval's, null where the kernel doesn't count. attachment_ns: estimated."""

    run_count: Whole
    run_time_ns: Whole
    attachment_ns: Whole
    cpu_percent: Share


class Scope(Shape):
    """What a view is about, where that isn't an interval. Times are null where there is no sample."""

    rows: list[str]
    from_ns: int | None
    to_ns: int | None
    seconds: float


Bounds = Annotated[list[Whole], Meta(min_length=2, max_length=2)]  # lo <= v < hi
Cell = Any  # a number, a text, true, false or null


class Series(Shape):
    """The histogram of one key. buckets: (lo, hi, count), lo <= v < hi. Percentiles are bounds of the same kind."""

    labels: dict[str, Cell]
    count: Whole
    buckets: list[Annotated[list[Whole], Meta(min_length=3, max_length=3)]]
    p50: Bounds | msgspec.UnsetType = msgspec.UNSET
    p90: Bounds | msgspec.UnsetType = msgspec.UNSET
    p99: Bounds | msgspec.UnsetType = msgspec.UNSET


class HistogramView(Shape, tag_field="kind", tag="histogram"):
    """unit: of the values."""

    unit: str
    series: list[Series]
    scope: Scope | msgspec.UnsetType = msgspec.UNSET


class ViewColumn(Shape):
    """A column of rows."""

    name: str
    unit: str


class TableView(Shape, tag_field="kind", tag="table"):
    """rows: a cell a column."""

    columns: list[ViewColumn]
    rows: list[list[Cell]]
    scope: Scope | msgspec.UnsetType = msgspec.UNSET


class EventsView(Shape, tag_field="kind", tag="events"):
    """rows: a cell a column, oldest first."""

    columns: list[ViewColumn]
    rows: list[list[Cell]]
    scope: Scope | msgspec.UnsetType = msgspec.UNSET


class StackFrame(Shape):
    """A function. name: empty where no symbol is known, in brackets why there is none (`[stripped]`); of a missing one
    it says why the rest of the stack is not there.
    """

    name: str
    module: str
    offset: Whole
    side: Literal["kernel", "user", "python", "missing"]
    symbol: str | msgspec.UnsetType = msgspec.UNSET
    file: str | msgspec.UnsetType = msgspec.UNSET
    line: Whole | msgspec.UnsetType = msgspec.UNSET


class CallStack(Shape):
    """frames: outermost first."""

    labels: dict[str, Cell]
    frames: list[StackFrame]
    count: int


class StacksView(Shape, tag_field="kind", tag="stacks"):
    """unit: of the counts."""

    unit: str
    stacks: list[CallStack]
    scope: Scope | msgspec.UnsetType = msgspec.UNSET


class Interval(Shape):
    """What a probe counted in an interval. Losses are since attaching."""

    probe: str
    variant: str
    meaning: str
    seq: Whole
    time_ns: Whole
    lost: Whole
    map_full: Whole
    evicted: Whole
    cost: Cost
    views: dict[str, HistogramView | TableView | EventsView | StacksView]


class MarkText(Shape, rename={"origin": "from"}):
    """A moment with a name."""

    time_ns: Whole
    text: str
    origin: Literal["person", "outside", "trigger"]


class Marked(Shape):
    """A line that is a mark."""

    mark: MarkText


class Failed(Shape):
    """The only line of a probe that could not be loaded."""

    failed: Failure


# ---------------------------------------------------------------- compare


class Side(Shape):
    """One of the two spans; times are what samples cover."""

    tape: str
    host: str
    kernel: str
    from_ns: int
    to_ns: int


Value = float | Bounds | None


class Change(Shape):
    """A rate, a value of the moment, or the bounds of a percentile. changed: null where nobody can tell."""

    before: Value
    after: Value
    changed: bool | None


class ComparedRow(Shape):
    """numbers: by name."""

    labels: dict[str, Cell]
    numbers: dict[str, Change]


Two = Annotated[list[float], Meta(min_length=2, max_length=2)]  # before and after


class ComparedRows(Shape):
    """others: rows that gained less than all of these. by: the dimension by which rows are summed."""

    unit: str
    seconds: Two
    steps: Two
    rows: list[ComparedRow]
    others: Whole
    by: str | msgspec.UnsetType = msgspec.UNSET


class ComparedTable(ComparedRows, tag_field="kind", tag="table"):
    """Rows of a table."""


class ComparedEvents(ComparedRows, tag_field="kind", tag="events"):
    """Events, counted."""


class ComparedHistogram(ComparedRows, kw_only=True, tag_field="kind", tag="histogram"):
    """whole: of all rows together. buckets: (lo, hi, values before, values after)."""

    whole: dict[str, Change]
    buckets: list[Annotated[list[Whole], Meta(min_length=4, max_length=4)]]


class Shares(Shape):
    """Percent of each span's stacks."""

    before: float | None
    after: float | None


class ComparedFunction(Shape):
    """own: stacks that end in it. total: those that hold it."""

    function: str
    module: str
    side: str
    own: Shares
    total: Shares


class ComparedStacks(Shape, tag_field="kind", tag="stacks"):
    """values: how many there were."""

    unit: str
    seconds: Two
    values: Two
    functions: list[ComparedFunction]


class ComparedProbe(Shape):
    """differences: what besides the numbers differs, in words."""

    probe: str
    differences: list[str]
    views: dict[str, ComparedTable | ComparedEvents | ComparedHistogram | ComparedStacks]


class Comparison(Shape):
    """Two spans beside each other."""

    before: Side
    after: Side
    differences: list[str]
    only_before: list[str]
    only_after: list[str]
    probes: list[ComparedProbe]


# ---------------------------------------------------------------- tape info


class TapeView(Shape):
    """Bytes of a map or a ring buffer, before compression."""

    views: list[str]
    map: str
    bytes: Whole


class TapeProbe(Shape):
    """A run. failed: why it was not loaded, or ended."""

    run: int
    probe: str
    params: dict[str, str]
    variant: str
    loaded_s: float | None
    ended_s: float | None
    failed: str | None
    snapshots: Whole
    events: Whole
    losses: Losses
    views: list[TapeView]


class TapeMark(Shape):
    """at_s: seconds after the tape's beginning."""

    at_s: float
    text: str


class Tape(Shape):
    """What is on a tape. complete: whether it is whole; problem: else why not."""

    file: str
    bytes: Whole
    format: Whole
    index: bool
    keys: Whole
    complete: bool
    problem: str | None
    host: str | None
    kernel: str | None
    machine: str | None
    cpus: Whole | None
    version: str | None
    began_ns: Whole | None
    seconds: float
    probes: list[TapeProbe]
    marks: list[TapeMark]
    sizes: dict[str, Whole]


# By name: whose output it is, and the types of which it is one.
SHAPES: dict[str, tuple[str, tuple[Any, ...]]] = {
    "compare": ("What 'ebpftop compare --json' prints.", (Comparison,)),
    "doctor": ("What 'ebpftop doctor --json' prints.", (list[Check],)),
    "explain": ("Each line that 'ebpftop explain --json' prints.", (Failure,)),
    "list": ("What 'ebpftop list --json' prints.", (list[Probe],)),
    "others": ("What 'ebpftop others --json' prints.", (list[Program],)),
    "run": (
        "Each line of 'ebpftop run', 'tape export' and 'report' with --format json.",
        (Interval, Marked, Failed),
    ),
    "tape-info": ("Each line that 'ebpftop tape info --json' prints.", (Tape,)),
    "threads": ("What 'ebpftop threads --json' prints.", (list[ThreadsPlace],)),
    "triage": ("What 'ebpftop triage --json' prints.", (Triage,)),
}


def schema(name: str) -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of an output."""
    what, types = SHAPES[name]
    tops, parts = msgspec.json.schema_components(types)
    found = tops[0] if len(tops) == 1 else {"anyOf": [*tops]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"ebpftop {name}",
        "description": what,
        **found,
        "$defs": parts,
    }
