"""Who invoked sudo, and giving up root, permanently or temporarily.

Under sudo the invoker is `SUDO_UID`/`SUDO_GID`. Without one (root's own shell, a container, a user with capabilities) a
process keeps its user and gives up every capability, with no way to regain one, see capabilities(7). As uid 0 it can
still access root's own files.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from itertools import count
from pathlib import Path

import msgspec

from ebpftop.base.errors import Cannot
from ebpftop.base.syscalls import NUMBERS
from ebpftop.kernel import capabilities

_PR_SET_PDEATHSIG, _PR_GET_PDEATHSIG = 1, 2
_PR_SET_DUMPABLE, _PR_SET_KEEPCAPS, _PR_SET_SECUREBITS, _PR_CAPBSET_READ, _PR_CAPBSET_DROP = 4, 8, 28, 23, 24
_PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT = 38, 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_SECBITS_ROOT_IS_NOBODY_SPECIAL = 0x2F  # NOROOT, NO_SETUID_FIXUP, KEEP_CAPS_LOCKED, each locked
_NO_ID = (1 << 32) - 1  # to chown(2) and its like this means "leave it"
_NOBODY = "{} is not a valid user: run ebpftop through sudo, or unset SUDO_UID and SUDO_GID"

_libc = ctypes.CDLL(None, use_errno=True)


class Invoker(msgspec.Struct, frozen=True, kw_only=True):
    """The person behind sudo."""

    uid: int
    gid: int
    name: str
    home: str


def invoker(environment: Mapping[str, str] = os.environ) -> Invoker | None:
    """The user who ran sudo, with the home directory from passwd; None if root runs us directly, or no root at all.

    Raises `Cannot` if sudo's variables name nobody: continuing as root would not be what the user meant.
    """
    given = {name: environment[name] for name in ("SUDO_UID", "SUDO_GID") if name in environment}
    if not given or os.geteuid() != 0:
        return None
    if len(given) < 2 or not all(re.fullmatch(r"[0-9]{1,10}", value, re.ASCII) for value in given.values()):
        raise Cannot(_NOBODY.format(" ".join(f"{name}={value!a:.40}" for name, value in given.items())))
    uid, gid = (int(value) for value in given.values())
    if max(uid, gid) >= _NO_ID:
        raise Cannot(_NOBODY.format(f"SUDO_UID={uid} SUDO_GID={gid}"))
    if uid == 0:
        return None
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return Invoker(uid=uid, gid=gid, name=str(uid), home="/")
    return Invoker(uid=uid, gid=gid, name=entry.pw_name, home=entry.pw_dir)


def drop(who: Invoker | None) -> None:
    """Become the invoker, or uid 0 without capabilities, irrevocably. Raises `OSError`, `Cannot` if any step fails."""
    if who is None:
        _drop_capabilities()
    else:
        with _changing_to(who):
            os.setgroups(_groups(who))
            os.setresgid(who.gid, who.gid, who.gid)
            os.setresuid(who.uid, who.uid, who.uid)
        os.environ.update(HOME=who.home, USER=who.name, LOGNAME=who.name)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _prctl(_PR_SET_DUMPABLE, 0)


def _groups(who: Invoker) -> list[int]:
    return os.getgrouplist(who.name, who.gid) if not who.name.isdigit() else [who.gid]


@contextlib.contextmanager
def _changing_to(who: Invoker) -> Iterator[None]:
    """Raises `Cannot` if this isn't permitted."""
    try:
        yield
    except OSError as error:
        remedy = "give CAP_SETUID and CAP_SETGID, or unset SUDO_UID and SUDO_GID"
        raise Cannot(f"root can't become {who.name} here ({error.strerror}): {remedy}") from None


def _drop_capabilities() -> None:
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    if "CAP_SETPCAP" in capabilities.held():  # without it the bounding set and securebits can't be changed
        for capability in count():
            if _libc.prctl(_PR_CAPBSET_READ, ctypes.c_ulong(capability), 0, 0, 0) < 0:
                break  # the kernel knows no more
            _prctl(_PR_CAPBSET_DROP, capability)
        _prctl(_PR_SET_SECUREBITS, _SECBITS_ROOT_IS_NOBODY_SPECIAL)
    capabilities.keep(())


def become_reader(who: Invoker | None) -> None:
    """Become the invoker, irrevocably; without one, keep only root's capabilities to open files. Raises the same as
    `drop`.
    """
    if who is not None or os.geteuid() != 0:
        drop(who)
        return
    capabilities.keep(capabilities.FILE_RIGHTS)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _prctl(_PR_SET_DUMPABLE, 0)


def confine(who: Invoker | None) -> None:
    """Irrevocably turn only this thread into the invoker, with just the capabilities that loading programs needs: for
    the compiler, whose input names files. Raises `OSError`, `Cannot`.
    """
    loading = ("CAP_BPF", "CAP_PERFMON")
    keep = loading if capabilities.held().issuperset(loading) else ("CAP_SYS_ADMIN",)  # which includes them
    if who is not None:
        _prctl(_PR_SET_KEEPCAPS, 1)
        groups = _groups(who)
        with _changing_to(who):  # libc's functions would change all threads
            _call("setgroups", len(groups), (ctypes.c_uint32 * len(groups))(*groups))
            _call("setresgid", who.gid, who.gid, who.gid)
            _call("setresuid", who.uid, who.uid, who.uid)
    capabilities.keep(keep)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def _call(name: str, *arguments: object) -> None:
    """A system call that bypasses libc's wrapper."""
    if _libc.syscall(NUMBERS[name], *arguments):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _prctl(option: int, argument: int) -> None:
    if _libc.prctl(option, ctypes.c_ulong(argument), 0, 0, 0):
        number = ctypes.get_errno()
        raise OSError(number, f"prctl({option}): {os.strerror(number)}")


def can_read(who: Invoker, folder: Path) -> bool:
    """Whether the invoker can read the files in this folder."""
    with rights_of(who):
        return os.access(folder / "__init__.py", os.R_OK, effective_ids=True)


def invokers_rights() -> AbstractContextManager[None]:
    """`rights_of` the invoker, for files that the command line names. Raises `Cannot`."""
    return rights_of(invoker())


def kill(pid: int, number: int) -> None:
    """Send a signal to a child, which may have become the invoker: root without CAP_KILL needs the invoker's rights for
    that. Raises `OSError`.
    """
    try:
        os.kill(pid, number)
    except PermissionError:
        with invokers_rights():
            os.kill(pid, number)


@contextlib.contextmanager
def rights_of(who: Invoker | None) -> Iterator[None]:
    """Open paths with the invoker's rights; afterwards root's are restored. The process must have only one thread.

    Without an invoker, root keeps its own rights, and another user keeps those without capabilities. Raises `Cannot` if
    root can't become the invoker.
    """
    if who is None:
        with contextlib.nullcontext() if os.geteuid() == 0 else capabilities.without(capabilities.FILE_RIGHTS):
            yield
        return
    groups, signal = os.getgroups(), ctypes.c_int()
    _libc.prctl(_PR_GET_PDEATHSIG, ctypes.byref(signal), 0, 0, 0)
    with _changing_to(who):
        os.setgroups(_groups(who))
        os.setegid(who.gid)
        os.seteuid(who.uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)
        _prctl(_PR_SET_PDEATHSIG, signal.value)  # changing uids clears it
