"""Kinds of namespaces, from the flags of clone(2), unshare(2) and setns(2). Source: uapi/linux/sched.h."""

from __future__ import annotations

_NAMES = {
    0x80: "time",
    0x20000: "mnt",
    0x2000000: "cgroup",
    0x4000000: "uts",
    0x8000000: "ipc",
    0x10000000: "user",
    0x20000000: "pid",
    0x40000000: "net",
}


def names(flags: int) -> str:
    """`user,net`; "" for none; bits of no known namespace in hexadecimal."""
    found = [name for bit, name in _NAMES.items() if flags & bit]
    rest = flags & ~sum(_NAMES)
    return ",".join([*found, hex(rest)] if rest else found)
