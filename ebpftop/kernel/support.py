"""Checks the minimum for tracing: a recent kernel, a known architecture, BTF. It is fast because it runs at every
start.
"""

from __future__ import annotations

import contextlib
import os
import re
from typing import NamedTuple

OLDEST_KERNEL, OLDEST_TESTED = (5, 15), (6, 1)
_INITIAL_PID, _INITIAL_CGROUP = 0xEFFFFFFC, 0xEFFFFFFB  # the inodes of the initial namespaces: linux/proc_ns.h
MOUNT_SYSFS, _MOUNT_PROC = "mount sysfs: mount -t sysfs sysfs /sys", "mount it: mount -t proc proc /proc"
_OUTSIDE = "run it on the host, or start the container with --pid=host (Kubernetes: hostPID)"


class Check(NamedTuple):
    """One line of the doctor's output; `remedy` is empty if nothing needs to be done."""

    check: str
    ok: bool
    detail: str
    remedy: str


def essentials() -> list[Check]:
    """The checks that every tracing command needs to pass."""
    return [kernel(), architecture(), btf(), cpus()]


def kernel() -> Check:
    """Check the kernel's release."""
    release = os.uname().release
    match = re.match(r"(\d+)\.(\d+)", release)
    version = (int(match[1]), int(match[2])) if match is not None else (0, 0)
    ok = version >= OLDEST_KERNEL
    untested = ": untested, like all kernels before 6.1" if ok and version < OLDEST_TESTED else ""
    return Check("kernel", ok, f"Linux {release}{untested}", "" if ok else "use Linux 6.1 or newer")


def architecture() -> Check:
    """Check the kernel's architecture."""
    machine = os.uname().machine
    if machine == "aarch64":
        detail = "arm64: partly tested; user stacks need frame pointers and have no Python functions"
        return Check("architecture", True, detail, "")
    ok = machine == "x86_64"
    return Check("architecture", ok, machine, "" if ok else "use an x86-64 or arm64 machine")


def btf() -> Check:
    """Check that the kernel has BTF; the doctor also reads it."""
    ok = os.path.exists("/sys/kernel/btf/vmlinux")
    detail = "/sys/kernel/btf/vmlinux" if ok else "a kernel without BTF"
    return Check("BTF", ok, detail, "" if ok else "use a distribution's own kernel of 6.1 or newer")


def cpus() -> Check:
    """Check that the number of possible CPUs is known: entries of per-CPU maps have a value for each."""
    folder = "/sys/devices/system/cpu"
    ok = os.access(f"{folder}/possible", os.R_OK)
    return Check("CPUs", ok, folder if ok else f"a machine without {folder}", "" if ok else MOUNT_SYSFS)


def proc() -> Check:
    """Check that /proc shows more than processes; most things work without that."""
    if not os.path.exists("/proc/self"):
        return Check("proc", False, "/proc is not mounted", _MOUNT_PROC)
    lacking = [name for name in ("cgroups", "loadavg", "meminfo", "stat") if not _has_text(f"/proc/{name}")]
    if not lacking:
        return Check("proc", True, "complete", "")
    names = ", ".join(f"/proc/{name}" for name in lacking)
    detail = f"nothing can be read from {names}: the machine's load or names of cgroups are unknown"
    return Check("proc", False, detail, f"{_MOUNT_PROC}, without subset=pid")


def _has_text(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return bool(file.read(1))
    except OSError:
        return False


def pid_namespace() -> Check:
    """Check that process ids here are the kernel's own, for this process and for its children. Tracing needs that."""
    try:
        spaces = {os.stat(f"/proc/self/ns/{name}").st_ino for name in ("pid", "pid_for_children")}
    except OSError as error:  # after unshare(CLONE_NEWPID), the first child's doesn't exist yet
        why = "no /proc" if not os.path.exists("/proc/self") else error.strerror
        return Check("pid namespace", False, f"an unknown pid namespace ({why})", _OUTSIDE)
    if spaces == {_INITIAL_PID}:
        return Check("pid namespace", True, "the initial one", "")
    detail = "a nested pid namespace (process ids here differ from the kernel's)"
    return Check("pid namespace", False, detail, _OUTSIDE)


def time_namespace() -> Check:
    """Check that clocks are the kernel's own, for this process's children: programs note times and starts by those. A
    kernel without time namespaces has no such file.
    """
    name, offsets = "time namespace", ["0"]
    with contextlib.suppress(OSError), open("/proc/self/timens_offsets") as file:
        offsets = [word for line in file for word in line.split()[1:]]
    if set(offsets) == {"0"}:
        return Check(name, True, "clocks are the kernel's", "")
    detail = "a time namespace (clocks here differ from the kernel's)"
    return Check(name, False, detail, "run it on the host, or start the container without clock offsets")


def misleading() -> Check | None:
    """The namespace in which what is traced would be wrong, if this is one."""
    return next((check for check in (pid_namespace(), time_namespace()) if not check.ok), None)


def cgroup_namespace() -> Check:
    """Check that all cgroups are visible here. Tracing works even if they aren't; cgroups outside of the container then
    have no name.
    """
    name, detail = "cgroup namespace", "the initial one"
    try:
        if os.stat("/proc/self/ns/cgroup").st_ino == _INITIAL_CGROUP:
            return Check(name, True, detail, "")
        detail = "a nested one: everything is traced, but containers and units outside of it may have no name"
    except OSError as error:
        detail = f"unknown ({error.strerror})"
    return Check(name, False, detail, "run it on the host, or start the container with --cgroupns=host")
