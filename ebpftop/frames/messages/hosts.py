"""The machine itself, or several."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from ebpftop.frames.messages.base import SOME, Frame, Measure, Text, Whole


class Pressure(msgspec.Struct, frozen=True, kw_only=True):
    """How long some tasks have waited for a resource, and how long all of them at once; since boot, or since the cgroup
    was created.
    """

    some_ns: Whole
    full_ns: Whole


class Host(Frame, frozen=True, kw_only=True):
    """The machine itself, in percent and as the load average of one minute; once a second.

    own_ns: CPU time that the collector and the root side have used so far; None on a tape that lacks it. pressure: by
    resource (cpu, memory, io), empty if the kernel doesn't account it. cgroup_pressure: that of `cgroup`, which `Watch`
    named; "" if none. Text is hostile.
    """

    realtime_ns: Whole
    cpu_percent: Measure
    memory_percent: Measure
    load: Measure
    own_ns: Whole | None = None
    pressure: Annotated[dict[str, Pressure], SOME] = {}
    cgroup: Text = ""
    cgroup_pressure: Annotated[dict[str, Pressure], SOME] = {}


class Without(msgspec.Struct, frozen=True, kw_only=True):
    """A run that continues without one host, and why. Text is hostile."""

    probe: Text
    params: Annotated[dict[Text, Text], SOME] = {}
    why: Text


class HostState(msgspec.Struct, frozen=True, kw_only=True):
    """One of several hosts. Text is hostile.

    name: as in rows. heard_ns: realtime of the last frame. problem: why it is lost. host, kernel: as the host reports
    them. ahead_ns: how far its clock is ahead of the stream's. way_ns: the shortest time an answer took. load: its last
    report. without: runs that exist only on other hosts.
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
    without: Annotated[list[Without], SOME] = []


class Hosts(Frame, frozen=True, kw_only=True):
    """The hosts of a stream from several hosts, once a second."""

    realtime_ns: Whole
    hosts: Annotated[list[HostState], SOME]
