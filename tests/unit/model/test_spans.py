"""The numbers of a view in any span, from one account."""

from __future__ import annotations

from collections import Counter
from math import inf, isnan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebpftop.frames.columns import Labels, Values
from ebpftop.frames.messages import AnyFrame
from ebpftop.model import readings
from ebpftop.model.past.span import INTERVAL, PRESETS, START, Recent, Span, Wanted
from ebpftop.model.readings import Extent
from ebpftop.model.run import Run
from ebpftop.model.session import Session
from ebpftop.model.stacks import profile
from ebpftop.model.when import When
from ebpftop.stats.histogram import Histogram
from tests.support.frames import (
    CALLS,
    EXECS,
    LATENCY,
    SAMPLES,
    SECOND,
    columns,
    detached,
    events,
    hello,
    loaded,
    snapshot,
)

BEGIN = 1000 * SECOND  # monotonic time of the first sample


def fed(*frames: AnyFrame, **options: int) -> Session:
    session = Session(**options)
    for frame in (hello(), *frames):
        session.feed(frame)
    return session


def calls(seq: int, rows: dict[int, int], at: float | None = None) -> AnyFrame:
    fields = {"tgid": list(rows), "nr": ["read"] * len(rows), "count": list(rows.values())}
    return snapshot(1, seq, {"calls": columns(**fields, last_ns=[seq] * len(rows))}, at=at)


def texts(values: Values) -> list[object]:
    return list(values.texts() if isinstance(values, Labels) else values.tolist())


def gains(run: Run, wanted: Wanted) -> Counter[object]:
    found = readings.table(run, CALLS, wanted)
    pairs = zip(texts(found.keys["tgid"]), found.gains["count"].tolist(), strict=True) if len(found) else []
    return Counter({key: count for key, count in pairs if count})


def seconds(start: float, end: float) -> Span:
    return Span(BEGIN + round(start * SECOND), BEGIN + round(end * SECOND))


@pytest.fixture
def session() -> Session:
    """Samples at 0 … 20 s: process 1 makes ten calls a second, process 2 a hundred between 5 and 8 s."""
    rows = ({1: 10 * second, 2: 100 * min(3, max(0, second - 5))} for second in range(21))
    return fed(loaded(1, "cpu/syscount", CALLS), *(calls(second, row) for second, row in enumerate(rows)))


@pytest.mark.parametrize(
    ("wanted", "found", "long"),
    [
        (INTERVAL, {1: 10}, 1.0),
        (Recent(10.0), {1: 100}, 10.0),
        (Recent(60.0), {1: 200, 2: 300}, 20.0),
        (START, {1: 200, 2: 300}, 20.0),
        (Recent(0.0, BEGIN + 7 * SECOND), {1: 10, 2: 100}, 1.0),
        (Recent(10.0, BEGIN + 7 * SECOND), {1: 70, 2: 200}, 7.0),
        (Recent(inf, BEGIN + 7 * SECOND), {1: 70, 2: 200}, 7.0),
        (seconds(4, 9), {1: 50, 2: 300}, 5.0),
        (seconds(6.2, 6.4), {1: 10, 2: 100}, 1.0),  # shorter than a step
        (seconds(-9, 3), {1: 30}, 3.0),
        (seconds(19, 40), {1: 10}, 1.0),
        (seconds(-9, -2), {}, 0.0),
        (seconds(21, 25), {}, 0.0),
    ],
)
def test_a_table_has_what_was_gained_in_the_span_and_its_rates(
    session: Session, wanted: Wanted, found: dict[int, int], long: float
) -> None:
    run = session.runs[1]
    assert gains(run, wanted) == found
    assert readings.extent(run, CALLS, wanted).seconds == long
    table = readings.table(run, CALLS, wanted)
    for gain, rate in zip(table.gains.get("count", ()), table.rates.get("count", ()), strict=True):
        assert rate == gain / long


def test_a_last_interval_that_stands_keeps_idle_rows_and_their_totals(session: Session) -> None:
    live = readings.table(session.runs[1], CALLS, INTERVAL)
    stands = Recent(0.0, session.stand())
    assert readings.extent(session.runs[1], CALLS, stands) == Extent(seconds(19, 20), 1.0)
    session.feed(calls(21, {1: 5000, 3: 1}))
    session.feed(detached(1))
    later = readings.table(session.runs[1], CALLS, stands)
    for one, other in ((live.gains, later.gains), (live.totals, later.totals), (live.rates, later.rates)):
        assert one["count"].tolist() == other["count"].tolist()
    assert texts(later.keys["tgid"]) == [1, 2]
    assert texts(live.gauges["last_ns"]) == texts(later.gauges["last_ns"]) == [20, 20]


