"""`make exporting`: an exporter with five probes for an hour, scraped every 15 s under a load that comes and goes.

Prints the memory and CPU time of each of its processes. Memory has to become flat, and its CPU time to stay small.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping

from tests.support.command import COMMAND
from tests.support.processes import eventually

SECONDS, PORT = 3600, 19_436
SAMPLE, SCRAPE = 10, 15  # seconds
LONG = 1200  # seconds: less, and the past isn't full yet
PROBES = ("runqlat", "biolatency", "syscount", "fileops", "tcptop")
GROWTH = 1.05  # of the last third's peak over that of the middle third
BUSY = 5.0  # percent of one CPU, all its processes together
LOAD = """
import ctypes, os, sys, time
libc, end, number = ctypes.CDLL(None), time.monotonic() + float(sys.argv[1]), 0
while (now := time.monotonic()) < end:
    phase = int(now / 60) % 3
    if phase == 0:  # processes, each with a name of its own
        for _ in range(20):
            number += 1
            if not (child := os.fork()):
                libc.prctl(15, b"load-%d" % (number % 5000), 0, 0, 0)
                os.stat("/")
                os._exit(0)
            os.waitpid(child, 0)
    elif phase == 1:  # files, each with a name of its own
        for _ in range(20):
            number += 1
            with open("/tmp/ebpftop-load", "w") as file: file.write(str(number))
            os.rename("/tmp/ebpftop-load", f"/tmp/ebpftop-load-{number % 100}")
            os.unlink(f"/tmp/ebpftop-load-{number % 100}")
    time.sleep(0.2)
"""


def _tree(root: int) -> dict[int, str]:
    """A process and its descendants: names of the programs by pid."""
    parents, names = {}, {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat") as file:
                    name, _, rest = file.read().partition(" (")[2].rpartition(") ")
            except OSError:
                continue
            parents[int(entry)], names[int(entry)] = int(rest.split()[1]), name
    found = {root}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return {pid: names[pid] for pid in found if pid in names}


def _measured(pid: int) -> tuple[int, float]:
    """(private bytes, seconds of CPU time)."""
    with open(f"/proc/{pid}/smaps_rollup") as file:
        kib = {line.split(":")[0]: int(line.split()[1]) for line in file.readlines()[1:]}
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(") ")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    return (kib["Private_Clean"] + kib["Private_Dirty"]) * 1024, ticks / os.sysconf("SC_CLK_TCK")


def _scraped() -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/metrics", timeout=30) as answer:
        return len(answer.read())


def _up() -> int:
    """How many probes are attached; 0 before it answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/metrics", timeout=30) as answer:
            lines = answer.read().decode().splitlines()
    except OSError:
        return 0
    return sum(line.startswith("ebpftop_probe_up{") and line.endswith((" 1", " 1.0")) for line in lines)


def watch(seconds: int) -> int:
    """0, or 1 where memory grows or it takes too much of a CPU."""
    command = [*COMMAND, "exporter", *PROBES, "--listen", f"127.0.0.1:{PORT}"]
    sizes: dict[str, list[int]] = {}
    with subprocess.Popen(command) as exporter, subprocess.Popen([sys.executable, "-c", LOAD, str(seconds)]) as load:
        try:
            eventually(lambda: _up() == len(PROBES), "all probes are attached", 60)
            began, end, scrape = time.monotonic(), time.monotonic() + seconds, 0.0
            first = {name: cpu for name, (_, cpu) in _all(exporter.pid).items()}
            while (now := time.monotonic()) < end:
                assert exporter.poll() is None, f"the exporter ended with {exporter.returncode}"
                found = _all(exporter.pid)
                for name, (size, _) in found.items():
                    sizes.setdefault(name, []).append(size)
                size = 0
                if now >= scrape:
                    scrape, size = now + SCRAPE, _scraped()
                words = (f"{name} {each >> 10:,} KiB {cpu:.1f} s" for name, (each, cpu) in found.items())
                print(f"{now - began:.0f} s", *words, f"scraped {size:,}" if size else "", sep="  ", flush=True)
                time.sleep(SAMPLE)
            last, took = {name: cpu for name, (_, cpu) in _all(exporter.pid).items()}, time.monotonic() - began
        finally:
            exporter.terminate()
            load.terminate()
    return _judged(seconds, sizes, 100 * sum(last[name] - first.get(name, 0.0) for name in last) / took)


def _all(root: int) -> dict[str, tuple[int, float]]:
    """(private bytes, seconds of CPU time) of each process, by its name; of those that end meanwhile nothing."""
    found = {}
    for pid, name in sorted(_tree(root).items()):
        try:
            found[f"{name}-{pid}"] = _measured(pid)
        except OSError:
            continue
    return found


def _judged(seconds: int, sizes: Mapping[str, list[int]], busy: float) -> int:
    longest, ok = max(map(len, sizes.values())), busy <= BUSY
    print(f"CPU time: {busy:.2f}% of one CPU")
    for name, column in sizes.items():
        third = len(column) // 3
        if len(column) < longest / 2:  # a task of root's
            continue
        growth = max(column[2 * third :]) / max(column[third : 2 * third])
        slope = (column[-1] - column[third]) / ((len(column) - third) * SAMPLE / 60)
        print(f"{name}: at most {max(column) >> 10:,} KiB; the last third {growth:.3f} of the one before", end="")
        print(f", {slope / 1024:+.1f} KiB a minute since the first third")
        ok = ok and (growth <= GROWTH or seconds < LONG)
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(watch(int(sys.argv[1]) if len(sys.argv) > 1 else SECONDS))
