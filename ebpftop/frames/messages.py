"""The messages: all that a dashboard, a headless run, a tape or an exporter receives, and all it may request.

A *frame* travels from a source to a consumer; a *request* travels back. Both are msgspec structs tagged with their
kind, so a stream of them can be decoded without knowing who wrote it. Values in maps are cumulative since the probe was
attached: differences and rates are the consumer's work (`ebpftop.stats`).
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

PROTOCOL = 1  # raised when an older reader could misread a newer writer
FOLDED = 0  # the identity into which rows of processes that ended long ago are added up, while their own rows leave
FIRST = 1  # the number of a run's first snapshot: all it holds was counted since attaching
UNKNOWN = (1 << 32) - 1  # the identity of a process that the kernel did not report; never described by a `Process`

Show = Literal["histogram", "table", "events", "stacks"]
Tells = Literal["", "wait", "idle", "trouble"]
Stage = Literal["queued", "types", "compile", "verify", "attach"]
FailedStage = Literal["compile", "fit", "limit", "verify", "attach", "load"]

# What decodes is a number a consumer can compute with: no NaN, no infinity, no date beyond all calendars.
Whole = Annotated[int, Meta(ge=0, lt=1 << 62)]
Measure = Annotated[float, Meta(ge=0.0, le=1e15)]
# Upper limits for every list: a few bytes of a tape must not become a list that fills the memory.
SOME = Meta(max_length=1 << 8)
FEW = Meta(max_length=1 << 12)
MANY = Meta(max_length=1 << 21)
Text = Annotated[str, Meta(max_length=1 << 18)]  # of a process


class Frame(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag=str.lower):
    """Base of what a source sends."""


class Request(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag=str.lower, forbid_unknown_fields=True):
    """Base of what a consumer requests. Never C, never a command, never a path to read: the only path, of a cgroup,
    is looked up among those of processes.
    """


# ---------------------------------------------------------------- probes as the consumer sees them


class ParamInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One parameter of a probe. `default` is text as a person would type it, None when unset means "no filter"."""

    name: str
    type: str
    default: str | None = None
    help: str = ""
    choices: Annotated[list[str], FEW] = []


class ColumnInfo(msgspec.Struct, frozen=True, kw_only=True):
    """How one field of a map's key or value, or of an event, is shown.

    `role`: `key` names what a row is about, `counter` only grows (a consumer shows its rate and its total), `gauge` is
    a value of the moment. `decode` says what the column holds already decoded: `process` columns hold identity numbers
    that `Processes` frames explain, every other decoded column is a dictionary column of labels. Where columns don't
    fit the screen, those with the lowest `priority` yield first, and of those the last one. given: the parameter and
    value, `by=thread`, with which alone the column exists; "" if it always does. A `thread` column holds numbers of
    threads of the row's process, 0 for those that have ended.
    """

    field: str
    title: str
    unit: str = ""
    role: Literal["key", "counter", "gauge"] = "key"
    decode: str | None = None
    hidden: bool = False
    priority: int = 0
    given: str = ""

    @property
    def is_process(self) -> bool:
        return self.decode == "process"


class ViewInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One way a map is drawn.

    histogram: the map's rows are (`by` fields…, `slot`, count); `unit` is the unit of the slot's value; `columns`
    describe the `by` fields. table: one row a key, `columns` in display order. events: one row an event, oldest first.
    stacks: the map's rows are (`by` fields…, `stack`, count), `stack` holds numbers that `Stacks` frames explain and
    `unit` is the unit of the count; in the kernel the fields `kernel` and `user` of the key (either may be missing, "")
    are numbers in the map `stacks`; with `gauge` the count is a value of the moment, else it only grows; where the
    view names a ring buffer `moments`, `Events` of it say of each sample its `time` (monotonic ns), `cpu`, process and
    `stack`. `sort` names the column a table starts sorted by. tells: what it means where there is much of it. wait: the
    ns are time for which somebody waited in vain; idle: the same, but of threads that may also have had nothing to do;
    trouble: each one went wrong; "": it may be good or bad.
    """

    name: str
    map: str
    show: Show
    title: str
    unit: str = ""
    by: Annotated[list[str], FEW] = []
    slot: str = "slot"
    count: str = "count"
    columns: Annotated[list[ColumnInfo], SOME] = []
    sort: str | None = None
    stacks: str = ""
    kernel: str = ""
    user: str = ""
    gauge: bool = False
    moments: str = ""
    tells: Tells = ""

    @property
    def process_field(self) -> str | None:
        """The field of the first process column."""
        return next((column.field for column in self.columns if column.is_process), None)

    @property
    def thread_field(self) -> str | None:
        """The field of numbers of threads."""
        return next((column.field for column in self.columns if column.decode == "thread"), None)

    @property
    def counters(self) -> list[str]:
        """The fields that only grow."""
        return [column.field for column in self.columns if column.role == "counter"]

    @property
    def by_columns(self) -> list[ColumnInfo]:
        """The columns of the `by` fields, in their order; a field that no column describes is shown as it is."""
        described = {column.field: column for column in self.columns}
        return [described.get(name) or ColumnInfo(field=name, title=name) for name in self.by]


class ProbeInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the catalog. `available` is None if only root could tell; `reason` says why not, or why unknown.

    file: the absolute path of the author's C where saving it loads the probe again, "" elsewhere and on a tape.
    revision: another one there, whenever what is loaded of the probe is another. next: probes that tell more of what
    this one finds.
    """

    id: str  # category/name
    title: str
    summary: str
    category: str
    question: str
    overhead: str
    params: Annotated[list[ParamInfo], FEW]
    views: Annotated[list[ViewInfo], SOME]
    source: str  # the author's C
    asks: bool = False  # it can't be loaded without parameters, which name what to trace
    readme: str = ""  # Markdown: when to use it, how to read it, caveats
    available: bool | None = None
    variant: str | None = None
    meaning: str | None = None
    reason: str | None = None
    file: Text = ""
    revision: Text = ""
    next: Annotated[list[Text], SOME] = []


class StepInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One probe of a playbook: its parameters, the view to show ("": the first), and the question it answers there."""

    probe: str
    question: str
    view: str = ""
    params: Annotated[dict[str, str], FEW] = {}


class PlaybookInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A named set of probes. A step may name a probe that the catalog hasn't. of_process: it is about one process.
    opens: the view of the machine that it begins with, before its probes: "threads", or "".
    """

    name: str
    title: str
    summary: str
    steps: Annotated[list[StepInfo], FEW]
    of_process: bool = False
    opens: str = ""


# ---------------------------------------------------------------- columns


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """`rows × itemsize` bytes of one dtype (NumPy's name, little endian: "<u8", "<i4", "S16").

    With `labels` the data are "<u4" indices into them (a dictionary column). Labels are hostile text: show them inert.
    """

    dtype: str
    data: bytes
    labels: Annotated[list[Text], MANY] | None = None


Columns = Annotated[dict[str, Column], SOME]


class Losses(msgspec.Struct, frozen=True, kw_only=True):
    """Losses that a run's numbers don't include, cumulative since attaching.

    lost: events a full ring buffer refused, or a slow consumer skipped. map_full: updates a full map refused.
    evicted: keys the kernel dropped from an LRU map. missed: program runs the kernel skipped (recursion).
    """

    lost: Whole = 0
    map_full: Whole = 0
    evicted: Whole = 0
    missed: Whole = 0


# ---------------------------------------------------------------- frames


class Hello(Frame, frozen=True, kw_only=True):
    """First frame of a stream, and of a tape."""

    protocol: int = PROTOCOL
    version: str  # of the writer
    host: str
    kernel: str
    machine: str
    cpus: Whole
    boot_realtime_ns: Whole  # realtime of boot: realtime = boot_realtime_ns + boottime
    live: bool = True
    user: Text = ""


class Catalog(Frame, frozen=True, kw_only=True):
    probes: Annotated[list[ProbeInfo], FEW]
    problems: Annotated[list[str], FEW] = []  # folders that could not be read and names that don't exist, one line each
    playbooks: Annotated[list[PlaybookInfo], FEW] = []


# What answers a `Load` begins with four fields: `request` is its number, 0 on a tape that an older version wrote; `run`
# the number of the load itself, by which every later frame knows it. Two equal requests are two runs.


class Loading(Frame, frozen=True, kw_only=True):
    """A load makes progress. `stages` holds (stage, milliseconds) of those already done."""

    request: Whole = 0
    run: int
    probe: str
    params: Annotated[dict[str, str], FEW]
    stage: Stage
    stages: Annotated[list[tuple[str, Measure]], FEW] = []


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """A variant that was passed over, and why."""

    variant: str
    reason: str


