"""The past against a plain account of everything that was ever added."""

from __future__ import annotations

import itertools
import tracemalloc
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebpftop.frames.columns import Labels, Values
from ebpftop.frames.messages import FOLDED
from ebpftop.model.past.block import STEPS, TIMES
from ebpftop.model.past.memory import hold
from ebpftop.model.past.past import Gained, Past
from ebpftop.model.past.span import ALL, FIRST, LAST, Span
from ebpftop.model.past.steps import OPEN

SECOND = 1_000_000_000

Step = Mapping[tuple[int, int], int]  # (tgid, slot) → gain


class Account:
    """A past of processes by slots, and beside it what was added."""

    def __init__(self, **changes: object) -> None:
        self.past = Past(["tgid", "slot"], ["count"], **{"process": "tgid", "kept": ["slot"], **changes})
        self.numbers: dict[tuple[int, int], int] = {}
        self.added: list[tuple[int, Counter[tuple[int, int]]]] = []  # end, gains

    def add(self, step: Step, *, start: int | None = None, end: int | None = None) -> None:
        before = self.added[-1][0] if self.added else 0
        start = before if start is None else start
        end = start + SECOND if end is None else end
        keys = list(step)
        numbers = self.past.add(
            (start, end, end),
            np.array([self.numbers.get(key, -1) for key in keys], np.int64),
            lambda at: {
                "tgid": np.array([key[0] for key in keys], np.int64)[at],
                "slot": np.array([key[1] for key in keys], np.int64)[at],
            },
            {"count": np.array([step[key] for key in keys], np.int64)},
        )
        self.numbers.update(zip(keys, numbers.tolist(), strict=True))
        self.added.append((end, Counter(step)))

    def expected(self, span: Span) -> Counter[tuple[int, int]]:
        total: Counter[tuple[int, int]] = Counter()
        for end, gains in self.added:
            if span.start < end <= span.end:
                total.update(gains)
        return total

    def found(self, span: Span = ALL) -> Counter[tuple[int, int]]:
        return rows(self.past.gained(span))


def rows(gained: Gained) -> Counter[tuple[int, int]]:
    keys = [gained.keys[name].tolist() for name in ("tgid", "slot")]
    counted = dict(zip(zip(*keys, strict=True), gained.gains["count"].tolist(), strict=True))
    assert len(counted) == len(gained)
    return Counter(counted)


def by_slot(gains: Counter[tuple[int, int]]) -> Counter[int]:
    slots: Counter[int] = Counter()
    for (_, slot), gain in gains.items():
        slots[slot] += gain
    return slots


STEP = st.dictionaries(st.tuples(st.integers(1, 12), st.integers(0, 3)), st.integers(1, 1 << 40), max_size=8)


def ends(past: Past) -> list[int]:
    return past.times()["end"].tolist()


def test_a_span_holds_the_steps_that_end_in_it() -> None:
    account = Account()
    for gain in (1, 10, 100):
        account.add({(7, 0): gain})
    assert account.found(Span(SECOND, 2 * SECOND)) == {(7, 0): 10}
    assert account.found(Span(FIRST, SECOND)) == {(7, 0): 1}
    assert account.found(Span(SECOND + 1, LAST)) == {(7, 0): 110}
    assert account.found(Span(3 * SECOND, LAST)) == {}
    assert account.past.gained(Span(SECOND, LAST)).seconds == 2.0


@settings(deadline=None)
@given(
    st.lists(STEP, min_size=1, max_size=90),
    st.integers(0, 40),
    st.lists(st.integers(0, 90 * SECOND), max_size=4),
    st.data(),
)
def test_gains_are_exact_whatever_is_merged(
    steps: list[Step], merges: int, cuts: list[int], data: st.DataObject
) -> None:
    account = Account(process=None)
    for step in steps:
        account.add(step)
    for _ in range(merges):
        account.past.shrink()
    folded = bool(account.past.roster.others.any())
    kept = ends(account.past)
    assert set(kept) <= {end for end, _ in account.added}
    assert kept[-1] == account.added[-1][0]
    first, last = sorted(data.draw(st.lists(st.sampled_from([0, *kept]), min_size=2, max_size=2)))
    found, expected = account.found(Span(first, last)), account.expected(Span(first, last))
    assert by_slot(found) == by_slot(expected)
    if not folded:
        assert found == expected
    parts = [FIRST, *sorted(cuts), LAST]
    whole: Counter[tuple[int, int]] = Counter()
    for start, end in itertools.pairwise(parts):
        whole += account.found(Span(start, end))
    assert by_slot(whole) == by_slot(account.expected(ALL))
    assert whole.total() == int(account.past.sums("count").sum())


