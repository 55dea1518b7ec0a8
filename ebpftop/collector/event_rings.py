"""Ring buffers whose records are shown one by one: events, and the single samples of call stacks."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ebpftop.collector.callstacks import StackNumbering
from ebpftop.collector.census import Census
from ebpftop.collector.copies import Sample
from ebpftop.collector.decode import Context
from ebpftop.collector.displayed import decoders, process_field
from ebpftop.collector.layout import dtype
from ebpftop.collector.ring import Ring
from ebpftop.frames.columns import pack
from ebpftop.frames.layout import MapLayout
from ebpftop.frames.messages import ViewInfo
from ebpftop.frames.stacks import STACK


class EventRing:
    """A displayed ring buffer."""

    def __init__(self, fd: int, layout: MapLayout, views: list[ViewInfo], census: Census, context: Context) -> None:
        self.name, self.fd = layout.name, fd
        self.ring = Ring(fd, layout.max_entries, dtype(layout.value))
        self._decoders = decoders(views, layout.name, context)
        self._process = process_field(views, layout.name)
        self._census = census

    def drain(self) -> npt.NDArray[Any]:
        return self.ring.drain()

    def columns(self, records: npt.NDArray[Any]) -> dict[str, Any]:
        """Columns of the records, decoded as their view declares."""
        rows = self._rows(records)
        plain = {name: array for name, array in rows.items() if name not in self._decoders and array.ndim == 1}
        return {**pack(plain), **{name: decode(rows[name]) for name, decode in self._decoders.items()}}

    def _rows(self, records: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
        rows = {name: records[name] for name in records.dtype.names or ()}
        if self._process:
            rows[self._process] = self._census.numbers(rows[self._process])
        return rows

    def close(self) -> None:
        self.ring.close()


class MomentRing(EventRing):
    """The single samples of a stacks view: each has the number of its stack, like the counted ones."""

    def __init__(
        self,
        fd: int,
        layout: MapLayout,
        views: list[ViewInfo],
        census: Census,
        context: Context,
        view: ViewInfo,
        stacks: StackNumbering,
    ) -> None:
        super().__init__(fd, layout, views, census, context)
        self._process, self._view, self._stacks = view.process_field, view, stacks
        self._kind = dtype(layout.value)
        self.unwound: list[Sample] = []  # whose stacks were not in the kernel's map

    def drain(self) -> npt.NDArray[Any]:
        records = super().drain()
        if not self.unwound:
            return records
        taken, self.unwound = self.unwound, []
        fields = {self._view.user: "user", self._view.kernel: "kernel", self._process: "tgid"}
        names = [fields.get(name, name) for name in self._kind.names or ()]
        rows = [tuple(getattr(sample, name) for name in names) for sample in taken]
        return np.append(records, np.array(rows, self._kind))

    def _rows(self, records: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
        """Raises `OSError`."""
        rows = super()._rows(records)
        user, kernel = (rows.pop(field, None) for field in (self._view.user, self._view.kernel))
        rows[STACK] = self._stacks.merge(rows.get(self._process or ""), user, kernel)
        return rows