class Attached(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of a load that succeeded."""

    variant: str
    meaning: str
    views: Annotated[list[ViewInfo], SOME]
    attached: Annotated[list[str], FEW]  # "raw_tracepoint:sched_switch", …
    points: Annotated[list[str], FEW] = []  # names of the numbers that bpf_get_attach_cookie() gives the programs
    tried: Annotated[list[Tried], FEW] = []
    stages: Annotated[list[tuple[str, Measure]], FEW] = []
    instructions: Whole = 0  # of all programs, after rewriting
    map_bytes: Whole = 0  # stated upper bound of the memory the maps may take
    notes: Annotated[list[str], FEW] = []


class Failed(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of a load that failed: facts. The side that shows them explains them (`model.failure`).

    stage: "compile", "fit" (the C compiles, but doesn't fit the manifest), "limit" (it needs too much), "verify",
    "attach", or "load" where the loader itself ended early. error: one line. text: the author's C. log: the verifier's
    log or the compiler's output, as it came. function: the C function whose program was rejected. places: where another
    line begins, as (instruction, file, line) in ascending order; file 0 is the author's C, file n the nth of `headers`,
    which holds the shared C by name.
    """

    stage: FailedStage
    error: str
    variant: str | None = None
    function: str | None = None
    text: str = ""
    log: str = ""
    places: Annotated[list[tuple[Whole, Whole, Whole]], MANY] = []
    headers: Annotated[dict[str, str], FEW] = {}
    tried: Annotated[list[Tried], FEW] = []


class Loaded(Frame, Attached, frozen=True, kw_only=True):
    """A probe is attached; its first snapshot follows at once."""

    request: Whole = 0
    run: int
    probe: str
    params: Annotated[dict[str, str], FEW]


class Rejected(Frame, Failed, frozen=True, kw_only=True):
    """A load failed."""

    request: Whole = 0
    run: int
    probe: str
    params: Annotated[dict[str, str], FEW]


Answer = Loading | Loaded | Rejected


class Refused(Frame, frozen=True, kw_only=True):
    """A `Load` that could not be granted (unknown probe, wrong parameter): one clear line."""

    request: Whole = 0
    error: str


class Snapshot(Frame, frozen=True, kw_only=True):
    """All displayed maps of one run at one moment. A consumer may skip any but the first and the last.

    seq: ascends from `FIRST` on. Who sees another one first, as on a part of a tape, takes it for a base: what it holds
    was counted before.
    """

    run: int
    seq: Whole
    realtime_ns: Whole
    monotonic_ns: Whole
    boottime_ns: Whole
    maps: Annotated[dict[str, Columns], SOME]
    losses: Losses = Losses()


class RowChanges(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How the rows of one map changed, in this order: `labels` become known, the rows `gone` are removed, `gains`
    change values of the rows `at`, and the rows `born` follow at the end.

    types: of all columns, in a key change. gone, at: ascending row numbers, each as the distance from the one before
    (from -1). gains: of a column of integers what is added, else the new values; `at` names a row for each. Columns of
    texts hold numbers of their labels, which are counted from the last key change on.
    """

    types: Annotated[dict[str, str], SOME] = {}
    labels: Annotated[dict[str, Annotated[list[Text], MANY]], SOME] = {}
    gone: Column | None = None
    at: Column | None = None
    gains: Columns = {}
    born: Columns = {}


class Changes(Frame, frozen=True, kw_only=True):
    """A snapshot as sockets and tapes hold it (`frames.changes`): its difference from the one written before, or all of
    it, if it is a `key` change. Maps that did not change are left out.
    """

    run: int
    seq: Whole
    realtime_ns: Whole
    monotonic_ns: Whole
    boottime_ns: Whole
    key: bool
    rows: Annotated[dict[str, RowChanges], SOME]
    losses: Losses = Losses()


class Events(Frame, frozen=True, kw_only=True):
    """Records drained from one ring buffer since the last such frame, oldest first. Never skipped silently."""

    run: int
    map: str
    columns: Columns
    count: Whole
    losses: Losses = Losses()


class ProgramCost(msgspec.Struct, frozen=True, kw_only=True):
    """Kernel accounting of one program since attaching; both are 0 while statistics are off.

    attachment_ns: an estimate of what it adds to a call that the program is attached to at all, which the kernel does
    not account (a uprobe's breakpoint takes far longer than its program); 0 where that is little.
    """

    name: str
    run_count: Whole
    run_time_ns: Whole
    attachment_ns: Whole = 0


class RingUse(msgspec.Struct, frozen=True, kw_only=True):
    """A ring buffer: bytes it has, and the most that ever waited in it. What doesn't fit is counted as lost."""

    map: str
    size: Whole
    most: Whole


class Cost(Frame, frozen=True, kw_only=True):
    """What a run's programs cost the machine: the programs' own time, without the cost of the attachment itself."""

    run: int
    monotonic_ns: Whole
    accounted: bool = msgspec.field(name="statistics")  # whether the kernel accounts run times
    programs: Annotated[list[ProgramCost], FEW]
    rings: Annotated[list[RingUse], SOME] = []


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """One identity (tgid, start). Text is hostile. `ended_ns` is boottime; None while it lives. own: it is ours.

    cgroup: the path that says most of it. container, pod, image: how the container's runtime calls what that path leads
    to, "" where it doesn't or nobody knows (any more); a pod with its namespace, `shop/cart-0`. nspid: its pid in
    its own pid namespace, 0 where that is no other one.
    """

    id: Whole
    tgid: Whole
    start_ns: Whole
    ppid: Whole = 0
    parent: Text = ""
    comm: Text = ""
    command: Text = ""
    user: Text = ""
    cgroup: Text = ""
    container: Text = ""
    pod: Text = ""
    image: Text = ""
    ended_ns: Whole | None = None
    own: bool = False
    nspid: Whole = 0


class Processes(Frame, frozen=True, kw_only=True):
    """New or changed identities; `id` is what `process` columns hold."""

    processes: Annotated[list[Process], MANY]


class Function(msgspec.Struct, frozen=True, kw_only=True):
    """Where a return address lies. Text is hostile. `name` is "" while no symbol is known; `offset` is that of the
    address in the symbol, else in the module. missing: a place for addresses that were not kept, and `name` says why.
    python: a function that CPython interprets, `module` the end of its file's path.
    symbol: the name as compilers write it, where that is another. file, line: where the address is in the source, as
    debugging information has it; "" and 0 where that isn't known. Code that was inlined has its own.
    """

    id: Whole
    side: Literal["kernel", "user", "python", "missing"]
    name: Text = ""
    module: Text = ""
    offset: Whole = 0
    symbol: Text = ""
    file: Text = ""
    line: Whole = 0


class Stack(msgspec.Struct, frozen=True, kw_only=True):
    """One call stack: numbers of functions, outermost first, user's before the kernel's."""

    id: Whole
    functions: Annotated[list[Whole], FEW]


class Stacks(Frame, frozen=True, kw_only=True):
    """New stacks, and new or changed functions (a symbol may be found later): `id` is what they are known by."""

    functions: Annotated[list[Function], MANY] = []
    stacks: Annotated[list[Stack], MANY] = []


class Pressure(msgspec.Struct, frozen=True, kw_only=True):
    """For how long some tasks have waited for a resource, and for how long all of them at once; since boot, or since
    the cgroup was made.
    """

    some_ns: Whole
    full_ns: Whole


class Host(Frame, frozen=True, kw_only=True):
    """The machine itself, in percent and as the load average of one minute; once a second.

    own_ns: CPU time that the collector and the root side have used so far; None on a tape that doesn't hold it.
    pressure: by resource (cpu, memory, io), none where the kernel doesn't account it. cgroup_pressure: that of
    `cgroup`, which `Watch` named; "" if none. Text is hostile.
    """

    realtime_ns: Whole
    cpu_percent: Measure
    memory_percent: Measure
    load: Measure
    own_ns: Whole | None = None
    pressure: Annotated[dict[str, Pressure], SOME] = {}
    cgroup: Text = ""
    cgroup_pressure: Annotated[dict[str, Pressure], SOME] = {}


class HostState(msgspec.Struct, frozen=True, kw_only=True):
    """One of several hosts. Text is hostile.

    name: as it is called in rows. heard_ns: realtime, when the last frame came. problem: why it is lost. host, kernel:
    as it says itself. ahead_ns: by how much its clock is ahead of the stream's. way_ns: how long an answer takes at
    best. load: what it said of itself last.
    """

    name: Text
    state: Literal["connecting", "live", "late", "lost"]
    heard_ns: Whole
    problem: Text = ""
    host: Text = ""
    kernel: Text = ""
    cpus: Whole = 0
    ahead_ns: Annotated[int, Meta(gt=-1 << 62, lt=1 << 62)] = 0
    way_ns: Whole = 0
    load: Host | None = None


class Hosts(Frame, frozen=True, kw_only=True):
    """The hosts of a stream that comes from several, once a second."""

    realtime_ns: Whole
    hosts: Annotated[list[HostState], SOME]


class Pong(Frame, frozen=True, kw_only=True):
    """The clocks, as `Ping` asked for them. No part of a recording."""

    number: Whole
    realtime_ns: Whole
    monotonic_ns: Whole
    boottime_ns: Whole


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """A process with a descriptor of a program, or of a link to it. Text is hostile."""

    pid: Whole
    comm: Text


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """A BPF program in the kernel, whoever loaded it. Text is hostile.

    loaded_ns: boottime. run_time_ns, run_count: since loading, while the kernel accounts run times. jited, translated:
    bytes of machine code and of BPF. holders: none if it is pinned, or attached to something that keeps it. own:
    whether ebpftop holds it.
    """

    id: Whole
    name: Text
    type: Text
    tag: Text
    loaded_ns: Whole
    run_time_ns: Whole
    run_count: Whole
    jited: Whole
    translated: Whole
    holders: Annotated[list[Holder], FEW] = []
    own: bool = False


class Programs(Frame, frozen=True, kw_only=True):
    """All BPF programs of the machine at one moment, as `ReadPrograms` requested it.

    accounted_since_ns: monotonic, since when the kernel has accounted run times without a break; None if it doesn't.
    whole: whether all descriptors of all processes were looked at. error: why there are none, else "".
    """

    monotonic_ns: Whole
    boottime_ns: Whole
    accounted_since_ns: Whole | None = None
    programs: Annotated[list[Program], MANY] = []
    whole: bool = True
    error: Text = ""

    @property
    def accounted(self) -> bool:
        return self.accounted_since_ns is not None


class Ancestor(msgspec.Struct, frozen=True, kw_only=True):
    """A process's parent, its parent's parent, … Text is hostile."""

    tgid: Whole
    start_ns: Whole
    comm: Text


class ThreadFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A thread. Text is hostile. state: the kernel's letter. waits: the kernel's function in which it waits, or ""."""

    tid: Whole
    comm: Text
    state: Text
    cpu_ns: Whole
    waits: Text = ""


class FileFacts(msgspec.Struct, frozen=True, kw_only=True):
    """An open file that is no socket. Text is hostile."""

    fd: Whole
    target: Text


class SocketFacts(msgspec.Struct, frozen=True, kw_only=True):
    """An open socket. Text is hostile. protocol: "" where it is in no table of the process's network namespace."""

    fd: Whole
    protocol: Text = ""
    local: Text = ""
    remote: Text = ""
    state: Text = ""


class LimitFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A resource limit, by the kernel's name; None is none."""

    name: Text
    soft: Whole | None
    hard: Whole | None


class ProcessFacts(Frame, frozen=True, kw_only=True):
    """What /proc says of a process, as `ReadProcess` requested it. No part of a recording. Text is hostile.

    tgid, start_ns: the request's. gone: it has ended, and nothing else is known. unread: a line for each part that
    could not be read. Lists are cut after a number of entries; `thread_count` and so on are how many there were, as
    counted up to a limit. command: None where it could not be read. state: the kernel's letter. ancestors: its parent
    first. cpu_ns: of all its threads. Memory in bytes: None where it is unknown; `pss` only of processes that are
    small, as the kernel counts each page for it.
    """

    tgid: Whole
    start_ns: Whole
    boottime_ns: Whole
    gone: bool = False
    unread: Annotated[list[Text], SOME] = []
    comm: Text = ""
    command: Text | None = None
    state: Text = ""
    ancestors: Annotated[list[Ancestor], SOME] = []
    uid: Whole = 0
    euid: Whole = 0
    user: Text = ""
    cgroup: Text = ""
    cpu_ns: Whole = 0
    rss: Whole | None = None
    swap: Whole | None = None
    pss: Whole | None = None
    limits: Annotated[list[LimitFacts], SOME] = []
    threads: Annotated[list[ThreadFacts], SOME] = []
    thread_count: Whole = 0
    files: Annotated[list[FileFacts], FEW] = []
    file_count: Whole = 0
    sockets: Annotated[list[SocketFacts], FEW] = []
    socket_count: Whole = 0


class ThreadPlace(msgspec.Struct, frozen=True, kw_only=True):
    """A thread, and where it is. Text is hostile.

    start_ns: boottime, of the thread. state: the kernel's letter. process: the name of its process. switches: how often
    it has left a CPU; None where that wasn't read. waits: the kernel's function in which it waits, or "". stack: a
    number in `Threads.stacks`, None where there is none. call, arguments: the system call that has not returned, None
    outside of any; numbers from 512 on are 512 above those of 32-bit programs. target: what is behind the call's
    descriptor. kernel: it is the kernel's own.
    """

    tid: Whole
    tgid: Whole
    start_ns: Whole
    comm: Text
    process: Text
    state: Text
    cpu_ns: Whole
    switches: Whole | None = None
    waits: Text = ""
    stack: Whole | None = None
    call: Whole | None = None
    arguments: Annotated[list[Annotated[int, Meta(ge=0)]], SOME] = []
    target: Text = ""
    kernel: bool = False


class OpenWait(msgspec.Struct, frozen=True, kw_only=True):
    """A wait that has begun and not ended, as an attached probe knows it.

    since_ns: monotonic. holder: the thread that held what is waited for when the wait began, 0 where that isn't known;
    read from memory of the program, so it may be wrong.
    """

    tid: Whole
    since_ns: Whole
    holder: Whole = 0


class Threads(Frame, frozen=True, kw_only=True):
    """All threads of the machine at one moment, as `ReadThreads` requested it; recorded while somebody looks.

    stacks: the kernel's functions, innermost first. count: threads that there were; the list is cut after a number of
    them. unread: what could not be read, a line each. error: why there are none, else "". waits: those of these threads
    that attached probes know, read a little later: some may have begun since.
    """

    monotonic_ns: Whole
    boottime_ns: Whole
    threads: Annotated[list[ThreadPlace], MANY] = []
    stacks: Annotated[list[Annotated[list[Text], SOME]], MANY] = []
    count: Whole = 0
    unread: Annotated[list[Text], SOME] = []
    error: Text = ""
    waits: Annotated[list[OpenWait], MANY] = []


class Detaching(Frame, frozen=True, kw_only=True):
    run: int
    done: Whole
    total: Whole


class Detached(Frame, frozen=True, kw_only=True):
    """reason: why, in one line for a person, if nobody requested it."""

    run: int
    reason: str = ""


class Notice(Frame, frozen=True, kw_only=True):
    """One line for a person."""

    level: Literal["info", "warning", "error"]
    text: str


class Mark(Frame, frozen=True, kw_only=True):
    """A moment with a name, on the stream's clocks. Text is hostile.

    origin: a person at the dashboard, a command from outside (`ebpftop mark`), or a trigger.
    """

    realtime_ns: Whole
    monotonic_ns: Whole
    boottime_ns: Whole
    text: Annotated[str, Meta(max_length=1 << 12)]
    origin: Literal["person", "outside", "trigger"] = "person"


AnyFrame = (
    Hello
    | Catalog
    | Loading
    | Loaded
    | Rejected
    | Refused
    | Snapshot
    | Events
    | Cost
    | Processes
    | Stacks
    | Host
    | Hosts
    | Pong
    | Programs
    | ProcessFacts
    | Threads
    | Detaching
    | Detached
    | Notice
    | Mark
)

Written = AnyFrame | Changes  # what a socket or a tape holds


# ---------------------------------------------------------------- requests


class Load(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Load a probe of the catalog. Parameters are text as typed; they are checked by the root side.

    request: the consumer's number for it, which every answer echoes: from 1 on, another one each time.
    """

    request: Whole
    probe: str
    params: Annotated[dict[str, str], FEW] = {}
    interval: Measure = 1.0  # seconds between snapshots


class Detach(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    run: int


class Interval(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Seconds between snapshots of one run."""

    run: int
    seconds: Measure


class AccountRunTimes(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether the kernel should account program run times (it costs each event some 40 ns)."""

    on: bool


class Describe(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Look at these identities in /proc again (rows on the screen)."""

    processes: Annotated[list[int], MANY]


class Watch(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The runs whose events are looked at: those of others may come as seldom as their snapshots. cgroup: the path of
    the one whose pressure is looked at, as processes have it; "" is none.
    """

    runs: Annotated[list[int], MANY]
    cgroup: Text = ""


class ReadPrograms(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Read all BPF programs of the machine once. Run times are accounted meanwhile, if they may be at all."""


class ReadProcess(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Read what /proc says of a process now, which is known by its number and its start (ns since boot)."""

    tgid: Whole
    start_ns: Whole


class ReadThreads(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Read where every thread of the machine is, once."""


class Ping(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Tell the clocks at once: who reads the stream is still there."""

    number: Whole


AnyRequest = (
    Load | Detach | Interval | AccountRunTimes | Describe | Watch | ReadPrograms | ReadProcess | ReadThreads | Ping
)
