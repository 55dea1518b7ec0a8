"""What a tape holds as one page for a postmortem, or as data. No root, no BPF."""

from __future__ import annotations

import argparse
import sys
from datetime import time
from pathlib import Path

from ebpftop.base.errors import UserError
from ebpftop.base.inert import inert
from ebpftop.export import files
from ebpftop.export.reporting import content
from ebpftop.export.taped import Taped, read
from ebpftop.frames.tape import TapeReader
from ebpftop.frames.tape_format import BadTape
from ebpftop.model.past.span import FIRST, LAST, Span
from ebpftop.model.scope import Scope
from ebpftop.stats import formatting
from ebpftop.supervisor import privilege


def report(arguments: argparse.Namespace) -> int:
    """Write the report; 0. What is wrong with the tape's end is a warning: the rest is reported."""
    if who := privilege.invoker():
        privilege.drop(who)
    tape: Path = arguments.tape
    out: Path = arguments.output
    to_stdout = str(out) == "-"
    try:
        if not to_stdout:
            files.check(out, force=arguments.force)
    except (files.FileRefused, OSError) as error:
        raise UserError(_why(out, error)) from None
    try:
        taped = read(TapeReader(tape))
    except BadTape as error:
        raise UserError(str(error)) from None
    except OSError as error:
        raise UserError(_why(tape, error)) from None
    span = _span(taped, arguments.begin, arguments.end)
    title = arguments.title or f"What ebpftop recorded: {tape.stem}"
    written = content(arguments.format, taped, Scope(span), title=title)
    if taped.problem:
        print(f"ebpftop: {inert(taped.problem)}; the report is about what comes before", file=sys.stderr)
    if to_stdout:
        sys.stdout.flush()
        sys.stdout.buffer.write(written)
        return 0
    try:
        files.write(out, written, force=arguments.force)
    except (files.FileRefused, OSError) as error:
        raise UserError(_why(out, error)) from None
    print(f"{inert(str(out))}: {formatting.bytes_(len(written))}", file=sys.stderr)
    return 0


def _why(path: Path, error: Exception) -> str:
    return f"{inert(str(path))}: {error.strerror}" if isinstance(error, OSError) else str(error)


def _span(taped: Taped, begin: float | time | None, end: float | time | None) -> Span:
    """Raises `UserError` where the tape holds no sample in it."""
    if begin is None and end is None:
        return Span()
    timed = next((chapter for chapter in taped.chapters if chapter.origin_ns is not None), None)
    if timed is None:
        raise UserError(f"{taped.name} holds no sample")
    first = FIRST if begin is None else timed.moment(begin)
    last = LAST if end is None else timed.moment(end)
    bounds = [bound for chapter in taped.chapters if (bound := chapter.sampled)]
    low, high = min(bound.start for bound in bounds), max(bound.end for bound in bounds)
    if first >= last:
        raise UserError("--from is not before --to")
    if first > high or last < low:
        origin, ahead = timed.origin_ns or 0, timed.ahead
        reach = f"{formatting.clock(low + ahead)} to {formatting.clock(high + ahead)}"
        after = f"{(low - origin) / 1e9:.1f} s to {(high - origin) / 1e9:.1f} s"
        raise UserError(
            f"{taped.name} holds no sample in that span: it has some from {reach}, {after} after its beginning"
        )
    return Span(first, last)
