"""Rows summed along a tree: whatever the tree, children add up to their parent, and all to what the rows hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebpftop.frames.columns import Labels
from ebpftop.frames.messages import AnyFrame, Process, Processes, ViewInfo
from ebpftop.model import readings
from ebpftop.model.ancestry import MOST
from ebpftop.model.dimensions import Source, ThreadFields
from ebpftop.model.grouping import grouped_events, grouped_table, groupings
from ebpftop.model.past.span import START, Recent, Wanted
from ebpftop.model.run import Run
from ebpftop.model.selection import Selection
from ebpftop.model.session import Session
from ebpftop.model.trees import ITSELF, OWN, UNKNOWN, Tree, events_of, histograms_of, is_tree, table_of, tree, tree_view
from tests.support.frames import CALLS, EXECS, LATENCY, columns, events, hello, loaded, process, snapshot

SOURCE = Source("parent", "parent", "tgid", "parent")
SPANS: tuple[Wanted, ...] = (START, Recent(0.0), Recent(2.0))


def source(view: ViewInfo, dimension: str) -> Source:
    return next(each for each in groupings(view) if each.dimension == dimension)


def person(number: int, ppid: int, cgroup: str = "", **fields: object) -> Process:
    return process(number, f"p{number}", ppid=ppid, parent=f"p{ppid - 1000}", cgroup=cgroup, **fields)


def fed(people: dict[int, Process], *frames: AnyFrame) -> Run:
    session = Session()
    for frame in (hello(), Processes(processes=list(people.values())), *frames):
        session.feed(frame)
    return session.runs[1]


def shape(nodes: Tree, values: list[int]) -> list[tuple[str, int]]:
    """The tree as it reads, greatest first: names indented by their depth, and what they have."""
    order = nodes.order(np.argsort(np.argsort(-np.array(values), kind="stable")), np.ones(len(nodes), bool))
    return [("  " * int(nodes.depths[at]) + nodes.names[at], values[at]) for at in order.tolist()]


def table(
    people: dict[int, Process], counts: dict[int, int], by: str, apart: tuple[int, ...] = ()
) -> tuple[Tree, list[int]]:
    rows = {"tgid": list(counts), "nr": ["read"] * len(counts), "count": list(counts.values())}
    frames = [snapshot(1, seq, {"calls": columns(**rows, last_ns=[0] * len(counts))}) for seq in (0, 1)]
    found = readings.table(fed(people, loaded(1, "cpu/syscount", CALLS), *frames), CALLS, START)
    mask = np.isin(found.keys["tgid"], apart)
    nodes = tree(source(CALLS, by), found.keys, people, mask)
    return nodes, table_of(found, nodes).gains["count"].tolist()


def test_processes_stand_below_their_ancestors_also_those_that_have_no_row() -> None:
    people = {1: person(1, 0), 2: person(2, 1001), 3: person(3, 1002), 4: person(4, 1002), 5: person(5, 4711)}
    assert shape(*table(people, {2: 10, 3: 200, 4: 50, 5: 7, 9: 1}, "parent")) == [
        ("p1 1001", 260),
        ("  p2 1002", 260),
        ("    p3 1003", 200),
        ("    p4 1004", 50),
        (f"    {ITSELF}", 10),
        ("p3711 4711", 7),
        ("  p5 1005", 7),
        (UNKNOWN, 1),
    ]


def test_threads_stand_below_their_process() -> None:
    people = {1: person(1, 0), 2: person(2, 1001)}
    keys = {
        "tgid": np.array([2, 2, 2, 1]),
        "tid": np.array([12, 13, 0, 1001]),
        "thread": Labels(np.array([0, 0, 0, 1]), ["pool", "p1"]),
    }
    nodes = tree(SOURCE, keys, people, np.zeros(4, bool), ThreadFields("tid", "thread"))
    row, node = nodes.above()
    counts = np.zeros(len(nodes), np.int64)
    np.add.at(counts, node, np.array([5, 700, 60, 1000])[row])
    assert shape(nodes, counts.tolist()) == [
        ("p1 1001", 1765),
        ("  p1 1001", 1000),
        ("  p2 1002", 765),
        ("    pool 13", 700),
        ("    pool, ended threads", 60),
        ("    pool 12", 5),
    ]
    thread, its_process = nodes.choices(nodes.keys[nodes.names.index("pool 13")], people, SOURCE)
    assert (thread.dimension, thread.value, its_process.dimension) == ("thread", "pool", "process")


def test_cgroups_stand_below_the_parts_of_their_paths() -> None:
    paths = ("/a.slice", "/a.slice/b.service", "/a.slice/c.service/inner", "/", "")
    people = {at: person(at, 0, path) for at, path in enumerate(paths, 1)}
    assert shape(*table(people, {1: 1, 2: 20, 3: 300, 4: 4, 5: 5}, "cgroup")) == [
        ("a.slice", 321),
        ("  c.service", 300),
        ("    inner", 300),
        ("  b.service", 20),
        (f"  {ITSELF}", 1),
        (UNKNOWN, 5),
        ("/", 4),
    ]


def test_rows_apart_are_a_node_of_their_own() -> None:
    people = {1: person(1, 0), 2: person(2, 1001, own=True)}
    nodes, values = table(people, {1: 5, 2: 70}, "parent", apart=(2,))
    assert dict(zip(nodes.names, values, strict=True)) == {"p1 1001": 5, OWN: 70}
    assert [name for name, own in zip(nodes.names, nodes.own.tolist(), strict=True) if own] == [OWN]


def test_processes_that_are_each_others_parents_and_endless_lines_end() -> None:
    people = {1: person(1, 1002), 2: person(2, 1001)}
    _, values = table(people, {1: 1, 2: 2}, "parent")
    assert max(values) == 3
    line = {at: person(at, 1000 + at - 1) for at in range(1, 300)}
    nodes, values = table(line, dict.fromkeys(line, 1), "parent")
    assert int(nodes.depths.max()) <= MOST + 1
    assert sum(np.array(values)[nodes.leaves]) == 299
    deep = {1: person(1, 0, "/a" * 3000)}
    nodes, values = table(deep, {1: 7}, "cgroup")
    assert int(nodes.depths.max()) < MOST
    assert values == [7] * len(nodes)


def test_folded_nodes_hide_what_is_below_them_and_found_ones_show_what_is_above() -> None:
    people = {1: person(1, 0), 2: person(2, 1001), 3: person(3, 1002), 4: person(4, 1001)}
    nodes, _ = table(people, {3: 1, 4: 1}, "parent")
    by_name = dict(zip(nodes.names, nodes.keys, strict=True))

    def names(mask: object) -> list[str]:
        return sorted(np.array(nodes.names)[mask])

    assert names(nodes.visible({by_name["p2 1002"]})) == ["p1 1001", "p2 1002", "p4 1004"]
    assert names(nodes.visible({by_name["p1 1001"]})) == ["p1 1001"]
    assert names(nodes.visible(set())) == sorted(nodes.names)
    found = np.array([name == "p3 1003" for name in nodes.names])
    assert names(nodes.with_parents(found)) == ["p1 1001", "p2 1002", "p3 1003"]


def test_what_a_node_is_selected_by() -> None:
    people = {1: person(1, 0, "/a.slice"), 2: person(2, 1001, "/a.slice/b"), 3: person(3, 4711)}
    nodes, _ = table(people, {1: 1, 2: 1, 3: 1}, "parent")
    of = {
        name: [(each.dimension, each.value) for each in nodes.choices(key, people, source(CALLS, "parent"))]
        for name, key in zip(nodes.names, nodes.keys, strict=True)
    }
    assert of == {
        "p1 1001": [("process", 1), ("parent", "p1 1001")],
        ITSELF: [("process", 1)],
        "p2 1002": [("process", 2)],
        "p3711 4711": [("parent", "p3711 4711")],
        "p3 1003": [("process", 3)],
    }
    nodes, _ = table(people, {1: 1, 2: 1, 3: 1}, "cgroup")
    paths = [nodes.choices(key, people, source(CALLS, "cgroup")) for key in nodes.keys]
    assert sorted(str(each.value) for choices in paths for each in choices) == ["/a.slice", "/a.slice/", "/a.slice/b"]


PATHS = ("/", "/a", "/a/b", "/a/b/c", "/ab", "/d/e", "")
populations = st.lists(st.tuples(st.integers(0, 9), st.sampled_from(PATHS)), min_size=1, max_size=8)
counts = st.dictionaries(st.tuples(st.integers(1, 9), st.integers(0, 3)), st.integers(1, 9), min_size=1)


@settings(max_examples=60, deadline=None)
@given(populations, st.lists(counts, min_size=1, max_size=4), st.sampled_from(("parent", "cgroup")))
def test_children_add_up_to_their_parent_and_nodes_to_flat_groups(
    population: list[tuple[int, str]], steps: list[dict[tuple[int, int], int]], by: str
) -> None:
    people = {at: person(at, 1000 + parent if parent else 0, path) for at, (parent, path) in enumerate(population, 1)}
    total: Counter[tuple[int, int]] = Counter()
    frames: list[AnyFrame] = [loaded(1, "cpu/one", CALLS, LATENCY)]
    for seq, step in enumerate(steps):
        total.update(step)
        tgids: Counter[int] = Counter()
        for (tgid, _), count in total.items():
            tgids[tgid] += count
        rows = columns(tgid=list(tgids), nr=["read"] * len(tgids), count=list(tgids.values()), last_ns=[0] * len(tgids))
        keys = list(zip(*total, strict=True))
        latency = columns(tgid=keys[0], slot=keys[1], count=list(total.values()))
        frames.append(snapshot(1, seq, {"calls": rows, "latency": latency}))
    run, of = fed(people, *frames), source(CALLS, by)
    assert is_tree(of)
    assert [column.title for column in tree_view(CALLS, of).columns] == [by, "Calls"]
    for wanted in SPANS:
        found = readings.table(run, CALLS, wanted)
        nobody = np.zeros(len(found), bool)
        nodes = tree(of, found.keys, people, nobody)
        gains = table_of(found, nodes).gains["count"]
        adds_up(nodes, lambda node, gains=gains: Counter({"calls": int(gains[node])}), int(found.gains["count"].sum()))
        flat, _ = grouped_table(CALLS, found, of, people, nobody)
        (labels,) = flat.keys.values()
        assert isinstance(labels, Labels)
        expected = dict(zip(labels.texts(), flat.gains["count"].tolist(), strict=True))
        if by == "cgroup":
            mine = {nodes.keys[node].rstrip("\0"): int(gains[node]) for node in np.flatnonzero(nodes.leaves).tolist()}
            assert {("" if path == UNKNOWN else path): gain for path, gain in mine.items()} == expected
            for node, key in enumerate(nodes.keys):
                (choice, *_) = nodes.choices(key, people, of) or [None]
                if choice is not None:
                    chosen = readings.table(run, CALLS, wanted, Selection((choice,), people))
                    assert int(chosen.gains["count"].sum()) == gains[node]
        else:
            parents: Counter[str] = Counter()
            own = dict(zip(found.keys["tgid"].tolist(), found.gains["count"].tolist(), strict=True))
            for node in range(len(nodes)):
                person_, up = people.get(int(nodes.people[node])), int(nodes.parents[node])
                if person_ is not None and nodes.names[node] != ITSELF:
                    parents[nodes.names[up] if person_.ppid and up >= 0 else ""] += own.get(person_.id, 0)
            parents[""] += sum(gain for identity, gain in own.items() if identity not in people)
            assert {name: gain for name, gain in parents.items() if gain} == {n: g for n, g in expected.items() if g}
        keyed = readings.histograms_by_key(run, LATENCY, wanted)
        grown = tree(source(LATENCY, by), keyed.keys, people, np.zeros(len(keyed), bool))
        merged = histograms_of(keyed, grown)
        assert len(merged) == len(grown)

        def slots(node: int, merged: readings.HistogramsByKey = merged) -> Counter[int]:
            one = merged.groups.histogram(node)
            return Counter(dict(zip(one.slots.tolist(), one.counts.tolist(), strict=True)))

        adds_up(grown, slots, int(keyed.counts.sum()))


def adds_up(nodes: Tree, of: Callable[[int], Counter[int] | Counter[str]], whole: int) -> None:
    for node in range(-1, len(nodes)):
        children = np.flatnonzero(nodes.parents == node).tolist()
        added: Counter[object] = Counter()
        for child in children:
            added.update(of(child))
        if node < 0:
            assert added.total() == whole
        elif children:
            assert +added == +of(node)


def test_events_are_counted_along_a_tree() -> None:
    people = {1: person(1, 0, "/a"), 2: person(2, 1001, "/a/b"), 3: person(3, 1001, "/a/b")}
    rows = columns(tgid=[1, 2, 2, 3], args=["x", "x", "y", "y"], errno=[""] * 4)
    run = fed(people, loaded(1, "cpu/execsnoop", EXECS), events(1, "events", rows), snapshot(1, 0, {}))
    for by, expected in (
        ("parent", [("p1 1001", 4), ("  p2 1002", 2), (f"  {ITSELF}", 1), ("  p3 1003", 1)]),
        ("cgroup", [("a", 4), ("  b", 3), (f"  {ITSELF}", 1)]),
    ):
        of, log = source(EXECS, by), run.events["events"]
        found = events_of(EXECS, log, range(4), of, people)
        nodes = tree(of, found.keys, people, np.zeros(len(found), bool))
        values = table_of(found, nodes).gains["events"].tolist()
        assert sorted(shape(nodes, values)) == sorted(expected)
        flat = grouped_events(EXECS, log, range(4), of, people)
        assert sum(flat.gains["events"].tolist()) == 4


@pytest.mark.parametrize("dimension", ["name", "user", "call"])
def test_other_dimensions_are_no_trees(dimension: str) -> None:
    assert not is_tree(source(CALLS, dimension))
    assert not is_tree(None)


def test_nothing_is_a_tree_without_nodes() -> None:
    by = source(CALLS, "cgroup")
    run = fed({}, loaded(1, "cpu/syscount", CALLS))
    nodes = tree(by, readings.table(run, CALLS).keys, {}, np.zeros(0, bool))
    assert len(nodes) == 0
    assert nodes.order(np.zeros(0), np.zeros(0, bool)).tolist() == []
    assert msgspec.structs.asdict(tree_view(LATENCY, source(LATENCY, "cgroup")))["by"] == ["node"]
