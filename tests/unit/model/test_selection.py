"""A selection narrows every view that has its dimensions, whatever the span; what it leaves out is the rest."""

from __future__ import annotations

from collections import Counter

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebpftop.frames.columns import Labels, Values
from ebpftop.frames.messages import FOLDED, AnyFrame, ColumnInfo, Process, Processes, ViewInfo
from ebpftop.model import readings
from ebpftop.model.dimensions import TRAITS, dimension_of
from ebpftop.model.narrowing import selected_events, selected_rows
from ebpftop.model.past.span import INTERVAL, START, Recent, Span, Wanted
from ebpftop.model.run import Run
from ebpftop.model.selection import EVERYTHING, Choice, Selection, choice_of, choices_of, function_choice
from ebpftop.model.session import Session
from ebpftop.model.stacks import grown, profile
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
    samples,
    snapshot,
    stacks,
)

BEGIN = 1000 * SECOND  # monotonic time of the first sample
BY_CALL = msgspec.structs.replace(
    LATENCY,
    by=["tgid", "nr"],
    columns=[*LATENCY.columns, ColumnInfo(field="nr", title="call", decode="syscall")],
)
FLAT = msgspec.structs.replace(LATENCY, name="flat", by=[], columns=[])
PEOPLE = {number: process(number, "even" if number % 2 == 0 else "odd") for number in range(1, 9)}
NAMES = ("read", "write", "close")


def chosen(dimension: str, value: int | str, *, excluded: bool = False) -> Choice:
    return Choice(dimension, value, dimension, str(value), excluded)


def of(*choices: Choice) -> Selection:
    return Selection(choices, PEOPLE)


def fed(*frames: AnyFrame, **options: int) -> Session:
    session = Session(**options)
    for frame in (hello(), Processes(processes=list(PEOPLE.values())), *frames):
        session.feed(frame)
    return session


def texts(values: Values) -> list[object]:
    return list(values.texts() if isinstance(values, Labels) else values.tolist())


def seconds(start: float, end: float) -> Span:
    return Span(BEGIN + round(start * SECOND), BEGIN + round(end * SECOND))


# ---------------------------------------------------------------- what a row is about


@pytest.mark.parametrize(
    ("column", "dimension"),
    [
        (ColumnInfo(field="tgid", title="victim", decode="process"), "process"),
        (ColumnInfo(field="remote", title="remote", decode="address"), "remote address"),
        (ColumnInfo(field="remote_port", title="port", decode="port"), "remote port"),
        (ColumnInfo(field="key", title="system call", decode="syscall"), "call"),
        (ColumnInfo(field="result", title="result", decode="errno"), "error"),
        (ColumnInfo(field="comm", title="thread", decode="comm"), "thread"),
        (ColumnInfo(field="path", title="Path", decode="string"), "path"),
        (ColumnInfo(field="vector", title="type", decode="softirq"), "softirq type"),
        (ColumnInfo(field="cpu", title="CPU"), "cpu"),
        (ColumnInfo(field="time", title="time", decode="time"), None),
        (ColumnInfo(field="took", title="took", unit="ns"), None),
        (ColumnInfo(field="count", title="calls", role="counter"), None),
    ],
)
def test_a_columns_dimension(column: ColumnInfo, dimension: str | None) -> None:
    found = dimension_of(column)
    assert (found and found[0]) == dimension


ID = "0123456789ab" + "c" * 52
UID = "8b4f3a52-9d1e-4c7b-a0f6-2e51c3d98f10"


@pytest.mark.parametrize(
    ("known", "unit", "container", "pod"),
    [
        ({"cgroup": "/system.slice/nginx.service"}, "nginx.service", "", ""),
        ({"cgroup": f"/docker/{ID}"}, "", "0123456789ab", ""),
        ({"cgroup": f"/docker/{ID}", "container": "web"}, "", "web", ""),
        ({"cgroup": f"/kubepods/pod{UID}/{ID}"}, "", "0123456789ab", UID),
        ({"cgroup": f"/kubepods/pod{UID}/{ID}", "container": "api", "pod": "shop/cart-0"}, "", "api", "shop/cart-0"),
        ({"cgroup": ""}, "", "", ""),
    ],
)
def test_where_a_process_runs(known: dict[str, str], unit: str, container: str, pod: str) -> None:
    one = process(3, "nginx", **known)
    assert [TRAITS[name](one) for name in ("unit", "container", "pod")] == [unit, container, pod]


