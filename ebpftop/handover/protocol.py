"""The messages between the supervisor, the collector and the root tasks; descriptors travel beside them."""

from __future__ import annotations

import msgspec

from ebpftop.frames.layout import MapLayout, OpenWaits
from ebpftop.frames.messages import Attached, Catalog, Failed, FailedStage, ProcessFacts, Programs, Stage, Threads

INTERNAL = "internal"  # the category of probes that aren't part of the catalog
CENSUS = f"{INTERNAL}/census"
UNREADABLE = "?"


class Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag=str.lower):
    """Base class of the messages that accompany descriptors."""


# ---------------------------------------------------------------- a root task to the collector


class Progress(Message, frozen=True, kw_only=True):
    """The current stage of a load, and the milliseconds of each completed stage."""

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
    """A load failed, as reported by its loader."""

    outcome: Failed


class Availability(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a probe of the catalog can run here."""

    probe: str
    available: bool | None
    variant: str | None = None
    meaning: str | None = None
    reason: str | None = None


class Surveyed(Message, frozen=True, kw_only=True):
    """The result of trying the whole catalog on this kernel."""

    found: list[Availability]


class RunTimesOn(Message, frozen=True, kw_only=True):
    """The kernel counts program run times until the one accompanying descriptor is closed. kept: the supervisor is
    about to stop (Ctrl-Z), and will open the next one when it goes on.
    """

    kept: bool = False


class ProgramsRead(Message, frozen=True, kw_only=True):
    """The answer to `RequestPrograms`."""

    programs: Programs


class ProcessRead(Message, frozen=True, kw_only=True):
    """An answer to `RequestProcess`. whole: no other answer follows; an earlier one lacks the facts that could block
    the reader.
    """

    facts: ProcessFacts
    whole: bool


class ThreadsRead(Message, frozen=True, kw_only=True):
    """The answer to `RequestThreads`."""

    threads: Threads


class ContainerFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A runtime's names for a container, "" if unknown. The text is untrusted, and short. pod: with namespace, as
    `shop/cart-0`.
    """

    id: str
    name: str = ""
    pod: str = ""
    image: str = ""


class ContainersRead(Message, frozen=True, kw_only=True):
    """The answer to `RequestContainers`: the containers about which something is known."""

    containers: list[ContainerFacts]


class SymbolRange(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """`start` <= address < `end` is this function, or, without a name, this place in the module; offsets count from
    `base`. mapped: identifies what is mapped there, see `kernel.mappings.Mappings.identity`. symbol: the name in the
    file, if that differs. why: why there is no name, in the words of `base.gaps`. lines: triples of u32, little endian,
    by address: distance from `start`, index of `files`, line of the code from there on.
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
    """The functions of one process, by the `id` of its `Addresses`. An address outside all ranges has no known
    function.

    again: the known addresses that were looked up again, as the memory they lie in may have changed. mapped: what is
    mapped at the addresses for which only that was requested. perf_map: the version of its perf map, for the next
    request.
    """

    id: int
    ranges: list[SymbolRange]
    mapped: dict[str, list[int]] = {}
    again: list[int] = []
    perf_map: str = ""


class Symbols(Message, frozen=True, kw_only=True):
    """The answer to `RequestSymbols`; it leaves out processes that are gone.

    problems: the files whose names are missing and why, a line each. cpu_seconds: the CPU time it took.
    """

    kernel: list[SymbolRange]
    processes: list[ProcessSymbols]
    cpu_seconds: float = 0.0
    problems: list[str] = []


class MemoryEventsOpened(Message, frozen=True, kw_only=True):
    """The answer to `RequestMemoryEvents`. Descriptors: one a CPU, disabled (`kernel.memory_events`)."""


class CodeRange(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Executable memory, `start` <= address < `end`. file: the file mapped there, whose address 0 would be at `base`;
    empty for memory without a file, `UNREADABLE` for a file that can't be read.
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
    """The CPython in a file: the address of its `_PyRuntime`, its version 3.`minor`, the offset in `_PyRuntime` of the
    first interpreter, and the offsets in an interpreter of the next one and of the first thread. problem: why its
    functions can't be known.
    """

    runtime: int = 0
    minor: int = 0
    interpreters: int = 0
    next: int = 0
    threads: int = 0
    problem: str = ""


class UnwindTables(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """The unwind tables of one file, `.eh_frame_hdr` and `.eh_frame`, in this order in a sealed memfd: addresses and
    sizes in bytes.

    A file without tables has sizes of 0 and no descriptor. python: the interpreter in it, if there is one.
    """

    file: str
    header: int = 0
    header_size: int = 0
    frames: int = 0
    frames_size: int = 0
    python: PythonBuild | None = None


class CodeRead(Message, frozen=True, kw_only=True):
    """The answer to `RequestCode`. It leaves out programs that are gone, and known files. Descriptors: one per file
    with tables, in this order. cpu_seconds: the CPU time it took.
    """

    programs: list[ProgramCode]
    files: list[UnwindTables]
    cpu_seconds: float = 0.0


class TaskFailed(Message, frozen=True, kw_only=True):
    """A root task could not do its work; one line says why."""

    error: str


# ---------------------------------------------------------------- between the supervisor and its children


class RequestLoad(Message, frozen=True, kw_only=True):
    """Collector to supervisor: load this probe as that run. request: the consumer's number for it, 0 for a load that
    the collector itself requests.
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
    """Collector to supervisor: read the facts in /proc about the process with this start, in ns since boot."""

    run: int
    tgid: int
    start_ns: int


class RequestThreads(Message, frozen=True, kw_only=True):
    """Collector to supervisor: read where every thread of the machine is."""

    run: int


class RequestContainers(Message, frozen=True, kw_only=True):
    """Collector to supervisor: read the runtimes' names for containers. ids: of 64 hexadecimal digits each, with the
    number of the user who runs the container, "" for the machine's own.
    """

    run: int
    ids: dict[str, str]


class Addresses(msgspec.Struct, frozen=True, kw_only=True):
    """Addresses in one process. `id` is the requester's name for it; `start_ns` its start, in ns since boot.

    known: addresses that have been looked up before, by the identity of what was mapped there (`SymbolRange.mapped`).
    perf_map: the version of the perf map then. Addresses are looked up again if what they depend on has changed.
    """

    id: int
    tgid: int
    start_ns: int
    addresses: list[int]
    known: dict[str, list[int]] = {}
    perf_map: str = ""


class Offsets(msgspec.Struct, frozen=True, kw_only=True):
    """Offsets in a file that processes which have ended had mapped at `path`. `id` is the requester's name for it.
    device, inode: as in /proc/PID/maps. The answer's `perf_map` is the time of the file's last change, in ns of the
    wall clock.
    """

    id: int
    path: bytes
    device: bytes
    inode: int
    offsets: list[int]


class RequestSymbols(Message, frozen=True, kw_only=True):
    """Collector to supervisor: find the functions that contain these addresses and these offsets in files. For offsets,
    the answer has the form of a process whose addresses are the offsets.

    names: if false, the answer says only what is mapped there, which costs little, and has names only for mappings that
    are gone.
    """

    run: int
    kernel: list[int]
    processes: list[Addresses]
    names: bool = True
    files: list[Offsets] = []


class RequestMemoryEvents(Message, frozen=True, kw_only=True):
    """Collector to supervisor: have the kernel report the mappings that processes make."""

    run: int


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """A program that a process executes: its start in ns since boot, and the beginning of its code and its stack, which
    distinguish successive programs in the same process. `id` is the requester's name for it.
    """

    id: int
    tgid: int
    start_ns: int
    code: int
    stack: int


class RequestCode(Message, frozen=True, kw_only=True):
    """Collector to supervisor: read the locations of the code of these programs, and its files' unwind tables. known:
    files whose tables aren't needed.
    """

    run: int
    programs: list[Program]
    known: list[str]


class Channel(Message, frozen=True, kw_only=True):
    """Supervisor to collector: the task reports on the one descriptor."""

    run: int


class Refusal(Message, frozen=True, kw_only=True):
    """Supervisor to collector: the request can't be granted; `error` says why."""

    run: int
    error: str


class Reread(Message, frozen=True, kw_only=True):
    """Supervisor to collector: the catalog from now on. A `Surveyed` reports which probes run here."""

    catalog: Catalog


class TaskEnded(Message, frozen=True, kw_only=True):
    """Supervisor to collector: a task's process ended without having done its work.

    error: one line. output: the stderr of the process, the compiler and libbcc.
    """

    run: int
    error: str
    output: str

    def outcome(self, stage: Stage, text: str) -> Failed:
        """The outcome of a load that failed at this stage; `text` is the author's C."""
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