def test_what_stands_looks_the_same_to_whoever_asks_whether_it_changed(session: Session) -> None:
    run = session.runs[1]
    wanted = Recent(10.0, session.stand())
    before, live = readings.moment(run, wanted), readings.moment(run)
    session.feed(calls(21, {1: 5000}))
    assert readings.moment(run, wanted) == before
    assert readings.moment(run) != live
    assert readings.moment(run, seconds(3, 5)) != before


def latency(second: int, counts: dict[tuple[int, int], int]) -> AnyFrame:
    fields = {"tgid": [tgid for tgid, _ in counts], "slot": [slot for _, slot in counts]}
    return snapshot(1, second, {"latency": columns(**fields, count=list(counts.values()))})


ROWS = st.dictionaries(st.tuples(st.integers(1, 3), st.integers(0, 5)), st.integers(1, 50), min_size=1, max_size=6)


@settings(deadline=None)
@given(st.lists(ROWS, min_size=3, max_size=20), st.data())
def test_adjoining_spans_add_up_and_all_of_them_are_the_totals(grown: list[dict], data: st.DataObject) -> None:
    totals: Counter[tuple[int, int]] = Counter()
    frames = []
    for second, rows in enumerate(grown):
        totals.update(rows)
        frames.append(latency(second, dict(totals)))
    run = fed(loaded(1, "cpu/runqlat", LATENCY), *frames).runs[1]
    last = len(grown) - 1
    cuts = sorted(data.draw(st.sets(st.integers(0, last - 1), max_size=4)))
    spans = [seconds(a, b) for a, b in zip([-1, *cuts], [*cuts, last], strict=True)]
    found = [readings.histogram(run, LATENCY, wanted=span) for span in spans]
    assert pairs(Histogram.sum(found)) == pairs(readings.histogram(run, LATENCY, wanted=START))
    by_key: Counter[int] = Counter()
    for span in spans:
        keyed = readings.histograms_by_key(run, LATENCY, span)
        by_key.update(dict(zip(texts(keyed.keys["tgid"]), keyed.counts.tolist(), strict=True)))
        for row, tgid in enumerate(texts(keyed.keys["tgid"])):
            one = readings.histogram(run, LATENCY, {"tgid": tgid}, span)
            assert pairs(one) == pairs(keyed.groups.histogram(row))
    whole = readings.histograms_by_key(run, LATENCY, START)
    assert by_key == dict(zip(texts(whole.keys["tgid"]), whole.counts.tolist(), strict=True))


def pairs(histogram: Histogram) -> list[tuple[int, int]]:
    return list(zip(histogram.slots.tolist(), histogram.counts.tolist(), strict=True))


@pytest.mark.parametrize("wanted", PRESETS)
def test_a_preset_that_stands_has_the_numbers_it_had(wanted: Recent) -> None:
    frames = [latency(second, {(1, 3): 5 * second + 1, (2, second): 7}) for second in range(90)]
    session = fed(loaded(1, "cpu/runqlat", LATENCY), *frames[:75])
    run = session.runs[1]
    before = readings.histogram(run, LATENCY, wanted=wanted)
    rates = readings.histograms_by_key(run, LATENCY, wanted).rates.tolist()
    past = readings.series(run, LATENCY, None, wanted)
    stands = Recent(wanted.seconds, session.stand())
    for frame in frames[75:]:
        session.feed(frame)
    assert pairs(readings.histogram(run, LATENCY, wanted=stands)) == pairs(before)
    assert readings.histograms_by_key(run, LATENCY, stands).rates.tolist() == rates
    again = readings.series(run, LATENCY, None, stands)
    assert [(each.seconds, pairs(each.histogram)) for each in again] == [
        (each.seconds, pairs(each.histogram)) for each in past
    ]


def test_call_stacks_of_a_span_and_of_a_moment() -> None:
    held = SAMPLES.__class__(**{name: getattr(SAMPLES, name) for name in SAMPLES.__struct_fields__} | {"gauge": True})
    for view, found in ((SAMPLES, [3]), (held, [6])):
        rows = ({"counts": columns(tgid=[1], stack=[10], count=[second])} for second in range(1, 20))
        session = fed(loaded(1, "cpu/profile", view), *(snapshot(1, seq, row) for seq, row in enumerate(rows)))
        assert profile(session.runs[1], view, seconds(2, 5)).counts.tolist() == found


