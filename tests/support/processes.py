"""Process trees, and the kernel's lists of programs and maps."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from ebpftop.kernel import libbpf

_LAST_PID = Path("/proc/sys/kernel/ns_last_pid")
_TRIES = 50  # others fork meanwhile
_RINGBUF = "27"  # BPF_MAP_TYPE_RINGBUF
SLOWER = 6.0 if os.environ.get("EBPFTOP_EMULATED") else 1.0  # patience factor for emulated machines


def children(pid: int) -> dict[str, psutil.Process]:
    """Descendants of ours by the name each gives itself, of which the kernel keeps 15 characters: ebpftop:collect, …"""
    found = {}
    for child in _descendants(pid):
        with contextlib.suppress(OSError, psutil.NoSuchProcess):  # it ended meanwhile
            name = Path(f"/proc/{child}/comm").read_text().strip()
            if name.startswith("ebpftop:"):
                found[name.removeprefix("ebpftop:")] = psutil.Process(child)
    return found


def _descendants(pid: int) -> Iterator[int]:
    """Descendants from the kernel's lists: psutil reads the parent of every process, which is slow on an emulated
    machine.
    """
    with contextlib.suppress(OSError):  # it ended meanwhile
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in map(int, (task / "children").read_text().split()):
                yield child
                yield from _descendants(child)


def with_pid(pid: int, *command: str) -> subprocess.Popen[bytes]:
    """A process that has a pid which is free. All others go on with pids that were not used for long."""
    for _ in range(_TRIES):
        last = _LAST_PID.read_text()
        _LAST_PID.write_text(str(pid - 1))
        process = subprocess.Popen(command, stdin=subprocess.PIPE)
        _LAST_PID.write_text(last)
        if process.pid == pid:
            return process
        process.kill()
        process.wait()
    pytest.fail(f"others always got pid {pid}")


def held_by(pid: int) -> tuple[set[int], set[int]]:
    """(program ids, map ids) behind a process's descriptors, from fdinfo."""
    programs, maps = set(), set()
    for entry in Path(f"/proc/{pid}/fdinfo").iterdir():
        try:
            lines = entry.read_text().splitlines()
        except OSError:
            continue
        for line in lines:
            name, _, value = line.partition(":")
            if name == "prog_id":
                programs.add(int(value))
            elif name == "map_id":
                maps.add(int(value))
    return programs, maps


def has_census(pid: int) -> bool:
    """Whether a collector holds the census, which alone has two ring buffers (`census/probe.bpf.c`)."""
    texts = []
    for entry in Path(f"/proc/{pid}/fdinfo").iterdir():
        with contextlib.suppress(OSError):  # closed meanwhile
            texts.append(entry.read_text())
    kinds = re.findall(r"^map_type:\t(\d+)$", "".join(texts), re.MULTILINE)
    return kinds.count(_RINGBUF) >= 2


def alive(process: psutil.Process) -> bool:
    """Whether it is running: zombies are not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:  # it ended between the two calls
        return False


def in_kernel(held: tuple[set[int], set[int]]) -> bool:
    """Whether the kernel still knows any of these programs and maps."""
    return bool(held[0] & set(libbpf.program_ids()) or held[1] & set(libbpf.map_ids()))


def eventually(condition: Callable[[], bool], what: str, patience: float = 20.0) -> None:
    """Wait until the condition holds, or fail with `what`. Patience is in seconds of a real machine."""
    patience *= SLOWER
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, f"not so after {patience:.0f} s: {what}"
        time.sleep(0.05 * SLOWER)  # polling is slower there as well, and shares the processor with the awaited event
