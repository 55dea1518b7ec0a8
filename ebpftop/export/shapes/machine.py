"""What 'ebpftop list', 'doctor', 'others' and 'threads' print."""

from __future__ import annotations

from ebpftop.export.shapes.base import Shape, Share, Whole
from ebpftop.frames.messages import Holder, ViewInfo


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
    """A thread. call: the system call it is in, as written. age_ns: it has not run for at least that long."""

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
