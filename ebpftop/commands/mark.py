"""Marks the current moment in running dashboards and recordings."""

from __future__ import annotations

from ebpftop.base.errors import Cannot, UsageError, UserError
from ebpftop.frames import outside
from ebpftop.frames.marks import LONGEST, line
from ebpftop.supervisor import privilege


def mark(text: str) -> int:
    """Send a text to the user's dashboards and recordings; under sudo, to root's and then, as the invoker, to the
    invoker's.
    """
    if len(text.encode(errors="replace")) > LONGEST:
        raise UsageError(f"the text is longer than {LONGEST:,} bytes")
    if not (shown := line(text)):
        raise UsageError("the text is empty")
    places, taken = outside.folders(), outside.send(text)
    if who := privilege.invoker():
        privilege.drop(who)
        places, taken = [*places, *outside.folders()], taken + outside.send(text)
    if not places:
        raise Cannot(
            "no folder for marks: XDG_RUNTIME_DIR or /run/user/UID must be a folder of your own that nobody else can "
            "enter (mode 0700)"
        )
    if not taken:
        raise UserError("no dashboard or recording of yours is running")
    print(f"marked in {taken} place{'' if taken == 1 else 's'}: {shown}")
    return 0
