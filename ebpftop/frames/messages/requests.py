"""Everything that a consumer may request."""

from __future__ import annotations

from typing import Annotated

from ebpftop.frames.messages.base import FEW, MANY, Measure, Request, Text, Whole


class Load(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Load a probe of the catalog. Parameters are text as typed; they are checked by the root side.

    request: the consumer's number for it, from 1 on and never reused; every answer echoes it.
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
    """Whether the kernel should account program run times (which costs about 40 ns per event)."""

    on: bool


class Describe(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Look at these identities in /proc again (rows on the screen)."""

    processes: Annotated[list[int], MANY]


class Watch(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The runs whose events somebody looks at; events of others may arrive as rarely as their snapshots. cgroup: the
    path of the cgroup whose pressure somebody looks at, as processes have it; "" is none.
    """

    runs: Annotated[list[int], MANY]
    cgroup: Text = ""


class ReadPrograms(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Read all BPF programs of the machine once. Run times are accounted meanwhile, if that is permitted. host: the
    machine, if the stream has several.
    """

    host: Text = ""


class ReadProcess(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Read the /proc entry of a process now. The process is identified by pid and start (ns since boot)."""

    tgid: Whole
    start_ns: Whole


class ReadThreads(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Read the state of every thread of the machine, once. host: as for `ReadPrograms`."""

    host: Text = ""


class Ping(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Report the clocks at once; shows that the reader of the stream is still there."""

    number: Whole


AnyRequest = (
    Load | Detach | Interval | AccountRunTimes | Describe | Watch | ReadPrograms | ReadProcess | ReadThreads | Ping
)
