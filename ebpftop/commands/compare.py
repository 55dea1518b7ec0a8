"""Two tapes, or two spans of one, beside each other. No root, no BPF."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import time
from pathlib import Path
from typing import Any

import numpy as np

from ebpftop.base.errors import UsageError, UserError
from ebpftop.base.inert import inert
from ebpftop.export import comparison_json, comparison_text
from ebpftop.export.taped import Chapter, Taped, read
from ebpftop.frames.tape import TapeReader
from ebpftop.frames.tape_format import BadTape
from ebpftop.model.comparing.sessions import Comparison, compare_sessions
from ebpftop.model.grouping import groupings
from ebpftop.model.past.block import TIMES
from ebpftop.model.past.span import FIRST, LAST, Span
from ebpftop.rows.keys import Array
from ebpftop.stats import formatting
from ebpftop.supervisor import privilege

_Ends = tuple[float | time | None, float | time | None]
_ALL: _Ends = (None, None)


def compare(arguments: argparse.Namespace) -> int:
    """Print what differs; 0. Of a damaged tape, what comes before the damage is compared."""
    if who := privilege.invoker():
        privilege.drop(who)
    if arguments.other is None and _ALL in (arguments.a, arguments.b):
        raise UsageError("two spans of one tape are compared with --a FROM..TO --b FROM..TO")
    before = _read(arguments.tape)
    after = _read(arguments.other) if arguments.other else before
    chapters, spans, sides = [], [], []
    for taped, ends in ((before, arguments.a), (after, arguments.b)):
        chapter, span = _found(taped, ends)
        chapters.append(chapter)
        spans.append(span)
        sides.append(_side(taped, chapter, span))
    comparison = compare_sessions((chapters[0].session, chapters[1].session), (spans[0], spans[1]), arguments.by)
    if arguments.by:
        _check(comparison, arguments.by)
    if arguments.json:
        print(json.dumps(comparison_json.as_json(comparison, (sides[0], sides[1])), allow_nan=False))
    else:
        comparison_text.write(comparison, (sides[0], sides[1]), sys.stdout)
    return 0


def _check(comparison: Comparison, by: str) -> None:
    """Raises `UsageError` where no view is summed by a dimension."""
    views = [view for run in comparison.runs for view in run.views]
    if not any(view.by is not None and by in (view.by.dimension, view.by.title) for view in views):
        known = dict.fromkeys(source.title for view in views for source in groupings(view.view))
        raise UsageError(f"no view can be summed by {by!a}: only by {', '.join(map(inert, known)) or 'nothing'}")


def _read(path: Path) -> Taped:
    try:
        taped = read(TapeReader(path))
    except BadTape as error:
        raise UserError(str(error)) from None
    except OSError as error:
        raise UserError(f"{inert(str(path))}: {error.strerror}") from None
    if taped.problem:
        print(f"ebpftop: {inert(taped.problem)}", file=sys.stderr)
    return taped


def _found(taped: Taped, ends: _Ends) -> tuple[Chapter, Span]:
    """The stream in which the span holds most steps, as a tape may hold several; and the span there."""
    timed = [chapter for chapter in taped.chapters if chapter.origin_ns is not None]
    if not timed:
        raise UserError(f"{taped.name} holds no sample")
    first, last = ends
    start = FIRST if first is None else timed[0].moment(first)
    span = Span(start, LAST if last is None else timed[0].moment(last))
    if span.end <= span.start:
        raise UsageError(f"a span of {taped.name} ends before it begins")
    chapter = max(timed, key=lambda each: (len(_times(each, span)), _shared(each, span)))
    if not len(_times(chapter, span)) and not _shared(chapter, span):
        low, high = timed[0].sampled or span, timed[-1].sampled or span
        reach = f"{formatting.clock(low.start + timed[0].ahead)} to {formatting.clock(high.end + timed[-1].ahead)}"
        raise UserError(f"{taped.name} holds no sample in that span: it has some from {reach}")
    return chapter, span


def _times(chapter: Chapter, span: Span) -> Array:
    """The steps of all views in a span that took any time."""
    found = [past.times(span) for run in chapter.runs() for past in run.pasts.values()]
    times = np.concatenate([np.zeros(0, TIMES), *found])
    return times[times["lasted"] > 0]


def _shared(chapter: Chapter, span: Span) -> int:
    """How long a stream was sampled in a span, ns."""
    sampled = chapter.sampled
    return max(0, min(span.end, sampled.end) - max(span.start, sampled.start)) if sampled else 0


def _side(taped: Taped, chapter: Chapter, span: Span) -> dict[str, Any]:
    times, hello, ahead = _times(chapter, span), chapter.session.hello, chapter.ahead
    sampled = chapter.sampled or span
    begin, end = max(span.start, sampled.start) + ahead, min(span.end, sampled.end) + ahead
    if len(times):
        begin, end = int((times["realtime"] - (times["end"] - times["start"])).min()), int(times["realtime"].max())
    return {
        "tape": Path(taped.name).name,
        "host": hello.host if hello else "",
        "kernel": hello.kernel if hello else "",
        "from_ns": begin,
        "to_ns": end,
    }
