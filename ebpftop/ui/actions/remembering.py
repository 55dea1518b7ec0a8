"""What the dashboard remembers of its last session: the probes that ran, so that the first screen can offer them, and
the theme.

A file of the user, in `$XDG_STATE_HOME/ebpftop`. It contains nothing that a request of the dashboard can't say.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from ebpftop.base.answering import path_answers
from ebpftop.base.home import home
from ebpftop.export import files
from ebpftop.frames.messages import Catalog, PlaybookInfo, StepInfo

LAST = "last"  # the playbook's name
_MOST = 1 << 16  # bytes


class Remembered(msgspec.Struct, frozen=True, kw_only=True):
    """probes: with their parameters, in the order of their tabs. first: there was no last session."""

    theme: str = ""
    probes: Sequence[tuple[str, dict[str, str]]] = ()
    first: bool = False


def place() -> Path | None:
    """The file; None for a user without a home."""
    named = os.environ.get("XDG_STATE_HOME", "")
    own = home()
    state = Path(named) if os.path.isabs(named) else own / ".local/state" if own else None
    return state / "ebpftop" / "last.json" if state else None


def read(file: Path) -> Remembered:
    """The readable part of it: it is a convenience, so damage is no error."""
    if not path_answers(file):
        return Remembered()
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with open(descriptor, "rb") as source:
            return msgspec.json.decode(source.read(_MOST), type=Remembered)
    except FileNotFoundError:
        return Remembered(first=True)
    except (OSError, ValueError, RecursionError):
        return Remembered()


def write(file: Path, what: Remembered) -> None:
    """Write it atomically, so that two dashboards don't mix. A file system that doesn't answer gets nothing."""
    if not path_answers(file):
        return
    with contextlib.suppress(OSError, files.FileRefused):
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        files.write(file, msgspec.json.encode(what), force=True)


def offering(last: Remembered, catalog: Catalog) -> Catalog:
    """Add a playbook of the probes of the last session that still exist."""
    known = {probe.id: probe for probe in catalog.probes}
    steps = [
        StepInfo(probe=probe, question=known[probe].question, params=params)
        for probe, params in last.probes
        if probe in known
    ]
    if not steps:
        return catalog
    again = PlaybookInfo(
        name=LAST,
        title="The last session",
        summary="The probes that were running when you left the dashboard, with their parameters.",
        steps=steps,
    )
    return msgspec.structs.replace(catalog, playbooks=[*catalog.playbooks, again])
