"""Names of processes and of a key's fields, made inert."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ebpftop.frames.messages import UNKNOWN, Process
from ebpftop.model.shown import Part
from ebpftop.ui.drawing.inert import cell

Processes = Mapping[int, Process]


def pid(identity: int, processes: Processes) -> str:
    known = processes.get(identity)
    return str(known.tgid) if known else "–"


def name(identity: int, processes: Processes) -> str:
    """The command name, marked if the process has ended."""
    known = processes.get(identity)
    if known is None:
        return "(unknown)" if identity == UNKNOWN else f"(unknown {identity})"
    return f"{cell(known.comm)} (ended)" if known.ended_ns is not None else cell(known.comm)


def parent(identity: int, processes: Processes) -> str:
    known = processes.get(identity)
    return cell(known.parent) if known else ""


def command(identity: int, processes: Processes) -> str:
    known = processes.get(identity)
    return cell(known.command) if known else ""


OF_PART: dict[Part, Callable[[int, Processes], str]] = {
    "pid": pid,
    "comm": name,
    "parent": parent,
    "command": command,
}


def ended(identity: int, processes: Processes) -> bool:
    known = processes.get(identity)
    return known is not None and known.ended_ns is not None


def described(identity: int, processes: Processes) -> str:
    """All we know about a process, on one line."""
    known = processes.get(identity)
    if identity == UNKNOWN:
        return "the kernel didn't report which process this is"
    if known is None:
        return "unknown process: it ended before it could be identified"
    words = [f"{cell(known.comm)} {known.tgid}"]
    if known.ended_ns is not None:
        words.append("ended")
    if known.ppid:
        words.append(f"child of {cell(known.parent)} {known.ppid}".replace("  ", " "))
    words += [cell(text) for text in (known.user, known.cgroup, known.command) if text]
    return " · ".join(words)
