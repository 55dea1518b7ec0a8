"""Landlock: restricts the files that a thread may open. See the kernel's userspace-api/landlock.rst."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable
from pathlib import Path

from ebpftop.base.syscalls import NUMBERS

_VERSION = 1  # LANDLOCK_CREATE_RULESET_VERSION
_PATH_BENEATH = 1
_WRITE_FILE, _READ_FILE, _READ_DIR = 2, 4, 8

_libc = ctypes.CDLL(None, use_errno=True)


class _PathBeneath(ctypes.Structure):
    """struct landlock_path_beneath_attr."""

    _pack_ = 1
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


def available() -> bool:
    """Whether Landlock is enabled in the kernel."""
    return bool(_libc.syscall(NUMBERS["landlock_create_ruleset"], None, ctypes.c_size_t(0), _VERSION) > 0)


def only(folders: Iterable[Path], files: Iterable[Path]) -> None:
    """Permanently restrict this thread to files in these folders, and to reading these files.

    The thread must have set no_new_privs. Raises `OSError`.
    """
    handled = ctypes.c_uint64(_WRITE_FILE | _READ_FILE | _READ_DIR)
    rules = _call("landlock_create_ruleset", ctypes.byref(handled), ctypes.c_size_t(ctypes.sizeof(handled)), 0)
    try:
        for folder in folders:
            _allow(rules, folder, handled.value)
        for file in files:
            _allow(rules, file, _READ_FILE)
        _call("landlock_restrict_self", rules, 0)
    finally:
        os.close(rules)


def _allow(rules: int, place: Path, access: int) -> None:
    descriptor = os.open(place, os.O_PATH | os.O_CLOEXEC)
    try:
        rule = _PathBeneath(allowed_access=access, parent_fd=descriptor)
        _call("landlock_add_rule", rules, _PATH_BENEATH, ctypes.byref(rule), 0)
    finally:
        os.close(descriptor)


def _call(name: str, *arguments: object) -> int:
    result = int(_libc.syscall(NUMBERS[name], *arguments))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result
