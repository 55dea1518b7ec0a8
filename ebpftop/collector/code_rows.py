"""A displayed map whose keys are call stacks of processes, in which other code may replace the code at the same
addresses.

The values of a key keep growing after that. The count up to the last moment at which the old code was known to be there
keeps its row. The count from then until the next look may belong to either code, and has a row that says so. The rest
belongs to the new code.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ebpftop.collector.callstacks import StackNumbering
from ebpftop.collector.census import Census
from ebpftop.collector.decode import Context
from ebpftop.collector.displayed import DisplayedMap, Rows, take
from ebpftop.collector.functions import Functions
from ebpftop.collector.portions import Reading, some, values_at
from ebpftop.frames.columns import Array
from ebpftop.frames.layout import MapLayout
from ebpftop.frames.messages import Columns, ViewInfo
from ebpftop.frames.stacks import STACK


class CodeRows(DisplayedMap):
    """Reads and publishes; in between, `divide` divides the values read."""

    def __init__(
        self,
        fd: int,
        layout: MapLayout,
        views: list[ViewInfo],
        census: Census,
        context: Context,
        stacks: StackNumbering,
        functions: Functions,
        process: str,
    ) -> None:
        super().__init__(fd, layout, views, census, context, stacks)
        self.stacks, self._functions, self._by = stacks, functions, process
        self._sure: Reading | None = None  # one of which it is known what ran
        self._asked: Reading | None = None
        self._either: tuple[Array, Rows] | None = None  # keys, and their rows until the next look
        self._ran: dict[int, tuple[float, int]] = {}  # what each process had counted, and how many programs it had run
        self._former: set[int] = set()  # stacks of programs that are no more

    def look(self) -> None:
        super().look()
        self.divide(dict.fromkeys(self._former))

    def columns(self) -> Columns:
        self._set_dead_aside(self._by)
        self._sure, self._asked = self._reading, None  # what was shown is not taken back
        rows = self._with_kept(self._read)
        return self._packed(take(rows, self._counted(rows)))

    def asked(self) -> None:
        """A lookup of the code in the last reading has begun."""
        self._asked = self._reading

    def sure(self) -> None:
        """The lookup is complete."""
        if self._asked is not None:
            self._sure, self._asked = self._asked, None

    def divide(self, renewed: Mapping[int, int | None]) -> None:
        """These stacks may have other code since the last verified reading: see `StackNumbering.renew`."""
        at = np.flatnonzero(np.isin(self._read[STACK], list(renewed)))
        if not len(at):
            return
        keys, rows = self._keys[at], take(self._read, at)
        read = values_at(keys, self._reading)
        sure = values_at(keys, self._sure) if self._sure else {}
        either = np.array([renewed[number] or 0 for number in rows[STACK].tolist()], "<u4")
        former: Rows = {}
        for name, array in read.items():
            taken = array - rows[name]
            known = np.clip(sure[name], taken, array) if name in sure else taken
            former[name] = np.where(either > 0, known, array)
            rows[name] = former[name] - taken
        self._keep(rows)
        self._portions.take(keys, former)
        rows = {**rows, **self._portions.remaining(keys, read), STACK: either}
        for name, array in rows.items():
            self._read[name] = self._read[name].copy()
            self._read[name][at] = array
        self._either = keys[either > 0], take(rows, either > 0)

    # ---------------------------------------------------------------- a look

    def _merge_stacks(self, stacks: StackNumbering, keys: Array, rows: Rows) -> None:
        user, kernel = (rows.pop(field, None) for field in self._stack_fields)
        self._key_fields = [*(name for name in self._key_fields if name not in self._stack_fields), STACK]
        read = self._values(rows)
        self._settle((keys, read))
        self._leave_to_former(keys, rows)
        counted = self._counted(rows)
        self._former = stacks.of(self._other_programs(rows[self._by], read))
        rows[STACK] = np.zeros(len(keys), "<u4")
        if counted.any():
            columns = (None if column is None else column[counted] for column in (rows[self._by], user, kernel))
            rows[STACK][counted] = stacks.merge(*columns)
        stacks.drop(self._former)

    def _settle(self, reading: Reading) -> None:
        """Counts until this look may belong to either code; later ones belong to the new code."""
        if self._either is None:
            return
        keys, rows = self._either
        self._either = None
        read = values_at(keys, reading)
        there = some(read)
        keys, rows, read = keys[there], take(rows, there), take(read, there)
        self._keep({**rows, **self._portions.remaining(keys, read)})
        self._portions.take(keys, read)

    def _other_programs(self, identities: Array, read: Rows) -> set[int]:
        """Processes that have executed another program since the last look. Reports those whose code ran."""
        numbers, at = np.unique(identities, return_inverse=True)
        counts = np.zeros(len(numbers))
        for array in read.values():
            counts += np.bincount(at, array.sum(axis=tuple(range(1, array.ndim))), len(numbers))
        before, self._ran = self._ran, {}
        others = set()
        for number, count in zip(numbers.tolist(), counts.tolist(), strict=True):
            last, programs = before.get(number, (0.0, None))
            if count != last or programs is None:
                now = self._functions.ran(number)
                if programs not in (None, now):
                    others.add(number)
                programs = now
            self._ran[number] = count, programs
        return others
