from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ebpftop.frames.messages import AnyFrame, ViewInfo
from ebpftop.frames.overview import Gains, Outline
from ebpftop.model.grouping import groupings
from ebpftop.model.scope import Aspect
from ebpftop.model.selection import Choice, Selection
from ebpftop.model.session import Session
from ebpftop.model.timeline import AT_FIRST, Track, Tracks
from ebpftop.stats.slots import bounds
from tests.support.frames import (
    CALLS,
    EXECS,
    LATENCY,
    SECOND,
    columns,
    events,
    hello,
    loaded,
    process,
    rejected,
    snapshot,
)

BEGIN = 1000 * SECOND


def fed(view: ViewInfo, *frames: AnyFrame) -> Session:
    session = Session()
    for frame in (hello(), loaded(1, "cpu/probe", view), *frames):
        session.feed(frame)
    return session


def calls(second: int, count: int, **losses: int) -> AnyFrame:
    return snapshot(1, second, {"calls": columns(tgid=[1], nr=["read"], count=[count], last_ns=[1])}, **losses)


def latency(second: int, counts: dict[int, int]) -> AnyFrame:
    fields = columns(tgid=[1] * len(counts), slot=list(counts), count=list(counts.values()))
    return snapshot(1, second, {"latency": fields})


def test_columns_reach_over_five_minutes_at_first_and_hold_rates() -> None:
    session = fed(CALLS, *(calls(second, 7 + 10 * second) for second in range(12)))
    track = Track(CALLS, BEGIN, 60)
    assert track.width * 60 == AT_FIRST
    track.read(session.runs[1], BEGIN + 11 * SECOND)
    assert track.values[:3].tolist() == [10.0, 10.0, 10.0]
    assert all(map(math.isnan, track.values[3:]))


def test_a_selection_narrows_rates_percentiles_and_events() -> None:
    one = Selection((Choice("process", 1, "process", "1"),))
    rows = [
        snapshot(
            1, second, {"calls": columns(tgid=[1, 2], nr=["read"] * 2, count=[3 * second, 70 * second], last_ns=[1, 1])}
        )
        for second in range(1, 6)
    ]
    run = fed(CALLS, *rows).runs[1]
    assert Tracks().read(run, CALLS, 300, BEGIN, BEGIN + 5 * SECOND, one).shown()[1:5] == [3.0] * 4
    assert Tracks().read(run, CALLS, 300, BEGIN, BEGIN + 5 * SECOND).shown()[1:5] == [73.0] * 4
    waits = [
        snapshot(1, second, {"latency": columns(tgid=[1, 2], slot=[3, 9], count=[second, second])})
        for second in range(1, 6)
    ]
    run, tracks = fed(LATENCY, *waits).runs[1], Tracks()
    assert tracks.read(run, LATENCY, 300, BEGIN, BEGIN + 5 * SECOND, one).shown()[1:5] == [4.0] * 4
    assert tracks.read(run, LATENCY, 300, BEGIN, BEGIN + 5 * SECOND).shown()[1:5] == [10.0] * 4  # not what was kept
    programs = []
    for second in range(1, 6):
        programs.append(events(1, "events", columns(tgid=[1, 2, 2], args=["a"] * 3, errno=[""] * 3)))
        programs.append(snapshot(1, second, {}))
    run = fed(EXECS, *programs).runs[1]
    assert Tracks().read(run, EXECS, 300, BEGIN, BEGIN + 5 * SECOND, one).shown()[1:5] == [1.0] * 4
    assert Tracks().read(run, EXECS, 300, BEGIN, BEGIN + 5 * SECOND).shown()[1:5] == [3.0] * 4


