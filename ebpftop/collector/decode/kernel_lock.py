"""Kinds of kernel locks by the flags of the tracepoint lock:contention_begin, named as `perf lock contention` does.

Source: include/trace/events/lock.h.
"""

from __future__ import annotations

_SPIN, _READ, _WRITE, _RT, _PERCPU, _MUTEX = (1 << bit for bit in range(6))
_NAMES = {
    0: "mutex",  # before it had a flag
    _MUTEX: "mutex",
    _MUTEX | _SPIN: "mutex",
    _SPIN: "spinlock",
    _SPIN | _READ: "rwlock:R",
    _SPIN | _WRITE: "rwlock:W",
    _READ: "rwsem:R",
    _WRITE: "rwsem:W",
    _RT: "rt-mutex",
    _RT | _READ: "rwlock-rt:R",
    _RT | _WRITE: "rwlock-rt:W",
    _PERCPU | _READ: "pcpu-sem:R",
    _PERCPU | _WRITE: "pcpu-sem:W",
}


def name(flags: int) -> str:
    """`rwsem:R`, or the number."""
    return _NAMES.get(flags, str(flags))
