"""Finds what is conspicuous on a tape. No root, no BPF. For live tracing see `tracing.triage`."""

from __future__ import annotations

import argparse
import sys

from ebpftop.base.errors import UserError
from ebpftop.base.inert import inert
from ebpftop.commands.compare import read_tape
from ebpftop.export.taped import Chapter
from ebpftop.export.triaged import as_text, encoded, triaged
from ebpftop.model.triage.verdict import verdict
from ebpftop.supervisor import privilege


def triage(arguments: argparse.Namespace) -> int:
    """Print the findings. For a damaged tape, the part before the damage is examined, and 1 is returned instead of 0.
    If a restarted collector left several streams on the tape, the longest one is examined.
    """
    if who := privilege.invoker():
        privilege.drop(who)
    taped = read_tape(arguments.what, "; only what comes before is examined")
    chapter = max(taped.chapters, key=_length, default=None)
    found = verdict(chapter.session) if chapter is not None else None
    if chapter is None or found is None:
        raise UserError(f"{inert(taped.name)} has no samples")
    told = triaged(found, chapter.session.hello, arguments.what.name, taped.problem, chapter.session.threads)
    sys.stdout.write(encoded(told).decode() + "\n" if arguments.json else as_text(told))
    return int(bool(taped.problem))


def _length(chapter: Chapter) -> float:
    return chapter.sampled.seconds if chapter.sampled else -1.0
