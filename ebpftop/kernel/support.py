"""Without what nothing can be traced at all: a kernel new enough, a known architecture, BTF. Quick, for every start."""

from __future__ import annotations

import os
import re
from typing import NamedTuple

OLDEST_KERNEL = (5, 15)


class Check(NamedTuple):
    """One line of the doctor's findings; `remedy` is empty where nothing is to be done."""

    check: str
    ok: bool
    detail: str
    remedy: str


def essentials() -> list[Check]:
    """What every command that traces needs."""
    return [kernel(), architecture(), btf()]


def kernel() -> Check:
    """Its release."""
    release = os.uname().release
    match = re.match(r"(\d+)\.(\d+)", release)
    ok = match is not None and (int(match[1]), int(match[2])) >= OLDEST_KERNEL
    return Check("kernel", ok, f"Linux {release}", "" if ok else "use Linux 5.15 or newer")


def architecture() -> Check:
    """Of this kernel."""
    machine = os.uname().machine
    if machine == "aarch64":
        return Check("architecture", True, "arm64, which is written for but untested", "")
    ok = machine == "x86_64"
    return Check("architecture", ok, machine, "" if ok else "use an x86-64 machine")


def btf() -> Check:
    """Whether the kernel tells its types; the doctor looks into them."""
    ok = os.path.exists("/sys/kernel/btf/vmlinux")
    detail = "/sys/kernel/btf/vmlinux" if ok else "this kernel without BTF"
    return Check("BTF", ok, detail, "" if ok else "use a distribution's own kernel of 5.15 or newer")