def test_events_of_a_span_and_of_what_stands() -> None:
    session = fed(loaded(1, "cpu/execsnoop", EXECS))
    for second in range(20):
        session.feed(events(1, "events", columns(tgid=[2 * second, 2 * second + 1], args=["a"] * 2, errno=[""] * 2)))
        session.feed(snapshot(1, second, {}))
    session.feed(events(1, "events", columns(tgid=[99], args=["new"], errno=[""])))
    run = session.runs[1]
    assert readings.events(run, EXECS, INTERVAL) == readings.events(run, EXECS, START) == range(41)
    assert readings.events(run, EXECS, Recent(10.0)) == range(20, 41)
    assert readings.events(run, EXECS, seconds(2, 4)) == range(6, 10)
    stands = Recent(0.0, session.stand())
    session.feed(events(1, "events", columns(tgid=[100], args=["later"], errno=[""])))
    session.feed(snapshot(1, 20, {}))
    assert readings.events(run, EXECS, stands) == range(41)  # with what came since the last sample
    assert readings.events(run, EXECS, seconds(19, 20)) == range(41, 42)


def test_before_the_first_sample_there_is_nothing() -> None:
    run = fed(loaded(1, "cpu/syscount", CALLS)).runs[1]
    for wanted in (*PRESETS, seconds(1, 2)):
        assert readings.extent(run, CALLS, wanted).span is None
        assert len(readings.table(run, CALLS, wanted)) == 0
    session = fed(loaded(1, "cpu/syscount", CALLS), calls(0, {1: 5}))
    for wanted in PRESETS:
        table = readings.table(session.runs[1], CALLS, wanted)
        assert table.gains["count"].tolist() == [5]
        assert isnan(table.rates["count"][0])


# ---------------------------------------------------------------- moving it


def moved(session: Session, when: When, direction: int) -> Wanted:
    run = session.runs[1]
    span = readings.extent(run, CALLS, when.wanted).span
    assert span is not None
    assert session.reach == seconds(0, 20)
    when.move(span, run.pasts["calls"], session.reach, direction)
    return when.wanted


def test_a_span_moves_step_by_step_and_no_further_than_the_past(session: Session) -> None:
    when = When()
    assert moved(session, when, -1) == seconds(18, 19)
    assert when.still
    assert moved(session, when, -1) == seconds(17, 18)
    assert moved(session, when, 1) == seconds(18, 19)
    assert moved(session, when, 1) == moved(session, when, 1) == seconds(19, 20)
    when.live()
    assert when.wanted == INTERVAL
    when.turn()
    assert moved(session, when, -1) == seconds(0, 10)
    assert moved(session, when, -1) == seconds(0, 10)


def test_a_span_grows_and_shrinks_at_its_start(session: Session) -> None:
    when, run = When(), session.runs[1]
    past = run.pasts["calls"]

    def sized(factor: float) -> Wanted:
        span = readings.extent(run, CALLS, when.wanted).span
        assert span is not None
        when.resize(span, past, seconds(0, 20), factor)
        return when.wanted

    assert [sized(2) for _ in range(5)] == [*(Recent(float(each)) for each in (2, 4, 8, 16)), START]
    assert [sized(0.5) for _ in range(5)] == [*(Recent(each) for each in (10.0, 5.0, 2.5, 1.5)), INTERVAL]
    when.choose(seconds(4, 8))
    assert [sized(0.5), sized(0.5), sized(0.5)] == [seconds(6, 8), seconds(7, 8), seconds(7, 8)]
    assert [sized(2), sized(2), sized(2)] == [seconds(6, 8), seconds(4, 8), seconds(0, 8)]


def test_presets_take_turns_between_hosts_in_a_span_for_both() -> None:
    when = When()
    when.compare_hosts("web-1", "web-2", Span(BEGIN, BEGIN + 30 * SECOND))
    for seconds in (10, 60, 10):
        when.turn()
        assert when.before == when.wanted == Span.last(seconds, BEGIN + 30 * SECOND)


def test_presets_take_turns_and_keep_the_end_of_what_stands() -> None:
    when = When()
    found = []
    for _ in PRESETS:
        when.turn()
        found.append(when.wanted)
    assert found == [*PRESETS[1:], INTERVAL]
    when.stand(7)
    assert when.wanted == Recent(0.0, 7)
    when.turn()
    assert when.wanted == Recent(10.0, 7)
    when.live()
    assert when.wanted == Recent(10.0)


def test_going_to_a_moment_takes_the_step_that_holds_it_or_as_much_around_it(session: Session) -> None:
    when, past = When(), session.runs[1].pasts["calls"]
    when.go(BEGIN + 6 * SECOND + SECOND // 3, seconds(19, 20), past)
    assert when.wanted == seconds(6, 7)
    when.go(BEGIN + 12 * SECOND, seconds(4, 8), past)
    assert when.wanted == seconds(10, 14)