def test_a_filter_narrows_rates_and_events_and_the_picked_key_percentiles() -> None:
    named = Selection(processes={each.id: each for each in (process(1, "sh"), process(2, "make"))})
    calls = [
        snapshot(
            1,
            second,
            {"calls": columns(tgid=[1, 2], nr=["read", "open"], count=[3 * second, 70 * second], last_ns=[1, 1])},
        )
        for second in range(6)
    ]
    run = fed(CALLS, *calls).runs[1]
    tracks = Tracks()
    by_name = next(source for source in groupings(CALLS) if source.dimension == "name")
    for aspect, rate in (
        (Aspect(query="SH"), 3.0),
        (Aspect(query="open"), 70.0),
        (Aspect(query="make", by=by_name), 70.0),
        (Aspect(query="open", by=by_name), 0.0),
        (Aspect(), 73.0),
    ):
        shown = tracks.read(run, CALLS, 300, BEGIN, BEGIN + 5 * SECOND, named, aspect).shown()
        assert shown[1:5] == [rate] * 4, aspect
    waits = [
        snapshot(1, second, {"latency": columns(tgid=[1, 2], slot=[4, 80], count=[second, second])})
        for second in range(6)
    ]
    run = fed(LATENCY, *waits).runs[1]
    for aspect, most in ((Aspect(key={"tgid": 1}), 5.0), (Aspect(), upper(80)), (Aspect(query="sh"), upper(80))):
        shown = tracks.read(run, LATENCY, 300, BEGIN, BEGIN + 5 * SECOND, named, aspect).shown()
        assert shown[1:5] == [most] * 4, "a filter narrows only a histogram's list"
    ran = (
        each
        for n in range(1, 6)
        for each in (
            events(1, "events", columns(tgid=[1, 2, 2], args=["a", "b", "c"], errno=[""] * 3)),
            snapshot(1, n, {}),
        )
    )
    run = fed(EXECS, snapshot(1, 0, {}), *ran).runs[1]
    shown = tracks.read(run, EXECS, 300, BEGIN, BEGIN + 5 * SECOND, named, Aspect(query="make")).shown()
    assert shown[1:5] == [2.0] * 4


def upper(slot: int) -> float:
    return float(bounds(slot)[1])


@settings(deadline=None)
@given(st.lists(st.integers(0, 40), min_size=2, max_size=60), st.integers(1, 7), st.data())
def test_reading_on_is_as_reading_at_once_and_nothing_is_lost(
    gains: list[int], cells: int, data: st.DataObject
) -> None:
    session = Session()
    for frame in (hello(), loaded(1, "cpu/probe", CALLS)):
        session.feed(frame)
    total, often = 0, Track(CALLS, BEGIN, cells)
    for second, gain in enumerate(gains):
        total += gain
        session.feed(calls(20 * second, total))
        if data.draw(st.booleans()):
            often.read(session.runs[1], BEGIN + 20 * second * SECOND)
    now = BEGIN + 20 * (len(gains) - 1) * SECOND
    once = Track(CALLS, BEGIN, cells)
    for each in (often, once):
        each.read(session.runs[1], now)
    assert often.width == once.width
    assert often.begin + often.width * cells >= now or cells == 1
    assert str(often.values.tolist()) == str(once.values.tolist())
    assert often._gains.sum() == sum(gains[1:])


def test_a_histogram_has_its_99th_percentile() -> None:
    counts: dict[int, int] = {3: 0, 90: 0}
    session = Session()
    for frame in (hello(), loaded(1, "cpu/runqlat", LATENCY)):
        session.feed(frame)
    for second in range(25):
        counts[3] += 95
        counts[90] += 5 if 10 < second <= 20 else 0
        session.feed(latency(second, counts))
    track = Tracks().read(session.runs[1], LATENCY, 60, BEGIN, BEGIN + 24 * SECOND)
    low, high = 4.0, track.values[2]
    assert high > 1000
    assert track.values[:5].tolist() == [low, low, high, high, low]


def test_steps_longer_than_a_column_fill_those_they_reach_over() -> None:
    session = fed(CALLS, calls(0, 0), calls(5, 50), calls(30, 300), calls(31, 310))
    track = Track(CALLS, BEGIN, 60)
    track.read(session.runs[1], BEGIN + 31 * SECOND)
    assert track.shown()[:7] == [10.0] * 7
    assert all(map(math.isnan, track.shown()[7:]))


def test_events_have_a_rate() -> None:
    session = fed(EXECS, snapshot(1, 0, {}))
    for second in range(1, 11):
        session.feed(events(1, "events", columns(tgid=[1] * 3, args=["a"] * 3, errno=[""] * 3)))
        session.feed(snapshot(1, second, {}))
    track = Track(EXECS, BEGIN, 60)
    track.read(session.runs[1], BEGIN + 10 * SECOND)
    assert track.values[:2].tolist() == [3.0, 3.0]


def test_only_the_last_views_are_kept_and_a_new_width_begins_anew() -> None:
    session = fed(CALLS, calls(0, 0), calls(1, 5))
    tracks, run = Tracks(), session.runs[1]
    one = tracks.read(run, CALLS, 60, BEGIN, BEGIN + SECOND)
    assert tracks.read(run, CALLS, 60, BEGIN, BEGIN + SECOND) is one
    assert tracks.read(run, CALLS, 61, BEGIN, BEGIN + SECOND) is not one


