"""On a tape, what came before a jump stays known: the whole tape is read ahead into one past."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from ebpftop.base import bounds
from ebpftop.frames import tape_format
from ebpftop.frames.messages import AnyFrame
from ebpftop.frames.recall import Recall
from ebpftop.frames.tape import TapeReader, TapeWriter
from ebpftop.model import readings
from ebpftop.model.ahead import Ahead
from ebpftop.model.ancestry import ancestors
from ebpftop.model.dimensions import NAME
from ebpftop.model.past.past import Past
from ebpftop.model.past.span import FIRST, INTERVAL, START, Recent, Span, Wanted
from ebpftop.model.run import Run
from ebpftop.model.selection import EVERYTHING, Choice, Selection, function_choice
from ebpftop.model.session import Session
from ebpftop.model.stacks import profile
from ebpftop.model.timeline import Tracks
from tests.support.frames import (
    CALLS,
    LATENCY,
    SAMPLES,
    SECOND,
    columns,
    hello,
    loaded,
    process,
    processes,
    samples,
    snapshot,
    stacks,
)

SECONDS = 40
BEGIN = 1000 * SECOND
Counts = dict[tuple[int, int], int]


def story(seed: int) -> list[AnyFrame]:
    """A frame every second of a probe that counts by process, in slots; rows are born, grow, end and come back."""
    choose = random.Random(seed)
    told: list[AnyFrame] = [hello(), loaded(1, "cpu/runqlat", LATENCY)]
    rows: Counts = {}
    for second in range(SECONDS):
        for _ in range(4):
            key = choose.randrange(5), choose.randrange(3)
            rows[key] = rows.get(key, 0) + choose.randrange(1, 9)
        for key in [key for key in rows if choose.random() < 0.1]:
            del rows[key]
        fields = {"tgid": [key[0] for key in rows], "slot": [key[1] for key in rows], "count": [*rows.values()]}
        told.append(snapshot(1, second, {"latency": columns(**fields)}))
    return told


def taped(path: Path, told: list[AnyFrame]) -> TapeReader:
    path.unlink(missing_ok=True)
    seconds = itertools.chain([0, 0], range(SECONDS))
    with TapeWriter(path, clock=lambda: next(seconds) * SECOND) as writer:
        for frame in told:
            writer.write(frame)
    return TapeReader(path)


def jumped(reader: TapeReader, second: int, ahead: Ahead | None = None) -> Session:
    """The session that a source makes after a jump."""
    recall = Recall()
    for at, frame in reader.since(second * SECOND):
        if at > second * SECOND:
            break
        recall.add(frame)
    session = Session(ahead=ahead.of if ahead else None)
    for frame in recall.frames(live=False):
        session.feed(frame)
    return session


def gained(past: Past, span: Span) -> Counter[tuple[int, int]]:
    found = past.gained(span)
    keys = zip(found.keys["tgid"].tolist(), found.keys["slot"].tolist(), strict=True)
    return Counter({key: count for key, count in zip(keys, found.gains["count"].tolist(), strict=True) if count})


@pytest.fixture(autouse=True)
def keys_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tape_format, "KEY_SECONDS", 5.0)


@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 1 << 30), st.integers(1, SECONDS - 1), st.integers(0, SECONDS))
def test_a_jump_has_the_numbers_that_were_live(tmp_path: Path, seed: int, second: int, length: int) -> None:
    """The last interval from the key alone; every span before the moment, once that was read ahead."""
    told = story(seed)
    live = Session()
    for frame in told[: second + 3]:
        live.feed(frame)
    reader = taped(tmp_path / "a.tape", told)
    ahead = Ahead(1 << 24)
    run, other = live.runs[1], jumped(reader, second, ahead).runs[1]
    assert (other.last, other.previous) == (run.last, run.previous)
    moment = BEGIN + second * SECOND
    interval = Span(moment - SECOND, moment)
    assert gained(other.pasts["latency"], interval) == gained(run.pasts["latency"], interval)
    assert other.pasts is other.kept
    for _, frame in reader:
        ahead.feed(frame)
    assert other.pasts is not other.kept
    for span in (Span(moment - length * SECOND, moment), Span(FIRST, moment), interval):
        assert gained(other.pasts["latency"], span) == gained(run.pasts["latency"], span)
    (view,) = run.views
    assert readings.extent(other, view, START).seconds == readings.extent(run, view, START).seconds
    since_start = [readings.histogram(each, view, None, START) for each in (run, other)]
    assert since_start[0].slots.tolist() == since_start[1].slots.tolist()
    assert since_start[0].counts.tolist() == since_start[1].counts.tolist()
    reader.close()


IDLE = (9, "idle")
LISTED = replace(CALLS, columns=[column for column in CALLS.columns if column.role != "gauge"])


def listing(seed: int, first: int) -> list[AnyFrame]:
    """A table of counters alone. Some rows gain nothing, others leave. The first frame is a base unless that is 0."""
    choose = random.Random(seed)
    told: list[AnyFrame] = [hello(), loaded(1, "cpu/syscount", LISTED)]
    rows: dict[tuple[int, str], int] = {IDLE: 0, (8, "counted before"): 7}
    for second in range(first, first + SECONDS):
        for _ in range(2):
            key = choose.randrange(4), choose.choice(["read", "write", "open"])
            rows[key] = rows.get(key, 0) + choose.randrange(3)
        for key in [key for key in rows if key != IDLE and choose.random() < 0.05]:
            del rows[key]
        fields = {"tgid": [tgid for tgid, _ in rows], "nr": [nr for _, nr in rows], "count": [*rows.values()]}
        told.append(snapshot(1, second, {"calls": columns(**fields)}))
    return told


def listed(run: Run, wanted: Wanted = INTERVAL) -> dict[tuple[int, str], tuple[float, ...]]:
    """Each row of the table with its gain, its total, its rate and whether it is there."""
    (view,) = run.views
    found = readings.table(run, view, wanted)
    keys = zip(found.keys["tgid"].tolist(), found.keys["nr"].texts(), strict=True)
    numbers = (found.gains["count"], found.totals["count"], found.rates["count"], found.present)
    return dict(zip(keys, zip(*(each.tolist() for each in numbers), strict=True), strict=True))


@pytest.mark.parametrize("first", [0, 5], ids=["attached", "base"])
@settings(deadline=None, max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 1 << 30), st.integers(1, SECONDS - 1))
def test_a_table_has_the_rows_that_were_live_those_that_gained_nothing_too(
    tmp_path: Path, first: int, seed: int, second: int
) -> None:
    told = listing(seed, first)
    live, ahead = Session(), Ahead(1 << 24)
    for frame in told[: second + 3]:
        live.feed(frame)
    reader = taped(tmp_path / "a.tape", told)
    run, other = live.runs[1], jumped(reader, second, ahead).runs[1]
    expected = listed(run)
    assert IDLE in expected
    for _, frame in reader:
        ahead.feed(frame)
    assert other.pasts is not other.kept
    assert listed(other) == expected
    reader.close()
    for frame in told[second + 3 :]:
        live.feed(frame)
    then = listed(run, Recent(0, BEGIN + (first + second) * SECOND))
    assert [row[:3] for row in then.values()] == [expected[key][:3] for key in then], "a screen that stands still"
    assert then.keys() == expected.keys()


def test_after_a_jump_the_timeline_is_that_of_the_whole_once_it_was_read(tmp_path: Path) -> None:
    told = story(7)
    live, reader, ahead = Session(), taped(tmp_path / "a.tape", told), Ahead(1 << 24)
    for frame in told[:33]:
        live.feed(frame)
    run, other, tracks = live.runs[1], jumped(reader, 30, ahead).runs[1], Tracks()
    (view,) = run.views
    now = BEGIN + 30 * SECOND

    def shown(tracks: Tracks, run: Run) -> list[float]:
        return tracks.read(run, view, 60, BEGIN, now).shown()

    expected = shown(Tracks(), run)
    assert repr(shown(tracks, other)) != repr(expected)
    for _, frame in reader:
        ahead.feed(frame)
    assert repr(shown(tracks, other)) == repr(expected)


def test_a_span_since_the_start_is_as_long_as_it_was(tmp_path: Path) -> None:
    reader = taped(tmp_path / "a.tape", story(1))
    ahead = Ahead(1 << 24)
    for _, frame in reader:
        ahead.feed(frame)
    assert jumped(reader, 30, ahead).runs[1].began_ns == BEGIN
    assert jumped(reader, 30).runs[1].began_ns > BEGIN


def test_what_was_read_of_another_stream_is_not_taken() -> None:
    ahead = Ahead(1 << 24)
    for frame in story(1):
        ahead.feed(frame)
    assert ahead.of(hello(live=False)).runs[1].kept.keys() == {"latency"}
    assert ahead.of(hello(live=False, host="other")) is None


def test_memory_is_bounded() -> None:
    ahead = Ahead(60_000)
    for second, frame in enumerate(story(1)):
        ahead.feed(frame)
        known = ahead.of(hello(live=False)).runs.get(1)
        past = known.kept.get("latency") if known else None
        assert past is None or past.bytes <= 60_000, second


def test_views_of_one_run_are_taken_together(tmp_path: Path) -> None:
    """One that isn't read as far as the moment shown is no reason to show two pasts at once."""
    ahead = Ahead(1 << 24)
    session = Session(ahead=ahead.of)
    frames = [hello(live=False), loaded(1, "a/b", CALLS), *(calls(second) for second in range(4))]
    for frame in frames:
        session.feed(frame)
    for frame in frames[:5]:
        ahead.feed(frame)
    assert session.runs[1].pasts is session.runs[1].kept
    ahead.feed(frames[5])
    assert session.runs[1].pasts is ahead.of(hello(live=False)).runs[1].kept


