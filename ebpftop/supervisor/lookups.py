"""Resolving parameters whose meaning depends on this machine, with the invoker's rights."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping

from ebpftop.catalog import params
from ebpftop.kernel import cgroups, devices
from ebpftop.supervisor.privilege import Invoker, rights_of


def lookups(who: Invoker | None) -> Mapping[str, Callable[[str], int]]:
    """By parameter type, a function from text to number. They raise `OSError`."""

    def with_rights(find: Callable[[str], int]) -> Callable[[str], int]:
        def found(text: str) -> int:
            with rights_of(who):
                return find(text)

        return found

    finders = {"pid": _process, "cgroup": cgroups.identifier, "device": devices.number}
    return {kind: with_rights(find) for kind, find in finders.items()}


def _process(text: str) -> int:
    if ":" in text:  # which the collector replaces
        raise OSError(errno.ESRCH, "not a pid of this host")
    number = params.number(text)
    if not os.path.exists(f"/proc/{number}"):
        raise OSError(errno.ESRCH, "no such process")
    return number