def test_what_a_row_can_be_selected_by() -> None:
    people = {3: process(3, "nginx", user="www", cgroup="/system.slice/nginx.service", ppid=1, parent="systemd")}
    alone, shared = choices_of(EXECS, {"args": "nginx -t", "errno": "", "tgid": 3}, people)
    assert [(each.title, each.value, each.text) for each in alone] == [
        ("process", 3, "nginx 1003"),
        ("arguments", "nginx -t", "nginx -t"),
    ]
    assert [(each.title, each.value) for each in shared] == [
        ("name", "nginx"),
        ("parent", "systemd 1"),
        ("user", "www"),
        ("unit", "nginx.service"),
        ("cgroup", "/system.slice/nginx.service"),
    ]


def test_processes_that_ended_long_ago_are_nobody_to_select() -> None:
    assert choices_of(LATENCY, {"tgid": FOLDED}, {}) == ([], [])


def test_a_column_without_a_dimension_gives_no_choice() -> None:
    view = msgspec.structs.replace(LATENCY, by=["size"], columns=[ColumnInfo(field="size", title="size", unit="bytes")])
    assert choice_of(view, "size", "", 512, {}) is None


# ---------------------------------------------------------------- the path walked


def test_choosing_again_takes_back_and_widening_takes_the_last() -> None:
    one, two = chosen("process", 1), chosen("call", "read")
    both = EVERYTHING.turned(one).turned(two)
    assert both.choices == (one, two)
    assert both.turned(one).choices == (two,)
    assert both.widened().choices == (one,)
    assert both.inverted().choices == (one, chosen("call", "read", excluded=True))
    assert both.inverted().inverted() == both
    assert both.inverted().turned(two).choices == (one, two)  # what was excluded is chosen
    assert not EVERYTHING.turned(one).widened()


def test_identities_of_another_stream_are_not_selected() -> None:
    both = of(chosen("process", 1), chosen("name", "odd"))
    assert both.within({}, same=False).choices == (chosen("name", "odd"),)
    assert both.within({}, same=True) == both


def test_views_say_which_dimension_they_lack() -> None:
    both = of(chosen("process", 1), chosen("call", "read"))
    assert [each.title for each in both.missing(LATENCY)] == ["call"]
    assert both.missing(CALLS) == []
    assert [each.title for each in both.missing(FLAT)] == ["process", "call"]
    assert of(function_choice("f", "", "user", "f")).missing(SAMPLES) == []


# ---------------------------------------------------------------- a selection and what it leaves out are the whole


choices = st.one_of(
    st.builds(chosen, st.just("process"), st.integers(1, 6), excluded=st.booleans()),
    st.builds(chosen, st.just("name"), st.sampled_from(("even", "odd", "nobody")), excluded=st.booleans()),
    st.builds(chosen, st.just("call"), st.sampled_from((*NAMES, "open")), excluded=st.booleans()),
)
paths = st.lists(choices, min_size=1, max_size=3, unique_by=lambda each: (each.dimension, each.value))
rows = st.dictionaries(
    st.tuples(st.integers(0, 5), st.sampled_from(NAMES), st.integers(0, 3)), st.integers(0, 9), max_size=8
)
spans = st.one_of(
    st.sampled_from((INTERVAL, START, Recent(3.0), Recent(0.0, BEGIN + 2 * SECOND), Recent(5.0, BEGIN + 4 * SECOND))),
    st.builds(lambda first, length: seconds(first, first + length), st.integers(-1, 8), st.integers(0, 8)),
)


def summed(steps: list[dict[tuple[int, str, int], int]]) -> list[dict[tuple[int, str, int], int]]:
    """Cumulative counts of each step; keys of a process leave when it gained nothing for a step."""
    total: Counter[tuple[int, str, int]] = Counter()
    found = []
    for step in steps:
        total.update(step)
        found.append({key: count for key, count in total.items() if count})
    return found


def split(path: list[Choice]) -> tuple[Selection, Selection, Selection]:
    """What is selected, what of it the last choice holds of, and what not."""
    here = of(*path)
    return here.widened(), here, here.inverted()


def table_of(run: Run, wanted: Wanted, selection: Selection) -> Counter[object]:
    found = readings.table(run, CALLS, wanted, selection)
    if not len(found):
        return Counter()
    pairs = zip(texts(found.keys["tgid"]), texts(found.keys["nr"]), found.gains["count"].tolist(), strict=True)
    return Counter({(tgid, nr): count for tgid, nr, count in pairs if count})


def histogram_of(run: Run, wanted: Wanted, selection: Selection) -> Counter[object]:
    found = readings.histogram(run, BY_CALL, wanted=wanted, selection=selection)
    return Counter(dict(zip(found.slots.tolist(), found.counts.tolist(), strict=True)))


def keyed_of(run: Run, wanted: Wanted, selection: Selection) -> Counter[object]:
    found = readings.histograms_by_key(run, BY_CALL, wanted, selection)
    pairs = zip(texts(found.keys["tgid"]), texts(found.keys["nr"]), found.counts.tolist(), strict=True)
    return Counter({(tgid, nr): count for tgid, nr, count in pairs})


