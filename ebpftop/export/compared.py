"""Which spans of tapes or of a session are compared, what is known of them, and the comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import time
from pathlib import Path
from typing import Any

import numpy as np

from ebpftop.base.errors import UsageError, UserError
from ebpftop.export.taped import Chapter, Taped
from ebpftop.model.comparing.sessions import Comparison, compare_sessions
from ebpftop.model.past.block import TIMES
from ebpftop.model.past.span import FIRST, LAST, Span
from ebpftop.rows.keys import Array
from ebpftop.stats import formatting

Ends = tuple[float | time | None, float | time | None]
Side = dict[str, Any]  # tape, host, kernel, from_ns, to_ns
WHOLE: Ends = (None, None)


@dataclass(frozen=True, slots=True)
class Part:
    """A span of a stream. source: the tape's name, or what else it is from."""

    source: str
    chapter: Chapter
    span: Span

    def side(self) -> Side:
        """What is known of it; `from_ns` and `to_ns` are what samples cover, realtime."""
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
    """The comparison of two parts, before and after."""

    parts: tuple[Part, Part]
    comparison: Comparison
    narrowed: str = ""  # what is selected, in words

    @property
    def sides(self) -> tuple[Side, Side]:
        return self.parts[0].side(), self.parts[1].side()


def compare_tapes(tapes: Sequence[Taped], ends: Sequence[Ends], by: str = "") -> Compared:
    """A span of each of two tapes, or two spans of one. Raises `UsageError`, `UserError`."""
    before, after = (part_of(tape, each) for tape, each in zip((tapes[0], tapes[-1]), ends, strict=True))
    return compare_parts(before, after, by)


def compare_parts(before: Part, after: Part, by: str = "") -> Compared:
    sessions = before.chapter.session, after.chapter.session
    return Compared((before, after), compare_sessions(sessions, (before.span, after.span), by))


def part_of(taped: Taped, ends: Ends) -> Part:
    """In the stream in which the span holds most steps, as a tape may hold several."""
    timed = [chapter for chapter in taped.chapters if chapter.origin_ns is not None]
    if not timed:
        raise UserError(f"{taped.name} holds no sample")
    first, last = ends
    start = FIRST if first is None else timed[0].moment(first)
    span = Span(start, LAST if last is None else timed[0].moment(last))
    if span.end <= span.start:
        raise UsageError(f"a span of {taped.name} ends before it begins")
    return part_within(taped, span)


def part_within(taped: Taped, span: Span) -> Part:
    """The same of a span on the clock of its streams. Raises `UserError` where it holds no sample."""
    timed = [chapter for chapter in taped.chapters if chapter.origin_ns is not None]
    chapter = max(timed, key=lambda each: (len(_times(each, span)), _shared(each, span)), default=None)
    if chapter is None:
        raise UserError(f"{taped.name} holds no sample")
    if not len(_times(chapter, span)) and not _shared(chapter, span):
        low, high = timed[0].sampled or span, timed[-1].sampled or span
        reach = f"{formatting.clock(low.start + timed[0].ahead)} to {formatting.clock(high.end + timed[-1].ahead)}"
        raise UserError(f"{taped.name} holds no sample in that span: it has some from {reach}")
    return Part(Path(taped.name).name, chapter, span)


def _times(chapter: Chapter, span: Span) -> Array:
    """The steps of all views in a span that took any time."""
    found = [past.times(span) for run in chapter.runs() for past in run.pasts.values()]
    times = np.concatenate([np.zeros(0, TIMES), *found])
    return times[times["lasted"] > 0]


def _shared(chapter: Chapter, span: Span) -> int:
    """How long a stream was sampled in a span, ns."""
    sampled = chapter.sampled
    return max(0, min(span.end, sampled.end) - max(span.start, sampled.start)) if sampled else 0
