"""What loaders say of a call that failed, where there is no verifier's log: an errno in words, and what it means.

Lines of libbpf ("BPF program load failed: …"), BCC ("Failed to load program: …"), cilium/ebpf ("load program: …"), and
libbpf's of maps ("map 'x': failed to create: …").
"""

from __future__ import annotations

import re

from ebpftop.verifier.rules import Recognised

_PROGRAM = re.compile(
    r".*?(?:\bload failed|\bto load program|\bload program|_probe_loading\(\)): ?(?P<errno>[A-Z a-z]+)"
)
_MAP = re.compile(r".*?(?:\bfailed to create|\bmap create): ?(?P<errno>[A-Z a-z]+)")
MISSING_LOG = (
    "The verifier's log, which says why, isn't here: ask the loader for it, with log level 1 and a large buffer."
)

_PROGRAMS = {
    "operation not permitted": Recognised(
        "privilege",
        "The kernel refused the call before its verifier looked at the program: the loader lacks CAP_BPF (and for "
        "tracing CAP_PERFMON), a container or lockdown forbids it, or, before Linux 5.11, RLIMIT_MEMLOCK is too low. "
        "Load as root outside of a container, and raise that limit.",
        None,
    ),
    "argument list too long": Recognised(
        "insn_limit",
        "The program has more instructions than the kernel takes, or the verifier gave up after a million steps. Make "
        "the program smaller: lower loop bounds, inline less, split it by tail calls.",
        None,
    ),
    "no space left on device": Recognised(
        "other",
        "The verifier's log did not fit into the loader's buffer. Give it a larger one: the complaint is at the end.",
        None,
    ),
    "cannot allocate memory": Recognised(
        "other",
        "There was no memory for the program or its maps: the machine's, its cgroup's, or what RLIMIT_MEMLOCK allows "
        "(before Linux 5.11). Make maps smaller or raise the limit.",
        None,
    ),
}
_MAPS = {
    "operation not permitted": Recognised(
        "privilege",
        "The kernel refused to create the map: the loader lacks CAP_BPF, or, before Linux 5.11, RLIMIT_MEMLOCK is too "
        "low. Load as root, and raise that limit.",
        None,
    ),
    "invalid argument": Recognised(
        "unsupported",
        "The map can't be created like this: this kernel doesn't know its type or flags, or key size, value size and "
        "number of entries don't fit the type.",
        None,
    ),
    "cannot allocate memory": _PROGRAMS["cannot allocate memory"],
}


def recognise(line: str) -> tuple[str, Recognised | None] | None:
    """A loader's line that tells of a failure, and what it means, None where only a log could tell; None for others."""
    for form, meanings in ((_PROGRAM, _PROGRAMS), (_MAP, _MAPS)):
        if match := form.match(line):
            return line.strip(), meanings.get(match["errno"].strip().lower())
    return None