def unplayed(told: list[AnyFrame]) -> Session:
    """Played up to the second 2, read ahead to the end."""
    ahead = Ahead(1 << 24)
    session = ahead.played()
    for frame in told:
        ahead.feed(frame)
    for frame in told:
        session.feed(frame)
        if session.newest and session.newest.seq == 2:
            break
    return session


def test_processes_of_the_unplayed_part_have_their_names() -> None:
    told: list[AnyFrame] = [hello(live=False), processes(process(1, "sshd")), loaded(1, "cpu/syscount", CALLS)]
    for second in range(8):
        if second == 5:
            told.append(processes(process(1, "sshd", ended_ns=9), process(2, "backup", ppid=1001)))
        here = [1] if second < 5 else [1, 2]
        fields = {"tgid": here, "nr": ["read"] * len(here), "count": [10 * second] * len(here)}
        told.append(snapshot(1, second, {"calls": columns(**fields, last_ns=[0] * len(here))}))
    session = unplayed(told)
    run, people = session.runs[1], session.processes
    backup = Selection((Choice(NAME, "backup", NAME, "backup"),), people)
    found = readings.table(run, run.views[0], Span(BEGIN + 5 * SECOND, BEGIN + 6 * SECOND), backup)
    assert (found.keys["tgid"].tolist(), found.rates["count"].tolist()) == ([2], [10.0])
    assert {number: (each.comm, each.ended_ns) for number, each in people.items()} == {
        1: ("sshd", None),  # at the moment that is displayed
        2: ("backup", None),
    }
    assert (len(people), people.get(3)) == (2, None)
    assert [each.comm for each in ancestors(people[2], people)] == ["sshd", "init"]
    session.feed(hello(live=False, host="other"))
    assert not session.processes
    assert people.keys() == {1, 2}