@settings(deadline=None)
@given(st.lists(STEP, min_size=1, max_size=90), st.integers(0, 30))
def test_what_each_step_holds_adds_up_to_the_rows(steps: list[Step], merges: int) -> None:
    account = Account()
    for step in steps:
        account.add(step)
    for _ in range(merges):
        account.past.shrink()
    past = account.past
    step, place, gain = past.cells("count")
    by_step, by_row = np.zeros(len(past.times()), np.int64), np.zeros(len(past.roster), np.int64)
    np.add.at(by_step, step, gain)
    np.add.at(by_row, place, gain)
    assert by_step.tolist() == past.sums("count").tolist()
    assert by_row.tolist() == past.gains("count").tolist()
    assert (np.diff(step) >= 0).all()


def churning(steps: int, rows: int, account: Account | None = None) -> Account:
    """Every step has processes of its own."""
    account = account or Account()
    for step in range(steps):
        account.add({(1 + step * rows + row, row % 5): row + 1 for row in range(rows)})
    return account


def steady(steps: int, rows: int) -> Account:
    account = Account()
    for step in range(steps):
        account.add({(1 + row, row % 5): 1 + (step * row) % 7 for row in range(rows)})
    return account


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 60)), max_size=80),
    st.sampled_from([24_000, 48_000, 100_000]),
)
def test_the_bound_holds_whatever_arrives(arriving: list[tuple[bool, int]], limit: int) -> None:
    accounts = [Account(), Account(process=None)]
    for number, (fresh, count) in enumerate(arriving):
        for account in accounts:
            begin = 1 + (1000 * number if fresh else 0)
            account.add({(begin + row, row % 3): 1 + row * number for row in range(count)})
            hold([each.past for each in accounts], limit)
            assert sum(each.past.bytes for each in accounts) <= limit
    for account in accounts:
        assert by_slot(account.found()) == by_slot(account.expected(ALL))


@pytest.mark.parametrize("make", [churning, steady])
def test_bytes_are_what_python_allocates(make: Callable[[int, int], Account]) -> None:
    make(STEPS, 5).found()  # imports and caches
    tracemalloc.start()
    account = make(STEPS * 3 + 20, 400)
    snapshot = tracemalloc.take_snapshot()
    tracemalloc.stop()
    own = snapshot.filter_traces([tracemalloc.Filter(True, f"*/{room}/*") for room in ("model", "numpy")])
    own = own.filter_traces([tracemalloc.Filter(False, __file__)])  # without the account beside it
    took = sum(trace.size for trace in own.traces)
    assert 0.8 * took < account.past.bytes < 1.25 * took


def test_steps_are_as_long_as_they_are_old() -> None:
    account = Account()
    limit = 60_000
    for step in range(3000):
        account.add({(1 + row, 0): 1 + (step + row) % 5 for row in range(20)})
        hold([account.past], limit)
    times = account.past.times()
    lengths = (times["end"] - times["start"]) // SECOND
    assert lengths.sum() == 3000
    assert lengths[-1] == 1
    assert (np.diff(lengths) <= 0).all()
    assert set(lengths.tolist()) <= {2**n for n in range(12)}
    assert lengths[0] >= 16
    ages = (times["end"][-1] - times["end"]) // SECOND
    for age, length in zip(ages.tolist(), lengths.tolist(), strict=True):
        assert length <= max(2, age / 4)  # no step is long beside its age


def test_small_pasts_lose_nothing_to_large_ones() -> None:
    small, large = Account(), Account()
    for step in range(200):
        small.add({(1, 0): step})
        large.add({(1 + row, 0): 1 + step for row in range(200)})
        hold([small.past, large.past], 130_000)
    assert len(small.past.times()) == 200 > len(large.past.times())


def test_keys_that_live_briefly_are_folded_and_their_sums_stay() -> None:
    account = churning(200, 40)
    hold([account.past], 60_000)
    found = account.found()
    assert by_slot(found) == by_slot(account.expected(ALL))
    assert any(tgid == FOLDED for tgid, _ in found)
    assert len(account.past.roster) < 1000
    last = account.added[-1][0]
    assert account.found(Span(last - SECOND, last)) == account.added[-1][1]  # the newest are as they came
    account.add({(7, 0): 5, (200 * 40, 4): 3})  # rows that were forgotten and one that was not are known again
    assert account.found(Span(last, LAST)) == {(7, 0): 5, (200 * 40, 4): 3}