def frames(steps: list[dict[tuple[int, str, int], int]]) -> list[AnyFrame]:
    made: list[AnyFrame] = [loaded(1, "cpu/one", CALLS, BY_CALL)]
    for seq, step in enumerate(summed(steps)):
        pairs: Counter[tuple[int, str]] = Counter()
        for (tgid, nr, _), count in step.items():
            pairs[tgid, nr] += count
        calls = columns(
            tgid=np.array([tgid for tgid, _ in pairs], "<u4"),
            nr=[nr for _, nr in pairs] or np.zeros(0, "<u4"),
            count=list(pairs.values()),
            last_ns=[seq] * len(pairs),
        )
        latency = columns(
            tgid=np.array([tgid for tgid, _, _ in step], "<u4"),
            nr=[nr for _, nr, _ in step] or np.zeros(0, "<u4"),
            slot=[slot for _, _, slot in step],
            count=list(step.values()),
        )
        if step:
            made.append(snapshot(1, seq, {"calls": calls, "latency": latency}))
    return made


@settings(max_examples=40, deadline=None)
@given(st.lists(rows, min_size=1, max_size=9), st.lists(spans, min_size=1, max_size=3), paths, st.booleans())
def test_what_is_selected_and_what_is_not_add_up(
    steps: list[dict[tuple[int, str, int], int]], wanted: list[Wanted], path: list[Choice], tight: bool
) -> None:
    session = fed(*frames(steps), **({"past_bytes": 12_000} if tight else {}))
    run = session.runs[1]
    whole, inside, outside = split(path)
    for span in wanted:
        for read in (table_of, histogram_of, keyed_of):
            found = [read(run, span, each) for each in (inside, outside)]
            assert found[0] + found[1] == read(run, span, whole), (read.__name__, span)
        inner = keyed_of(run, span, of(*(each for each in path if not each.excluded)))
        for tgid, nr in inner:
            held = {"process": tgid, "name": PEOPLE[tgid].comm if tgid else "", "call": nr}
            assert all(held[each.dimension] == each.value for each in path if not each.excluded)


SHARED = {1: ["main", "work"], 2: ["main", "wait", "work"], 3: ["main", "idle_[k]"]}
taken = st.dictionaries(st.tuples(st.integers(1, 4), st.sampled_from(sorted(SHARED))), st.integers(1, 9), max_size=6)
functions = st.sampled_from(
    [function_choice(name, "/bin/app", "user", name) for name in ("main", "work", "wait", "none")]
    + [function_choice("idle", "", "kernel", "idle")]
)


@settings(max_examples=40, deadline=None)
@given(st.lists(taken, min_size=1, max_size=6), spans, st.lists(st.one_of(functions, choices), min_size=1, max_size=2))
def test_stacks_through_a_function_and_the_others_add_up(
    steps: list[dict[tuple[int, int], int]], wanted: Wanted, path: list[Choice]
) -> None:
    total: Counter[tuple[int, int]] = Counter()
    made: list[AnyFrame] = [stacks(SHARED), loaded(1, "cpu/profile", SAMPLES)]
    for seq, step in enumerate(steps):
        total.update(step)
        if total:
            made.append(samples(1, seq, dict(total)))
    run = fed(*made).runs[1]
    whole, inside, outside = split(path)
    if inside.missing(SAMPLES):
        return  # the panel's title says that it isn't narrowed
    first = [int(profile(run, SAMPLES, wanted, each).counts.sum()) for each in (whole, inside, outside)]
    assert first[0] == first[1] + first[2]
    if isinstance(wanted, Span) and wanted.start < wanted.end:  # an empty one stands for the step it lies in
        since = [int(grown(run, SAMPLES, wanted, each).counts.sum()) for each in (whole, inside, outside)]
        assert since == first


def test_stacks_through_a_function_hold_it() -> None:
    run = fed(
        stacks(SHARED), loaded(1, "cpu/profile", SAMPLES), samples(1, 0, {(1, 1): 1, (1, 2): 20, (2, 3): 300})
    ).runs[1]

    def count(*path: Choice) -> int:
        return int(profile(run, SAMPLES, START, of(*path)).counts.sum())

    assert count(function_choice("work", "/bin/app", "user", "work")) == 21
    assert count(function_choice("main", "/bin/app", "user", "main")) == 321
    assert count(function_choice("main", "/bin/app", "user", "main"), chosen("process", 2)) == 300
    assert count(function_choice("idle", "/bin/app", "user", "idle")) == 0  # the kernel's is another one