def test_stacks_of_the_unplayed_part_have_their_functions() -> None:
    told: list[AnyFrame] = [hello(live=False), stacks({7: ["all", "f"]}), loaded(1, "cpu/profile", SAMPLES)]
    for second in range(8):
        if second == 5:
            told.append(stacks({7: ["all", "f"], 8: ["all", "g"]}))
        told.append(samples(1, second, {(1, 7): 10 * second, (1, 8): 50 * max(0, second - 4)}))
    session = unplayed(told)
    run, span = session.runs[1], Span(BEGIN + 5 * SECOND, BEGIN + 7 * SECOND)

    def shown(selection: Selection) -> dict[tuple[str, ...], int]:
        found = profile(run, run.views[0], span, selection)
        names = [tuple(found.functions[place].name for place in stack) for stack in found.stacks]
        return dict(zip(names, found.counts.tolist(), strict=True))

    assert shown(Selection((function_choice("g", "/bin/app", "user", "g"),))) == {("all", "g"): 100}
    assert shown(EVERYTHING) == {("all", "f"): 20, ("all", "g"): 100}


def test_names_played_and_read_ahead_share_their_limits() -> None:
    session = Ahead().played()
    known = session, Ahead().of(None)
    assert sum(each.past_bytes for each in known) == bounds.PAST
    assert sum(each.process_bytes for each in known) == bounds.PROCESSES
    assert sum(each.stack_bytes for each in known) == bounds.STACKS


def calls(second: int) -> AnyFrame:
    return snapshot(1, second, {"calls": columns(tgid=[1], nr=["read"], count=[second], last_ns=[0])})
