"""Selects the spans of tapes or of a session to compare, describes them, and compares them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import time
from pathlib import Path
from typing import Any

import numpy as np

from ebpftop.base.errors import UsageError, UserError
from ebpftop.export.taped import Chapter, Taped
from ebpftop.model.comparing.sessions import Comparison, RunQuestion, answered, ask_run, pairs_of
from ebpftop.model.past.block import TIMES
from ebpftop.model.past.span import FIRST, LAST, Span
from ebpftop.model.run import Run
from ebpftop.model.scope import WHOLE as WHOLE_SCOPE
from ebpftop.model.scope import Scope
from ebpftop.rows.keys import Array
from ebpftop.stats import formatting

Ends = tuple[float | time | None, float | time | None]
Side = dict[str, Any]  # tape, host, kernel, from_ns, to_ns
WHOLE: Ends = (None, None)


@dataclass(frozen=True, slots=True)
class Part:
    """A span of a stream. source: the tape's name, or another origin."""

    source: str
    chapter: Chapter
    span: Span

    def side(self) -> Side:
        """The facts about the part; `from_ns` and `to_ns` are the realtime of the span that its samples cover."""
        times, hello, ahead = _times(self.chapter, self.span), self.chapter.session.hello, self.chapter.ahead
        sampled = self.chapter.sampled or self.span
        begin, end = max(self.span.start, sampled.start) + ahead, min(self.span.end, sampled.end) + ahead
        if len(times):
            begin = int((times["realtime"] - (times["end"] - times["start"])).min())
            end = int(times["realtime"].max())
        return {
            "tape": self.source,
            "host": hello.host if hello else "",
            "kernel": hello.kernel if hello else "",
            "from_ns": begin,
            "to_ns": end,
        }


@dataclass(frozen=True, slots=True)
class Compared:
    """The comparison of two parts, before and after, and the facts about them. scope: what is selected."""

    parts: tuple[Part, Part]
    sides: tuple[Side, Side]
    comparison: Comparison
    scope: Scope = WHOLE_SCOPE


def compare_tapes(tapes: Sequence[Taped], ends: Sequence[Ends], by: str = "") -> Compared:
    """Compare a span of each of two tapes, or two spans of one. Raises `UsageError`, `UserError`."""
    before, after = (part_of(tape, each) for tape, each in zip((tapes[0], tapes[-1]), ends, strict=True))
    return compare_parts(before, after, by)


def compare_parts(before: Part, after: Part, by: str = "", scope: Scope = WHOLE_SCOPE) -> Compared:
    """Compare two parts. by: a dimension by which rows are summed."""
    asking = Asking(before, after, by, scope)
    for pair in asking.pairs.runs:
        asking.ask(pair)
    return asking.answer()


class Asking:
    """A comparison in steps. Each pair of runs is asked first, which reads them; `answer` takes longer, and reads
    nothing.
    """

    def __init__(self, before: Part, after: Part, by: str = "", scope: Scope = WHOLE_SCOPE) -> None:
        self._parts, self._by, self._scope = (before, after), by, scope
        self._sides = before.side(), after.side()
        self._sessions = before.chapter.session, after.chapter.session
        self.pairs = pairs_of(*self._sessions)
        self._questions: list[RunQuestion] = []

    def ask(self, pair: tuple[Run, Run]) -> None:
        spans = self._parts[0].span, self._parts[1].span
        self._questions.append(ask_run(pair, self._sessions, spans, self._by, self._scope))

    def answer(self) -> Compared:
        return Compared(self._parts, self._sides, answered(self.pairs, self._questions), self._scope)


def part_of(taped: Taped, ends: Ends) -> Part:
    """The part in the stream in which the span contains most steps, because a tape may contain several streams."""
    timed = [chapter for chapter in taped.chapters if chapter.origin_ns is not None]
    if not timed:
        raise UserError(f"{taped.name} has no samples")
    first, last = ends
    start = FIRST if first is None else timed[0].moment(first)
    span = Span(start, LAST if last is None else timed[0].moment(last))
    if span.end <= span.start:
        raise UsageError(f"a span of {taped.name} ends before it starts")
    chapter = max(timed, key=lambda each: (len(_times(each, span)), _shared(each, span)))
    if not len(_times(chapter, span)) and not _shared(chapter, span):
        low, high = timed[0].sampled or span, timed[-1].sampled or span
        reach = f"{formatting.clock(low.start + timed[0].ahead)} to {formatting.clock(high.end + timed[-1].ahead)}"
        raise UserError(f"{taped.name} has no samples in that span, only from {reach}")
    return Part(Path(taped.name).name, chapter, span)


def _times(chapter: Chapter, span: Span) -> Array:
    """The steps of all views in a span, except those that took no time."""
    found = [past.times(span) for run in chapter.runs() for past in run.pasts.values()]
    times = np.concatenate([np.zeros(0, TIMES), *found])
    return times[times["lasted"] > 0]


def _shared(chapter: Chapter, span: Span) -> int:
    """How long a stream was sampled in a span, ns."""
    sampled = chapter.sampled
    return max(0, min(span.end, sampled.end) - max(span.start, sampled.start)) if sampled else 0