def test_of_keys_without_processes_the_small_ones_become_others() -> None:
    past = Past(["path"], ["count"])
    for step in range(STEPS):
        labels = [f"/{step}/{row}" for row in range(20)]
        gains = np.arange(1, 21) * (1000 if step == 3 else 1)
        past.add(
            (step, step + 1, 0),
            np.full(20, -1),
            lambda at, labels=labels: {"path": Labels(at, labels)},
            {"count": gains},
        )
    hold([past], 40_000)
    gained = past.gained()
    assert gained.gains["count"].sum() == 210 * (STEPS - 1) + 210_000
    texts = gained.keys["path"].texts()
    assert gained.others.sum() == 1
    assert texts[int(np.flatnonzero(gained.others)[0])] == ""
    assert "/3/19" in texts
    assert not past.roster.where({"path": ""}).any()


def test_a_gap_is_not_filled() -> None:
    account = Account()
    account.add({(1, 0): 4})
    account.add({(1, 0): 5}, start=10 * SECOND)
    account.add({(1, 0): 6})
    gained = account.past.gained()
    assert (gained.seconds, gained.span) == (3.0, Span(0, 12 * SECOND))
    assert account.past.gained(Span(2 * SECOND, 9 * SECOND)).gains["count"].tolist() == []
    account.past.shrink()  # joins them
    account.past.shrink()
    times = account.past.times()
    assert times[["start", "end", "lasted"]].tolist() == [
        (0, SECOND, SECOND),
        (10 * SECOND, 12 * SECOND, 2 * SECOND),
    ]
    account.past.shrink()
    assert account.past.times()[["start", "end", "lasted"]].tolist() == [(0, 12 * SECOND, 3 * SECOND)]


def test_a_clock_that_goes_back_stands_still() -> None:
    account = Account()
    for start, end in ((0, 5), (5, 9), (2, 4), (9, 12)):
        account.past.add(
            (start, end, 0),
            np.array([-1]),
            lambda _: {"tgid": np.array([1]), "slot": np.array([0])},
            {"count": np.array([1])},
        )
    assert ends(account.past) == [5, 9, 9, 12]
    assert account.past.times()["lasted"].sum() == 12
    assert account.past.gains("count", Span(5, 9)).sum() == 2


