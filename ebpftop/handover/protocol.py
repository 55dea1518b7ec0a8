"""The messages between the supervisor, the collector and the root tasks; descriptors travel beside them."""

from __future__ import annotations

import msgspec

from ebpftop.frames.layout import MapLayout, OpenWaits
from ebpftop.frames.messages import Attached, Catalog, Failed, FailedStage, ProcessFacts, Programs, Stage, Threads

INTERNAL = "internal"  # the category of probes that aren't part of the catalog
CENSUS = f"{INTERNAL}/census"
UNREADABLE = "?"


class Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag=str.lower):
    """Base of what travels beside descriptors."""


# ---------------------------------------------------------------- a root task to the collector


class Progress(Message, frozen=True, kw_only=True):
    """The stage a load is in, and the milliseconds of those done."""

    stage: Stage
    stages: list[tuple[str, float]] = []


class Handover(Message, frozen=True, kw_only=True):
    """A probe is attached. Descriptors, in this order: one per map, one per program, one per attachment.

    attachment_ns: by program, see `ProgramCost`. open: of one of the maps, which isn't displayed.
    """

    outcome: Attached
    maps: list[MapLayout]
    programs: list[str]
    attachment_ns: dict[str, int] = {}
    open: OpenWaits | None = None


class LoadFailed(Message, frozen=True, kw_only=True):
    """A load failed, as its loader reports."""

    outcome: Failed


