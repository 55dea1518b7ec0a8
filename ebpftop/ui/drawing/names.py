"""Names of processes and of a key's fields, made inert."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ebpftop.frames.messages import UNKNOWN, Process
from ebpftop.model import dimensions
from ebpftop.model.shown import Part
from ebpftop.ui.drawing.inert import cell

Processes = Mapping[int, Process]
OWN = "(own)"  # the sign beside the name of one of ebpftop's own processes


def pid(identity: int, processes: Processes) -> str:
    known = processes.get(identity)
    return str(known.tgid) if known else "–"


def name(identity: int, processes: Processes) -> str:
    """The command name, marked if the process is ebpftop's own or has ended."""
    known = processes.get(identity)
    if known is None:
        return "(unknown)" if identity == UNKNOWN else f"(unknown {identity})"
    signs = [cell(known.comm), *([OWN] if known.own else []), *(["(ended)"] if known.ended_ns is not None else [])]
    return " ".join(signs)


def parent(identity: int, processes: Processes) -> str:
    known = processes.get(identity)
    return cell(known.parent) if known else ""


def command(identity: int, processes: Processes) -> str:
    known = processes.get(identity)
    return cell(known.command) if known else ""


def container(identity: int, processes: Processes) -> str:
    known = processes.get(identity)
    return cell(dimensions.container(known)) if known else ""


def pod(identity: int, processes: Processes) -> str:
    known = processes.get(identity)
    return cell(dimensions.pod(known)) if known else ""


def unit(identity: int, processes: Processes) -> str:
    known = processes.get(identity)
    return cell(dimensions.unit(known)) if known else ""


def nspid(identity: int, processes: Processes) -> str:
    known = processes.get(identity)
    return str(known.nspid) if known and known.nspid else ""


OF_PART: dict[Part, Callable[[int, Processes], str]] = {
    "pid": pid,
    "comm": name,
    "parent": parent,
    "command": command,
    "container": container,
    "pod": pod,
    "unit": unit,
    "nspid": nspid,
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
    words = [f"{cell(known.comm)} {known.tgid}", *([f"{known.nspid} inside"] if known.nspid else [])]
    if known.own:
        words.append("ebpftop's own")
    if known.ended_ns is not None:
        words.append("ended")
    if known.ppid:
        words.append(f"child of {cell(known.parent)} {known.ppid}".replace("  ", " "))
    places = (dimensions.container(known), dimensions.pod(known), known.cgroup)
    words += [cell(text) for text in (known.user, *places, known.command) if text]
    return " · ".join(words)