def test_a_span_becomes_one_of_whole_steps() -> None:
    account = Account()
    assert account.past.snapped(ALL) is None
    account.add({(1, 0): 1}, end=0)  # counts from attaching
    for _ in range(3):
        account.add({(1, 0): 1})
    account.add({(1, 0): 1}, start=10 * SECOND)
    snapped = account.past.snapped
    assert snapped(ALL) == Span(-1, 11 * SECOND)
    assert snapped(Span(SECOND // 2, SECOND // 2 + 1)) == Span(0, SECOND)
    assert snapped(Span(SECOND, 2 * SECOND)) == Span(SECOND, 2 * SECOND)
    assert snapped(Span(SECOND - 1, 2 * SECOND + 1)) == Span(0, 3 * SECOND)
    assert snapped(Span(2 * SECOND, 8 * SECOND)) == Span(2 * SECOND, 3 * SECOND)  # ends in a gap
    assert snapped(Span(FIRST, -5)) == Span(-1, 0)
    assert snapped(Span(99 * SECOND, LAST)) == Span(10 * SECOND, 11 * SECOND)


def gauged(past: Past, second: int, depth: Mapping[int, float], state: Sequence[str] | None = None) -> None:
    """One step of gauges, by tgid; each row is its own number."""
    tgids = np.array(list(depth), np.int64)
    gauges: dict[str, Values] = {"depth": np.array(list(depth.values()))}
    if state is not None:
        gauges["state"] = Labels(np.arange(len(state)), list(state))
    known = past.roster.column("tgid").tolist()
    numbers = np.array([known.index(tgid) if tgid in known else -1 for tgid in tgids.tolist()], np.int64)
    past.add((second * SECOND, (second + 1) * SECOND, 0), numbers, lambda at: {"tgid": tgids[at]}, {}, gauges)


def gauges(past: Past, span: Span) -> dict[int, tuple[float, float, float]]:
    gained = past.gained(span)
    assert gained.known.all()
    parts = (gained.last["depth"], gained.low["depth"], gained.high["depth"])
    return dict(zip(gained.keys["tgid"].tolist(), zip(*(part.tolist() for part in parts), strict=True), strict=True))


def test_gauges_keep_their_last_least_and_greatest_value() -> None:
    past = Past(["tgid"], [], ["depth"])
    assert past.whole
    gauged(past, 0, {1: 5.0, 2: 7.0})
    assert not past.whole
    gauged(past, 1, {1: 9.0})
    gauged(past, 2, {1: 2.0})
    gauged(past, 3, {3: 4.0})
    both = {1: (2.0, 2.0, 9.0), 2: (7.0, 7.0, 7.0)}  # those of the span's beginning count
    assert gauges(past, Span(4 * SECOND, LAST)) == {}
    assert gauges(past, Span(SECOND, 3 * SECOND)) == both
    assert gauges(past, Span(2 * SECOND, 3 * SECOND)) == both
    assert gauges(past, Span(2 * SECOND, 4 * SECOND)) == {1: (2.0, 2.0, 9.0), 2: (7.0, 7.0, 7.0), 3: (4.0, 4.0, 4.0)}
    assert gauges(past, ALL) == both | {3: (4.0, 4.0, 4.0)}
    past.shrink()
    assert gauges(past, Span(2 * SECOND, 3 * SECOND)) == both
    past.shrink()
    assert ends(past) == [2 * SECOND, 4 * SECOND]
    assert gauges(past, ALL) == both | {3: (4.0, 4.0, 4.0)}
    assert gauges(past, Span(FIRST, 2 * SECOND)) == {1: (9.0, 5.0, 9.0), 2: (7.0, 7.0, 7.0)}
    assert gauges(past, Span(2 * SECOND, LAST)) == {1: (2.0, 2.0, 9.0), 2: (7.0, 7.0, 7.0), 3: (4.0, 4.0, 4.0)}


def test_a_span_that_begins_with_a_block_includes_the_value_before_it() -> None:
    past = Past(["tgid"], [], ["depth"])
    for second in range(OPEN):
        gauged(past, second, {1: 0.0, 2: 5.0})
    assert past.whole
    gauged(past, OPEN, {1: 1.0})
    assert gauges(past, Span(OPEN * SECOND, (OPEN + 1) * SECOND)) == {1: (1.0, 0.0, 1.0)}


DEPTHS = st.dictionaries(st.integers(1, 5), st.integers(-9, 9).map(float), max_size=4)


@settings(deadline=None)
@given(st.lists(DEPTHS, min_size=1, max_size=50), st.integers(0, 12), st.data())
def test_gauges_are_right_whatever_is_merged(changes: list[dict[int, float]], merges: int, data: st.DataObject) -> None:
    past = Past(["tgid"], [], ["depth"])
    now: dict[int, float] = {}
    states: list[dict[int, float]] = [{}]
    for second, change in enumerate(changes):
        now = now | change
        gauged(past, second, now if past.whole else change)
        states.append(now)
    for _ in range(merges):
        if past.finest() is not None or past.open > 1:  # what comes then are folds
            past.shrink()
    kept = [0, *(end // SECOND for end in ends(past))]
    first, last = sorted(data.draw(st.lists(st.sampled_from(kept), min_size=2, max_size=2, unique=True)))
    seen = states[first : last + 1]  # the span begins with what was set before
    expected = {}
    for tgid in seen[-1]:
        values = [state[tgid] for state in seen if tgid in state]
        expected[tgid] = (values[-1], min(values), max(values))
    assert gauges(past, Span(first * SECOND, last * SECOND)) == expected


def test_gauges_that_are_texts_keep_the_last() -> None:
    past = Past(["tgid"], [], ["depth", "state"])
    gauged(past, 0, {1: 1.0, 2: 1.0}, ["open", "idle"])
    gauged(past, 1, {1: 2.0}, ["closed"])
    past.shrink()
    past.shrink()
    gained = past.gained()
    assert gained.last["state"].texts() == ["closed", "idle"]
    assert set(gained.low) == {"depth"}


def test_a_view_without_keys_has_one_row() -> None:
    past = Past([], ["count"])
    number = np.array([-1])
    for second in range(STEPS + 2):
        number = past.add((second, second + 1, 0), number, lambda _: {}, {"count": np.array([second])})
    assert past.gained().gains["count"].tolist() == [sum(range(STEPS + 2))]
    while past.shrink():
        pass
    assert len(past.times()) == 1
    assert past.gained().gains["count"].tolist() == [sum(range(STEPS + 2))]


def test_an_empty_past_holds_nothing() -> None:
    past = Past(["tgid"], ["count"], ["depth"])
    gained = past.gained()
    assert (len(gained), gained.span, gained.seconds, past.end) == (0, None, 0.0, None)
    assert past.times().dtype == TIMES
    assert not past.shrink()
    assert [each.tolist() for each in past.cells("count")] == [[], [], []]


def test_spans() -> None:
    assert Span.last(2.5, 10 * SECOND) == Span(7_500_000_000, 10 * SECOND)
    assert Span(5, 3).seconds == 0.0
