"""tracefs, which lists classic tracepoints, and private mounts. Most functions raise OSError."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
from collections.abc import Iterable
from pathlib import Path

from ebpftop.kernel import mounts

PLACES = (Path("/sys/kernel/tracing"), Path("/sys/kernel/debug/tracing"))

_CLONE_NEWNS = 0x20000
_MS_REC, _MS_PRIVATE = 0x4000, 0x40000


def find() -> Path | None:
    """Where tracefs is mounted, readable or not; None if it isn't."""
    return next((place for place in PLACES if _is_tracefs(place)), None)


def _is_tracefs(place: Path) -> bool:
    """Whether tracefs is mounted there. Works without permission to look inside. debugfs mounts its `tracing` only on
    access.
    """
    return os.path.isdir(f"{place}/events") or place in mounts.of_kind("tracefs")


def formats(names: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The texts that describe tracepoints' records, by "CATEGORY/EVENT"; without those that don't exist or can't be
    read.
    """
    found: dict[str, str] = {}
    with contextlib.suppress(OSError):
        events = (find() or PLACES[0]) / "events"
        for category, event in names:
            with contextlib.suppress(OSError):
                found[f"{category}/{event}"] = (events / category / event / "format").read_text()
    return found


def private_mounts() -> None:
    """Give this process its own mount namespace, so that no other process sees its mounts. Needs CAP_SYS_ADMIN."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNS):
        raise _error("creating a mount namespace")
    _mount(None, Path("/"), None, _MS_REC | _MS_PRIVATE)


def mount_private() -> Path:
    """Where tracefs is mounted; mounts it at its usual place if necessary. Call `private_mounts` first."""
    if place := find():
        return place
    if not PLACES[0].is_dir():
        raise OSError(errno.ENOENT, "this kernel was built without tracefs")
    mount("tracefs", PLACES[0], "tracefs")
    return PLACES[0]


def mount(source: str, target: Path, kind: str) -> None:
    """Mount a file system of the given kind."""
    _mount(source, target, kind, 0)


def _mount(source: str | None, target: Path, kind: str | None, flags: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mount.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p]
    if libc.mount(source and source.encode(), os.fsencode(target), kind and kind.encode(), flags, None):
        raise _error(f"mounting {kind or source or 'private'} at {target}")


def _error(what: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, f"{what}: {os.strerror(number)}")
