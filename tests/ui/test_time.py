"""The span that all screens show: its keys, what it says, and the timeline."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from itertools import count
from pathlib import Path

import pytest

from ebpftop.frames.messages import AnyFrame
from ebpftop.frames.tape import TapeWriter
from ebpftop.frames.tape_source import TapeSource
from ebpftop.model.past.span import Span
from ebpftop.ui.app.app import EbpftopApp
from ebpftop.ui.app.options import Options
from ebpftop.ui.drawing.spans import moment
from ebpftop.ui.screens.go_to import GoTo
from ebpftop.ui.widgets.events import EventList
from ebpftop.ui.widgets.header import HeaderLine
from ebpftop.ui.widgets.histogram import HistogramBars
from ebpftop.ui.widgets.table_frame import TableFrame
from ebpftop.ui.widgets.table_grid import TableGrid
from ebpftop.ui.widgets.timeline import LEFT, Timeline, TimelineState, heights
from ebpftop.ui.widgets.view_panels import EventsFrame
from tests.support.frames import EPOCH, SECOND, catalog, detached, hello, loaded, process, processes, rejected
from tests.ui.conftest import Open, Stage
from tests.ui.probes import BY_CALL, BY_PROCESS, PROBES, RUN, calls, execs, latencies
from tests.ui.test_views import names

CALLS = Options(auto_load=[("cpu/syscount", {})])
LATENCY = Options(auto_load=[("cpu/runqlat", {})])
EXECS = Options(auto_load=[("cpu/execsnoop", {})])
PEOPLE = processes(process(1, "postgres"), process(2, "node"))


def at(second: int) -> str:
    """The local time of a sample."""
    return f"{datetime.fromtimestamp(EPOCH / SECOND + second):%H:%M:%S}"


def second(number: int) -> AnyFrame:
    """Process 1 makes ten calls a second, process 2 a thousand in the 5th."""
    return calls(number, {1: 10 * number, 2: 1000 if number >= 5 else 1})


def title(on: Stage) -> str:
    return str(on.one(TableFrame).border_title)


def rate(on: Stage, name: str) -> str:
    table = on.one(TableGrid)
    return table.cell(names(table).index(name), table.columns[2])


async def test_the_span_moves_and_changes_its_length(stage: Open) -> None:
    async with stage(options=CALLS) as on:
        await on.play(PEOPLE, *map(second, range(1, 11)))
        assert "· last 1 s ·" in title(on)
        await on.press("left_parenthesis")
        assert f"· {at(8)}–{at(9)} (1 s) ·" in title(on)
        await on.press(*["left_parenthesis"] * 4)
        assert f"· {at(4)}–{at(5)} (1 s) ·" in title(on)
        assert (rate(on, "node"), rate(on, "postgres")) == ("999/s", "10/s")
        await on.press("right_curly_bracket", "right_curly_bracket")
        assert f"· {at(1)}–{at(5)} (4 s) ·" in title(on)
        assert rate(on, "node") == "250/s"
        await on.press("right_parenthesis")
        assert f"· {at(5)}–{at(9)} (4 s) ·" in title(on)
        assert names(on.one(TableGrid)) == ["postgres"]
        await on.press("left_curly_bracket")
        assert f"· {at(7)}–{at(9)} (2 s) ·" in title(on)
        assert f"‖ {at(7)}–{at(9)} · collecting" in on.see(HeaderLine)
        await on.press("0")
        assert "· last 1 s ·" in title(on)
        assert "live 1 s" in on.see(HeaderLine)


async def test_presets_take_turns_in_all_panels(stage: Open) -> None:
    async with stage(options=CALLS) as on:
        await on.play(PEOPLE, *map(second, range(1, 31)))
        found = []
        for _ in range(4):
            await on.press("t")
            found.append(title(on).split(" · ")[1])
        assert found == ["last 10 s", "since start", "since start", "last 1 s"]
        await on.press("t")
        await on.press("n")
        assert "System calls by name · last 10 s" in [
            str(each.border_title).rpartition(" · ")[0] for each in on.app.screen.query(TableFrame)
        ]
        await on.press("right_curly_bracket", "N")
        assert "· last 20 s ·" in title(on)


async def test_what_is_paused_stays_while_data_come_and_says_how_long_ago_it_was(stage: Open) -> None:
    async with stage(options=CALLS) as on:
        await on.play(PEOPLE, *map(second, range(1, 6)))
        before = on.see(TableGrid)
        await on.press("space")
        assert "‖ paused · collecting" in on.see(HeaderLine)
        await on.play(*map(second, range(6, 20)))
        await on.play(detached(RUN["cpu/syscount"]))
        assert on.see(TableGrid) == before
        assert f"· 1 s until {at(5)} ·" in title(on)
        assert "‖ paused 10 s ago · collecting" in on.see(HeaderLine)
        on.one(TableGrid).sort_by("tgid.comm")
        await on.settle()
        assert names(on.one(TableGrid)) == ["node", "postgres"]
        assert rate(on, "node") == "999/s"
        await on.press("space")
        assert "live 1 s" in on.see(HeaderLine)
        assert rate(on, "node") == "0/s"


async def test_a_histogram_and_its_keys_stand_together(stage: Open) -> None:
    async with stage(options=LATENCY) as on:
        rows = [{1: {5_000: 10 * n}, 2: {900_000: 1 if n < 5 else 8}} for n in range(1, 11)]
        await on.play(PEOPLE, *(latencies(n, row) for n, row in enumerate(rows, 1)))
        await on.press(*["left_parenthesis"] * 5)
        assert "count             17" in on.see(HistogramBars)
        table = on.one(TableGrid)
        assert [table.cell(row, table.columns[3]) for row in range(2)] == ["7/s", "10/s"]


async def test_events_of_a_span(stage: Open) -> None:
    async with stage(options=Options(auto_load=[("cpu/execsnoop", {}), ("cpu/syscount", {})])) as on:
        for n in range(1, 16):
            await on.play(execs([(1, f"/bin/{n}")]), snapshot_of_execs(n), second(n))
        await on.press("left_square_bracket")
        events, frame = on.one(EventList), on.one(EventsFrame)
        assert events.count == 15
        await on.press("t")
        assert str(frame.border_title) == "New programs · last 10 s · 10 events"
        await on.press("t", "t", "t", "space")
        await on.play(execs([(1, "/bin/late")]), snapshot_of_execs(16))
        assert events.count == 15
        assert str(frame.border_title) == f"New programs · since start until {at(15)} · 15 events"
        await on.press("at", *at(4), "enter")
        assert [events.cell(row, events.columns[-1]) for row in range(events.count)] == ["/bin/4"]
        assert str(frame.border_title) == f"New programs · {at(3)}–{at(4)} (1 s) · 1 event"
        await on.press("0")
        assert events.count == 16


def snapshot_of_execs(number: int) -> AnyFrame:
    from tests.support.frames import snapshot

    return snapshot(RUN["cpu/execsnoop"], number, {})


async def test_at_goes_to_a_time_of_day_or_so_long_ago(stage: Open) -> None:
    async with stage(options=CALLS) as on:
        await on.press("at")
        assert not isinstance(on.app.screen, GoTo)  # there is no past yet
        await on.play(PEOPLE, *map(second, range(1, 31)))
        await on.press("at", *at(5), "enter")
        assert f"· {at(4)}–{at(5)} (1 s) ·" in title(on)
        await on.press("at", *"-10s", "enter")
        assert f"· {at(19)}–{at(20)} (1 s) ·" in title(on)
        await on.press("at", *"soon", "enter")
        assert isinstance(on.app.screen, GoTo)
        await on.press("escape")
        await on.press("at", *"-2h", "enter")
        assert f"· {at(19)}–{at(20)} (1 s) ·" in title(on)
        assert on.told()[-1] == f"the past begins at {at(1)}"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("12:03", "2026-05-04 12:03:00"),
        ("12:03:20.5", "2026-05-04 12:03:20.5"),
        ("23:59:59", "2026-05-03 23:59:59"),
        ("-90s", "2026-05-04 12:28:30"),
        ("-90", "2026-05-04 12:28:30"),
        ("- 1h 30m", "2026-05-04 11:00:00"),
        ("now", "2026-05-04 12:30:00"),
        ("25:00", None),
        ("12:61", None),
        ("-", None),
        ("", None),
        ("yesterday", None),
        *((f"-{'9' * digits}{unit}", None) for digits in (10, 290, 320, 5000) for unit in "hms"),
        ("9" * 320 + ":00:00", None),
        ("9" * 5000 + ":00", None),
        ("0:" + "9" * 5000, None),
        ("-1." + "9" * 5000 + "s", "2026-05-04 12:29:58"),
        ("12:03:20." + "0" * 5000, "2026-05-04 12:03:20"),
    ],
)
def test_moments_as_people_write_them(text: str, found: str | None) -> None:
    now = datetime.fromisoformat("2026-05-04 12:30:00").timestamp()
    assert moment(text, now, now) == (datetime.fromisoformat(found).timestamp() if found else None)


def test_a_time_of_day_may_be_one_that_a_tape_has_yet_to_show() -> None:
    now, end = (datetime.fromisoformat(f"2026-05-04 {time}").timestamp() for time in ("12:30:00", "12:34:00"))
    assert moment("12:33", now, end) == now + 180
    assert moment("12:35", now, end) == now + 300 - 86_400
    assert moment("-1m", now, end) == now - 60


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("0:45", "12:00:50"),
        ("3:10.5", "12:03:15.5"),
        ("0:03:10", "12:03:15"),
        ("75:00", "13:15:05"),  # no time of day
        ("1:02:03", "13:02:08"),
        ("1:30:00", "13:30:05"),  # the end
        ("12:03", "12:03:00"),  # a time of day that is on the tape
        ("12:00", "12:00:05"),  # and one in which it begins
        ("12:00:05", "12:00:05"),
        ("13:30", "13:30:00"),
        ("1:30:02", "01:30:02"),  # longer than the tape
        ("92:00", None),
        ("0:75", None),
        ("1:75:00", None),
        ("0:5", None),
        ("-1m", "12:29:05"),
        ("9" * 320 + ":00:00", None),
        ("9" * 5000 + ":00", None),
        ("9" * 5000 + ":00:00", None),
        ("0:" + "9" * 5000, None),
    ],
)
def test_a_position_on_a_tape_is_what_is_no_time_of_day_there(text: str, found: str | None) -> None:
    begin, now, end = (
        datetime.fromisoformat(f"2026-05-04 {time}").timestamp() for time in ("12:00:05", "12:30:05", "13:30:05.5")
    )
    expected = None if found is None else datetime.fromisoformat(f"2026-05-04 {found}").timestamp()
    assert moment(text, now, end, begin) == expected


def test_at_night_minutes_and_seconds_are_a_time_of_day_where_the_tape_has_it() -> None:
    begin, end = (datetime.fromisoformat(f"2026-05-04 {time}").timestamp() for time in ("00:30:00", "01:30:00"))
    assert moment("0:45", end, end, begin) == begin + 15 * 60
    assert moment("0:20", end, end, begin) == begin + 20
    assert moment("0:20", end, end) == begin - 10 * 60


async def test_a_span_before_a_probe_was_attached_says_so(stage: Open) -> None:
    both = Options(auto_load=[("cpu/runqlat", {}), ("cpu/syscount", {})])
    async with stage(options=both) as on:
        await on.play(PEOPLE, *(latencies(n, {1: {5_000: n}}) for n in range(1, 10)))
        await on.play(*map(second, range(8, 10)))
        await on.press("at", *at(4), "enter")
        assert f"· nothing before {at(8)}, where its data begins" in title(on)
        assert on.one(TableGrid).count == 0


# ---------------------------------------------------------------- the timeline


async def test_the_timeline_shows_the_past_losses_failures_and_the_span(stage: Open) -> None:
    async with stage(options=CALLS) as on:
        await on.play(PEOPLE, *map(second, range(1, 5)), calls(5, {1: 50, 2: 1000}, lost=7))
        await on.play(*map(second, range(6, 41)), rejected(9, "lab/null-deref"))
        timeline = on.one(Timeline)
        assert timeline.size.height == 2
        above, below = on.see(Timeline).split("\n")
        assert above.startswith(f" {at(1)} ")
        assert above.rstrip().endswith("≤ 260/s")

        def column(sample: int) -> int:
            return LEFT + 1 + ((sample - 1) * SECOND - 1) // timeline.state.width

        assert above[column(5)] == "█"
        assert above[column(40) + 1] == "▏"
        assert below[column(5)] == "▲"
        assert below[column(40)] == "✗"
        await on.press(*["left_parenthesis"] * 20)
        assert on.see(Timeline).split("\n")[1][column(20)] == "┴"


async def test_the_timeline_follows_the_filter_also_while_nothing_new_comes(stage: Open) -> None:
    async with stage(options=CALLS) as on:
        await on.play(PEOPLE, *map(second, range(1, 41)))
        assert on.one(Timeline).state.greatest == "≤ 260/s"
        await on.press("space", "f", *"postgres")
        await until(on, lambda: on.one(Timeline).state.greatest == "≤ 10/s")
        await on.press("escape")
        await until(on, lambda: on.one(Timeline).state.greatest == "≤ 260/s")


async def test_the_timeline_follows_the_picked_row_of_a_histogram(stage: Open) -> None:
    async with stage(options=LATENCY) as on:
        await on.play(PEOPLE, *(latencies(n, {1: {5_000: 10 * n}, 2: {900_000: n}}) for n in range(1, 9)))
        assert on.one(Timeline).state.greatest.startswith("p99 ≤ 9")
        await on.press("tab", "tab")
        table = on.one(TableGrid)
        table.focus()
        table.go(names(table).index("postgres"))
        await on.press("enter")
        assert on.one(Timeline).state.greatest.startswith("p99 ≤ 5")


async def test_the_timeline_has_one_line_on_a_small_screen_with_the_signs_in_it(stage: Open) -> None:
    async with stage(options=CALLS, size=(80, 24)) as on:
        await on.play(PEOPLE, *map(second, range(1, 41)), rejected(9, "lab/null-deref"))
        timeline = on.one(Timeline)
        assert timeline.size.height == 1
        assert on.see(Timeline)[LEFT + 1 + 39 * SECOND // timeline.state.width] == "✗"


async def test_a_click_and_a_drag_on_the_timeline_choose_a_span(stage: Open) -> None:
    async with stage(options=CALLS) as on:
        await on.play(PEOPLE, *map(second, range(1, 61)))
        timeline = on.one(Timeline)
        width = timeline.state.width // SECOND
        await on.pilot.click(Timeline, offset=(LEFT + 1 + 3, 0))
        await on.settle()
        middle = 1 + 3 * width + width // 2
        assert f"· {at(middle - 1)}–{at(middle)} (1 s) ·" in title(on)
        await on.pilot.mouse_down(Timeline, offset=(LEFT + 1 + 6, 0))
        await on.pilot.hover(Timeline, offset=(LEFT + 1 + 4, 0))
        await on.pilot.mouse_up(Timeline, offset=(LEFT + 1 + 4, 0))
        await on.settle()
        assert f"· {at(1 + 4 * width)}–{at(1 + 7 * width)} ({3 * width} s) ·" in title(on)


def test_heights_of_rates_are_linear_and_of_percentiles_logarithmic() -> None:
    assert heights([1.0, 4.0, 0.0], logarithmic=False) == (0.25, 1.0, 0.0)
    low, middle, high = heights([10.0, 100.0, 1000.0], logarithmic=True)
    assert (low, high) == (pytest.approx(1 / 9), 1.0)
    assert middle - low == pytest.approx(high - middle)
    assert heights([5.0], logarithmic=True) == (pytest.approx(1 / 9),)


def test_marks_stand_in_their_columns_and_losses_before_them() -> None:
    state = TimelineState(
        values=(0.0,) * 10, begin=0, width=10, now=100, marks=((5, "a"), (95, "b")), lost=(Span(0, 9),)
    )
    signs = Timeline()._signs(state)
    assert {at: sign for at, (sign, _) in signs.items()} == {0: "▲", 9: "▼"}


# ---------------------------------------------------------------- a tape


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    path = tmp_path / "a.tape"
    ticks = count(0, SECOND)
    story = [
        hello(),
        catalog(*PROBES),
        PEOPLE,
        loaded(RUN["cpu/syscount"], "cpu/syscount", BY_PROCESS, BY_CALL),
        *map(second, range(4, 21)),
    ]
    with TapeWriter(path, clock=lambda: next(ticks)) as writer:
        for frame in story:
            writer.write(frame)
    return path


async def until(on: Stage, done: Callable[[], bool]) -> None:
    while not done():
        await on.pilot.pause(0.02)
    await on.settle()


async def test_the_same_keys_move_the_span_on_a_tape(tape: Path) -> None:
    app = EbpftopApp(source := TapeSource(tape, paused=True))
    async with app.run_test(size=(120, 36)) as pilot:
        on = Stage(app, pilot, app.feed.source)
        source.seek(15.0)
        await until(on, lambda: bool(app.screen.query(TableGrid)) and on.one(TableGrid).count == 2)
        await until(on, lambda: "0:15" in on.see(HeaderLine) and app.feed.session.newest is not None)
        await until(on, lambda: app.feed.session.newest.realtime_ns >= EPOCH + 15 * SECOND)
        await on.press("at", *at(5), "enter")
        assert f"· {at(4)}–{at(5)} (1 s) ·" in title(on)
        assert f"‖ {at(4)}–{at(5)} · tape 0:15 / 0:20" in on.see(HeaderLine)
        assert rate(on, "node") == "999/s"
        await on.press("0")
        assert "· last 1 s ·" in title(on)
        assert "‖ tape 0:15" in on.see(HeaderLine)


async def test_the_timeline_of_a_tape_is_as_long_as_the_tape_before_it_was_read(tape: Path) -> None:
    app = EbpftopApp(source := TapeSource(tape, paused=True))
    app.feed.ahead = None  # what a slow machine hasn't done yet
    async with app.run_test(size=(120, 36)) as pilot:
        on = Stage(app, pilot, source)
        source.seek(8.0)
        await until(on, lambda: bool(on.one(Timeline).state.values))
        state, outline, played = on.one(Timeline).state, source.outline, app.feed.session.newest
        assert outline is not None
        assert played is not None
        assert (state.begin, state.end) == (outline.begin, outline.end)
        assert (outline.end - outline.begin) / SECOND == source.duration
        assert state.columns(Span(outline.begin, outline.end)) == range(len(state.values))
        drawn = [at for at, value in enumerate(state.values) if value > 0]
        assert state.begin + drawn[-1] * state.width > played.monotonic_ns + 10 * SECOND
        await pilot.click(Timeline, offset=(LEFT + 1 + drawn[-1], 0))
        await until(on, lambda: source.position > 15 and app.feed.session.newest is not None)
        await until(on, lambda: app.feed.session.newest.monotonic_ns > played.monotonic_ns + 5 * SECOND)
