"""Placeholders in a call stack for a missing function name or the missing rest of the stack: the reason, and what can
be done about it. Code that finds a gap takes its text from here; code that shows a gap calls `explained`.
"""

from __future__ import annotations

import re

# ---------------------------------------------------------------- code without a name

STRIPPED = "stripped"
NO_SYMBOL = "no symbol"
UNREADABLE = "file not readable"
NO_MAP = "JIT without a map"
NOT_IN_MAP = "JIT, not in its map"
GONE = "process ended before lookup"

# ---------------------------------------------------------------- a stack without its beginning

COMPILED = "JIT without frame pointers"
NO_TABLES = "no unwind tables and no frame pointers"
BROKEN = "invalid unwind tables"
UNREADABLE_TABLES = "unwind tables not readable"
NOWHERE = "return address outside any code"
ELSEWHERE = "the rest is on another stack"
NOT_IN_MEMORY = "the rest of the stack is not in memory"
TOO_MUCH = "unwinding takes too long"
LATE = "code not read in time"
ENDED = "process ended before its code was read"
_TOO_DEEP = "stack too deep: more than"  # followed by the limit


def deeper_than(bytes_: int) -> str:
    """The gap in a stack of which only this many bytes are copied."""
    return f"{_TOO_DEEP} {bytes_ >> 10} KiB"


def more_than(calls: int) -> str:
    """The gap in a stack of which only this many calls are kept."""
    return f"{_TOO_DEEP} {calls} calls"


# ---------------------------------------------------------------- no stack at all

NO_USER_STACK = "no user stack"
NO_STACK = "no stack"
_ERROR = "no stack: error"  # followed by its number
NO_ROOM = "stack lost: no room for its copy"
TAKEN = "stack lost: its slot in the map is taken"
MAP_FULL = "stack lost: the map is full"
TOO_MANY = "stack lost: too many stacks"
NOT_COPIED = "stack not copied: too many new stacks"
NOT_IN_STACK_MAP = "stack not in the map"
PYTHON_LEFT_OUT = "Python calls left out: more than 128"
STACK_FORGOTTEN, FUNCTION_FORGOTTEN = "stack no longer known", "function no longer known"


def missing(error: int) -> str:
    """The gap for a stack that the kernel could not take; error: its number, shown if there is no other text for it."""
    return f"{_ERROR} {error}"


def broken(why: str) -> str:
    """The gap for unwind tables with a known defect."""
    return f"{BROKEN}: {why}"


_ROOM = "Give the probe a larger map (-p room=131072), or trace one process (-p pid=PID)."
_JCMD = "`jcmd PID Compiler.perfmap` as its user or root (in its container, with the pid there)"
_FORGOTTEN = "A limited number of call stacks is kept; the oldest are forgotten."
_EXPLAINED = {
    STRIPPED: "The file has no symbol table, and no file with its debug symbols was found. Install them: on Debian "
    "the -dbgsym package, on Fedora `dnf debuginfo-install`, or `debuginfod-find debuginfo FILE` as the user who "
    "traces. Then start ebpftop again.",
    NO_SYMBOL: "The file has symbols, but none for this address: a linker's stub, or assembly without one.",
    UNREADABLE: "The file that holds this code could not be read, or is not a 64-bit file for this machine.",
    NO_MAP: "A just-in-time compiler wrote this code, and no /tmp/perf-PID.map names it. Java 17 and newer: "
    f"{_JCMD}; its callers are found if Java runs with -XX:+PreserveFramePointer. Older Java: perf-map-agent. "
    "Node: start it with --perf-basic-prof. .NET: DOTNET_PerfMapEnabled=1. Ruby: --yjit-perf=map. Erlang: "
    "+JPperf true.",
    NOT_IN_MAP: "A just-in-time compiler wrote this code, and the process's perf map lacks it: the map may be "
    f"older, or for other code. Java: {_JCMD}, again. Node: start it with "
    "--perf-basic-prof --interpreted-frames-native-stack.",
    GONE: "The process ended, or executed another program, before its functions were looked up, and its files could "
    "no longer be read. Trace while it runs.",
    COMPILED: "A just-in-time compiler wrote this code without frame pointers, so its callers can't be found. Java: "
    "start it with -XX:+PreserveFramePointer. Python: start it without -X perf, since its functions are known "
    "anyway. Node keeps frame pointers.",
    NO_TABLES: "This code was built without either. Build it with -fasynchronous-unwind-tables (the default of most "
    "compilers) or -fno-omit-frame-pointer. In Go, this marks where the stacks of the scheduler (runtime.mcall) and of "
    "its threads (runtime.mstart) begin: nothing is missing there.",
    BROKEN: "The file's .eh_frame can't be followed here. Build it with -fno-omit-frame-pointer, and "
    "trace with -p unwind=fp.",
    UNREADABLE_TABLES: "The tables are too large, or a file could not be read.",
    NOWHERE: "The return address on the stack points to no code: it was damaged, or code was unmapped meanwhile.",
    ELSEWHERE: "A signal handler or a coroutine runs on a stack of its own, and only that stack is copied.",
    NOT_IN_MEMORY: "Pages of the stack were swapped out, or could not be read when it was copied.",
    TOO_MUCH: "Reading the unwind tables of the program's files takes longer than one program may take.",
    LATE: "Root reads where programs have their code, with at most 3 percent of a CPU, and this one waited too long: "
    "too many programs are new. Trace fewer (-p pid=PID).",
    ENDED: "The process ended before its code was read. Most such processes live for a few milliseconds.",
    _TOO_DEEP: "The outer frames were not kept. To copy more, use -p copy=64 (64 KiB). At most 256 calls are kept of "
    "a copied stack, 127 of one that the kernel walks.",
    NO_USER_STACK: "The kernel's own work: a kernel thread, or a process that is starting or ending.",
    NO_ROOM: "The collector could not keep up. Take fewer samples (-p frequency=49), or trace one process "
    "(-p pid=PID).",
    TAKEN: _ROOM,
    MAP_FULL: _ROOM,
    TOO_MANY: "At most 32,768 different unwound stacks are kept. Trace one process (-p pid=PID).",
    NOT_COPIED: "More stacks were new than are copied per second (-p copies=1000 copies more), or they could not be "
    "unwound fast enough. Trace one process (-p pid=PID).",
    NOT_IN_STACK_MAP: _ROOM,
    NO_STACK: "The kernel could not take one.",
    _ERROR: "The kernel could not take one.",
    PYTHON_LEFT_OUT: "At most 128 Python calls of a stack are kept, the innermost ones.",
    STACK_FORGOTTEN: _FORGOTTEN,
    FUNCTION_FORGOTTEN: _FORGOTTEN,
}


_NUMBER = re.compile(r" \d+(?: KiB| calls)?")


def is_gap(text: str) -> bool:
    """Whether the text is a gap from this module."""
    return text in _EXPLAINED or _NUMBER.sub("", text) in _EXPLAINED


def explained(gap: str) -> str:
    """The meaning of a gap and what to do about it; empty for other text."""
    for words in (gap, _NUMBER.sub("", gap), gap.partition(": ")[0]):
        if words in _EXPLAINED:
            return _EXPLAINED[words]
    return ""
