"""A process's page: its identity, what the running probes counted for it, and what others could add. It is read
repeatedly while somebody looks at it, by a root task, because the dashboard itself may read only its own user's
processes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Input

from ebpftop.frames.messages import Process, ProcessFacts, ReadProcess
from ebpftop.model.ancestry import ancestors
from ebpftop.model.one_process import More, Said, more, said
from ebpftop.model.readings import moment
from ebpftop.model.watched_process import WatchedProcess
from ebpftop.stats import formatting
from ebpftop.ui.drawing.inert import cell
from ebpftop.ui.drawing.spans import span_words
from ebpftop.ui.drawing.theme import RUNNING
from ebpftop.ui.feed.feed import Feed
from ebpftop.ui.messages import LoadAsked
from ebpftop.ui.screens.leaving import Leaving
from ebpftop.ui.screens.row import RowScreen
from ebpftop.ui.screens.state import state_of
from ebpftop.ui.widgets.grid import Grid
from ebpftop.ui.widgets.keys import KeyLine
from ebpftop.ui.widgets.process_head import Portrait, ProcessHead, fields
from ebpftop.ui.widgets.process_lists import READING, ProcessLists
from ebpftop.ui.widgets.process_rows import NUMBERED
from ebpftop.ui.widgets.table_grid import TableGrid

PERIOD = 1.0  # seconds from an answer to the next request
REST = 20.0  # times what the answer took
PATIENCE = 20.0  # seconds after which an answer doesn't come any more
NS = 1_000_000_000
PAUSED = "paused: not updated"
ENDED = "not updated: the collector has ended"
AS_LAST_READ = "as last read"
UNKNOWN = "unknown: the process ended before it was read"
NOT_READ = "ended before it was read: its threads, files, sockets, memory and limits are unknown"
ON_TAPE = "a tape holds no threads, files, sockets, memory or limits of processes"
NO_COMMAND = "its command line was not recorded: use record --args"
LOADING = "◌"


@dataclass(frozen=True, slots=True)
class Turn:
    """The next place: a view of a run, for this process."""

    run: int
    view: str
    process: Process


class ProcessScreen(Leaving[LoadAsked | Turn | None]):
    """Its result is a probe to load for this process, or a view to go to."""

    DEFAULT_CSS = "ProcessScreen { background: $background; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "other(1)", "next list", key_display="Tab", priority=True, tooltip="Go to the next list"),
        Binding("shift+tab", "other(-1)", "previous list", show=False, priority=True),
        Binding("f", "filter", "filter", priority=True, tooltip="Filter the list as you type", id="filter"),
        Binding("i", "whole", "all facts", tooltip="Show all facts in full", id="info"),
        *(
            Binding(str(number), f"load({number})", "load", show=False, tooltip="Load this probe for the process")
            for number in range(1, NUMBERED + 1)
        ),
        Binding("escape", "let_go", "back", key_display="Esc", tooltip="Go back to where the page was opened"),
        Binding("P", "let_go", "back", show=False, id="process"),
    ]

    def __init__(self, feed: Feed, process: Process) -> None:
        super().__init__()
        self.feed = feed
        self.watched = WatchedProcess(process)
        self.head = ProcessHead()
        self.lists = ProcessLists(whole=feed.source.live)
        self._asked = self._next = 0.0  # monotonic
        self._clock: tuple[int, float] | None = None  # the last answer's boottime, and when it came (monotonic)
        self._drawn: object = None  # what the probes' numbers were made from
        self._offered: object = None  # and the list of those that would say more
        self._said: list[Said] = []
        self._more: list[More] = []

    # ------------------------------------------------------------ what is there

    def compose(self) -> Iterable[Widget]:
        yield self.head
        yield self.lists
        yield KeyLine()

    def on_mount(self) -> None:
        self.lists.focus_front()
        self.set_interval(PERIOD / 4, self.look)

    async def on_screen_resume(self) -> None:
        self.feed.process_read = self.show
        await self.look()

    def on_unmount(self) -> None:
        if self.feed.process_read == self.show:
            self.feed.process_read = lambda facts: None

    # ------------------------------------------------------------ reading

    async def look(self) -> None:
        """Request the next answer when it is time, but not for an unseen or frozen screen, nor after the process's end;
        draw what has changed.
        """
        if not self.is_seen:
            return
        self._follow()
        now = monotonic()
        if self._reads and now >= self._next:
            self._asked, self._next = now, now + PATIENCE
            process = self.watched.process
            await self.feed.request(ReadProcess(tgid=process.tgid, start_ns=process.start_ns))
        self._draw_head()
        self._draw_said()
        self._draw_more()

    @property
    def _reads(self) -> bool:
        live = self.feed.source.live and self.feed.ended is None
        return live and not self.feed.still and (self.watched.gone_ns is None or self.watched.unreaped)

    def show(self, facts: ProcessFacts) -> None:
        """Take an answer; one about another process came too late and is dropped."""
        if not self.watched.is_about(facts) or self.feed.still:
            return
        now = monotonic()
        self._next = now + max(PERIOD, REST * (now - self._asked))
        self._clock = facts.boottime_ns, now
        self.watched.take(facts)
        self._follow()
        self._draw_head()
        if self.watched.facts is not None:
            self.lists.show_facts(self.watched.facts, self.watched.of_threads)
        elif self.watched.gone_ns is not None:
            self.lists.show_none(UNKNOWN)

    def _follow(self) -> None:
        """Follow the process in the current session: a new stream has other numbers for the same processes."""
        mine, processes = self.watched.process, self.feed.session.processes
        known = processes.get(mine.id)
        if known is None or not self.watched.is_about(known):
            known = next((each for each in processes.values() if self.watched.is_about(each)), None)
        if known is not None:
            self.watched.process = known

    # ------------------------------------------------------------ drawing

    def _draw_head(self) -> None:
        self.head.portrait = self.portrait

    @property
    def portrait(self) -> Portrait:
        watched, session = self.watched, self.feed.session
        process, facts = watched.process, watched.facts
        began = session.hello.boot_realtime_ns + process.start_ns if session.hello and process.start_ns else 0
        now = self._now()
        until = watched.ended_ns if watched.ended_ns is not None else facts.boottime_ns if facts else now
        return Portrait(
            process=process,
            facts=facts,
            parents=facts.ancestors if facts else ancestors(process, session.processes),
            started=f"{datetime.fromtimestamp(began / NS):%b %d %H:%M:%S}" if began else "",
            age_ns=_whole_seconds(until - process.start_ns) if until is not None and process.start_ns else None,
            ended=self._ended(now),
            notes=tuple(self._notes()),
            percents=tuple(watched.percents),
            sizes=tuple(watched.sizes),
        )

    def _now(self) -> int | None:
        """Boottime: of the played position of a tape, or else of the last answer."""
        newest = self.feed.session.newest
        if not self.feed.source.live:
            return newest.boottime_ns if newest else None
        if self._clock is None:
            return None
        boottime, came = self._clock
        return boottime + round((monotonic() - came) * NS)

    def _ended(self, now: int | None) -> str:
        ended = self.watched.ended_ns
        if ended is None or (now is not None and not self.feed.source.live and ended > now):
            return ""
        if now is None or not ended:
            return "ended"
        ago = _whole_seconds(now - ended)
        words = f"ended {formatting.duration(ago)} ago" if ago else "ended just now"
        return f"{words}, not reaped by its parent yet" if self.watched.unreaped else words

    def _notes(self) -> Iterable[str]:
        watched, facts = self.watched, self.watched.facts
        if not self.feed.source.live:
            yield ON_TAPE
            if not watched.process.command:
                yield NO_COMMAND
        elif watched.gone_ns is not None:
            yield NOT_READ if facts is None else AS_LAST_READ
        elif self.feed.ended is not None:
            yield ENDED
        elif self.feed.still:
            yield PAUSED
        elif facts is None:
            yield READING
        if facts is not None:
            yield from (f"not read: {each}" for each in facts.unread)

    def _draw_said(self) -> None:
        """Draw what the probes counted in the session's span, if that changed."""
        process, wanted = self.watched.process, self.feed.when.wanted
        runs = [run for run in self.feed.session.runs.values() if run.loaded and run.state != "detached"]
        described = self.feed.session.processes.get(process.id)
        known = described is not None and self.watched.is_about(described)
        made_of = (process.id, known, [moment(run, wanted) for run in runs])
        if made_of != self._drawn:
            self._drawn = made_of
            self._said = said(runs, process.id, wanted) if known else []
            covers = next((span_words(each.run, each.view, wanted) for each in self._said if each.numbers), "")
            self.lists.show_said(self._said, covers)

    def _draw_more(self) -> None:
        catalog = self.feed.session.catalog
        if catalog is None or not self.feed.source.live:
            return
        running = self._loaded()
        made_of = (id(catalog), tuple(sorted(running.items())))
        if made_of != self._offered:
            self._offered = made_of
            self._more = more(catalog)
            self.lists.show_more(self._more, running)

    def _loaded(self) -> dict[str, str]:
        """The probes that run, or are being loaded, for this process."""
        pid = str(self.watched.process.tgid)
        states = {"running": RUNNING, "loading": LOADING}
        return {
            run.probe: states[state]
            for run in self.feed.session.runs.values()
            if run.params.get("pid") == pid and (state := state_of(run, self.feed.over)) in states
        }

    # ------------------------------------------------------------ keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        match action:
            case "filter" | "load":
                return not isinstance(self.focused, Input)
            case "other":
                return self.feed.source.live
        return True

    def action_other(self, step: int) -> None:
        self.lists.turn(step)

    def action_filter(self) -> None:
        self.lists.front.ask_filter()

    def action_whole(self) -> None:
        known = self.portrait
        self.app.push_screen(RowScreen(f"{known.name} {known.process.tgid}", fields(known)))

    def on_grid_whole(self, event: Grid.Whole) -> None:
        self.app.push_screen(RowScreen(self.lists.front.title, event.fields))

    def on_table_grid_picked(self, event: TableGrid.Picked) -> None:
        event.stop()
        if event.key is None:
            return
        at = int(event.key[0])
        if event.table is self.lists.more.grid:
            self._load(at)
        else:
            found = self._said[at]
            self.dismiss(Turn(found.run.id, found.view.name, self.watched.process))

    def action_load(self, number: int) -> None:
        if number <= len(self._more):
            self._load(number - 1)

    def _load(self, at: int) -> None:
        """Load with the pid filled in; for a probe that needs more, ask."""
        chosen, process = self._more[at], self.watched.process
        if self.watched.ended_ns is not None:
            self.notify(f"{cell(process.comm)} {process.tgid} has ended", markup=False)
            return
        asks = chosen.probe.asks
        self.dismiss(LoadAsked(chosen.probe.id, chosen.of(process.tgid), form=asks, typed=not asks))

    def action_let_go(self) -> None:
        if not self.lists.front.let_go():
            self.dismiss(None)


def _whole_seconds(ns: int) -> int:
    return max(0, ns) // NS * NS
