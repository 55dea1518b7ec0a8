"""Compares the visible views: A with the span that is shown, B. Each comparison is computed once, beside the screen's
work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct

from ebpftop.model.past.span import Span
from ebpftop.ui.drawing.spans import clock, length, span_words

if TYPE_CHECKING:
    from ebpftop.frames.messages import ViewInfo
    from ebpftop.model.comparing.view import Question, ViewComparison
    from ebpftop.model.dimensions import Source
    from ebpftop.model.past.span import Wanted
    from ebpftop.model.run import Run
    from ebpftop.model.selection import Selection
    from ebpftop.model.session import Session
    from ebpftop.model.when import When

_KEPT = 8  # comparisons
_PARTLY = 0.9  # of a span: a view that knows less of it says so
WHY_NOT = "nothing here can be compared: ( ) { } show other spans"

NOT_YET = "comparing…"

_Place = tuple[int, str]  # run and view


class _Asked(Struct, frozen=True):
    run: Run
    view: ViewInfo
    spans: tuple[Span, Span]
    selection: Selection
    group: Source | None
    hosts: tuple[str, str] | None

    def same(self, other: _Asked) -> bool:
        """Whether the answer is the same, for one run."""
        mine, theirs = ((each.spans, each.selection, each.group, each.hosts) for each in (self, other))
        return mine == theirs


class Comparing:
    """ready: called when a requested comparison is available. One is computed at a time; those that nobody looks at any
    more are dropped.
    """

    def __init__(self, session: Session, when: When, ready: Callable[[], object]) -> None:
        self._session, self._when, self._ready = session, when, ready
        self._asked: dict[_Place, _Asked] = {}
        self._found: dict[_Place, tuple[_Asked, tuple[ViewComparison | None, str]]] = {}
        self._made = 0
        self._maker: asyncio.Task[None] | None = None

    @property
    def on(self) -> bool:
        return self._when.compares and self._when.before is not None

    @property
    def a(self) -> Span | None:
        return self._when.before if self.on else None

    @property
    def hosts(self) -> tuple[str, str] | None:
        """A and B, if hosts are compared."""
        return self._when.hosts if self.on else None

    @property
    def state(self) -> object:
        """A value that changes whenever there is something new to draw, apart from the span."""
        return (self._when.before, self._when.hosts, self._made) if self.on else None

    def of(
        self, run: Run, view: ViewInfo, wanted: Wanted, selection: Selection, group: Source | None = None
    ) -> tuple[ViewComparison | None, str]:
        """A view in A and in a span, and what the comparison lacks; None if there is none (yet), and why. group: the
        dimension that sums rows.
        """
        from ebpftop.model.comparing.half import hosts_of
        from ebpftop.model.comparing.sides import covered
        from ebpftop.model.comparing.view import comparable

        before, hosts = self._when.before, self._when.hosts
        assert before is not None
        if not comparable(view):
            return (None, WHY_NOT)
        known_of: list[Span] = []
        for name, each in (("A", before), ("B", wanted)):
            span = covered(run, view, each)
            if span is None:
                return (None, f"{name}: {span_words(run, view, each)}")
            known_of.append(span)
        if hosts is not None and not hosts_of(view):
            return (None, "its rows don't say which host they are from")
        if hosts is None and known_of[0] == known_of[1]:
            return (None, "A and B are the same span: ( ) move B")
        spans = known_of[0], known_of[1]
        place = run.id, view.name
        known = self._found.get(place)
        self._asked.pop(place, None)
        asked = _Asked(run, view, spans, selection, group, hosts)
        if known is not None and known[0].run is run and known[0].same(asked):
            return known[1]
        self._asked[place] = asked
        if self._maker is None or self._maker.done():
            self._maker = asyncio.get_running_loop().create_task(self._make())
        return None, NOT_YET

    async def _make(self) -> None:
        await asyncio.sleep(0)  # the screen first says that it compares
        while self._asked and self.on:
            place, asked = self._asked.popitem()
            question, note = self._question(asked), self._note(asked)
            found = await asyncio.to_thread(question.answer) if question else None
            self._found.pop(place, None)
            self._found[place] = asked, (found, note)
            if len(self._found) > _KEPT:
                del self._found[next(iter(self._found))]
            self._made += 1
            self._ready()
        self._asked.clear()

    def _question(self, asked: _Asked) -> Question | None:
        from ebpftop.model.comparing.half import Half
        from ebpftop.model.comparing.view import ask

        session = self._session
        a, b = (
            Half(asked.run, span, session.processes, session.hello, host)
            for span, host in zip(asked.spans, asked.hosts or ("", ""), strict=True)
        )
        return ask(a, b, asked.view, asked.selection, asked.group)

    def _note(self, asked: _Asked) -> str:
        """How the spans differ from the chosen ones."""
        (a, b), run = asked.spans, asked.run
        notes = []
        if asked.hosts is None and a.start < b.end and b.start < a.end:
            notes.append(f"A and B overlap by {length((min(a.end, b.end) - max(a.start, b.start)) / 1e9)}")
        wanted = self._when.before, self._when.wanted
        for name, whole, span in zip("AB", wanted, asked.spans, strict=True):
            if isinstance(whole, Span) and span.seconds < _PARTLY * whole.seconds:
                offset = run.last.realtime_ns - run.last.monotonic_ns if run.last else 0
                notes.append(f"{name}: only {clock(span.start, offset)}–{clock(span.end, offset)} is known")
        return " · ".join(notes)
