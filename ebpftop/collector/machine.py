"""This machine in frames: who writes the stream, the machine's load, which probes of the catalog run here."""

from __future__ import annotations

import os
import pwd
import time

import msgspec

from ebpftop import __version__
from ebpftop.collector.pressure import Pressures
from ebpftop.frames.messages import Catalog, Hello, Host, Pong, ProbeInfo
from ebpftop.handover.protocol import Availability


def hello() -> Hello:
    """Of this machine and the user this process runs as."""
    name = os.uname()
    return Hello(
        version=__version__,
        host=name.nodename,
        kernel=name.release,
        machine=name.machine,
        cpus=os.cpu_count() or 1,
        boot_realtime_ns=time.time_ns() - time.clock_gettime_ns(time.CLOCK_BOOTTIME),
        user=_user(),
    )


def pong(number: int) -> Pong:
    """The clocks now."""
    return Pong(
        number=number,
        realtime_ns=time.time_ns(),
        monotonic_ns=time.monotonic_ns(),
        boottime_ns=time.clock_gettime_ns(time.CLOCK_BOOTTIME),
    )


def host(pressures: Pressures) -> Host | None:
    """The machine's load now; for the processor, since the last call. None if /proc doesn't show it."""
    import psutil  # not for `hello`, which somebody waits for

    try:
        cpu_percent, memory_percent, load = psutil.cpu_percent(), psutil.virtual_memory().percent, os.getloadavg()[0]
    except Exception:  # psutil raises all kinds of them if a file is missing or empty
        return None
    return Host(
        realtime_ns=time.time_ns(),
        cpu_percent=cpu_percent,
        memory_percent=memory_percent,
        load=load,
        own_ns=time.process_time_ns() + root_ns(os.getppid()),
        pressure=pressures.read(),
        cgroup=pressures.cgroup,
        cgroup_pressure=pressures.read_cgroup(),
    )


def root_ns(supervisor: int) -> int:
    """CPU time of the supervisor and of its tasks that have ended, in ticks of 10 ms; 0 if /proc hides it (proc(5))."""
    try:
        with open(f"/proc/{supervisor}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return 0
    return sum(map(int, fields[11:15])) * 1_000_000_000 // os.sysconf("SC_CLK_TCK")


def reread(probes: dict[str, ProbeInfo], catalog: Catalog) -> dict[str, ProbeInfo]:
    """The entries of a new catalog by id, keeping the survey results of those known before."""
    return {new.id: _as_before(new, probes.get(new.id)) for new in catalog.probes}


def _as_before(new: ProbeInfo, old: ProbeInfo | None) -> ProbeInfo:
    if old is None:
        return new
    return msgspec.structs.replace(
        new, available=old.available, variant=old.variant, meaning=old.meaning, reason=old.reason
    )


def surveyed(probes: dict[str, ProbeInfo], surveys: list[Availability]) -> dict[str, ProbeInfo]:
    """The catalog's entries by id, with the results of the survey."""
    found = {one.probe: one for one in surveys}
    return {name: _with(probe, found[name]) if name in found else probe for name, probe in probes.items()}


def _with(probe: ProbeInfo, found: Availability) -> ProbeInfo:
    return msgspec.structs.replace(
        probe,
        available=found.available,
        variant=found.variant,
        meaning=found.meaning,
        reason=found.reason,
    )


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
