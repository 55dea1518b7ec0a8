"""The span that all screens of a session show."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from ebpftop.model.past.span import INTERVAL, PRESETS, Recent, Span, Wanted

if TYPE_CHECKING:
    from ebpftop.model.past.steps import Steps

LEAST = 0.001  # seconds of a span


class When:
    """wanted: the span. It moves with time until it is frozen, moved or chosen; then it stays until `live`.

    a: the span that it is compared with while `compares`; None until one was chosen. hosts: A and B if, instead, two
    hosts are compared over the same span. host_a: the host chosen as A.
    """

    def __init__(self) -> None:
        self.wanted: Wanted = INTERVAL
        self.a: Span | None = None
        self.compares = False
        self.hosts: tuple[str, str] | None = None
        self.host_a = ""
        self._live = INTERVAL

    @property
    def still(self) -> bool:
        return not self.wanted.moves

    def live(self) -> None:
        self.wanted = self._live
        self.compares = False

    def compare(self, span: Span) -> None:
        """Freeze at a span and compare A with it, and later with whatever span is wanted."""
        self.wanted = span
        self.compares, self.hosts = True, None

    def compare_hosts(self, a: str, b: str, span: Span) -> None:
        """Freeze at a span and compare two hosts there, and later in whatever span is wanted."""
        self.wanted = span
        self.compares, self.hosts = True, (a, b)

    @property
    def before(self) -> Span | None:
        """The span of A."""
        if self.hosts is None:
            return self.a
        return self.wanted if isinstance(self.wanted, Span) else None

    def stand(self, now: int) -> None:
        """Freeze at a moment (monotonic ns)."""
        if not self.still:
            self._live = Recent(self.wanted.seconds) if isinstance(self.wanted, Recent) else INTERVAL
            self.wanted = Recent(self._live.seconds, now)

    def turn(self) -> None:
        """The next preset, with the same end. Two hosts are compared in a span that is the same for both."""
        between = self.compares and self.hosts is not None
        lengths = [each.seconds for each in PRESETS if not between or 0 < each.seconds < inf]
        seconds = self._live.seconds
        at = lengths.index(seconds) + 1 if seconds in lengths else 0
        self._recent(lengths[at % len(lengths)])
        if between:
            self.wanted = Span.last(self._live.seconds, self.wanted.end)

    def _recent(self, seconds: float) -> None:
        end = self.wanted.end if self.still else Recent(seconds).end
        self._live = Recent(seconds)
        self.wanted = Recent(seconds, end)

    def choose(self, span: Span) -> None:
        """Freeze at a span."""
        self.wanted = span

    def move(self, shown: Span, steps: Steps | None, reach: Span, direction: int) -> None:
        """Move by its length, to the adjoining span.

        shown: the whole steps shown now. steps: the span is aligned to them. reach: its limits.
        """
        length = shown.end - shown.start
        if direction < 0:
            end = max(shown.start, min(reach.start + length, shown.end))
            start = max(reach.start, end - length)
        else:
            start = min(shown.end, max(reach.end - length, shown.start))
            end = min(reach.end, start + length)
        self.wanted = aligned(Span(start, max(end, start + 1)), steps)

    def resize(self, shown: Span, steps: Steps | None, reach: Span, factor: float) -> None:
        """`factor` times as long with the same end, at least a step; a moving span keeps moving."""
        whole = (shown.end - reach.start) / 1e9
        seconds = max(LEAST, shown.seconds * factor)
        if self.still:
            self.wanted = aligned(Span(max(reach.start, shown.end - round(seconds * 1e9)), shown.end), steps)
        elif seconds >= whole:
            self._recent(inf)
        else:
            step = steps.step(steps.end).seconds if steps is not None and steps.end is not None else 0.0
            self._recent(0.0 if seconds <= step else seconds)

    def go(self, moment: int, shown: Span, steps: Steps | None) -> None:
        """Go to the step that holds a moment or, if more than one step is shown, to as many seconds around it."""
        step = steps.covered(Span(moment - 1, moment)) if steps is not None else None
        half = (shown.end - shown.start) // 2
        if isinstance(self.wanted, Recent) and self.wanted.seconds in (0.0, inf):
            self.wanted = step or Span(moment - min(2 * half, 10**9), moment)
        else:
            around = Span(moment - half, moment + half)
            self.wanted = around if step is None else aligned(around, steps)


def aligned(span: Span, steps: Steps | None) -> Span:
    """The whole steps nearest to a span, at least one."""
    if steps is None or not steps.blocks:
        return span
    start, end = steps.nearest(span.start), steps.nearest(span.end)
    if start < end:
        return Span(start, end)
    holds = steps.since(span.end)
    return steps.step(end if holds is None else holds)
