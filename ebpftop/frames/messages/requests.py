"""All that a consumer may request."""

from __future__ import annotations

from typing import Annotated

from ebpftop.frames.messages.base import FEW, MANY, Measure, Request, Text, Whole


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
    """Read all BPF programs of the machine once. Run times are accounted meanwhile, if they may be at all. host: which
    machine, where a stream comes from several.
    """

    host: Text = ""


class ReadProcess(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Read what /proc says of a process now, which is known by its number and its start (ns since boot)."""

    tgid: Whole
    start_ns: Whole


class ReadThreads(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Read where every thread of the machine is, once. host: as of `ReadPrograms`."""

    host: Text = ""


class Ping(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Tell the clocks at once: who reads the stream is still there."""

    number: Whole


AnyRequest = (
    Load | Detach | Interval | AccountRunTimes | Describe | Watch | ReadPrograms | ReadProcess | ReadThreads | Ping
)
