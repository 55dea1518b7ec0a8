"""Events, values of the moment and groups in two spans: their numbers are those of a count by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebpftop.frames.columns import Labels
from ebpftop.frames.messages import AnyFrame, ColumnInfo, Process, Processes, ViewInfo
from ebpftop.model.comparing import words
from ebpftop.model.comparing.half import Half
from ebpftop.model.comparing.number import Number
from ebpftop.model.comparing.view import ViewComparison, ask, comparable, compare
from ebpftop.model.dimensions import Source
from ebpftop.model.grouping import groupings
from ebpftop.model.past.span import Span
from ebpftop.model.selection import EVERYTHING, Choice, Selection
from ebpftop.model.session import Session
from tests.support.frames import CALLS, EXECS, LATENCY, SECOND, columns, events, hello, loaded, process, snapshot

PEOPLE: dict[int, Process] = {
    1: process(1, "nginx", user="www", start_ns=1),
    2: process(2, "nginx", user="www", start_ns=1),
    3: process(3, "bash", user="root", start_ns=1),
    4: process(4, "bash", user="root", start_ns=1, own=True),
}
SIZES = ViewInfo(
    name="sizes",
    map="sizes",
    show="table",
    title="Sizes",
    columns=[
        ColumnInfo(field="tgid", title="Process", decode="process"),
        ColumnInfo(field="size", title="Size", unit="bytes", role="gauge"),
        ColumnInfo(field="state", title="State", decode="string", role="gauge"),
    ],
    sort="size",
)


def moment(second: int) -> int:
    return (1000 + second) * SECOND


def halves(frames: Sequence[AnyFrame], *spans: tuple[int, int]) -> list[Half]:
    session = Session()
    for frame in (hello(), Processes(processes=list(PEOPLE.values())), *frames):
        session.feed(frame)
    (run,) = session.runs.values()
    return [Half(run, Span(moment(first), moment(last)), session.processes, session.hello) for first, last in spans]


def source(view: ViewInfo, dimension: str) -> Source:
    return next(each for each in groupings(view) if each.dimension == dimension)


def told(found: ViewComparison | None, number: str) -> dict[object, tuple[float, float]]:
    """A number of each row before and after, by its only key."""
    assert found is not None
    (values,) = found.keys.values()
    keys = values.texts() if isinstance(values, Labels) else values.tolist()
    mine = next(each for each in found.numbers if each.name == number)
    return dict(zip(keys, zip(mine.before[0].tolist(), mine.after[0].tolist(), strict=True), strict=True))


def execs(*batches: Sequence[tuple[int, str]]) -> list[AnyFrame]:
    """A batch a second, from the second 1 on."""
    frames: list[AnyFrame] = [loaded(1, "cpu/execsnoop", EXECS), snapshot(1, 0, {})]
    for seq, batch in enumerate(batches, 1):
        if batch:
            tgids, args = zip(*batch, strict=True)
            frames.append(events(1, "events", columns(tgid=tgids, args=args, errno=[""] * len(batch))))
        frames.append(snapshot(1, seq, {}))
    return frames


def test_events_are_compared_by_the_names_of_their_processes_or_another_dimension() -> None:
    frames = execs(*[[(1, "a"), (3, "b")]] * 10, *[[(1, "a"), (2, "a"), (2, "c"), (3, "b")]] * 10)
    a, b = halves(frames, (0, 10), (10, 20))
    found = compare(a, b, EXECS)
    assert found is not None
    assert told(found, "events") == {"nginx": (1.0, 3.0), "bash": (1.0, 1.0)}
    assert found.by is not None
    assert found.by.title == "name"
    assert (found.seconds, found.steps) == ((10.0, 10.0), (10, 10))
    (number,) = found.numbers
    assert dict(zip(["nginx", "bash"], number.changed.tolist(), strict=True)) == {"nginx": True, "bash": False}
    assert words.verdict(found) == "1 row changed"
    found = compare(a, b, EXECS, source(EXECS, "arguments"))
    assert told(found, "events") == {"a": (1.0, 2.0), "b": (1.0, 1.0), "c": (0.0, 1.0)}
    only = Selection((Choice("user", "root", "user", "root"),), PEOPLE)
    question = ask(a, b, EXECS, only)
    assert question is not None
    assert told(question.answer(), "events") == {"bash": (1.0, 1.0)}


def test_a_process_that_did_not_live_has_no_rate_of_events() -> None:
    frames = execs([(1, "a")], [(1, "a")], [(1, "a"), (2, "a")], [(1, "a")])
    late = msgspec.structs.replace(PEOPLE[2], start_ns=moment(2) + 3600 * SECOND)
    a, b = halves([*frames[:1], Processes(processes=[late]), *frames[1:]], (0, 2), (2, 4))
    found = told(compare(a, b, EXECS, source(EXECS, "process")), "events")
    assert found[1] == (1.0, 1.0)
    assert np.isnan(found[2][0])
    assert found[2][1] == 0.5


def test_spans_without_samples_or_with_dropped_events_are_not_made_up() -> None:
    frames = execs(*[[(1, "a")]] * 6)
    a, b = halves(frames, (-9, 0), (0, 6))
    assert compare(a, b, EXECS) is None
    a, b = halves(frames, (0, 3), (3, 6))
    a.run.events["events"].shrink()  # the first three events
    assert compare(a, b, EXECS) is None
    a, b = halves(frames, (0, 5), (3, 6))
    a.run.events["events"].shrink()
    found = compare(a, b, EXECS)
    assert found is not None
    assert found.seconds == (2.0, 3.0)
    assert told(found, "events") == {"nginx": (1.0, 1.0)}


batches = st.lists(st.lists(st.tuples(st.integers(1, 4), st.sampled_from("abc")), max_size=5), min_size=8, max_size=8)


@settings(max_examples=40, deadline=None)
@given(batches, st.integers(1, 7), st.sampled_from(("process", "arguments", "name", "user")))
def test_counts_of_events_are_those_of_a_count_by_hand(
    each: list[list[tuple[int, str]]], cut: int, dimension: str
) -> None:
    a, b = halves(execs(*each), (0, cut), (cut, 8))
    found = compare(a, b, EXECS, source(EXECS, dimension))

    def of(tgid: int, text: str) -> object:
        return {"process": tgid, "arguments": text, "name": PEOPLE[tgid].comm, "user": PEOPLE[tgid].user}[dimension]

    sides = [Counter(of(*row) for batch in part for row in batch) for part in (each[:cut], each[cut:])]
    expected = {key: (sides[0][key] / cut, sides[1][key] / (8 - cut)) for key in sides[0] | sides[1]}
    assert told(found, "events") == pytest.approx(expected)


# ---------------------------------------------------------------- values of the moment


def sizes(*rows: dict[int, int]) -> list[AnyFrame]:
    frames: list[AnyFrame] = [loaded(1, "memory/sizes", SIZES)]
    for seq, row in enumerate(rows):
        fields = columns(tgid=list(row), size=list(row.values()), state=["on"] * len(row))
        frames.append(snapshot(1, seq, {"sizes": fields}))
    return frames


def test_values_of_the_moment_are_the_last_and_the_greatest_of_each_span() -> None:
    frames = sizes({1: 5, 2: 7}, {1: 50, 2: 7}, {1: 20, 2: 7}, {1: 90, 2: 0}, {1: 40, 2: 0})
    a, b = halves(frames, (0, 2), (2, 4))
    found = compare(a, b, SIZES)
    assert found is not None
    assert told(found, "size") == {1: (20, 40), 2: (7, 0)}
    assert told(found, "size.max") == {1: (50, 90), 2: (7, 7)}
    assert {number.name for number in found.numbers} == {"size", "size.max"}
    assert all(number.chance is None and not number.changed.any() for number in found.numbers)
    assert words.verdict(found) == "gauges, for which changes are not judged"
    last = next(number for number in found.numbers if number.name == "size")
    assert [words.change(last, row) for row in range(2)] == ["×2", "−7 B"]
    assert words.title(last) == "Size"
    assert words.text(last, last.after, 0) == "40 B"


def test_a_table_of_counters_shows_its_gauges_too() -> None:
    frames: list[AnyFrame] = [loaded(1, "cpu/syscount", CALLS)]
    for seq in range(21):
        rows = {"tgid": [1, 3], "nr": ["read", "read"], "count": [seq, 2 * seq], "last_ns": [seq, 100 - seq]}
        frames.append(snapshot(1, seq, {"calls": columns(**rows)}))
    a, b = halves(frames, (0, 10), (10, 20))
    found = compare(a, b, CALLS)
    assert found is not None
    numbers = {number.name: number for number in found.numbers}
    assert list(numbers) == ["count", "last_ns", "last_ns.max"]
    people = found.keys["tgid"]
    assert isinstance(people, np.ndarray)
    at = people.tolist().index(3)
    assert (numbers["last_ns"].before[0][at], numbers["last_ns"].after[0][at]) == (90, 80)
    assert (numbers["last_ns.max"].before[0][at], numbers["last_ns.max"].after[0][at]) == (100, 90)
    assert found.first is numbers["count"]
    assert words.verdict(found) == "within normal variation"


@pytest.mark.parametrize(("before", "after", "word"), [(np.nan, 3.0, "new"), (3.0, np.nan, "gone"), (0.0, 3.0, "+3")])
def test_a_gauge_that_is_unknown_or_zero_on_a_side(before: float, after: float, word: str) -> None:
    pairs = [(np.array([each]), np.array([each])) for each in (before, after)]
    assert words.change(Number("x", "x", "", False, pairs[0], pairs[1], None, gauge=True), 0) == word


def test_what_can_be_compared() -> None:
    nothing = msgspec.structs.replace(SIZES, columns=[SIZES.columns[0], SIZES.columns[2]])
    assert [comparable(view) for view in (CALLS, LATENCY, EXECS, SIZES, nothing)] == [True, True, True, True, False]


# ---------------------------------------------------------------- groups


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.dictionaries(st.integers(1, 4), st.integers(0, 9), min_size=1), min_size=8, max_size=8),
    st.integers(1, 6),
    st.sampled_from(("name", "user", "call")),
)
def test_groups_add_up_to_their_rows(steps: list[dict[int, int]], cut: int, dimension: str) -> None:
    total: Counter[int] = Counter()
    frames: list[AnyFrame] = [loaded(1, "cpu/syscount", CALLS), snapshot(1, 0, {"calls": _calls({1: 0})})]
    for seq, step in enumerate(steps, 1):
        total.update(step)
        frames.append(snapshot(1, seq, {"calls": _calls(total)}))
    a, b = halves(frames, (0, cut), (cut, 8))
    by = source(CALLS, dimension)
    found, rows = compare(a, b, CALLS, by), compare(a, b, CALLS)
    assert found is not None
    assert rows is not None
    assert [number.name for number in found.numbers] == ["count"]
    people = rows.keys["tgid"]
    assert isinstance(people, np.ndarray)
    number = rows.numbers[0]
    expected: Counter[tuple[object, bool, int]] = Counter()
    for at, tgid in enumerate(people.tolist()):
        group = {"name": PEOPLE[tgid].comm, "user": PEOPLE[tgid].user, "call": "read"}[dimension]
        for side, pair in enumerate((number.before, number.after)):
            expected[group, PEOPLE[tgid].own, side] += float(np.nan_to_num(pair[0][at]))
    (values,) = found.keys.values()
    assert isinstance(values, Labels)
    got = {
        (text, own, side): float(pair[0][at])
        for at, (text, own) in enumerate(zip(values.texts(), found.own.tolist(), strict=True))
        for side, pair in enumerate((found.numbers[0].before, found.numbers[0].after))
    }
    assert {key: value for key, value in got.items() if value} == pytest.approx(
        {key: value for key, value in expected.items() if value}
    )


def _calls(total: dict[int, int]) -> dict[str, object]:
    rows = columns(tgid=list(total), nr=["read"] * len(total), count=list(total.values()), last_ns=[0] * len(total))
    return rows


def test_histograms_of_groups_are_merged() -> None:
    frames: list[AnyFrame] = [loaded(1, "cpu/runqlat", LATENCY)]
    for seq in range(21):
        later = max(0, seq - 10)
        rows = {"tgid": [1, 2, 3], "slot": [40, 44, 40], "count": [10 * seq, 10 * later, seq]}
        frames.append(snapshot(1, seq, {"latency": columns(**rows)}))
    a, b = halves(frames, (0, 10), (10, 20))
    found = compare(a, b, LATENCY, source(LATENCY, "name"))
    assert found is not None
    assert told(found, "values") == {"nginx": (10.0, 20.0), "bash": (1.0, 1.0)}
    assert told(found, "p99")["nginx"][0] < told(found, "p99")["nginx"][1]
    question = ask(a, b, LATENCY, EVERYTHING, Source("call", "call", "nr"))
    assert question is None  # a dimension that it hasn't
