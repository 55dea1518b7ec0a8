"""Marks and recordings: what `m`, `'` and `r` do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from ebpftop.base.inert import inert
from ebpftop.frames.marks import line, marked
from ebpftop.frames.messages import Mark
from ebpftop.frames.tape import not_written
from ebpftop.stats import formatting
from ebpftop.ui.feed.feed import Feed
from ebpftop.ui.widgets.keyboard import key_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.app import App


class Marking:
    """go: moves to a moment, in monotonic ns. notice: shows a line, with its level."""

    def __init__(
        self, app: App[None], feed: Feed, go: Callable[[int], object], notice: Callable[[str, str], None]
    ) -> None:
        self._app, self._feed, self._go, self._notice = app, feed, go, notice

    def from_outside(self, text: str) -> None:
        """A mark from `ebpftop mark` arrived."""
        self._feed.mark(mark := marked(text, "outside"))
        self._notice(f"mark: {mark.text}", "info")

    def mark(self) -> None:
        """Ask for a text; the moment is where the span stands, else that of the key, on a tape of the last sample."""
        from ebpftop.ui.screens.naming import MarkForm

        moment = self._moment()
        if moment is None:
            self._notice("nothing to mark yet", "info")
            return

        def done(text: str | None) -> None:
            if text:
                self._feed.mark(msgspec.structs.replace(moment, text=line(text)))

        self._app.push_screen(MarkForm(moment.realtime_ns), done)

    def _moment(self) -> Mark | None:
        """A mark without a text."""
        feed, newest = self._feed, self._feed.session.newest
        if feed.source.live and not (feed.when.still and newest):
            return marked("", "person")
        if newest is None:
            return None
        reach = feed.session.reach
        stands = min(feed.when.wanted.end, reach.end) if feed.when.still and reach else newest.monotonic_ns
        ago = newest.monotonic_ns - stands
        return Mark(
            realtime_ns=max(0, newest.realtime_ns - ago),
            monotonic_ns=max(0, newest.monotonic_ns - ago),
            boottime_ns=max(0, newest.boottime_ns - ago),
            text="",
        )

    def go(self) -> None:
        """Show the marks, and go to the chosen one."""
        from ebpftop.ui.screens.marks import MarkList

        if not self._feed.session.marks:
            self._notice(f"no marks yet: {key_of(self._app, 'mark', 'm')} sets one", "info")
            return
        marks = MarkList(self._feed.session.marks, of_tape=self._feed.playback is not None)
        self._app.push_screen(marks, self._go_to)

    def _go_to(self, mark: Mark | None) -> None:
        if mark is not None:
            self._go(mark.monotonic_ns)

    def record(self) -> None:
        """Ask what to record; stop a running recording."""
        keeping = self._feed.keeping
        if keeping is None:
            self._notice("this is a tape: r records live data only", "info")
        elif keeping.tape is None:
            from ebpftop.ui.screens.naming import RecordForm

            self._app.push_screen(RecordForm(keeping))
        else:
            self._stop(inert(str(keeping.tape.path)))

    def _stop(self, path: str) -> None:
        assert self._feed.keeping is not None
        try:
            tape = self._feed.keeping.stop()
        except OSError as error:
            self._notice(not_written(path, error), "error")
            return
        if tape is not None:
            self._notice(f"{path}: {formatting.duration(tape.seconds * 1e9)}, {formatting.bytes_(tape.size)}", "info")
