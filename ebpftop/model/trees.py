"""Rows summed along a tree: of processes by ancestry, each with its threads if rows are kept by thread, or of cgroups
by path. Each node has the sum of everything below it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

import msgspec
import numpy as np

from ebpftop.frames.columns import Array, Labels, Values, take
from ebpftop.frames.messages import ColumnInfo, Process, ViewInfo
from ebpftop.model.ancestry import MOST, Family
from ebpftop.model.dimensions import CGROUP, PARENT, PROCESS, THREAD, Source, ThreadFields, is_somebody
from ebpftop.model.events import EventLog
from ebpftop.model.grouping import grouped_events, grouped_view, sums
from ebpftop.model.narrowing import read
from ebpftop.model.readings import HistogramsByKey, TableReading
from ebpftop.model.selection import EVERYTHING, Choice, Selection, choice_of_process
from ebpftop.rows.keys import encode

ITSELF = "(itself)"  # what a node has besides its children
UNKNOWN = "(unknown)"
OWN = "(ebpftop's own)"
ENDED = "ended threads"
KEY = "node"  # the key of a tree's rows


@dataclass(frozen=True, eq=False, slots=True)
class Tree:
    """Nodes, parents before their children. parents: of each node, -1 for none. names: hostile. keys: identify nodes,
    the same from one refresh to the next. people: the process of a node, -1 for none. own: a mask of nodes with
    ebpftop's own processes. at: the node of each row, always one without children.
    """

    parents: Array
    depths: Array
    names: list[str]
    keys: list[str]
    people: Array
    own: Array
    at: Array

    def __len__(self) -> int:
        return len(self.names)

    @property
    def leaves(self) -> Array:
        """A mask of the nodes without children."""
        found = np.ones(len(self), bool)
        found[self.parents[self.parents >= 0]] = False
        return found

    def above(self) -> tuple[Array, Array]:
        """(row, node): each row with its node and all nodes above that."""
        rows, nodes = [np.arange(len(self.at))], [self.at]
        while len(nodes[-1]):
            up = self.parents[nodes[-1]]
            rows.append(rows[-1][up >= 0])
            nodes.append(up[up >= 0])
        return np.concatenate(rows), np.concatenate(nodes)

    @property
    def levels(self) -> list[Array]:
        """The nodes of each depth."""
        return [np.flatnonzero(self.depths == depth) for depth in range(int(self.depths.max(initial=-1)) + 1)]

    def order(self, ranks: Array, shown: Array) -> Array:
        """The nodes in a mask that also holds each one's parent: children below their parents, siblings by rank."""
        sizes, places, levels = shown.astype(np.int64), np.zeros(len(self), np.int64), self.levels
        for level in reversed(levels[1:]):
            np.add.at(sizes, self.parents[level], sizes[level])
        for nodes in levels:
            level = nodes[np.lexsort((ranks[nodes], self.parents[nodes]))]
            parents = self.parents[level]
            before = np.cumsum(sizes[level]) - sizes[level]
            before -= before[np.searchsorted(parents, parents)]  # of the siblings
            places[level] = before + np.where(parents >= 0, places[parents] + 1, 0)
        found = np.flatnonzero(shown)
        return found[np.argsort(places[found], kind="stable")]

    def visible(self, folded: Collection[str]) -> Array:
        """A mask of the nodes that have no folded one above them."""
        opened = np.array([key not in folded for key in self.keys], bool)
        shown = np.ones(len(self), bool)
        for level in self.levels[1:]:
            shown[level] = (shown & opened)[self.parents[level]]
        return shown

    def with_parents(self, nodes: Array) -> Array:
        """A mask of these nodes (given as a mask) and all their ancestors."""
        found = nodes.copy()
        for level in reversed(self.levels[1:]):
            found[self.parents[level[found[level]]]] = True
        return found

    def choices(self, key: str, processes: Mapping[int, Process], source: Source) -> list[Choice]:
        """The values that can select a node: for a cgroup with others below it, all of them."""
        if key not in self.keys:
            return []
        node = self.keys.index(key)
        if source.dimension == CGROUP:
            path = key.rstrip("\0") if self.leaves[node] or key == "/" else f"{key}/"
            return [Choice(CGROUP, path, source.title, path)] if key not in (UNKNOWN, OWN) else []
        process = processes.get(int(self.people[node]))
        if process is not None and (thread := _thread_of(key)):
            return [Choice(THREAD, thread, THREAD, thread), choice_of_process(process)]
        if process is None:
            return [] if self.leaves[node] else [Choice(PARENT, self.names[node], PARENT, self.names[node])]
        name = f"{process.comm} {process.tgid}"
        below = [] if self.leaves[node] else [Choice(PARENT, name, PARENT, f"{name}, its children")]
        return [choice_of_process(process), *below]


