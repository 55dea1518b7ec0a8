"""What parameters name, and programs compare by number: a process, a cgroup, a device. (`limit` has the cgroups of a
container, a pod and a unit.)

The number stays in the programs when what it names is gone; then the kernel may give a pid to another process.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

import numpy as np

from ebpftop.base.inert import inert
from ebpftop.catalog import params
from ebpftop.collector.census import Census
from ebpftop.frames.messages import ProbeInfo
from ebpftop.kernel import cgroups, devices


class Subject(Protocol):
    def look(self) -> str:
        """A line if it has ended, is back or was replaced since the last look; otherwise ""."""


def subjects(probe: ProbeInfo, given: Mapping[str, str], census: Census) -> Iterator[Subject]:
    """Those of a run. given: its parameters, with pids of the host."""
    for param in probe.params:
        if text := given.get(param.name):
            match param.type:
                case "pid":
                    yield _Process(param.name, params.number(text), census)
                case "cgroup":
                    yield _Place(param.name, text, cgroups.identifier)
                case "device":  # through sysfs: another folder may be on a file system that doesn't answer
                    yield _Place(param.name, text.removeprefix("/dev/"), devices.number)


class _Process:
    def __init__(self, name: str, pid: int, census: Census) -> None:
        self._name, self._pid, self._census = f"{name}={pid}", pid, census
        (self._number,) = census.numbers(np.array([pid], "<u4")).tolist()
        living = census.alive(self._number)
        self._comm, self._ended = inert(living.comm) if living else "the process", False
        self._hidden = living is None and _exists(pid)  # by /proc's option hidepid

    def look(self) -> str:
        if self._hidden:
            return ""
        now = self._census.living(self._pid)
        if now is None:
            said = "" if self._ended else f"{self._name}: {self._comm} has ended"
        else:
            other, self._number, self._comm = now.id != self._number, now.id, inert(now.comm)
            said = f"{self._name}: another process has this pid now, {self._comm}" if other else ""
        self._ended = now is None
        return said


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError as error:
        return error.errno == errno.EPERM
    return True


class _Place:
    """number: what the kernel calls a text; raises `OSError` if there is no such thing."""

    def __init__(self, name: str, text: str, number: Callable[[str], int]) -> None:
        self._name, self._text, self._number = f"{name}={inert(text)}", text, number
        self._first = self._last = self._now()

    def _now(self) -> int | None:
        try:
            return self._number(self._text)
        except OSError:
            return None

    def look(self) -> str:
        now = self._now()
        if now == self._last or self._first is None:
            return ""
        self._last = now
        if now is None:
            return f"{self._name} is gone"
        if now == self._first:
            return f"{self._name} is back"
        return f"{self._name} is a different one now and isn't counted: load the probe again"
