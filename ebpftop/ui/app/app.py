"""The application: bindings, and the wires between the feed and the screens."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.css.query import NoMatches
from textual.dom import NoScreen
from textual.widget import MountError
from textual.worker import WorkerFailed

from ebpftop.frames.messages import AccountRunTimes, PlaybookInfo
from ebpftop.frames.source import ReadOnly, Source, SourceEnded
from ebpftop.ui.actions.clipboard import to_tmux
from ebpftop.ui.actions.remembering import LAST, Remembered, offering, read, write
from ebpftop.ui.app.ahead import import_ahead, read_past
from ebpftop.ui.app.clicks import is_missed
from ebpftop.ui.app.loads import Loads
from ebpftop.ui.app.marking import Marking
from ebpftop.ui.app.options import Options
from ebpftop.ui.app.pace import Pace
from ebpftop.ui.app.palette import Commands, Palette
from ebpftop.ui.app.preferences import Preferences
from ebpftop.ui.app.time_keys import TimeKeys
from ebpftop.ui.app.workbench import Workbench, notice
from ebpftop.ui.drawing.inert import for_input
from ebpftop.ui.drawing.theme import DARK, LIGHT, colourless, themes
from ebpftop.ui.feed.feed import Feed
from ebpftop.ui.messages import (
    Began,
    Changed,
    Ended,
    Noticed,
    ProcessAsked,
)
from ebpftop.ui.screens.dashboard import Dashboard
from ebpftop.ui.screens.leaving import Leaving
from ebpftop.ui.screens.state import LATE
from ebpftop.ui.screens.tiles import Tiles
from ebpftop.ui.widgets.keyboard import key_of, shown

if TYPE_CHECKING:
    from ebpftop.model.run import Run


CATALOG_FIRST = 0.1  # seconds that the first painting waits for the catalog: another one takes as long


class EbpftopApp(Loads):
    TITLE = "ebpftop"
    COMMANDS: ClassVar = {Commands}
    BINDINGS: ClassVar[list[BindingType]] = [
        *TimeKeys.KEYS[:3],
        Binding("v", "verifier", "verifier", tooltip="Show why a probe was rejected or detached", id="verifier"),
        Binding("v", "nothing('rejected')", show=False, id="verifier"),  # where that is disabled
        Binding("R", "restart", "restart", tooltip="Restart the collector and its probes", id="restart"),
        Binding("R", "nothing('restart')", show=False, id="restart"),
        Binding(
            "c",
            "statistics",
            "cost on/off",
            show=False,
            tooltip="Measure what programs cost (off: no budget)",
            id="cost",
        ),
        *TimeKeys.KEYS[3:],
        Binding(
            "A",
            "others",
            "all programs",
            show=False,
            tooltip="Show all BPF programs and what they cost",
            id="all-programs",
        ),
        Binding("W", "threads", "threads", show=False, tooltip="Show all threads and what they wait for", id="threads"),
        Binding("H", "hosts", "hosts", show=False, tooltip="Show all hosts; select or compare them", id="hosts"),
        Binding("z", "tiles", "tiles", tooltip="Go back to the playbook's tiles", id="tiles"),
        Binding("m", "marks(1)", "mark", show=False, tooltip="Mark this moment; go to a mark", id="mark"),
        Binding("apostrophe", "marks(0)", "marks", show=False, key_display="'", id="marks"),
        Binding("r", "record", "record", show=False, tooltip="Start or stop recording to a tape", id="record"),
        Binding(
            "T", "turn_theme", "light/dark", show=False, tooltip="Switch between the light and dark themes", id="theme"
        ),
        Binding(
            "comma",
            "settings",
            "settings",
            show=False,
            key_display=",",
            tooltip="Edit your settings and apply them",
            id="settings",
        ),
        Binding("ctrl+z", "suspend_process", "suspend", show=False, system=True),
        Binding("ctrl+v", "paste", "paste", show=False, system=True, priority=True),
        Binding(
            "ctrl+p", "command_palette", "palette", show=False, tooltip="Find any action or probe by name", id="palette"
        ),
        Binding("question_mark", "help", "help", key_display="?", tooltip="Show the keys", id="help"),
        Binding("f1", "help", "help"),  # the keys of these two that work while typing
        Binding("q", "quit", "quit", tooltip="Detach everything and quit", id="quit"),
        Binding("ctrl+q", "quit", "quit"),
    ]

    def __init__(self, source: Source, *, options: Options | None = None) -> None:
        super().__init__(ansi_color=True if colourless() else None)
        chosen = options or Options()
        self.failure: BaseException | None = None  # the exception that ended the application
        self.feed = Feed(
            source,
            self.post_message,
            self._session_changed,
            interval=chosen.interval,
            first=chosen.auto_load,
            playbook=chosen.playbook or (LAST if chosen.remembers and chosen.settings.playbook == LAST else ""),
            loads=chosen.loads,
            watching=chosen.watching,
        )
        self.dashboard = Dashboard(self.feed)
        self.workbench = Workbench(self, self.feed, self.dashboard)
        self.marking = Marking(self, self.feed, partial(self.call_next, self.go_to_moment), self.notice)
        self.playbook: PlaybookInfo | None = None  # the one that was opened last
        self._late = False  # whether the header said so
        self._ahead = False  # whether what the first probe needs is being imported
        self.pace = Pace(self, self.draw, lambda: self.busy)
        self._painted = 0.0  # seconds since 1970: the last painting shows all that there was then
        self._remembers = chosen.remembers
        self.last = read(chosen.remembers) if chosen.remembers else Remembered()
        self.feed.offering = partial(offering, self.last)
        self.dashboard.start.first = self.last.first
        self.keymap = {}
        self.preferences = Preferences(self, chosen.settings)
        if chosen.title:
            self.title = chosen.title
        for name in list(self.available_themes):
            self.unregister_theme(name)
        for theme in themes(few=self.console.color_system == "standard"):
            self.register_theme(theme)
        self.theme = LIGHT.name if self.last.theme == "light" else DARK.name

    def _handle_exception(self, error: Exception) -> None:
        """Ignore a failure to mount widgets, or to find them, after the end has begun: nothing is mounted then."""
        cause = error.error if isinstance(error, WorkerFailed) else error
        if not (self._exit and isinstance(cause, MountError | NoMatches | NoScreen)):
            super()._handle_exception(error)

    def _fatal_error(self) -> None:
        """Exit after an exception as Textual does, but without printing the traceback on the terminal. What fails after
        the first failure follows from it.
        """
        self.failure = self.failure or sys.exception()
        self._close_messages_no_wait()

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return DARK.variables

    def get_key_display(self, binding: Binding) -> str:
        return binding.key_display or shown(binding.key) or super().get_key_display(binding)

    async def on_mount(self) -> None:
        self.read_on()
        await self.feed.catalog_comes(CATALOG_FIRST)
        self.dashboard.fit(self.size.width)
        self.push_screen(self.dashboard)
        self.dashboard.call_after_refresh(self.feed.is_painted.set)
        self.preferences.apply()
        self.set_interval(1.0 if self.feed.playback is None else 0.5, self._look_at_time)

    def _look_at_time(self) -> None:
        """The header shows the position of a tape, or how late the screen is."""
        self.look_at_terminal()
        if self.busy:
            return
        late = self.feed.behind >= LATE or self.feed.as_of is not None
        passes = self.feed.playback is not None or late or self._late
        if passes and self.screen_stack[-1:] == [self.front]:
            self.front.draw_header()
        self._late = late

    def read_on(self) -> None:
        self.run_worker(self.feed.read(), group="feed", exclusive=True)

    @property
    def front(self) -> Dashboard | Tiles:
        """The shown screen, ignoring modal screens above it."""
        return next((screen for screen in reversed(self.screen_stack) if isinstance(screen, Tiles)), self.dashboard)

    async def on_unmount(self) -> None:
        if self._remembers is not None:
            self._remember(self._remembers)
        self.feed.close()
        await self.feed.source.close()

    def _remember(self, file: Path) -> None:
        """Remember the running probes, or else those of the last session, and the theme if the user chose it."""
        running = [run for run in self.feed.session.runs.values() if run.state == "running"]
        write(
            file,
            Remembered(
                theme="light" if self.theme == LIGHT.name else "dark",
                probes=[(run.probe, dict(run.params)) for run in running] or self.last.probes,
            ),
        )

    async def on_event(self, event: events.Event) -> None:
        """Make pasted text harmless here, so that no input line can be forgotten. Ignore what is typed or clicked after
        the end has begun, which waits behind it, and a click on a widget that has just been removed.
        """
        if isinstance(event, events.InputEvent | events.Paste) and (self._ends or is_missed(self, event)):
            return
        if isinstance(event, events.Paste):
            event.text = for_input(event.text)
        await super().on_event(event)

    @property
    def _ends(self) -> bool:
        return self._exit or self.failure is not None

    def action_paste(self) -> None:
        """Ctrl-V, which otherwise wouldn't pass here."""
        self.post_message(events.Paste(self.clipboard))

    # ------------------------------------------------------------ messages from the feed

    def on_began(self, _event: Began) -> None:
        self.feed.when.live()
        self.dashboard.began()
        self.front.banner.close()

    def on_changed(self, _event: Changed) -> None:
        self.pace.soon()

    def _session_changed(self, run: Run | None, awaited: bool) -> None:
        """Draw soon. Nothing happens behind a dialog: the screen is drawn when it comes back."""
        if awaited:
            self.pace.soon()
        elif self.feed.when.still:
            self.pace.still()
        elif run is not None and self.front.sees(run):
            self.pace.values()
        else:
            self.pace.rest()

    def _in_sight(self, run: Run) -> bool:
        return not self.feed.when.still and self.screen_stack[-1:] == [self.front] and self.front.sees(run)

    async def draw(self) -> None:
        top = self.screen_stack[-1] if self.screen_stack else None  # none is left while it ends
        if isinstance(top, Leaving):
            await top.look()
        elif self.front.is_mounted and top is self.front:
            with self.batch_update():  # one painting
                await self.front.redraw()
            if not self._ahead and self.feed.session.catalog is not None:
                self._ahead = True
                self.call_after_refresh(self.run_worker, import_ahead, group="ahead")
                self.call_after_refresh(self.run_worker, partial(read_past, self.feed), group="past")
        await self.feed.watch(self._in_sight)

    def begins_painting(self) -> None:
        self._painted = time() - max(self.pace.behind, self.feed.behind)

    async def draw_present(self) -> None:
        self.feed.as_of = self._painted if self.flow.slow else None
        await self.pace.go_on()

    def notice(self, text: str, level: str) -> None:
        """Show a line for a while; it may contain anything. Levels are those of a `Notice`."""
        notice(self, text, level)

    def on_noticed(self, event: Noticed) -> None:
        self.notice(event.frame.text, event.frame.level)

    async def on_ended(self, event: Ended) -> None:
        for screen in {self.dashboard, self.front}:
            await screen.ended(event.reason)

    # ------------------------------------------------------------ messages from the widgets

    def on_process_asked(self, event: ProcessAsked) -> None:
        from ebpftop.ui.app.process_page import open_page

        open_page(self, self.feed, self.dashboard, event.process)

    # ------------------------------------------------------------ keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        match action:
            case "restart":
                return bool(self.feed.ended) and self.feed.source.can_restart
            case "verifier":
                return self.workbench.panel is not None or self.front.chosen_failed() is not None
            case "tiles":
                return self.playbook is not None and isinstance(self.screen, Dashboard | Tiles)
            case "interval":
                return self.feed.source.live or self.feed.playback is not None
            case "statistics":
                return self.feed.source.live
        return True

    async def action_statistics(self) -> None:
        self.feed.statistics = not self.feed.statistics
        await self.feed.request(AccountRunTimes(on=self.feed.statistics))
        if self.feed.statistics:
            self.notice("measuring what the programs cost; the budget applies", "info")
        else:
            self.notice("no longer measuring what the programs cost; without that, no budget applies", "warning")

    async def action_restart(self) -> None:
        try:
            await self.feed.restart()
        except (ReadOnly, SourceEnded) as error:
            self.notice(str(error), "error")
        else:
            self.read_on()

    def action_others(self) -> None:
        from ebpftop.ui.screens.others import OthersScreen

        if not self.feed.source.live:
            self.notice("a tape holds only the programs of its own probes", "info")
        else:
            self.push_screen(OthersScreen(self.feed))

    def action_threads(self) -> None:
        from ebpftop.ui.screens.threads import ThreadsScreen

        if not self.feed.source.live and self.feed.session.threads is None:
            self.notice("no threads on the tape up to here: it has them only where somebody viewed them", "info")
        else:
            self.push_screen(ThreadsScreen(self.feed))

    def action_hosts(self) -> None:
        from ebpftop.ui.screens.hosts import HostsScreen

        if not self.feed.session.machines.states:
            self.notice("this dashboard watches one machine: 'ebpftop --host NAME' watches others", "info")
        else:
            self.push_screen(HostsScreen(self.feed), self.host_wished)

    def action_nothing(self, what: str) -> None:
        """A key with nothing to do at present."""
        if what == "rejected":
            key = key_of(self, "verifier", "v")
            self.notice(f"no probe was rejected or detached; when one is, {key} shows why", "info")
        elif not self.feed.source.live:
            self.notice("a tape has no collector to restart", "info")
        else:
            self.notice(
                "nothing to restart: the collector is running"
                if not self.feed.ended
                else "the collector can't be restarted",
                "info",
            )

    def action_help_quit(self) -> None:
        """Ctrl-C."""
        self.notice(f"{key_of(self, 'quit', 'q')} detaches everything and quits; while typing, Ctrl-Q does", "info")

    async def run_action(self, *args: Any, **named: Any) -> bool:
        """Ignore keys after the end has begun: the screens are being taken down."""
        return False if self._ends else await super().run_action(*args, **named)

    def action_command_palette(self) -> None:
        if not isinstance(self.screen, Palette):
            self.push_screen(Palette())

    def action_marks(self, sets: int) -> None:
        if sets:
            self.marking.mark()
        else:
            self.marking.go()

    def action_record(self) -> None:
        self.marking.record()
        self.front.draw_header()

    def copy_to_clipboard(self, text: str) -> None:
        super().copy_to_clipboard(text)
        self.run_worker(to_tmux(text), group="clipboard")

    def action_settings(self) -> None:
        from ebpftop.ui.actions import editor

        editor.use(self, self.preferences.edit)

    def action_turn_theme(self) -> None:
        self.theme = LIGHT.name if self.theme == DARK.name else DARK.name

    def action_help(self) -> None:
        from ebpftop.ui.app.guide import groups_for
        from ebpftop.ui.screens.help import HelpScreen

        self.push_screen(HelpScreen(groups_for(type(self.screen), self.BINDINGS), self.keymap))