class _Growing:
    """A tree under construction."""

    def __init__(self) -> None:
        self.parents: list[int] = []
        self.depths: list[int] = []
        self.names: list[str] = []
        self.keys: list[str] = []
        self.people: list[int] = []
        self._numbers: dict[str, int] = {}

    def node(self, key: str, name: str, parent: int = -1, person: int = -1) -> int:
        """The number of the node with this key, which may be new."""
        if (known := self._numbers.get(key)) is not None:
            return known
        number = self._numbers[key] = len(self.names)
        while parent >= 0 and self.depths[parent] >= MOST:
            parent = self.parents[parent]
        self.parents.append(parent)
        self.depths.append(self.depths[parent] + 1 if parent >= 0 else 0)
        self.names.append(name)
        self.keys.append(key)
        self.people.append(person)
        return number

    def grown(self, places: Array, apart: Array) -> Tree:
        """The tree of rows at these nodes; `apart` rows (a mask of all rows) have the last node."""
        inner = set(self.parents)
        moved = np.arange(len(self.names))
        for node in sorted(inner & set(np.unique(places).tolist())):
            moved[node] = self.node(f"{self.keys[node]}\0", ITSELF, node, self.people[node])
        at = np.zeros(len(apart), np.int64)
        at[~apart] = moved[places]
        if apart.any():
            at[apart] = self.node(OWN, OWN)
        return Tree(
            parents=np.array(self.parents, np.int64),
            depths=np.array(self.depths, np.int64),
            names=self.names,
            keys=self.keys,
            people=np.array(self.people, np.int64),
            own=np.array([key == OWN for key in self.keys], bool),
            at=at,
        )


def is_tree(source: Source | None) -> bool:
    """Whether rows summed by this dimension form a tree."""
    return source is not None and source.dimension in (PARENT, CGROUP)


def tree(
    source: Source,
    keys: Mapping[str, Values],
    processes: Mapping[int, Process],
    apart: Array,
    threads: ThreadFields | None = None,
) -> Tree:
    """The tree of rows with these keys. apart: a mask of rows that aren't summed with the others. threads: the thread
    fields of processes, if any.
    """
    growing = _Growing()
    mine = np.flatnonzero(~apart)
    values = take(keys[source.field], mine) if len(mine) else mine
    if source.dimension == PARENT and isinstance(values, np.ndarray):
        identities, at = np.unique(values, return_inverse=True)
        places = _by_ancestry(growing, identities.tolist(), processes)
        if threads is not None:
            places, at = _by_thread(growing, np.array(places, np.int64)[at], *(take(keys[f], mine) for f in threads))
    else:
        texts = read(source, values, processes)
        codes, at = np.unique(texts.codes if isinstance(texts, Labels) else texts, return_inverse=True)
        paths = [texts.labels[code] if isinstance(texts, Labels) else str(code) for code in codes.tolist()]
        places = [_by_path(growing, path) for path in paths]
    return growing.grown(np.array(places, np.int64)[at], apart)