class Availability(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a probe of the catalog can run here."""

    probe: str
    available: bool | None
    variant: str | None = None
    meaning: str | None = None
    reason: str | None = None


class Surveyed(Message, frozen=True, kw_only=True):
    """The whole catalog tried against this kernel."""

    found: list[Availability]


class RunTimesOn(Message, frozen=True, kw_only=True):
    """The kernel counts program run times until the one descriptor that comes along is closed."""


class ProgramsRead(Message, frozen=True, kw_only=True):
    """The answer to `RequestPrograms`."""

    programs: Programs


class ProcessRead(Message, frozen=True, kw_only=True):
    """An answer to `RequestProcess`. whole: no other one follows; what an earlier one lacks could hold up a reader."""

    facts: ProcessFacts
    whole: bool


class ThreadsRead(Message, frozen=True, kw_only=True):
    """The answer to `RequestThreads`."""

    threads: Threads


class ContainerFacts(msgspec.Struct, frozen=True, kw_only=True):
    """How its runtime calls a container, "" where that isn't known. Text is hostile, and short. pod: with namespace, as
    `shop/cart-0`.
    """

    id: str
    name: str = ""
    pod: str = ""
    image: str = ""


class ContainersRead(Message, frozen=True, kw_only=True):
    """The answer to `RequestContainers`: those of which something is known."""

    containers: list[ContainerFacts]


class SymbolRange(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """`start` <= address < `end` is this function, or, without a name, this place in the module; offsets count from
    `base`. mapped: what is mapped there, see `kernel.mappings.Mappings.identity`. symbol: the name as the file has it,
    where that is another. why: why there is no name, in `base.gaps`'s words. lines: triples of u32, little endian, by
    address: distance from `start`, index of `files`, line of the code from there on.
    """

    start: int
    end: int
    base: int
    name: str
    module: str
    mapped: str = ""
    symbol: str = ""
    files: list[str] = []
    lines: bytes = b""
    why: str = ""


class ProcessSymbols(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """The functions of one process, by the `id` of its `Addresses`. An address outside all ranges has no known one.

    again: the known addresses that were looked up again, as what they lie in may have changed. mapped: addresses of
    which only that was requested, by what is mapped there. perf_map: the version of its perf map, for the next request.
    """

    id: int
    ranges: list[SymbolRange]
    mapped: dict[str, list[int]] = {}
    again: list[int] = []
    perf_map: str = ""


class Symbols(Message, frozen=True, kw_only=True):
    """The answer to `RequestSymbols`; processes that are gone are left out.

    problems: which file's names are missing and why, a line each. cpu_seconds: what it took.
    """

    kernel: list[SymbolRange]
    processes: list[ProcessSymbols]
    cpu_seconds: float = 0.0
    problems: list[str] = []


class MemoryEventsOpened(Message, frozen=True, kw_only=True):
    """The answer to `RequestMemoryEvents`. Descriptors: one a CPU, turned off (`kernel.memory_events`)."""


class CodeRange(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Executable memory, `start` <= address < `end`. file: what is mapped there, whose address 0 would be at `base`;
    empty for memory of no file, `UNREADABLE` for a file that can't be read.
    """

    start: int
    end: int
    base: int = 0
    file: str = ""


class ProgramCode(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """All code of one process, by the `id` of its `Program`."""

    id: int
    ranges: list[CodeRange]


class PythonBuild(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """The CPython in a file: the address of its `_PyRuntime`, its version 3.`minor`, and where in that the first of its
    interpreters is, and in one of these the next one and the first thread. problem: why its functions can't be known.
    """

    runtime: int = 0
    minor: int = 0
    interpreters: int = 0
    next: int = 0
    threads: int = 0
    problem: str = ""


class UnwindTables(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Of one file, `.eh_frame_hdr` and `.eh_frame`, in this order in a sealed memfd: addresses and sizes in bytes.

    A file without has sizes of 0 and no descriptor. python: the interpreter in it, if there is one.
    """

    file: str
    header: int = 0
    header_size: int = 0
    frames: int = 0
    frames_size: int = 0
    python: PythonBuild | None = None


class CodeRead(Message, frozen=True, kw_only=True):
    """The answer to `RequestCode`. Programs that are no more are left out, and files that are known. Descriptors: one
    per file with tables, in this order. cpu_seconds: what it took.
    """

    programs: list[ProgramCode]
    files: list[UnwindTables]
    cpu_seconds: float = 0.0


class TaskFailed(Message, frozen=True, kw_only=True):
    """A root task could not do its work; one line."""

    error: str


# ---------------------------------------------------------------- between the supervisor and its children


class RequestLoad(Message, frozen=True, kw_only=True):
    """Collector to supervisor: load this probe as that run. request: the consumer's number for it, 0 for a load that
    the collector wants itself.
    """

    run: int
    request: int
    probe: str
    params: dict[str, str]


class RequestRunTimes(Message, frozen=True, kw_only=True):
    """Collector to supervisor: have the kernel count program run times."""

    run: int


class RequestPrograms(Message, frozen=True, kw_only=True):
    """Collector to supervisor: read all BPF programs of the machine."""

    run: int


class RequestProcess(Message, frozen=True, kw_only=True):
    """Collector to supervisor: read what /proc says of the process that began then, in ns since boot."""

    run: int
    tgid: int
    start_ns: int


class RequestThreads(Message, frozen=True, kw_only=True):
    """Collector to supervisor: read where every thread of the machine is."""

    run: int


class RequestContainers(Message, frozen=True, kw_only=True):
    """Collector to supervisor: read how containers are called. ids: of 64 hexadecimal digits each, with the number of
    the user who runs it, "" for the machine's own.
    """

    run: int
    ids: dict[str, str]


class Addresses(msgspec.Struct, frozen=True, kw_only=True):
    """Addresses in one process. `id` is the requester's name for it; `start_ns` its start, in ns since boot.

    known: addresses that have been looked up before, by what was mapped there (`SymbolRange.mapped`). perf_map: the
    version of the perf map then. They are looked up again if that has changed.
    """

    id: int
    tgid: int
    start_ns: int
    addresses: list[int]
    known: dict[str, list[int]] = {}
    perf_map: str = ""


class Offsets(msgspec.Struct, frozen=True, kw_only=True):
    """Places in a file that processes which have ended had mapped at `path`. `id` is the requester's name for it.
    device, inode: as in /proc/PID/maps. The answer's `perf_map` is when it was changed last, in ns of the wall clock.
    """

    id: int
    path: bytes
    device: bytes
    inode: int
    offsets: list[int]


class RequestSymbols(Message, frozen=True, kw_only=True):
    """Collector to supervisor: find the functions that contain these addresses, and these places in files, which are
    answered as processes whose addresses are the places.

    names: if false, only what is mapped there, which costs little; names only of what is there no longer.
    """

    run: int
    kernel: list[int]
    processes: list[Addresses]
    names: bool = True
    files: list[Offsets] = []


class RequestMemoryEvents(Message, frozen=True, kw_only=True):
    """Collector to supervisor: have the kernel report what processes map."""

    run: int


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """What a process executes: its start in ns since boot, and where its code and its stack begin, which tells one
    program from the next in the same process. `id` is the requester's name for it.
    """

    id: int
    tgid: int
    start_ns: int
    code: int
    stack: int


class RequestCode(Message, frozen=True, kw_only=True):
    """Collector to supervisor: read where the code of these programs lies, and its files' unwind tables. known: files
    whose tables aren't needed.
    """

    run: int
    programs: list[Program]
    known: list[str]


class Channel(Message, frozen=True, kw_only=True):
    """Supervisor to collector: the one descriptor is where that task reports."""

    run: int


class Refusal(Message, frozen=True, kw_only=True):
    """Supervisor to collector: the request can't be granted; `error` says why."""

    run: int
    error: str


class Reread(Message, frozen=True, kw_only=True):
    """Supervisor to collector: this is the catalog from now on. A `Surveyed` reports which probes run here."""

    catalog: Catalog


class TaskEnded(Message, frozen=True, kw_only=True):
    """Supervisor to collector: a task's process ended without having done its work.

    error: one line. output: what it, the compiler and libbcc wrote to stderr.
    """

    run: int
    error: str
    output: str

    def outcome(self, stage: Stage, text: str) -> Failed:
        """The outcome of a load that was at this stage; `text` is the author's C."""
        failed: FailedStage = "compile" if stage in ("types", "compile") else "load"
        return Failed(stage=failed, error=self.error, text=text, log=self.output)


class CatalogRead(Message, frozen=True, kw_only=True):
    """The process that reads the folders to the supervisor: the catalog from now on, see `supervisor.folders`."""

    catalog: bytes


class Stream(Message, frozen=True, kw_only=True):
    """Supervisor to dashboard: the one descriptor is a fresh stream of frames."""


class Restart(Message, frozen=True, kw_only=True):
    """Dashboard to supervisor: start the collector again."""


AnyMessage = (
    Progress
    | Handover
    | LoadFailed
    | Surveyed
    | RunTimesOn
    | ProgramsRead
    | ProcessRead
    | ThreadsRead
    | ContainersRead
    | Symbols
    | MemoryEventsOpened
    | CodeRead
    | TaskFailed
    | RequestLoad
    | RequestRunTimes
    | RequestPrograms
    | RequestProcess
    | RequestThreads
    | RequestContainers
    | RequestSymbols
    | RequestMemoryEvents
    | RequestCode
    | Channel
    | Refusal
    | Reread
    | TaskEnded
    | CatalogRead
    | Stream
    | Restart
)
