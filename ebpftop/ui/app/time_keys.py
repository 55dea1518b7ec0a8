"""The time keys: they move the span that all screens show, and a tape."""

from __future__ import annotations

from functools import partial
from time import time
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from ebpftop.frames.messages import Interval
from ebpftop.model.dimensions import HOST
from ebpftop.model.past.span import Span
from ebpftop.model.selection import Choice
from ebpftop.ui.app.options import stepped
from ebpftop.ui.app.roomy import RoomyApp
from ebpftop.ui.drawing.spans import clock, position
from ebpftop.ui.messages import SpanAsked
from ebpftop.ui.widgets.keyboard import key_of

if TYPE_CHECKING:
    from ebpftop.model.past.steps import Steps
    from ebpftop.ui.feed.feed import Feed
    from ebpftop.ui.screens.dashboard import Dashboard
    from ebpftop.ui.screens.hosts import Wished
    from ebpftop.ui.screens.tiles import Tiles

HOSTS_SPAN = 60_000_000_000  # ns over which hosts are compared
SPEEDS = (0.125, 64.0)  # a tape's slowest and fastest


class TimeKeys(RoomyApp):
    """An application whose screens show one span of its feed's session."""

    KEYS: ClassVar[list[BindingType]] = [
        Binding(
            "space",
            "pause",
            "pause",
            key_display="Space",
            tooltip="Pause or continue; on a tape, play from the span shown",
            id="pause",
        ),
        Binding("0", "live", "live", show=False, tooltip="Go live again", id="live"),
        Binding(
            "t", "turn_span", "span", tooltip="Show the last interval, 10 s, minute, or all since attaching", id="span"
        ),
        Binding(
            "left_parenthesis",
            "move_span(-1)",
            "earlier",
            show=False,
            tooltip="Move the span back or forward by its length",
            id="earlier",
        ),
        Binding("right_parenthesis", "move_span(1)", "later", show=False, id="later"),
        Binding(
            "left_curly_bracket",
            "size_span(-1)",
            "shorter",
            show=False,
            tooltip="Halve or double the span",
            id="shorter",
        ),
        Binding("right_curly_bracket", "size_span(1)", "longer", show=False, id="longer"),
        Binding("at", "go_to", "go to", show=False, tooltip="Go to a time", id="go-to"),
        Binding(
            "a",
            "span_a",
            "this is A",
            show=False,
            tooltip="Make this span A, to compare it with another",
            id="span-a",
        ),
        Binding(
            "b",
            "compare",
            "compare",
            show=False,
            tooltip="Compare A with this span, B, which the same keys move; b, 0 or Esc ends the comparison",
            id="compare",
        ),
        Binding(
            "plus,equals_sign",
            "interval(1)",
            "longer interval",
            show=False,
            tooltip="Change the interval, or a tape's speed",
            id="longer-interval",
        ),
        Binding("minus", "interval(-1)", "shorter interval", show=False, id="shorter-interval"),
    ]

    feed: Feed
    keymap: dict[str, str]  # keys that settings changed, by action

    @property
    def front(self) -> Dashboard | Tiles:
        raise NotImplementedError

    def notice(self, text: str, level: str) -> None:
        raise NotImplementedError

    def read_on(self) -> None:
        """Read from the source again after its end."""
        raise NotImplementedError

    async def draw(self) -> None:
        """Draw the screen in front."""
        raise NotImplementedError

    def _shown(self) -> tuple[Span, Steps | None, Span] | None:
        """The whole steps that the view in front shows, all that it has, and the session's range; None before there is
        any.
        """
        from ebpftop.model.readings import extent

        newest, reach = self.feed.session.newest, self.feed.session.reach
        if newest is None or reach is None:
            return None
        wanted, run, panel = self.feed.when.wanted, self.front.run, self.front.panel
        if run is not None and panel is not None and (steps := run.pasts.get(panel.view.name)) is not None:
            covered = extent(run, panel.view, panel.moves(wanted)).span
            if covered is not None:
                return covered, steps, reach
        if isinstance(wanted, Span):
            return wanted, None, reach
        end = min(wanted.end, newest.monotonic_ns)
        start = end - (wanted.seconds or 1.0) * 1e9
        return Span(round(max(reach.start, start)), end), None, reach

    # ------------------------------------------------------------ the span

    async def action_live(self) -> None:
        if self.feed.when.still:
            self.feed.when.live()
            await self.draw()
        elif self.feed.playback is not None and self.feed.playback.paused:
            await self.action_pause()

    async def action_pause(self) -> None:
        """Freeze, or continue; a tape continues from the span, if that is yet to be played."""
        playback, when = self.feed.playback, self.feed.when
        if when.still:
            shown = self._shown()
            when.live()
            if playback is not None:
                playback.paused = False
                if shown is not None and shown[0].end > self._played:
                    self._play_from(shown[0].end)
        elif playback is None:
            when.stand(self.feed.session.stand())
        elif self.feed.ended is not None:
            playback.paused = False
            self._seek(0.0)
        else:
            playback.paused = not playback.paused
        await self.draw()

    async def action_turn_span(self) -> None:
        self.feed.when.turn()
        await self.draw()

    async def action_move_span(self, direction: int) -> None:
        if (shown := self._shown()) is not None:
            self.feed.session.stand()
            self.feed.when.move(*shown, direction)
            await self.draw()

    async def action_size_span(self, direction: int) -> None:
        if (shown := self._shown()) is not None:
            self.feed.when.resize(*shown, 2.0**direction)
            await self.draw()

    async def action_span_a(self) -> None:
        if (shown := self._shown()) is None:
            self.notice("there is no past yet", "info")
            return
        self.feed.when.a = self._standing(shown[0])
        await self.draw()

    def _standing(self, shown: Span) -> Span:
        """The chosen span; if it moves with time, the span shown now."""
        wanted = self.feed.when.wanted
        return wanted if isinstance(wanted, Span) else shown

    async def action_compare(self) -> None:
        when, shown = self.feed.when, self._shown()
        if when.compares:
            when.compares = False
        elif when.a is None:
            a, b = key_of(self, "span-a", "a"), key_of(self, "compare", "b")
            self.notice(f"{a} makes a span A; then {b} compares it with another", "info")
        elif shown is not None:
            self.feed.session.stand()
            when.compare(self._standing(shown[0]))
        await self.draw()

    async def host_wished(self, wished: Wished | None) -> None:
        """A host was chosen, or two to be compared, over the last minute or the frozen span."""
        if wished is None:
            return
        if not wished.other:
            choice = Choice(HOST, wished.host, HOST, wished.host)
            await self.front.narrow(self.feed.selection.turned(choice))
            return
        shown, reach = self._shown(), self.feed.session.reach
        if shown is None or reach is None:
            self.notice("there is no past yet", "info")
            return
        span = self.feed.when.wanted
        if not isinstance(span, Span):
            span = Span(max(reach.start, shown[0].end - HOSTS_SPAN), shown[0].end)
        self.feed.session.stand()
        self.feed.when.compare_hosts(wished.host, wished.other, span)
        await self.draw()

    def action_go_to(self) -> None:
        from ebpftop.ui.screens.go_to import GoTo

        if self.feed.session.newest is None:
            self.notice("there is no past yet", "info")
        else:
            now, tape = self._now(), self.feed.playback
            if tape is None:
                self.push_screen(GoTo(now, now), self._go)
            else:
                begin = now - tape.position
                end = begin + max(tape.position, tape.duration)
                self.push_screen(GoTo(now, end, begin), partial(self._go, tape=(begin, end)))

    def _now(self) -> float:
        """Seconds since 1970, on the clock of the machine that is traced."""
        newest = self.feed.session.newest
        return newest.realtime_ns / 1e9 if newest else time()

    async def _go(self, realtime: float | None, tape: tuple[float, float] | None = None) -> None:
        """Go to a moment, in seconds since 1970. tape: its beginning and end, likewise."""
        if realtime is None:
            return
        if tape is not None and not tape[0] - 1 <= realtime <= tape[1] + 1:  # its length is told without fractions
            begin, end = (clock(round(each * 1e9), 0) for each in tape)
            self.notice(f"the tape lasts {position(tape[1] - tape[0])}, from {begin} to {end}", "warning")
        elif (newest := self.feed.session.newest) is not None:
            await self.go_to_moment(round(realtime * 1e9) - newest.realtime_ns + newest.monotonic_ns)

    async def go_to_moment(self, moment: int) -> None:
        """Show the span around a moment (monotonic ns), with the length of the current one. Unread parts of a tape's
        past are played.
        """
        newest = self.feed.session.newest
        if newest is None or (shown := self._shown()) is None:
            return
        span, steps, reach = shown
        offset = newest.realtime_ns - newest.monotonic_ns
        if self.feed.playback is not None and not reach.start <= moment <= reach.end:
            self.feed.when.live()
            self._play_from(moment)
        elif moment < reach.start:
            self.notice(f"the past begins at {clock(reach.start, offset)}", "warning")
        elif moment > reach.end:
            self.notice(f"that is after the last sample, at {clock(reach.end, offset)}", "warning")
        else:
            self.feed.session.stand()
            self.feed.when.go(moment, span, steps)
            await self.draw()

    async def on_span_asked(self, event: SpanAsked) -> None:
        """A span that was pointed at."""
        if event.span.start + 1 >= event.span.end:
            await self.go_to_moment(event.span.end)
        else:
            self.feed.session.stand()
            self.feed.when.choose(event.span)
            await self.draw()

    # ------------------------------------------------------------ the source

    async def action_interval(self, step: int) -> None:
        if (playback := self.feed.playback) is not None:
            playback.speed = min(SPEEDS[-1], max(SPEEDS[0], playback.speed * 2.0**step))
            self.front.draw_header()
            return
        await self.change_interval(stepped(self.feed.interval, step))

    async def change_interval(self, seconds: float) -> None:
        """Change the interval of this source, if it is live."""
        if not self.feed.source.live:
            return
        self.feed.interval = seconds
        for run in self.feed.session.runs.values():
            if run.state == "running":
                await self.feed.request(Interval(run=run.id, seconds=self.feed.interval))
        self.front.draw_header()

    @property
    def _played(self) -> int:
        """The time of the last received sample, monotonic ns."""
        newest = self.feed.session.newest
        return newest.monotonic_ns if newest else 0

    def _play_from(self, moment: int) -> None:
        """On a tape, go to a moment (monotonic ns)."""
        assert self.feed.playback is not None
        self._seek(self.feed.playback.position + (moment - self._played) / 1e9)

    def _seek(self, seconds: float) -> None:
        assert self.feed.playback is not None
        self.feed.playback.seek(seconds)
        if self.feed.ended is not None:
            self.read_on()
