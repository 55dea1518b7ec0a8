"""Rows summed by a dimension: sums are exact, whatever the span, and histograms are merged."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebpftop.frames.columns import Labels, Values
from ebpftop.frames.messages import AnyFrame, ColumnInfo, Process, Processes, ViewInfo
from ebpftop.model import readings
from ebpftop.model.dimensions import Source
from ebpftop.model.grouping import grouped_events, grouped_histograms, grouped_table, grouped_view, groupings
from ebpftop.model.past.span import START, Recent, Span, Wanted
from ebpftop.model.run import Run
from ebpftop.model.selection import Choice, Selection, choices_of
from ebpftop.model.session import Session
from tests.support.frames import (
    CALLS,
    EXECS,
    LATENCY,
    SAMPLES,
    SECOND,
    columns,
    events,
    hello,
    loaded,
    process,
    snapshot,
)

PEOPLE: dict[int, Process] = {
    1: process(1, "nginx", user="www", cgroup="/system.slice/nginx.service"),
    2: process(2, "nginx", user="www", cgroup="/system.slice/nginx.service/inner"),
    3: process(3, "nginx", user="root", cgroup="/system.slice/other.service"),
    4: process(4, "bash", user="root", own=True),
}
BY_CALL = msgspec.structs.replace(
    LATENCY, by=["tgid", "nr"], columns=[*LATENCY.columns, ColumnInfo(field="nr", title="call", decode="syscall")]
)
SPANS: tuple[Wanted, ...] = (START, Recent(0.0), Recent(2.0), Span(1000 * SECOND, 1002 * SECOND))
NOBODY = np.zeros(0, bool)


def source(view: ViewInfo, dimension: str) -> Source:
    return next(each for each in groupings(view) if each.dimension == dimension)


def fed(*frames: AnyFrame) -> Run:
    session = Session()
    for frame in (hello(), Processes(processes=list(PEOPLE.values())), *frames):
        session.feed(frame)
    return session.runs[1]


def texts(values: Values) -> list[Any]:
    return list(values.texts() if isinstance(values, Labels) else values.tolist())


@pytest.mark.parametrize(
    ("view", "dimensions"),
    [
        (CALLS, ["process", "call", "name", "parent", "user", "unit", "container", "pod", "image", "cgroup"]),
        (LATENCY, ["name", "parent", "user", "unit", "container", "pod", "image", "cgroup"]),
        (
            EXECS,
            ["process", "arguments", "error", "name", "parent", "user", "unit", "container", "pod", "image", "cgroup"],
        ),
        (SAMPLES, []),
        (msgspec.structs.replace(LATENCY, by=["nr"], columns=BY_CALL.columns[1:]), []),
    ],
)
def test_by_what_a_view_can_be_summed(view: ViewInfo, dimensions: list[str]) -> None:
    assert [each.dimension for each in groupings(view)] == dimensions


def test_a_table_by_name() -> None:
    rows = {"tgid": [1, 2, 3, 4], "nr": ["read", "write", "read", "read"], "count": [1, 20, 300, 4000]}
    frames = [snapshot(1, 0, {"calls": columns(**rows, last_ns=[7] * 4)})]
    frames.append(snapshot(1, 2, {"calls": columns(**{**rows, "count": [3, 40, 600, 8000]}, last_ns=[9] * 4)}))
    found = readings.table(fed(loaded(1, "cpu/syscount", CALLS), *frames), CALLS)
    groups, apart = grouped_table(CALLS, found, source(CALLS, "name"), PEOPLE, np.zeros(4, bool))
    assert texts(groups.keys["tgid.name"]) == ["nginx", "bash"]
    assert groups.gains["count"].tolist() == [322, 4000]
    assert groups.totals["count"].tolist() == [643, 8000]
    assert groups.rates["count"].tolist() == [161.0, 2000.0]
    assert groups.gauges == {}
    assert groups.present.tolist() == [True, True]
    assert not apart.any()
    assert [column.field for column in grouped_view(CALLS, source(CALLS, "name")).columns] == ["tgid.name", "count"]


def test_rows_apart_are_groups_of_their_own_behind_the_others() -> None:
    rows = {"tgid": [4, 3], "nr": ["read", "read"], "count": [5, 70], "last_ns": [0, 0]}
    found = readings.table(fed(loaded(1, "cpu/syscount", CALLS), snapshot(1, 0, {"calls": columns(**rows)})), CALLS)
    groups, apart = grouped_table(CALLS, found, source(CALLS, "user"), PEOPLE, np.array([True, False]))
    assert texts(groups.keys["tgid.user"]) == ["root", "root"]
    assert groups.gains["count"].tolist() == [70, 5]
    assert apart.tolist() == [False, True]


def test_a_group_is_selected_by_its_dimension() -> None:
    view = grouped_view(CALLS, source(CALLS, "unit"))
    alone, shared = choices_of(view, {"tgid.unit": "nginx.service"}, PEOPLE)
    assert [(each.dimension, each.value) for each in alone] == [("unit", "nginx.service")]
    assert shared == []
    by_call = grouped_view(CALLS, source(CALLS, "call"))
    assert [each.dimension for each in choices_of(by_call, {"nr": "read"}, PEOPLE)[0]] == ["call"]


def test_groups_of_nothing_are_none() -> None:
    run = fed(loaded(1, "cpu/syscount", CALLS, BY_CALL))
    by = source(CALLS, "name")
    assert len(grouped_table(CALLS, readings.table(run, CALLS), by, PEOPLE, NOBODY)[0]) == 0
    keyed = readings.histograms_by_key(run, BY_CALL)
    assert len(grouped_histograms(BY_CALL, keyed, by, PEOPLE, NOBODY)[0]) == 0


counts = st.dictionaries(
    st.tuples(st.integers(1, 5), st.sampled_from(("read", "write")), st.integers(0, 3)), st.integers(1, 9), min_size=1
)


@settings(max_examples=40, deadline=None)
@given(st.lists(counts, min_size=1, max_size=5), st.sampled_from(("process", "call", "name", "user", "unit")))
def test_groups_add_up_to_the_rows(steps: list[dict[tuple[int, str, int], int]], dimension: str) -> None:
    total: Counter[tuple[int, str, int]] = Counter()
    frames: list[AnyFrame] = [loaded(1, "cpu/one", CALLS, BY_CALL)]
    for seq, step in enumerate(steps):
        total.update(step)
        pairs: Counter[tuple[int, str]] = Counter()
        for (tgid, nr, _), count in total.items():
            pairs[tgid, nr] += count
        keys = list(zip(*pairs, strict=True))
        calls = columns(tgid=keys[0], nr=keys[1], count=list(pairs.values()), last_ns=[0] * len(pairs))
        keys = list(zip(*total, strict=True))
        latency = columns(tgid=keys[0], nr=keys[1], slot=keys[2], count=list(total.values()))
        frames.append(snapshot(1, seq, {"calls": calls, "latency": latency}))
    run, by = fed(*frames), source(CALLS, dimension)

    def of(tgid: int, nr: str) -> object:
        known = PEOPLE.get(tgid)
        of_process = {"name": known.comm, "user": known.user, "unit": known.cgroup.split("/")[2:3]} if known else {}
        value = {"process": tgid, "call": nr, **of_process}.get(dimension, "")
        return value if not isinstance(value, list) else "".join(value)

    for wanted in SPANS:
        table = readings.table(run, CALLS, wanted)
        if not len(table):
            continue
        expected: Counter[object] = Counter()
        pairs_ = zip(texts(table.keys["tgid"]), texts(table.keys["nr"]), strict=True)
        for (tgid, nr), gain in zip(pairs_, table.gains["count"].tolist(), strict=True):
            expected[of(tgid, nr)] += gain
        groups, _ = grouped_table(CALLS, table, by, PEOPLE, np.zeros(len(table), bool))
        (key,) = groups.keys.values()
        assert dict(zip(texts(key), groups.gains["count"].tolist(), strict=True)) == dict(expected)
        keyed = readings.histograms_by_key(run, BY_CALL, wanted)
        merged, _ = grouped_histograms(BY_CALL, keyed, source(BY_CALL, dimension), PEOPLE, np.zeros(len(keyed), bool))
        found: dict[object, Counter[int]] = {}
        for at, (tgid, nr) in enumerate(zip(texts(keyed.keys["tgid"]), texts(keyed.keys["nr"]), strict=True)):
            one = keyed.groups.histogram(at)
            into = found.setdefault(of(tgid, nr), Counter())
            into.update(dict(zip(one.slots.tolist(), one.counts.tolist(), strict=True)))
        (key,) = merged.keys.values()
        for at, name in enumerate(texts(key)):
            one = merged.groups.histogram(at)
            assert dict(zip(one.slots.tolist(), one.counts.tolist(), strict=True)) == found.pop(name)
            assert merged.counts[at] == one.count
        assert not found


def test_events_are_counted_by_group_within_a_span_and_a_selection() -> None:
    frames: list[AnyFrame] = [loaded(1, "cpu/execsnoop", EXECS)]
    for seq, rows in enumerate([[(1, "a"), (4, "b")], [(2, "a"), (3, "a"), (1, "b")], [(3, "c")]]):
        tgids, args = zip(*rows, strict=True)
        frames.append(events(1, "events", columns(tgid=tgids, args=args, errno=[""] * len(rows))))
        frames.append(snapshot(1, seq, {}))
    run = fed(*frames)
    log = run.events["events"]

    def by(dimension: str, shown: range, *path: Choice) -> dict[object, int]:
        found = grouped_events(EXECS, log, shown, source(EXECS, dimension), PEOPLE, Selection(path, PEOPLE))
        (key,) = found.keys.values()
        return dict(zip(texts(key), found.gains["events"].tolist(), strict=True))

    assert by("name", range(6)) == {"nginx": 5, "bash": 1}
    assert by("arguments", range(6)) == {"a": 3, "b": 2, "c": 1}
    assert by("process", range(2, 5)) == {1: 1, 2: 1, 3: 1}
    assert by("arguments", range(6), Choice("user", "www", "user", "www")) == {"a": 2, "b": 1}
    assert by("arguments", range(0)) == {}