def _by_ancestry(growing: _Growing, identities: Iterable[int], processes: Mapping[int, Process]) -> list[int]:
    family = Family(processes)
    places: dict[int, int] = {}

    def place(identity: int) -> int:
        if identity in places:
            return places[identity]
        process = processes.get(identity) if is_somebody(identity) else None
        if process is None:
            return growing.node(UNKNOWN, UNKNOWN)
        line = [process]
        while len(line) < MOST and line[-1].id not in places and (above := family.parent(line[-1])) is not None:
            line.append(above)
        for each in reversed(line):
            if each.id in places:
                continue
            parent = family.parent(each)
            if parent is not None and parent.id in places:
                node = places[parent.id]
            elif each.ppid > 0:
                node = growing.node(f"{each.ppid} ?", f"{each.parent} {each.ppid}")
            else:
                node = -1
            key = f"{each.tgid} {each.start_ns}"
            places[each.id] = growing.node(key, f"{each.comm} {each.tgid}", node, each.id)
        return places[identity]

    return [place(identity) for identity in identities]


def _by_thread(growing: _Growing, owners: Array, numbers: Values, names: Values) -> tuple[list[int], Array]:
    """Nodes of threads, and the node of each row. owners: the node of each row's process."""
    assert isinstance(numbers, np.ndarray)
    assert isinstance(names, Labels)
    which = encode([owners, numbers, names.codes])
    _, first, at = np.unique(which, return_index=True, return_inverse=True)
    places = []
    for row in first.tolist():
        owner, number, name = int(owners[row]), int(numbers[row]), names.at(row)
        shown = f"{name} {number}" if number else f"{name}, {ENDED}"
        key = f"{growing.keys[owner]}\0{number}\0{name}"
        places.append(growing.node(key, shown, owner, growing.people[owner]))
    return places, at


def _thread_of(key: str) -> str:
    """The name of the thread that is the node with this key, "" for other nodes."""
    _, _, rest = key.partition("\0")
    return rest.partition("\0")[2]


def _by_path(growing: _Growing, path: str) -> int:
    if not path:
        return growing.node(UNKNOWN, UNKNOWN)
    parts = path.strip("/").split("/", MOST - 1) if path.strip("/") else ["/"]
    node, key = -1, ""
    for part in parts:
        key = part if part == "/" else f"{key}/{part}"
        node = growing.node(key, part, node)
    return node


# ---------------------------------------------------------------- its sums


def tree_view(view: ViewInfo, source: Source) -> ViewInfo:
    """The view whose rows are the nodes."""
    grouped = grouped_view(view, source)
    key = ColumnInfo(field=KEY, title=source.title)
    if grouped.show == "histogram":
        return msgspec.structs.replace(grouped, by=[KEY], columns=[key])
    return msgspec.structs.replace(grouped, columns=[key, *grouped.columns[1:]])


def table_of(found: TableReading, nodes: Tree) -> TableReading:
    """The sums of each node."""
    row, node = nodes.above()
    present = np.zeros(len(nodes), bool)
    np.logical_or.at(present, node, found.present[row])

    def summed(columns: Mapping[str, Array]) -> dict[str, Array]:
        return {name: sums(column[row], node, len(nodes)) for name, column in columns.items()}

    return TableReading(_keys(nodes), summed(found.gains), summed(found.totals), summed(found.rates), {}, present)


def histograms_of(found: HistogramsByKey, nodes: Tree) -> HistogramsByKey:
    """The histograms of each node, merged."""
    row, node = nodes.above()
    merged = found.groups.merged(node, row)
    return HistogramsByKey(_keys(nodes), merged, merged.totals, sums(found.rates[row], node, len(nodes)))


def _keys(nodes: Tree) -> dict[str, Values]:
    return {KEY: Labels(np.arange(len(nodes)), nodes.keys)}


def events_of(
    view: ViewInfo,
    log: EventLog,
    shown: range,
    source: Source,
    processes: Mapping[int, Process],
    selection: Selection = EVERYTHING,
) -> TableReading:
    """The number of events of each value of the tree's dimension: with keys for `tree`."""
    single = source._replace(dimension=PROCESS, trait="") if source.dimension == PARENT else source
    counts = grouped_events(view, log, shown, single, processes, selection)
    (values,) = counts.keys.values()
    return replace(counts, keys={source.field: values})
