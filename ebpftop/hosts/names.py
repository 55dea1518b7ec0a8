"""Names of hosts, as users give them to ssh."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ebpftop.base.errors import UsageError
from ebpftop.base.inert import quoted

LOCAL = "local"  # this machine, without ssh
MOST = 32
_NAME = re.compile(r"[\w.:%\[\]/+@~-]{1,255}")


def checked(names: Sequence[str]) -> list[str]:
    """The names, checked so that neither ssh nor a shell can interpret them as something else. Raises `UsageError`."""
    for name in names:
        parts = name.removeprefix("ssh://").split("@")
        if not _NAME.fullmatch(name) or any(not part or part.startswith("-") for part in parts):
            raise UsageError(
                f"{quoted(name)} is not a host name: --host takes what ssh takes, such as web-1 or admin@web-1"
            )
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"--host {twice} is given twice")
    if len(names) > MOST:
        raise UsageError(f"{len(names)} hosts at once; at most {MOST} can be watched")
    return list(names)


def labels(names: Sequence[str]) -> list[str]:
    """The label of each host: without its user, if that is unambiguous."""
    bare = [name.rpartition("@")[2] for name in names]
    return [short if bare.count(short) == 1 else name for name, short in zip(names, bare, strict=True)]