def test_losses_and_failures_have_their_times() -> None:
    session = fed(CALLS, *(calls(second, second, lost=lost) for second, lost in enumerate((0, 0, 5, 6, 6))))
    assert [(span.start, span.end) for span in session.runs[1].lost] == [(BEGIN + SECOND, BEGIN + 3 * SECOND)]
    session.feed(calls(59, 59, lost=6))
    session.feed(calls(60, 60, lost=7))
    assert len(session.runs[1].lost) == 2
    session.feed(rejected(2, "cpu/other"))
    assert list(session.failures) == [(BEGIN + 60 * SECOND, "cpu/other")]


NONE = np.zeros((0, 4), np.int64)


def outline(*lines: Gains, seconds: int = 40) -> Outline:
    return Outline(BEGIN, BEGIN + seconds * SECOND, 10 * SECOND, list(lines))


def test_a_tape_is_drawn_from_its_outline_over_its_whole_length_until_steps_are_read() -> None:
    session = fed(CALLS, calls(0, 0), calls(10, 70), calls(20, 170))
    gains = np.array([80, 90, 400, 0])
    tracks = Tracks(outline(Gains(1, "calls", "count", 0, gains, np.zeros(0, "u1"), NONE)))
    track = tracks.read(session.runs[1], CALLS, 8, BEGIN, BEGIN)
    assert track.width * 8 == 40 * SECOND
    assert track.shown() == [8, 8, 9, 9, 40, 40, 0, 0]
    assert tracks.read(session.runs[1], CALLS, 8, BEGIN, BEGIN + 20 * SECOND) is track
    assert track.shown()[1:] == [7, 10, 10, 40, 40, 0, 0]


def test_the_outline_of_a_histogram_has_the_upper_bound_of_its_99th_percentile() -> None:
    session = fed(LATENCY, latency(0, {}))
    powers, cells = np.array([0, 11], "u1"), np.array([[100, 95], [0, 5]])
    gains = Gains(1, "latency", "count", 1, cells.sum(axis=0), powers, cells)
    shown = Tracks(outline(gains)).read(session.runs[1], LATENCY, 4, BEGIN, BEGIN).shown()
    assert math.isnan(shown[0])
    assert shown[1:3] == [8.0, 16384.0]
    assert math.isnan(shown[3])


def test_a_view_that_the_outline_does_not_hold_is_blank_until_it_is_read() -> None:
    session = fed(CALLS, calls(0, 0), calls(10, 70))
    track = Tracks(outline()).read(session.runs[1], CALLS, 4, BEGIN, BEGIN)
    assert all(map(math.isnan, track.shown()))
    track.read(session.runs[1], BEGIN + 10 * SECOND)
    assert track.shown()[0] == 7


def test_a_tape_that_goes_on_beyond_its_outline_still_fits() -> None:
    session = fed(CALLS, *(calls(second, second) for second in range(101)))
    gains = Gains(1, "calls", "count", 0, np.array([10] * 4), np.zeros(0, "u1"), NONE)
    track = Tracks(outline(gains)).read(session.runs[1], CALLS, 4, BEGIN, BEGIN + 100 * SECOND)
    assert track.width == 40 * SECOND
    assert track.shown()[:3] == [1, 1, 1]
    assert math.isnan(track.shown()[3])


def test_what_is_selected_is_not_drawn_from_the_outline_of_all() -> None:
    session = fed(CALLS, calls(0, 0), calls(10, 70))
    gains = Gains(1, "calls", "count", 0, np.array([10] * 4), np.zeros(0, "u1"), NONE)
    people = Selection((Choice("process", 1, "process", "1"),))
    track = Tracks(outline(gains)).read(session.runs[1], CALLS, 4, BEGIN, BEGIN, people)
    assert all(map(math.isnan, track.shown()))


def test_a_last_sample_just_beyond_the_outline_leaves_the_columns_as_they_are() -> None:
    session = fed(CALLS, *(calls(second, second) for second in range(42)))
    track = Tracks(outline()).read(session.runs[1], CALLS, 8, BEGIN, BEGIN + 41 * SECOND)
    assert track.width == 5 * SECOND
    assert track.shown() == [1] * 8
