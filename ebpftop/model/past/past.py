"""The past of one view: its steps, oldest first, as fine as memory allows.

The time to add a step depends on the rows that changed in it. The time to read a span depends on the number of rows
and, for each block of steps, on the rows that changed there; cells are read only at the span's ends. The gains of
adjoining spans add up to that of their union, whatever was merged in between.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ebpftop.frames.columns import Array, Labels, Values, take
from ebpftop.model.past.block import Block, Cells, How, folded, single
from ebpftop.model.past.gauges import NUMBER, TEXT, Gauges, merged
from ebpftop.model.past.roster import Roster, Words
from ebpftop.model.past.span import ALL, Span
from ebpftop.model.past.steps import Steps

_LEAST, _FEW = 1 / 8, 64  # of a block; where merging steps frees less, and there are more rows, they are folded
_STALE = 16  # rows that may be in no block: one in so many
_LABELS = 4096  # of a gauge that is a text; what comes beyond is "…"
_OWN = 4096  # bytes of an empty past


@dataclass(frozen=True, slots=True)
class Gained:
    """The gains of a view in a span, one row per key. span, seconds: what the steps cover, and how long was observed.

    gains: of all rows that gained anything or have a gauge, and of idle ones where asked for. totals: then, until the
    end of the span. last, low, high: of the gauges; where a row isn't among those with one, `known` is False. others:
    rows that stand for several, with 0 or "" for what differs.
    """

    span: Span | None
    seconds: float
    keys: dict[str, Values]
    gains: dict[str, Array]
    totals: dict[str, Array]
    last: dict[str, Values]
    low: dict[str, Array]
    high: dict[str, Array]
    known: Array
    others: Array

    def __len__(self) -> int:
        return len(self.others)


@dataclass(frozen=True, slots=True)
class Across:
    """The gains of a counter in several spans, one row per key. gains: int64, one array per span. others: as in
    `Gained`.
    """

    keys: dict[str, Values]
    gains: list[Array]
    others: Array

    def take(self, rows: Array) -> Across:
        """Some of the rows, by their indices."""
        keys = {name: take(values, rows) for name, values in self.keys.items()}
        return Across(keys, [each[rows] for each in self.gains], self.others[rows])


class Past(Steps):
    """The past of a view with these key fields, counters and gauges. process: the key field with identities. kept: key
    fields of few values, which folding leaves alone.

    The first step of each block holds the gauges of all rows, so a span needs at most the block before its own.
    """

    def __init__(
        self,
        keys: Sequence[str],
        counters: Sequence[str],
        gauges: Sequence[str] = (),
        *,
        process: str | None = None,
        kept: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.counters, self.gauges = tuple(counters), tuple(gauges)
        self.roster = Roster(keys, process, kept)
        self._gone = 0  # rows that folding took out of blocks since the roster was last cleaned
        self._words: dict[str, Words] = {}

    @property
    def bytes(self) -> int:
        """The memory that it takes."""
        return _OWN + self.held + self.roster.bytes + sum(words.bytes for words in self._words.values())

    @property
    def whole(self) -> bool:
        """Whether the next step must hold the gauges of all rows."""
        return bool(self.gauges) and not self.open

    def add(
        self,
        time: tuple[int, int, int],
        numbers: Array,
        keys: Callable[[Array], Mapping[str, Values]],
        gains: Mapping[str, Array],
        gauges: Mapping[str, Values] | None = None,
        *,
        returning: bool = False,
    ) -> Array:
        """Append a step; return the numbers of its rows.

        time: start and end (monotonic ns), and realtime of the end; a step that would overlap the previous one begins
        or ends with that one's end. numbers: of the changed rows, distinct; negative, or returned by an earlier call.
        keys: called for the key fields of new rows, by their indices. gains: of every counter, int64, not negative.
        gauges: of every gauge. returning: whether rows without a number may have keys that others had.
        """
        numbers = numbers.copy()
        unknown = np.flatnonzero(~self.roster.knows(numbers))
        if len(unknown):
            self.roster.doubtful |= returning
            numbers[unknown] = self.roster.learn(keys(unknown))
        before = self.end
        start = time[0] if before is None else max(before, time[0])
        end = max(start, time[1])
        cells: Cells = {(name, "sum"): gains[name] for name in self.counters}
        for name in self.gauges:
            values = self._gauge(name, (gauges or {})[name])
            cells[name, "last"] = values
            if name not in self._words:
                cells[name, "low"] = cells[name, "high"] = values
        self.append(single((start, end, time[2]), numbers, cells))
        return numbers

    def _gauge(self, name: str, values: Values) -> Array:
        if not isinstance(values, Labels):
            return values
        words = self._words.setdefault(name, Words())
        if len(words.labels) + len(values) <= _LABELS:
            return words.numbers(values)
        known = np.array([words.find(text) for text in values.texts()], np.int64)
        known[known < 0] = words.number("…")
        return known

    def shrink(self) -> bool:
        """Merge in pairs the steps that are finest for their age; if that frees too little, also fold small rows. False
        if nothing is left to merge.
        """
        at = self.finest()
        if at is not None:
            before = self.blocks[at].bytes
            self.pair(at)
            if len(self.blocks[at].numbers) > _FEW and before - self.blocks[at].bytes < before * _LEAST:
                self._fold(at)
            self.unite(at)
            return True
        return self.gather() or any(self._fold(at) for at in range(len(self.blocks))) or self.gather(all_of_them=True)

    def _fold(self, at: int) -> bool:
        """Fold the smaller half of a block's keys: all processes' keys into one or, if that saves nothing, all."""
        block = self.blocks[at]
        places = self.roster.places(block.numbers)
        owners = self.roster.owners(places)
        smaller = None
        if owners is not None:
            weights = np.zeros(len(block.numbers), np.int64)
            if self.counters:
                np.add.at(weights, owners, block.rows[self.counters[0], "sum"])
            free = np.flatnonzero(~self.roster.others[places])
            by_weight = np.unique(owners[free])
            by_weight = by_weight[np.argsort(weights[by_weight], kind="stable")]
            for count in ((len(by_weight) + 1) // 2, len(by_weight)):
                small = free[np.isin(owners[free], by_weight[:count])]
                smaller = self._without(block, places, small) if smaller is None else smaller
        if smaller is not None:
            self._gone += len(block.numbers) - len(smaller.numbers)
            self.replace(at, at + 1, [smaller])
        if smaller is None or self._gone * _STALE >= len(self.roster):
            self.roster.forget(each.numbers for each in self.blocks)
            self._gone = 0
        return smaller is not None

    def _without(self, block: Block, places: Array, small: Array) -> Block | None:
        """The block with some rows folded, if it has fewer then."""
        for fully in (False, True):
            if len(small) and (fully or self.roster.process is not None):
                into = block.numbers.copy()
                into[small] = self.roster.fold(places[small], fully=fully)
                smaller = folded(block, into)
                if len(smaller.numbers) < len(block.numbers):
                    return smaller
        return None

    def sums(self, counter: str, span: Span = ALL) -> Array:
        """The gain of all rows together, int64 per step."""
        parts = [block.sums[counter][start:stop] for block, start, stop in self.slices(span)]
        return np.concatenate(parts) if parts else np.zeros(0, np.int64)

    def cells(self, counter: str, span: Span = ALL) -> tuple[Array, Array, Array]:
        """(step, place in the roster, gain) of every cell, in order of time."""
        found: list[tuple[Array, Array, Array]] = []
        steps = 0
        for block, start, stop in self.slices(span):
            part = block.part(start, stop)
            places = self.roster.places(block.numbers)[block.codes[part]]
            gains = block.cells[counter, "sum"][part].astype(np.int64)
            found.append((block.steps()[part] + (steps - start), places, gains))
            steps += stop - start
        if not found:
            none = np.zeros(0, np.int64)
            return none, none, none
        step, place, gain = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return step, place, gain

    def gains(self, counter: str, span: Span = ALL) -> Array:
        """The gain of each row of the roster, int64."""
        total = np.zeros(len(self.roster), np.int64)
        for block, start, stop in self.slices(span):
            places = self.roster.places(block.numbers)
            if stop - start == len(block):
                total[places] += block.rows[counter, "sum"]
            else:
                part = block.part(start, stop)
                np.add.at(total, places[block.codes[part]], block.cells[counter, "sum"][part].astype(np.int64))
        return total

    def across(self, name: str, *spans: Span) -> Across:
        """The rows with gains in one of several spans; for a gauge of whole numbers, its value at the end of each."""
        if name in self.counters:
            totals = [self.gains(name, span) for span in spans]
        else:
            totals = [self.measured(span)[0].get((name, "last"), np.zeros(len(self.roster))) for span in spans]
        rows = np.flatnonzero(np.any(np.array(totals) != 0, axis=0))
        firsts, group = np.unique(self.roster.equal(rows), return_inverse=True)
        gains = [np.zeros(len(firsts), np.int64) for _ in spans]
        for into, total in zip(gains, totals, strict=True):
            np.add.at(into, group, total[rows].astype(np.int64))
        keys = {name: self.roster.values(name, firsts) for name in self.roster.fields}
        return Across(keys, gains, self.roster.others[firsts])

    def gained(self, span: Span = ALL, *, idle: bool = False) -> Gained:
        """The content of a span, one row per key. idle: including all other rows that existed before its end."""
        before = Span(end=span.end)
        gains = {name: self.gains(name, span) for name in self.counters}
        totals = {name: self.gains(name, before) for name in self.counters} if idle else gains
        gauges, known = self.measured(before if idle else span)
        shown = self.mentioned(before) if idle else np.any([known, *(gain > 0 for gain in gains.values())], axis=0)
        rows = np.flatnonzero(shown)
        firsts, group = np.unique(self.roster.equal(rows), return_inverse=True)

        def added(each: dict[str, Array]) -> dict[str, Array]:
            sums = {name: np.zeros(len(firsts), np.int64) for name in self.counters}
            for name, values in each.items():
                np.add.at(sums[name], group, values[rows])
            return sums

        added_gains, added_totals = added(gains), added(totals)
        with_gauge = known[rows]
        rows, group = rows[with_gauge], group[with_gauge]
        read: Cells = {(name, how): np.zeros(0, np.int64) for name in self.gauges for how in self._hows(name)}
        read |= {field: merged(field[1], values[rows], group, len(firsts)) for field, values in gauges.items()}
        times = self.times(span)
        return Gained(
            span=Span(int(times["start"][0]), int(times["end"][-1])) if len(times) else None,
            seconds=int(times["lasted"].sum()) / 1e9,
            keys={name: self.roster.values(name, firsts) for name in self.roster.fields},
            gains=added_gains,
            totals=added_totals,
            last={name: self._texts(name, values) for (name, how), values in read.items() if how == "last"},
            low={name: values for (name, how), values in read.items() if how == "low"},
            high={name: values for (name, how), values in read.items() if how == "high"},
            known=np.isin(np.arange(len(firsts)), group),
            others=self.roster.others[firsts],
        )

    def mentioned(self, span: Span) -> Array:
        """A mask of the rows of the roster with cells in a span."""
        found = np.zeros(len(self.roster), bool)
        for block, start, stop in self.slices(span):
            places = self.roster.places(block.numbers)
            found[places if stop - start == len(block) else places[block.codes[block.part(start, stop)]]] = True
        return found

    def measured(self, span: Span) -> tuple[Cells, Array]:
        """Each gauge of each row of the roster in a span, and a mask of the rows that have any."""
        read = Gauges(self.roster, [name for name in self.gauges if name not in self._words], list(self._words))
        slices = list(self.slices(span)) if self.gauges else []
        if slices:
            first, start, _ = slices[0]
            at, sealed = self.blocks.index(first), len(self.blocks) - self.open
            if 0 < at <= sealed and not start:
                read.begin(self.blocks[at - 1], len(self.blocks[at - 1]), first)
            for block in self.blocks[sealed:at]:
                read.begin(block, len(block))
            read.begin(first, start)
        for block, start, stop in slices:
            read.take(block, start, stop)
        return read.found, read.known

    def texts(self) -> dict[str, Values]:
        """The last values of the text gauges, for each row of the roster."""
        found = self.measured(ALL)[0] if self._words else {}
        return {name: self._texts(name, found[name, "last"]) for name in self._words if (name, "last") in found}

    def _hows(self, gauge: str) -> tuple[How, ...]:
        return TEXT if gauge in self._words else NUMBER

    def _texts(self, name: str, values: Array) -> Values:
        return Labels(values, self._words[name].labels) if name in self._words else values
