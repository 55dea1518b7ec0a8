"""A tape's contents as one page for a postmortem, with two spans compared, or as data. No root, no BPF."""

from __future__ import annotations

import argparse
import sys
from datetime import time
from pathlib import Path

from ebpftop.base.errors import UsageError, UserError
from ebpftop.base.inert import inert
from ebpftop.commands.compare import check_dimension, check_spans, read_tape
from ebpftop.export import files
from ebpftop.export.compared import WHOLE, compare_tapes
from ebpftop.export.reporting import compared_page, content
from ebpftop.export.taped import Taped
from ebpftop.model.past.span import FIRST, LAST, Span
from ebpftop.model.scope import Scope
from ebpftop.stats import formatting
from ebpftop.supervisor import privilege


def report(arguments: argparse.Namespace) -> int:
    """Write the report. For a damaged tape, the part before the damage is reported, and 1 is returned instead of 0."""
    if who := privilege.invoker():
        privilege.drop(who)
    compares = _compares(arguments)
    tape: Path = arguments.tape
    out: Path = arguments.output
    to_stdout = str(out) == "-"
    given: list[Path] = [tape] if arguments.other is None else [tape, arguments.other]
    if not to_stdout:
        with files.told(out):
            files.check(out, given, force=arguments.force)
    tapes = [read_tape(each, "; the report covers what comes before") for each in given]
    title = arguments.title or f"What ebpftop recorded: {' and '.join(each.stem for each in given)}"
    scope = Scope(_span(tapes[0], arguments.begin, arguments.end))
    if compares:
        found = compare_tapes(tapes, (arguments.a, arguments.b), arguments.by)
        check_dimension(found.comparison, arguments.by)
        written = compared_page(tapes, found, scope, title=title)
    else:
        written = content(arguments.format, tapes[0], scope, title=title)
    status = int(any(each.problem for each in tapes))
    if to_stdout:
        sys.stdout.flush()
        sys.stdout.buffer.write(written)
        return status
    with files.told(out):
        files.write(out, written, given, force=arguments.force)
    print(f"{inert(str(out))}: {formatting.bytes_(len(written))}", file=sys.stderr)
    return status


def _compares(arguments: argparse.Namespace) -> bool:
    """Whether the page compares spans. Raises `UsageError` for options that conflict."""
    if arguments.other is None and arguments.a == arguments.b == WHOLE:
        if arguments.by:
            raise UsageError("--by sums the rows of a comparison: use it with --a and --b")
        return False
    check_spans(arguments)
    if arguments.format != "html":
        raise UsageError("--a and --b need --format html; 'ebpftop compare --json' prints a comparison as data")
    if arguments.other is not None and (arguments.begin, arguments.end) != WHOLE:
        raise UsageError("--from and --to apply to one tape; with two tapes, use --a and --b")
    return True


def _span(taped: Taped, begin: float | time | None, end: float | time | None) -> Span:
    """A span of a tape. Raises `UserError` if the tape has no sample in it."""
    if begin is None and end is None:
        return Span()
    timed = next((chapter for chapter in taped.chapters if chapter.origin_ns is not None), None)
    if timed is None:
        raise UserError(f"{taped.name} has no samples")
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
        raise UserError(f"{taped.name} has no samples in that span, only from {reach} ({after} after its start)")
    return Span(first, last)
