"""What stands in a call stack where a function's name, or the rest of the stack, is missing: why, and what can be done
about it. Whoever finds a gap takes its words from here, whoever shows it asks `explained`.
"""

from __future__ import annotations

import re

# ---------------------------------------------------------------- code without a name

STRIPPED = "stripped"
NO_SYMBOL = "no symbol"
UNREADABLE = "file not readable"
NO_MAP = "JIT without a map"
NOT_IN_MAP = "JIT, not in its map"
GONE = "ended before it was named"

# ---------------------------------------------------------------- a stack that has no beginning

COMPILED = "JIT without frame pointers"
NO_TABLES = "code without unwind tables and frame pointers"
BROKEN = "unwind tables that make no sense"
UNREADABLE_TABLES = "its files' unwind tables can't be read"
NOWHERE = "return address outside of all code"
ELSEWHERE = "the rest is on another stack"
NOT_IN_MEMORY = "the rest of the stack is not in memory"
TOO_MUCH = "unwinding takes too long"
LATE = "its code could not be read in time"
ENDED = "its code is not known, as the process has ended"
_TOO_DEEP = "stack too deep: more than"  # so much


def deeper_than(bytes_: int) -> str:
    """For a stack of which no more is copied."""
    return f"{_TOO_DEEP} {bytes_ >> 10} KiB"


def more_than(calls: int) -> str:
    """For one of which no more calls are kept."""
    return f"{_TOO_DEEP} {calls} calls"


# ---------------------------------------------------------------- no stack at all

NO_USER_STACK = "no user stack"
NO_STACK = "no stack"
_ERROR = "no stack: error"  # and its number
NO_ROOM = "stack lost: no room for its copy"
TAKEN = "stack lost: its place in the map is taken"
MAP_FULL = "stack lost: the map is full"
TOO_MANY = "stack lost: too many are kept"
NOT_COPIED = "stack not copied: too many new ones"
NOT_IN_STACK_MAP = "stack not in the map"
PYTHON_LEFT_OUT = "Python calls left out: more than 128"
STACK_FORGOTTEN, FUNCTION_FORGOTTEN = "stack not known", "function not known"


def missing(error: int) -> str:
    """For a stack that the kernel could not take; error: its number, for which there are no other words."""
    return f"{_ERROR} {error}"


def broken(why: str) -> str:
    """For tables of which it is known what is wrong with them."""
    return f"{BROKEN}: {why}"


_ROOM = "Give the probe more of it (-p room=131072), or trace one process (-p pid=PID)."
_JCMD = "`jcmd PID Compiler.perfmap` as its user or root (in its container, with the pid there)"
_FORGOTTEN = "Call stacks are kept up to a limit; the oldest are forgotten."
_EXPLAINED = {
    STRIPPED: "The file has no symbol table, and no file with its debug symbols was found. Install those: on Debian "
    "the package's -dbgsym, on Fedora by `dnf debuginfo-install`; or `debuginfod-find debuginfo FILE` as the user who "
    "traces. Then start ebpftop again.",
    NO_SYMBOL: "The file has symbols, but none for this address: a linker's stub, or assembly without one.",
    UNREADABLE: "The file that holds this code could not be read, or is no 64-bit program of this machine.",
    NO_MAP: "A just-in-time compiler wrote this code, and no /tmp/perf-PID.map says what it is. Java 17 and newer: "
    f"{_JCMD}; its callers are found if it was started with -XX:+PreserveFramePointer. Older Java: perf-map-agent. "
    "Node: start it with --perf-basic-prof. .NET: DOTNET_PerfMapEnabled=1. Ruby: --yjit-perf=map. Erlang: "
    "+JPperf true.",
    NOT_IN_MAP: "A just-in-time compiler wrote this code, and the process's perf map does not have it: it may be "
    f"written later, or of other code. Java: {_JCMD}, again. Node: start it with "
    "--perf-basic-prof --interpreted-frames-native-stack.",
    GONE: "The program had ended, or executed another one, before its functions were looked up, and its files could "
    "not be read afterwards. Trace while it runs.",
    COMPILED: "A just-in-time compiler wrote this code without frame pointers, so its callers can't be found. Java: "
    "start it with -XX:+PreserveFramePointer. Python: start it without -X perf, as its functions are known "
    "anyway. Node keeps them.",
    NO_TABLES: "This code was built without both. Build it with -fasynchronous-unwind-tables (the default of most "
    "compilers) or -fno-omit-frame-pointer. In Go it stands where the stacks of the scheduler (runtime.mcall) and of "
    "its threads (runtime.mstart) begin: nothing is missing there.",
    BROKEN: "The file's .eh_frame says nothing that can be followed here. Build it with -fno-omit-frame-pointer, and "
    "trace with -p unwind=fp.",
    UNREADABLE_TABLES: "They are too large, or the file could not be read.",
    NOWHERE: "The stack says that the caller is where no code is: it was damaged, or code was unmapped meanwhile.",
    ELSEWHERE: "A signal handler or a coroutine runs on a stack of its own, and only that one is copied.",
    NOT_IN_MEMORY: "Its pages were swapped out, or could not be read when the stack was copied.",
    TOO_MUCH: "The tables of its files take longer to read than a program is worth.",
    LATE: "Root reads where a program's code lies, for at most 3 percent of a CPU, and this one had to wait too long: "
    "many programs are new. Trace fewer (-p pid=PID).",
    ENDED: "The process had ended before its code was read: mostly one that lived for some milliseconds.",
    _TOO_DEEP: "What is further out was not kept. Copies can be larger: -p copy=64 takes 64 KiB. 256 calls are kept of "
    "a copied stack, 127 of one that the kernel walks.",
    NO_USER_STACK: "The kernel's own work: one of its threads, or a process that begins or ends.",
    NO_ROOM: "The collector could not keep up. Take fewer samples (-p frequency=49), or trace one process "
    "(-p pid=PID).",
    TAKEN: _ROOM,
    MAP_FULL: _ROOM,
    TOO_MANY: "32,768 different unwound stacks are kept. Trace one process (-p pid=PID).",
    NOT_COPIED: "More stacks were new than are copied in a second (-p copies=1000 copies more), or they could not be "
    "unwound fast enough. Trace one process (-p pid=PID).",
    NOT_IN_STACK_MAP: _ROOM,
    NO_STACK: "The kernel could not take one.",
    _ERROR: "The kernel could not take one.",
    PYTHON_LEFT_OUT: "128 Python calls of a stack are kept, the innermost ones.",
    STACK_FORGOTTEN: _FORGOTTEN,
    FUNCTION_FORGOTTEN: _FORGOTTEN,
}


_NUMBER = re.compile(r" \d+(?: KiB| calls)?")


def is_gap(text: str) -> bool:
    """Whether these are words from here, and nothing else."""
    return text in _EXPLAINED or _NUMBER.sub("", text) in _EXPLAINED


def explained(gap: str) -> str:
    """What it means and what to do about it; empty for other words."""
    for words in (gap, _NUMBER.sub("", gap), gap.partition(": ")[0]):
        if words in _EXPLAINED:
            return _EXPLAINED[words]
    return ""
