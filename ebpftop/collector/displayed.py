"""One displayed map: read into columns, with labels decoded, keeping the rows of ended processes.

Values are cumulative. One reading after a process has ended, its keys are deleted from the kernel's map, so that the
map doesn't fill up. Their last values are kept here. Beyond `KEPT` rows the oldest are folded into one identity, so
every sum stays exact. Rows of threads that ended in a living process are folded into one row with thread number 0 and
their name.

A new process may get a pid whose keys haven't been deleted yet. The last values read are then those of the former
process, and what is counted from there on belongs to the new one.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from ebpftop.collector.callstacks import StackNumbering
from ebpftop.collector.census import Census
from ebpftop.collector.decode import Context, decoder
from ebpftop.collector.layout import opaque
from ebpftop.collector.maps import MapReader
from ebpftop.collector.portions import Portions, Reading, some, values_at
from ebpftop.collector.thread_ends import ThreadEnds
from ebpftop.collector.unwound import UnwoundRows
from ebpftop.frames.columns import Array, pack
from ebpftop.frames.layout import MapLayout
from ebpftop.frames.messages import FOLDED, Column, Columns, ViewInfo
from ebpftop.frames.stacks import STACK

KEPT = 4_096
"""Rows of dead processes a map keeps."""
_LRU_KINDS = {9, 10}  # LRU_HASH, LRU_PERCPU_HASH
_ARRAY_KINDS = {2, 6}  # ARRAY, PERCPU_ARRAY

Rows = dict[str, Array]


def decoders(views: list[ViewInfo], name: str, context: Context) -> dict[str, Callable[[Array], Column]]:
    """Decoders of a map's fields, as declared by the views that show it; `process` is the caller's."""
    return {
        column.field: decoder(column.decode, context)
        for view in views
        if view.map == name
        for column in view.columns
        if column.decode and not column.is_process
    }


def process_field(views: list[ViewInfo], name: str) -> str | None:
    """The field with a tgid, if any."""
    return next(filter(None, (view.process_field for view in views if view.map == name)), None)


def thread_field(views: list[ViewInfo], name: str) -> str | None:
    """The field with a thread number, if any."""
    return next(filter(None, (view.thread_field for view in views if view.map == name)), None)


def stack_fields(views: list[ViewInfo], name: str) -> tuple[str, str]:
    """The fields with the kernel's numbers of user and kernel stacks; "" for none."""
    return next(((view.user, view.kernel) for view in views if view.map == name and view.show == "stacks"), ("", ""))


def of_moment(views: list[ViewInfo], name: str) -> bool:
    """Whether nothing in a map belongs to the past."""
    return any(view.map == name and view.gauge for view in views)


