"""What a drawing costs, counted: lines painted, drawings, cells written as text, events scanned."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable
from time import localtime, strftime
from typing import Any

import pytest
from rich.segment import Segment
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.app import App
from textual.content import Content
from textual.strip import Strip

from ebpftop.frames.messages import Host, Watch
from ebpftop.model import readings
from ebpftop.stats import formatting
from ebpftop.ui.app.flow import AHEAD
from ebpftop.ui.app.options import Options
from ebpftop.ui.screens.help import HelpScreen
from ebpftop.ui.screens.state import LATE
from ebpftop.ui.widgets.about import About
from ebpftop.ui.widgets.events import EventList
from ebpftop.ui.widgets.header import HeaderLine
from ebpftop.ui.widgets.table_grid import TableGrid
from ebpftop.ui.widgets.timeline import Timeline
from tests.support.frames import EPOCH, SECOND, catalog, probe, process, processes
from tests.ui.conftest import Open, Stage
from tests.ui.probes import RUN, calls, execs, latencies

CALLS = Options(auto_load=[("cpu/syscount", {})])
EXECS = Options(auto_load=[("cpu/execsnoop", {})])
BOTH = Options(auto_load=[("cpu/syscount", {}), ("cpu/runqlat", {})])
PEOPLE = processes(*(process(number, f"p{number}") for number in range(1, 9)))


@pytest.fixture
def painted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Numbers of the lines written to the terminal, in order."""
    lines: list[int] = []
    display = App._display

    def noted(self: App[None], screen: Any, update: Any) -> None:
        if isinstance(update, ChopsUpdate):
            lines.extend(y for y, _, _ in update.spans)
        elif isinstance(update, LayoutUpdate):
            lines.extend(update.region.line_range)
        display(self, screen, update)

    monkeypatch.setattr(App, "_display", noted)
    return lines


