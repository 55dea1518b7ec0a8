"""Capabilities of this thread, see capabilities(7). Numbers: linux/capability.h. All functions raise `OSError`."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Collection, Iterator

NUMBERS = {
    "CAP_DAC_OVERRIDE": 1,
    "CAP_DAC_READ_SEARCH": 2,
    "CAP_SETPCAP": 8,
    "CAP_SYS_CHROOT": 18,
    "CAP_SYS_PTRACE": 19,
    "CAP_SYS_ADMIN": 21,
    "CAP_SYSLOG": 34,
    "CAP_PERFMON": 38,
    "CAP_BPF": 39,
    "CAP_CHECKPOINT_RESTORE": 40,
}
"""Those that matter here."""
COSTS = {
    "CAP_DAC_READ_SEARCH": "no classic tracepoints, no patterns of kernel functions",
    "CAP_SYS_ADMIN": "no program run times, no private mounts",
    "CAP_SYS_CHROOT": "only Landlock, or else only this user's rights, keep the compiler from other files",
    "CAP_SYSLOG": "no names of kernel functions in call stacks",
    "CAP_SYS_PTRACE": "no names of functions in other users' processes",
}
"""What lacking each costs, for who may trace at all."""
FILE_RIGHTS = ("CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH")  # to open files that the user may not

_VERSION_3 = 0x20080522
_libc = ctypes.CDLL(None, use_errno=True)


def held() -> frozenset[str]:
    """The effective capabilities."""
    effective, _, _ = _get()
    return frozenset(name for name, number in NUMBERS.items() if effective >> number & 1)


def may_trace() -> bool:
    """Whether programs may be loaded and attached: CAP_SYS_ADMIN includes the two required capabilities. A trial shows
    whether they suffice.
    """
    own = held()
    return "CAP_SYS_ADMIN" in own or {"CAP_BPF", "CAP_PERFMON"} <= own


def lacking() -> dict[str, str]:
    """The capabilities in `COSTS` that aren't effective, with the consequence of lacking each."""
    own = held()
    return {name: cost for name, cost in COSTS.items() if name not in own}


def keep(names: Collection[str]) -> None:
    """Permanently drop all others. `names`: those to keep, as far as they are permitted."""
    _, permitted, _ = _get()
    kept = permitted & _mask(names)
    _set(kept, kept, 0)


@contextlib.contextmanager
def without(names: Collection[str]) -> Iterator[None]:
    """Drop these temporarily."""
    effective, permitted, inheritable = _get()
    _set(effective & ~_mask(names), permitted, inheritable)
    try:
        yield
    finally:
        _set(effective, permitted, inheritable)


def _mask(names: Collection[str]) -> int:
    return sum(1 << NUMBERS[name] for name in names)


def _get() -> tuple[int, int, int]:
    """Effective, permitted, inheritable."""
    data = (ctypes.c_uint32 * 6)()
    if _libc.capget(_header(), data):
        raise _error("capget")
    return data[0] | data[3] << 32, data[1] | data[4] << 32, data[2] | data[5] << 32


def _set(effective: int, permitted: int, inheritable: int) -> None:
    sets = (effective, permitted, inheritable)
    low, high = (each & 0xFFFFFFFF for each in sets), (each >> 32 for each in sets)
    if _libc.capset(_header(), (ctypes.c_uint32 * 6)(*low, *high)):
        raise _error("capset")


def _header() -> object:
    return (ctypes.c_uint32 * 2)(_VERSION_3, 0)


def _error(what: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, f"{what}: {os.strerror(number)}")