def numbers_of(run: Run, wanted: Wanted, selection: Selection) -> list[int]:
    """The numbers of the selected events."""
    log = run.events.get("events")
    found = selected_events(selection, EXECS, log, readings.events(run, EXECS, wanted)) if log else np.zeros(0)
    return [*found.tolist()]


event_rows = st.lists(st.tuples(st.integers(1, 6), st.sampled_from(("a", "b"))), max_size=6)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(event_rows, min_size=1, max_size=6),
    spans,
    st.lists(
        st.one_of(choices, st.builds(chosen, st.just("arguments"), st.sampled_from("abc"), excluded=st.booleans())),
        min_size=1,
        max_size=3,
        unique_by=lambda each: (each.dimension, each.value),
    ),
)
def test_events_selected_and_not_add_up(steps: list[list[tuple[int, str]]], wanted: Wanted, path: list[Choice]) -> None:
    made: list[AnyFrame] = [loaded(1, "cpu/execsnoop", EXECS)]
    for seq, step in enumerate(steps):
        if step:
            tgids, args = zip(*step, strict=True)
            made.append(events(1, "events", columns(tgid=list(tgids), args=list(args), errno=[""] * len(step))))
        made.append(snapshot(1, seq, {}))
    run = fed(*made).runs[1]
    whole, inside, outside = split(path)
    numbers = [numbers_of(run, wanted, each) for each in (whole, inside, outside)]
    if inside.missing(EXECS)[-1:] == path[-1:]:
        assert numbers[0] == numbers[1] == numbers[2]
    else:
        assert sorted(numbers[1] + numbers[2]) == numbers[0]
    shown = readings.events(run, EXECS, wanted)
    assert numbers_of(run, wanted, EVERYTHING) == [*shown]
    everyone = [row for step in steps for row in step]
    one = numbers_of(run, wanted, of(chosen("process", 1)))
    assert one == [number for number in shown if everyone[number][0] == 1]


# ---------------------------------------------------------------- what is shown beside the rows


def latency_run() -> Run:
    """Each second process 1 has one value in slot 3, process 2 ten in slot 5."""
    made: list[AnyFrame] = [loaded(1, "cpu/runqlat", LATENCY)]
    for seq in range(10):
        rows = columns(tgid=[1, 2], slot=[3, 5], count=[seq + 1, 10 * (seq + 1)])
        made.append(snapshot(1, seq, {"latency": rows}))
    return fed(*made).runs[1]


def test_a_series_is_that_of_the_selected_keys() -> None:
    run = latency_run()
    one, other = of(chosen("process", 1)), of(chosen("name", "even"))
    assert [each.histogram.count for each in readings.series(run, LATENCY, selection=one)] == [1] * 10
    assert [each.histogram.count for each in readings.series(run, LATENCY, selection=other)] == [10] * 10
    assert [each.histogram.count for each in readings.series(run, LATENCY)] == [11] * 10
    assert [each.histogram.count for each in readings.series(run, LATENCY, {"tgid": 2}, selection=one)] == [0] * 10


def test_a_table_keeps_its_gauges_beside_their_rows() -> None:
    rows = {"tgid": [1, 2, 3], "nr": ["read"] * 3, "count": [1, 2, 3], "last_ns": [10, 20, 30]}
    run = fed(loaded(1, "cpu/syscount", CALLS), snapshot(1, 0, {"calls": columns(**rows)})).runs[1]
    for wanted in (START, seconds(-1, 0)):
        found = readings.table(run, CALLS, wanted, of(chosen("name", "odd")))
        assert texts(found.keys["tgid"]) == [1, 3]
        assert texts(found.gauges["last_ns"]) == [10, 30]
        assert found.totals["count"].tolist() == [1, 3]


def test_any_of_a_rows_processes_is_the_selected_one() -> None:
    columns_ = [
        ColumnInfo(field="killer", title="killer", decode="process"),
        ColumnInfo(field="tgid", title="victim", decode="process"),
    ]
    view = ViewInfo(name="kills", map="events", show="events", title="Kills", columns=columns_)
    mask = selected_rows(
        of(chosen("process", 2)), view, {"killer": np.array([1, 2, 3]), "tgid": np.array([2, 1, 3])}.__getitem__, 3
    )
    assert mask is not None
    assert mask.tolist() == [True, True, False]


def test_a_process_learned_later_is_selected_by_its_name() -> None:
    people: dict[int, Process] = {}
    selection = Selection((chosen("name", "late"),), people)
    read = {"tgid": np.array([7, 8])}.__getitem__
    before = selected_rows(selection, LATENCY, read, 2)
    people[8] = process(8, "late")
    after = selected_rows(selection, LATENCY, read, 2)
    assert before is not None
    assert after is not None
    assert (before.tolist(), after.tolist()) == ([False, False], [False, True])
