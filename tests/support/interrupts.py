"""The kernel's own counts of interrupts since boot."""

from __future__ import annotations

from pathlib import Path


def softirqs() -> dict[str, int]:
    """Soft interrupts of each kind, over all CPUs, see proc(5)."""
    lines = Path("/proc/softirqs").read_text().splitlines()[1:]
    return {kind.strip(): sum(map(int, counts.split())) for kind, _, counts in (line.partition(":") for line in lines)}


def hardirqs() -> dict[tuple[str, str], int]:
    """Interrupts by number and device, over all CPUs, see proc(5). Shared interrupts are left out."""
    header, *lines = Path("/proc/interrupts").read_text().splitlines()
    found = {}
    for line in lines:
        number, _, rest = line.partition(":")
        fields = rest.split()
        cpus = len(header.split())
        if number.strip().isdigit() and len(fields) > cpus and not fields[-2].endswith(","):
            found[number.strip(), fields[-1]] = sum(map(int, fields[:cpus]))
    return found
