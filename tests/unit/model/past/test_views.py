"""The past of a session: what its samples changed, live and from a tape."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ebpftop.frames.columns import Labels, Values
from ebpftop.frames.messages import FOLDED, AnyFrame
from ebpftop.frames.tape import TapeReader, TapeWriter
from ebpftop.model.events import EventLog
from ebpftop.model.past.past import Past
from ebpftop.model.past.span import ALL, FIRST, LAST, Span
from ebpftop.model.run import Run
from ebpftop.model.session import Session
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
DEMO = Path(__file__).parents[4] / "ebpftop" / "demo.tape"


def fed(*frames: AnyFrame, **options: int) -> Session:
    session = Session(**options)
    for frame in (hello(), *frames):
        session.feed(frame)
    return session


def texts(values: Values) -> list[object]:
    return list(values.texts() if isinstance(values, Labels) else values.tolist())


def gained(past: Past, counter: str, span: Span = ALL) -> Counter[tuple[object, ...]]:
    found = past.gained(span)
    keys = zip(*(texts(values) for values in found.keys.values()), strict=True)
    return Counter({key: count for key, count in zip(keys, found.gains[counter].tolist(), strict=True) if count})


def calls(seq: int, rows: list[tuple[int, str, int, int]]) -> AnyFrame:
    tgid, nr, count, last = ([row[i] for row in rows] for i in range(4))
    return snapshot(1, seq, {"calls": columns(tgid=tgid, nr=nr, count=count, last_ns=last)})


def latency(seq: int, rows: dict[tuple[int, int], int]) -> AnyFrame:
    fields = {"tgid": [tgid for tgid, _ in rows], "slot": [slot for _, slot in rows], "count": list(rows.values())}
    return snapshot(1, seq, {"latency": columns(**fields)})


def test_each_sample_is_a_step_and_the_first_counts_from_attaching() -> None:
    session = fed(
        loaded(1, "cpu/syscount", CALLS),
        calls(0, [(1, "read", 10, 5), (2, "write", 1, 6)]),
        calls(1, [(1, "read", 30, 7), (3, "open", 3, 8), (2, "write", 1, 6)]),
        calls(3, [(1, "read", 30, 7), (3, "open", 4, 9)]),
    )
    past = session.runs[1].pasts["calls"]
    times = past.times()
    assert ((times["end"] - BEGIN) // SECOND).tolist() == [0, 1, 3]
    assert (times["lasted"] // SECOND).tolist() == [0, 1, 2]
    assert gained(past, "count", Span(FIRST, BEGIN)) == {(1, "read"): 10, (2, "write"): 1}
    assert gained(past, "count", Span(BEGIN, BEGIN + SECOND)) == {(1, "read"): 20, (3, "open"): 3}
    assert gained(past, "count") == {(1, "read"): 30, (2, "write"): 1, (3, "open"): 4}
    assert len(past.blocks[2].numbers) == 1  # only what changed
    found = past.gained(Span(BEGIN, BEGIN + SECOND))
    last = dict(zip(texts(found.keys["nr"]), texts(found.last["last_ns"]), strict=True))
    assert last == {"read": 7, "write": 6, "open": 8}
    assert dict(zip(texts(found.keys["nr"]), found.low["last_ns"].tolist(), strict=True))["read"] == 5


ROWS = st.dictionaries(st.tuples(st.integers(FOLDED, 6), st.integers(0, 3)), st.integers(0, 9), max_size=8)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(ROWS, st.booleans()), min_size=1, max_size=40), st.integers(0, 6), st.integers(0, 25))
def test_whatever_the_samples_steps_add_up_to_the_totals(
    samples: list[tuple[dict[tuple[int, int], int], bool]], limit: int, merges: int
) -> None:
    """Rows are born, leave, come back and shrink; samples are skipped; the ledger drops rows."""
    session = fed(loaded(1, "cpu/runqlat", LATENCY))
    run = session.runs[1]
    for seq, (rows, skipped) in enumerate(samples):
        if skipped:
            continue
        session.feed(latency(seq, rows))
        run.ledgers["latency"].limit = limit
        ledger = run.ledgers["latency"]
        interval = gained(run.pasts["latency"], "count", Span(run.last.monotonic_ns - 1, LAST))
        assert interval.total() == ledger.deltas["count"].sum()
    if run.last is None:
        return
    past = run.pasts["latency"]
    for _ in range(merges):
        past.shrink()
    ledger = run.ledgers["latency"]
    total = ledger.totals["count"].sum() + ledger.rest["count"]
    assert gained(past, "count").total() == total
    ends = past.times()["end"].tolist()
    parts = [gained(past, "count", Span(*pair)) for pair in itertools.pairwise([FIRST, *ends])]
    assert sum(part.total() for part in parts) == total
    slots = np.zeros(4, np.int64)
    np.add.at(slots, ledger.numbers("slot"), ledger.totals["count"])
    slots[: len(ledger.folded)] += ledger.folded
    by_slot: Counter[object] = Counter()
    for (_, slot), count in gained(past, "count").items():
        by_slot[slot] += count
    assert [by_slot[slot] for slot in range(4)] == slots.tolist()


def test_a_key_that_the_ledger_forgot_is_one_row_when_it_returns() -> None:
    by_name = msgspec.structs.replace(LATENCY, by=["comm"], columns=[])
    session = fed(loaded(1, "cpu/runqlat", by_name))
    run = session.runs[1]
    for seq, names in enumerate((["a", "b", "c", "z"], ["z"], ["z"], ["z", "a"])):
        rows = columns(comm=names, slot=[1] * len(names), count=[5] * len(names))
        session.feed(snapshot(1, seq, {"latency": rows}))
        run.ledgers["latency"].limit = 0
    assert run.ledgers["latency"].dropped == 3
    assert gained(run.pasts["latency"], "count") == {("a", 1): 10, ("b", 1): 5, ("c", 1): 5, ("z", 1): 5}


def test_values_of_the_moment_are_gauges() -> None:
    session = fed(loaded(1, "memory/held", msgspec.structs.replace(SAMPLES, gauge=True)))
    for seq, counts in enumerate(({1: 30, 2: 5}, {1: 10, 3: 4}, {1: 12, 3: 4})):
        rows = columns(tgid=list(counts), stack=[9] * len(counts), count=list(counts.values()))
        session.feed(snapshot(1, seq, {"counts": rows}))
    found = session.runs[1].pasts["samples"].gained()
    parts = (found.keys["tgid"], found.last["count"], found.low["count"], found.high["count"])
    assert list(zip(*(texts(part) for part in parts), strict=True)) == [
        (1, 12, 10, 30),
        (2, 0, 0, 5),
        (3, 4, 4, 4),
    ]


def test_events_belong_to_the_step_in_which_they_came() -> None:
    def some(*tgids: int) -> AnyFrame:
        return events(1, "events", columns(tgid=list(tgids), args=["x"] * len(tgids), errno=[""] * len(tgids)))

    session = fed(
        loaded(1, "cpu/execsnoop", EXECS),
        some(1),
        snapshot(1, 0, {}),
        some(2, 3),
        some(4),
        snapshot(1, 1, {}),
        snapshot(1, 2, {}),
        some(5),
        snapshot(1, 3, {}),
        some(6),
    )
    log = session.runs[1].events["events"]

    def within(start: float, end: float) -> list[int]:
        return list(log.within(Span(BEGIN + round(start * SECOND), BEGIN + round(end * SECOND))))

    assert within(-5, 0) == [0]
    assert within(0, 1) == [1, 2, 3]
    assert within(1, 2) == within(0.2, 0.7) == []
    assert within(0.5, 9) == [1, 2, 3, 4]
    session.feed(detached(1))
    assert within(2, 3) == [4, 5]


@given(st.lists(st.integers(0, 5), max_size=30), st.integers(1, 8), st.lists(st.integers(-1, 31), max_size=5))
def test_events_of_adjoining_spans_adjoin(counts: list[int], limit: int, cuts: list[int]) -> None:
    log = EventLog(limit)
    for second, count in enumerate(counts):
        log.add({"tgid": np.arange(count)}, size=8 * count)
        log.sampled(second)
    edges = [FIRST, *sorted(cuts), LAST]
    parts = [log.within(Span(*pair)) for pair in itertools.pairwise(edges)]
    assert [number for part in parts for number in part] == list(range(log.total))
    for second in range(len(counts)):
        if sum(counts[second:]) <= limit:  # they and all later ones are kept
            assert list(log.within(Span(second - 1, second))) == list(
                range(sum(counts[:second]), sum(counts[: second + 1]))
            )
    assert len(log._times) <= limit + 1


def test_all_runs_share_one_bound_with_their_events() -> None:
    session = fed(loaded(1, "cpu/runqlat", LATENCY), loaded(2, "cpu/execsnoop", EXECS), past_bytes=200_000)
    for seq in range(60):
        rows = {(1 + 100 * seq + row, row % 4): 1 for row in range(100)}
        session.feed(latency(seq, rows))
        many = columns(tgid=list(range(200)), args=["x"] * 200, errno=[""] * 200)
        session.feed(events(2, "events", many))
        session.feed(snapshot(2, seq, {}))
        past, log = session.runs[1].pasts["latency"], session.runs[2].events["events"]
        assert past.bytes + log.bytes <= 200_000
    assert gained(past, "count").total() == 6000
    assert 0 < log.kept < 10_000 < log.total


def test_who_wants_no_past_has_none() -> None:
    session = fed(loaded(1, "cpu/runqlat", LATENCY), latency(0, {(1, 1): 5}), past_bytes=0)
    assert session.runs[1].pasts == {}
    assert session.runs[1].ledgers["latency"].totals["count"].tolist() == [5]


def same(live: Run, tape: Run) -> None:
    assert list(live.pasts) == list(tape.pasts)
    for name, past in live.pasts.items():
        other = tape.pasts[name]
        assert past.times().tolist() == other.times().tolist()
        ends = past.times()["end"].tolist()
        for counter in past.counters:
            for end in ends:
                for span in (Span(FIRST, end), Span(end - 3 * SECOND, end)):
                    assert gained(past, counter, span) == gained(other, counter, span)


def test_a_tape_holds_the_past_that_was_live(tmp_path: Path) -> None:
    frames = [loaded(1, "cpu/syscount", CALLS), loaded(2, "cpu/runqlat", LATENCY)]
    for seq in range(70):
        rows = [(key, f"call{key % 5}", seq * key, seq) for key in range(1 + seq % 5, 30, 1 + seq % 3)]
        frames.append(calls(seq, rows))
        counts = {(key, key % 7): seq * key for key in range(1 + seq % 4, 20, 1 + seq % 2)}
        frames.append(msgspec.structs.replace(latency(seq, counts), run=2))
    live = fed(*frames)
    path = tmp_path / "a.tape"
    with TapeWriter(path, clock=itertools.count(0, SECOND // 2).__next__) as writer:
        for frame in (hello(), *frames):
            writer.write(frame)
    reader = TapeReader(path)
    taped = Session()
    for _, frame in reader:
        taped.feed(frame)
    reader.close()
    for number in (1, 2):
        same(live.runs[number], taped.runs[number])


def test_the_bundled_tape_has_a_past() -> None:
    reader = TapeReader(DEMO)
    session = Session()
    for _, frame in reader:
        session.feed(frame)
    reader.close()
    kinds = set()
    for run in session.runs.values():
        for view in run.views:
            if view.show == "events":
                continue
            past, ledger = run.pasts[view.name], run.ledgers[view.name]
            for counter in past.counters:
                total = ledger.totals[counter].sum()
                assert past.gains(counter).sum() == total
                assert past.sums(counter).sum() == total
                kinds |= {view.show} if total > 0 else set()
    assert kinds == {"table", "histogram", "stacks"}