class DisplayedMap:
    """A map that is not a ring buffer."""

    def __init__(
        self,
        fd: int,
        layout: MapLayout,
        views: list[ViewInfo],
        census: Census,
        context: Context,
        stacks: StackNumbering | None = None,
    ) -> None:
        self.name = layout.name
        self.reader: MapReader | UnwoundRows = MapReader(fd, layout)
        self.evicted = 0
        self._census = census
        self._decoders = decoders(views, layout.name, context)
        self._process = process_field(views, layout.name)
        self._thread = thread_field(views, layout.name)
        self._ends = ThreadEnds(census)
        self._is_lru, self._is_array = layout.kind in _LRU_KINDS, layout.kind in _ARRAY_KINDS
        self._rename = _renames(layout, views)
        self._gauges = {c.field for view in views if view.map == layout.name for c in view.columns if c.role == "gauge"}
        self._of_moment = of_moment(views, layout.name)
        self._histogram = any(view.map == layout.name and view.show == "histogram" for view in views)
        self._stacks = stacks
        self._stack_fields = stack_fields(views, layout.name)
        self._key_fields: list[str] = []
        self._kept: Rows = {}
        self._dying: npt.NDArray[np.uint32] = np.empty(0, "<u4")
        self._seen: Array | None = None
        self._keys: Array = np.empty(0)
        self._read: Rows = {}
        self._portions = Portions(self._gauges)
        self._reading: Reading = (np.empty(0), {})  # as it is in the map

    def read(self) -> Columns:
        """The map's rows as columns, including ended processes."""
        self.look()
        return self.columns()

    def columns(self) -> Columns:
        """The rows of the last look as columns, including ended processes."""
        if self._process:
            self._set_dead_aside(self._process)
        rows = self._read
        if self._portions:
            of_counters = {name: array for name, array in rows.items() if name not in self._gauges}
            rows = take(rows, ~self._portions.among(self._keys) | self._counted(of_counters))
        return self._packed(self._with_kept(rows))

    def _packed(self, rows: Rows) -> Columns:
        return {
            **pack({name: array for name, array in rows.items() if name not in self._decoders and array.ndim == 1}),
            **{name: decode(rows[name]) for name, decode in self._decoders.items() if name in rows},
        }

    def look(self) -> None:
        """Read the map."""
        keys, values = self.reader.read()
        if self._stacks or self._process:
            keys, values = keys.copy(), values.copy()  # looked at until the next time, and then compared
        if self._is_lru:
            self._count_evictions(keys)
        rows = self._rows(keys, values)
        if self._histogram or self._is_array:
            filled = np.any([rows[f] != 0 for f in rows if f not in self._key_fields and rows[f].ndim == 1], axis=0)
            keys, rows = keys[filled], take(rows, filled)
        if self._process:
            self._census.catch_up()  # whoever is in the map was born before it was read
            rows[self._process] = self._census.numbers(rows[self._process])
        if self._stacks:
            self._merge_stacks(self._stacks, keys, rows)
        else:
            self._leave_to_former(keys, rows)
        self._keys, self._read = keys, rows

    def held(self) -> set[int]:
        """Identities in the rows."""
        rows = [each[self._process] for each in (self._read, self._kept) if self._process in each]
        return set(np.unique(np.concatenate(rows)).tolist()) if rows else set()

    def _rows(self, keys: Array, values: Array) -> Rows:
        rows: Rows = {}
        for records in (keys, values):
            names = records.dtype.names or ()
            for name in names:
                rows[self._rename.get((records is keys, name), name)] = records[name]
            if records is keys:
                self._key_fields = list(rows)
        return rows

    def _merge_stacks(self, stacks: StackNumbering, keys: Array, rows: Rows) -> None:
        """Replace the kernel's numbers by one stack number."""
        user, kernel = (rows.pop(field, None) for field in self._stack_fields)
        rows[STACK] = stacks.merge(rows[self._process] if self._process else None, user, kernel)
        self._key_fields = [*(name for name in self._key_fields if name not in self._stack_fields), STACK]
        self._leave_to_former(keys, rows)

    # ---------------------------------------------------------------- one pid, two processes

    def _leave_to_former(self, keys: Array, rows: Rows) -> None:
        """Subtract what belongs to former processes with the same pid."""
        if self._process not in (keys.dtype.names or ()) or self._of_moment:
            return
        read = self._values(rows)
        self._set_former_aside(self._process, keys, rows[self._process])
        self._portions.only(keys)
        self._reading = keys, read
        rows |= self._portions.remaining(keys, read)

    def _set_former_aside(self, process: str, keys: Array, identities: Array) -> None:
        """Keep the rows of processes whose keys are another process's now."""
        before = self._read.get(process)
        if before is None:
            return
        now = np.flatnonzero(~np.isin(identities, before))
        then = np.flatnonzero(np.isin(self._keys[process], keys[process][now]))
        if not len(then):
            return
        _, at, _ = np.intersect1d(opaque(self._keys[then]), opaque(keys[now]), return_indices=True)
        then = then[at]
        self._keep(take(self._read, then))
        self._portions.take(self._keys[then], values_at(self._keys[then], self._reading))

    def _values(self, rows: Rows) -> Rows:
        """The values that are numbers."""
        return {
            name: array for name, array in rows.items() if array.dtype.kind in "iu" and name not in self._key_fields
        }

    def _counted(self, rows: Rows) -> npt.NDArray[np.bool_]:
        """A mask of the rows with a number that isn't 0; all, if there are none."""
        values = self._values(rows)
        return some(values) if values else np.ones(len(next(iter(rows.values()))), bool)

    # ---------------------------------------------------------------- ended

    def _set_dead_aside(self, process: str) -> None:
        """Move the rows of processes that ended since the last time to the kept rows; delete their keys from the
        kernel's map.
        """
        keys, rows = self._keys, self._read
        numbers = rows[process]
        dead = self._census.ended(numbers)
        final = dead & np.isin(numbers, self._dying)
        if final.any() and process in (keys.dtype.names or ()):
            self._census.catch_up()
            final[final] = self._census.numbers(keys[process][final]) == numbers[final]  # no new process counts there
        self._dying = np.unique(numbers[dead & ~final])
        if final.any():
            self._keep(take(rows, final))
            self._delete(keys[final].copy())
            self._keys, self._read = keys[~final], take(rows, ~final)
        if self._thread:
            self._set_threads_aside(process, self._thread)

    def _set_threads_aside(self, process: str, thread: str) -> None:
        """The same for ended threads; their rows become one per name."""
        keys, rows = self._keys, self._read
        ended = self._ends.among(rows[process], rows[thread])
        if not ended.any():
            return
        aside = take(rows, ended)
        aside[thread] = np.zeros_like(aside[thread])
        self._keep(self._summed(aside))
        self._delete(keys[ended].copy())
        self._keys, self._read = keys[~ended], take(rows, ~ended)

    def _delete(self, keys: Array) -> None:
        self.reader.delete(keys)
        self._portions.drop(keys)
        if self._seen is not None:
            self._seen = np.setdiff1d(self._seen, opaque(keys))

    def _with_kept(self, rows: Rows) -> Rows:
        return self._joined(rows, self._kept) if self._kept else rows

    def _joined(self, first: Rows, second: Rows) -> Rows:
        """The rows of both, one per key: what began in a process that ended is counted for it later."""
        assert self._process is not None
        rows = {name: np.concatenate((array, second[name])) for name, array in first.items()}
        return self._summed(rows) if np.isin(second[self._process], first[self._process]).any() else rows

    def _keep(self, rows: Rows) -> None:
        """Keep the rows that count something."""
        rows = take(rows, self._counted(rows))
        if not len(next(iter(rows.values()))):
            return
        if self._kept:
            rows = self._joined(self._kept, rows)
        excess = len(next(iter(rows.values()))) - KEPT
        if excess > 0:
            rows = self._fold(rows, excess)
        self._kept = {name: np.array(array) for name, array in rows.items()}

    def _fold(self, rows: Rows, excess: int) -> Rows:
        """Fold the oldest rows into one identity, and half as many again, so that not every ended process causes a
        fold. Not those of processes that ended and still count: a row never shrinks.
        """
        assert self._process is not None
        counting = np.intersect1d(rows[self._process], self._read[self._process])
        counting = counting[self._census.ended(counting) & (counting != FOLDED)]
        at = np.flatnonzero(~np.isin(rows[self._process], counting))[: excess + KEPT // 2]
        if not len(at):
            return rows
        self._census.folded()
        old = take(rows, at)
        old[self._process][:] = FOLDED
        if self._thread:
            old[self._thread][:] = 0
        folded = self._summed(old)
        return {name: np.concatenate((folded[name], np.delete(array, at, axis=0))) for name, array in rows.items()}

    def _summed(self, rows: Rows) -> Rows:
        """One row per key, in the order in which the keys come."""
        order, starts = _groups([rows[name] for name in self._key_fields])
        firsts = order[starts]
        by_age = np.argsort(firsts)
        summed = {name: rows[name][firsts[by_age]] for name in self._key_fields}
        for name in rows:
            if name not in summed:
                reduce = np.maximum if name in self._gauges else np.add
                summed[name] = reduce.reduceat(rows[name][order], starts, axis=0)[by_age]
        return summed

    def _count_evictions(self, keys: Array) -> None:
        """If a key of an LRU map vanishes and we didn't delete it, it was evicted, and its values with it."""
        now = opaque(keys)
        if self._seen is not None:
            self.evicted += len(np.setdiff1d(self._seen, now))
        self._seen = now.copy()


def take(rows: Rows, at: Array) -> Rows:
    """Some of the rows: indices, or a mask."""
    return {name: array[at] for name, array in rows.items()}


def _renames(layout: MapLayout, views: list[ViewInfo]) -> dict[tuple[bool, str], str]:
    """A scalar key or value is called `key` or `value`. In a histogram it is the view's slot or count; for stacks, the
    count.
    """
    renames: dict[tuple[bool, str], str] = {}
    for view in views:
        if view.map == layout.name and view.show in ("histogram", "stacks"):
            if view.show == "histogram" and [field.name for field in layout.key.fields] == ["key"]:
                renames[True, "key"] = view.slot
            if [field.name for field in layout.value.fields] == ["value"]:
                renames[False, "value"] = view.count
    return renames


def _groups(columns: list[Array]) -> tuple[Array, Array]:
    """(order, starts): in `order`, rows with equal keys are adjacent; groups begin at `starts`."""
    flat = [c.view(np.dtype((np.void, c.dtype.itemsize * c.shape[1]))).ravel() if c.ndim > 1 else c for c in columns]
    codes = [np.unique(column, return_inverse=True)[1].ravel() for column in flat]
    order = np.lexsort(codes)
    change = np.any([code[order][1:] != code[order][:-1] for code in codes], axis=0)
    return order, np.flatnonzero(np.concatenate(([True], change)))