@pytest.fixture
def drawings(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each kind of view was computed."""
    counted: Counter[str] = Counter()
    for name in ("table", "histogram"):
        monkeypatch.setattr(readings, name, _counting(counted, name, getattr(readings, name)))
    return counted


def _counting(counted: Counter[str], name: str, compute: Callable[..., object]) -> Callable[..., object]:
    def noted(*args: object) -> object:
        counted[name] += 1
        return compute(*args)

    return noted


def host(second: int) -> Host:
    return Host(realtime_ns=EPOCH + second * SECOND, cpu_percent=5.0, memory_percent=20.0, load=0.1)


def rows(seq: int, **changed: int) -> object:
    """Eight processes that make ten calls a second each, but for those changed."""
    return calls(seq, {n: 1000 * n + 10 * seq + changed.get(f"p{n}", 0) for n in range(1, 9)}, {"read": 100 * seq})


async def test_nothing_is_written_for_a_frame_in_which_nothing_changed(stage: Open, painted: list[int]) -> None:
    async with stage(PEOPLE, options=CALLS) as on:
        await on.press("t", "t", "t")  # totals since the start
        same = {number: 1000 * number for number in range(1, 9)}
        await on.play(calls(1, same), calls(2, same))
        await on.play(calls(3, same))
        painted.clear()
        await on.play(calls(4, same))
        assert painted == []


async def test_one_line_is_written_for_a_row_that_changed(stage: Open, painted: list[int]) -> None:
    async with stage(PEOPLE, options=CALLS) as on:
        await on.press("t", "t", "t")
        counts = {number: 1000 * number for number in range(1, 9)}
        await on.play(calls(1, counts), calls(2, counts))
        await on.play(calls(3, counts | {3: 3001}))
        await on.play(calls(4, counts | {3: 3002}))
        painted.clear()
        await on.play(calls(5, counts | {3: 3003}))
        table = on.one(TableGrid)
        (line,) = {y - table.region.y for y in painted if y != on.one(Timeline).region.y}
        assert table.cell(line - 1, table.columns[1]) == "p3"


async def test_painted_lines_do_not_wait_for_the_garbage_collector(stage: Open) -> None:
    async with stage(PEOPLE, options=CALLS) as on:
        await on.play(rows(1), rows(2))
        gc.collect()
        gc.disable()
        gc.set_debug(gc.DEBUG_SAVEALL)
        try:
            for second in range(3, 8):
                await on.play(rows(second))
            gc.collect()
            left = [strip.cell_length for strip in gc.garbage if isinstance(strip, Strip)]
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
            gc.enable()
        assert [width for width in left if width > 1] == []  # a scroll bar is Textual's own, and changes seldom


async def test_ten_event_frames_within_a_moment_are_drawn_once(stage: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []
    take = EventList.take
    monkeypatch.setattr(EventList, "take", lambda self, log, *who: (taken.append(log.total), take(self, log, *who)))
    async with stage(PEOPLE, options=EXECS) as on:
        await on.play(execs([(1, "/bin/first")]))
        taken.clear()
        await on.play(*(execs([(1, f"/bin/{number}")]) for number in range(10)))
        assert taken == [11]


def _watched(on: Stage) -> list[list[int]]:
    """What the source was told of the runs whose events are in sight."""
    return [request.runs for request in on.source.requests if isinstance(request, Watch)]


async def test_only_events_in_sight_are_requested_at_once(stage: Open) -> None:
    async with stage(options=Options(auto_load=[("cpu/execsnoop", {}), ("cpu/syscount", {})])) as on:
        await on.play(calls(1, {1: 5}))
        assert _watched(on) == []  # there are none
        await on.play(execs([(1, "/bin/sh")]))
        assert _watched(on) == [[]]  # it isn't in front
        await on.press("left_square_bracket")
        assert _watched(on) == [[], [RUN["cpu/execsnoop"]]]
        await on.play(execs([(2, "/bin/sh")]))
        assert _watched(on) == [[], [RUN["cpu/execsnoop"]]]
        await on.press("space")
        assert _watched(on)[2:] == [[]]
        await on.press("space")
        assert _watched(on)[3:] == [[RUN["cpu/execsnoop"]]]


async def test_what_is_hidden_computes_nothing(stage: Open, drawings: Counter[str]) -> None:
    async with stage(PEOPLE, options=BOTH) as on:
        await on.play(rows(1), latencies(1, {1: {5_000: 100}}))
        assert on.app.dashboard.current == 2  # runqlat, the last one that was requested
        drawings.clear()
        await on.play(rows(2))
        assert drawings == {}
        await on.play(latencies(2, {1: {5_000: 130}}))
        assert drawings == {"histogram": 1}


async def _still(on: Stage, painted: list[int]) -> None:
    """Until a dialog has painted all that it has."""
    before = -1
    while len(painted) != before:
        before = len(painted)
        await on.pilot.pause(0.1)
        await on.settle()


@pytest.mark.parametrize("key", ["question_mark", "i", "space"])
async def test_nothing_is_computed_behind_a_dialog_an_entry_or_while_paused(
    stage: Open, drawings: Counter[str], painted: list[int], key: str
) -> None:
    async with stage(PEOPLE, options=CALLS) as on:
        await on.play(rows(1), rows(2))
        await on.press(key)
        while key == "question_mark" and (on.app.screen is on.app.dashboard or not on.app.screen.query("Static")):
            await on.pilot.pause(0.1)
        await _still(on, painted)
        drawings.clear()
        painted.clear()
        await on.play(rows(3, p1=5))
        assert drawings == {}
        assert not set(painted) - (set() if key == "question_mark" else {0, 1})  # header and timeline go on
        await on.press("escape" if key == "question_mark" else key)
        assert drawings["table"] > 0
        assert on.app.dashboard.panel is not None
        assert readings.table(on.app.feed.session.runs[on.app.dashboard.current or 0], on.app.dashboard.panel.view)


async def test_nothing_is_written_while_paused_but_now_and_then_how_long_ago(
    stage: Open, painted: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ebpftop.ui.app.pace.STILL", 3600.0)
    async with stage(PEOPLE, options=CALLS) as on:
        await on.play(host(1), rows(1), rows(2))
        await on.press("space")
        while not on.app.dashboard.settled:
            await on.pilot.pause(0.1)
        await on.settle()
        painted.clear()
        for seq in range(3, 15):
            on.source.play(host(seq), rows(seq))
            await on.pilot.pause(0.1)
        assert on.app.feed.session.newest is not None
        assert on.app.feed.session.newest.seq == 14
        assert painted == []
        await on.settle()  # what is due later is drawn now
        assert set(painted) == {0, 1}
        assert "paused 10 s ago" in on.see(HeaderLine)


async def test_only_cells_on_the_screen_are_written_and_each_once(stage: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    written: Counter[tuple[int, str]] = Counter()
    cell = TableGrid.cell

    def noted(self: TableGrid, row: int, column: Any) -> str:
        written[row, column.name] += 1
        return cell(self, row, column)

    monkeypatch.setattr(TableGrid, "cell", noted)
    many = processes(*(process(number, f"p{number}") for number in range(1, 501)))
    async with stage(many, options=CALLS, size=(120, 36)) as on:
        await on.play(calls(1, {number: number for number in range(1, 501)}))
        written.clear()
        await on.play(calls(2, {number: 2 * number for number in range(1, 501)}))
        table = on.one(TableGrid)
        assert {row for row, _ in written} == set(table.visible_rows)
        assert set(written.values()) == {1}


async def test_a_filter_scans_each_event_once(stage: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    scanned: list[int] = []
    has = EventList._has
    monkeypatch.setattr(
        EventList,
        "_has",
        lambda self, columns, rows, words: (scanned.append(len(rows)), has(self, columns, rows, words))[1],
    )
    async with stage(PEOPLE, options=EXECS) as on:
        await on.play(execs([(1, f"/bin/{number}") for number in range(50)]))
        await on.press("f", *"bin", "enter")
        scanned.clear()
        await on.play(execs([(1, "/bin/new"), (2, "/sbin/other")]))
        assert scanned == [2]
        assert on.one(EventList).count == 52


async def test_a_filter_writes_each_text_of_a_batch_once(stage: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    written: Counter[object] = Counter()
    write = EventList._write
    async with stage(PEOPLE, options=EXECS) as on:
        await on.press("f", *"sbin", "enter")
        monkeypatch.setattr(
            EventList, "_write", lambda self, value, info: (written.update([value]), write(self, value, info))[1]
        )
        await on.play(execs([(1, f"/bin/{number % 3}") for number in range(1000)]))
        assert on.one(EventList).count == 0
        assert {value: count for value, count in written.items() if isinstance(value, str)} == {
            f"/bin/{number}": 1 for number in range(3)
        }
        assert written.total() < 10


async def test_only_the_lines_of_an_entry_in_sight_are_highlighted_and_each_once(
    stage: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key that comes next waits for nothing else."""
    rendered: list[str] = []
    segments_of = About.segments_of

    def noted(self: About, content: Content) -> list[Segment]:
        rendered.append(content.plain)
        return segments_of(self, content)

    monkeypatch.setattr(About, "segments_of", noted)
    long = probe("cpu/long", source="".join(f"int line_{number};\n" for number in range(2000)))
    async with stage(first=catalog(long)) as on:
        await on.press("slash", *"lon")
        rendered.clear()
        await on.press("g")
        about = on.one(About)
        assert about.code is not None
        assert "int line_3;" in on.see(About)
        assert about.code.highlighted < about.size.height
        assert len(rendered) <= about.size.height
        await on.press("escape", "tab", "end")
        assert "int line_1999;" in on.see(About)
        assert about.code.highlighted == 2000


async def test_the_machines_load_alone_is_one_line(stage: Open, painted: list[int]) -> None:
    async with stage(host(1)) as on:
        painted.clear()
        await on.play(Host(realtime_ns=EPOCH + 2 * SECOND, cpu_percent=80.0, memory_percent=20.0, load=0.1))
        assert painted == [0]


async def test_a_screen_whose_data_are_late_says_so(stage: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    async with stage(host(1)) as on:
        assert "live 1 s" in on.see(HeaderLine)
        later = _clock(on)
        monkeypatch.setattr("ebpftop.ui.feed.feed.time", lambda: later + 6.0)
        on.app.front.draw_header()
        assert "5 s behind" in on.see(HeaderLine)


def _clock(on: Stage) -> float:
    """The moment at which the last load of the machine came."""
    return on.app.feed.session.hosts[-1].realtime_ns / SECOND + on.app.feed._lag


# ---------------------------------------------------------------- a terminal that hasn't taken the last painting


async def test_nothing_is_painted_while_the_terminal_is_busy(stage: Open, painted: list[int]) -> None:
    async with stage(PEOPLE, options=CALLS) as on:
        await on.play(rows(1), rows(2))
        on.app.flow.painted(2 * AHEAD)
        painted.clear()
        for seq in (3, 4, 5):
            on.source.play(rows(seq, p1=seq))
            await on.pilot.pause(0.3)
        await on.pilot.press("question_mark", "escape", "down")
        await on.pilot.pause()
        assert painted == []
        assert on.app.flow.written()
        await on.app.go_on()
        await on.settle()
        assert painted


async def test_keys_work_while_the_terminal_is_busy_and_the_next_painting_shows_what_they_did(
    stage: Open, painted: list[int]
) -> None:
    async with stage(PEOPLE, options=CALLS) as on:
        await on.play(rows(1), rows(2))
        on.app.flow.painted(2 * AHEAD)
        painted.clear()
        await on.pilot.press("question_mark")
        assert isinstance(on.app.screen, HelpScreen)
        assert painted == []
        assert on.app.flow.written()
        await on.app.go_on()
        await on.pilot.pause()
        assert set(painted) == set(range(on.app.size.height))


async def test_nothing_holds_paintings_back_for_longer_than_a_moment(stage: Open) -> None:
    async with stage() as on:
        on.app.delay_update()  # as Textual's command palette does
        assert not on.app._batch_count


async def test_a_painting_that_becomes_possible_within_a_batch_is_done_after_it(
    stage: Open, painted: list[int]
) -> None:
    async with stage(PEOPLE, options=CALLS) as on:
        await on.play(rows(1), rows(2))
        on.app.flow.painted(2 * AHEAD)
        painted.clear()
        await on.pilot.press("question_mark")
        assert on.app.flow.written()
        with on.app.batch_update():
            await on.app.go_on()
            await on.pilot.pause(0.1)
            assert painted == []
        await on.pilot.pause()
        assert set(painted) == set(range(on.app.size.height))


async def test_only_the_present_is_drawn_when_the_terminal_is_ready(stage: Open, drawings: Counter[str]) -> None:
    async with stage(PEOPLE, options=CALLS) as on:
        await on.press("t", "t", "t")
        await on.play(rows(1), rows(2))
        while not on.app.dashboard.settled:
            await on.pilot.pause(0.1)
        on.app.flow.painted(2 * AHEAD)
        drawings.clear()
        for seq in range(3, 9):
            on.source.play(rows(seq))
            await on.pilot.pause(0.3)
        assert drawings == {}
        assert on.app.flow.written()
        await on.app.go_on()
        await on.pilot.pause()
        assert drawings == {"table": 1}
        assert formatting.count(1080) in on.see(TableGrid)  # p1 after eight seconds


async def test_what_is_not_due_yet_is_not_drawn_when_the_terminal_is_ready(stage: Open) -> None:
    async with stage(PEOPLE, options=CALLS) as on:
        await on.play(rows(1), rows(2))
        while not on.app.dashboard.settled:
            await on.pilot.pause(0.1)
        await on.app.pace.now()
        on.app.pace.rest()
        drawn = on.app.pace._drawn
        await on.app.go_on()
        assert on.app.pace._drawn == drawn


async def test_the_header_says_as_of_when_a_slow_terminal_shows_it(
    stage: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage(PEOPLE, options=CALLS) as on:
        await on.play(host(1), rows(1), rows(2))
        now = 0.0
        monkeypatch.setattr(on.app.flow, "_clock", lambda: now)
        on.app.flow.painted(2 * AHEAD)
        on.app._painted = 1_800_000_000.0
        now = LATE
        assert on.app.flow.written()
        await on.app.go_on()
        on.app.front.draw_header()
        shown = strftime("as of %H:%M:%S", localtime(1_800_000_000))
        assert shown in on.see(HeaderLine)
        assert "live" not in on.see(HeaderLine)
        on.app.flow.painted(2 * AHEAD)
        assert on.app.flow.written()
        await on.app.go_on()
        on.app.front.draw_header()
        assert "live" in on.see(HeaderLine)
