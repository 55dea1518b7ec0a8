"""One attached probe: its descriptors, its maps and ring buffers, and the frames made from them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ebpftop.base.map_types import RINGBUF, STACK_TRACE
from ebpftop.collector.account import Account
from ebpftop.collector.budget import Limit
from ebpftop.collector.callstacks import StackMap, StackNumbering
from ebpftop.collector.census import Census
from ebpftop.collector.code_rows import CodeRows
from ebpftop.collector.codes import Codes
from ebpftop.collector.copies import Copies, Sample
from ebpftop.collector.decode import Context
from ebpftop.collector.displayed import DisplayedMap, of_moment, process_field, stack_fields
from ebpftop.collector.event_rings import EventRing, MomentRing
from ebpftop.collector.functions import Change, Functions
from ebpftop.collector.known import KnownStacks
from ebpftop.collector.maps import MapReader
from ebpftop.collector.pythons import Pythons
from ebpftop.collector.unwound import Tokens, UnwoundRows, UnwoundStacks
from ebpftop.frames.layout import (
    FAILURES,
    GROUPS,
    MapLayout,
    again,
    beside,
    by_pointers,
    copied,
    known,
    python_functions,
    python_programs,
)
from ebpftop.frames.messages import Cost, Events, Losses, OpenWait, ProgramCost, RingUse, Snapshot, ViewInfo
from ebpftop.handover.protocol import Handover

if TYPE_CHECKING:
    from ebpftop.collector.limit import GroupFilter
    from ebpftop.collector.subjects import Subject

_MAP_FULL, _RING_FULL = 0, 1  # slots of that map


class AttachedProbe:
    """Owns the descriptors of a hand-over from construction on. `interval`: seconds between snapshots."""

    def __init__(
        self,
        number: int,
        probe: str,
        message: Handover,
        fds: list[int],
        census: Census,
        context: Context,
        functions: Functions | None = None,
        codes: Codes | None = None,
    ):
        self.number, self.probe, self.message = number, probe, message
        self.interval, self.next_at = 1.0, 0.0
        self.given: dict[str, str] = {}  # its parameters
        self.rate_limit: Limit | None = None  # of how often its programs may run
        self._map_fds = fds[: len(message.maps)]
        self._programs = dict(zip(message.programs, fds[len(message.maps) :], strict=False))
        self.attachments = fds[len(message.maps) + len(message.programs) :]
        self._census, self._seq, self._skipped = census, 0, 0
        self._looked = (0, 0, 0)  # realtime, monotonic, boottime
        self.account = Account(self._programs, message.attachment_ns)
        self._failures: MapReader | None = None
        self.groups: int | None = None  # the map of the cgroups that it is limited to,
        self.limit: GroupFilter | None = None  # and what keeps that up to date
        self.subjects: list[Subject] = []  # what its parameters name
        self._open: tuple[int, MapLayout] | None = None  # the map of waits that have begun
        self.maps: list[DisplayedMap] = []
        self.rings: list[EventRing] = []
        views = message.outcome.views
        context = context.of_run(message.outcome.points)
        of_stacks = {
            layout.name: (fd, layout)
            for fd, layout in zip(self._map_fds, message.maps, strict=True)
            if layout.kind == STACK_TRACE
        }
        stacks = {
            name: StackNumbering(StackMap(fd, of_stacks.get(again(name), (None,))[0], layout), functions)
            for name, (fd, layout) in of_stacks.items()
            if functions is not None
        }
        self._stacks = list(stacks.values())
        self.copies: Copies | None = None
        self.pythons: Pythons | None = None
        self._rows: list[UnwoundRows] = []
        self._tokens = Tokens()
        moments = {view.moments: view for view in views if view.moments}
        by_name = {each.name: (fd, each) for fd, each in zip(self._map_fds, message.maps, strict=True)}
        of_map = {view.map: stacks[view.stacks] for view in views if view.show == "stacks"}
        hidden = set[str]().union(*map(beside, of_stacks))
        for fd, layout in zip(self._map_fds, message.maps, strict=True):
            if layout.kind == STACK_TRACE or layout.name in hidden:
                continue  # shown by the maps that hold its numbers
            if layout.name == FAILURES:
                self._failures = MapReader(fd, layout)
            elif layout.name == GROUPS:
                self.groups = fd
            elif message.open is not None and layout.name == message.open.map:
                self._open = fd, layout
            elif layout.name in moments:
                view = moments[layout.name]
                self.rings.append(MomentRing(fd, layout, views, census, context, view, stacks[view.stacks]))
            elif layout.kind == RINGBUF:
                self.rings.append(EventRing(fd, layout, views, census, context))
            else:
                self.maps.append(self._displayed(fd, layout, context, of_map.get(layout.name), functions))
        for name in stacks:
            if codes is not None and copied(name) in by_name and self.copies is None:
                of_stack = [view for view in views if view.show == "stacks" and view.stacks == name]
                self._unwind(of_stack, by_name, stacks[name].unwound, codes, functions)

    def _unwind(
        self,
        views: list[ViewInfo],
        maps: dict[str, tuple[int, MapLayout]],
        stacks: UnwoundStacks,
        codes: Codes,
        functions: Functions | None,
    ) -> None:
        """Count copied user stacks in the rows of these views' maps. Raises `ValueError`, `OSError`."""
        self._tokens, name = Tokens(), views[0].stacks
        for view in views:
            shown = next(each for each in self.maps if each.name == view.map)
            assert isinstance(shown.reader, MapReader)
            shown.reader = UnwoundRows(shown.reader, stacks, view.user, self._tokens, gauge=view.gauge)
            self._rows.append(shown.reader)
        recognised = None
        if known(name) in maps:
            recognised = KnownStacks(*maps[known(name)])
            stacks.in_use.append(recognised.numbers)
        fd, layout = maps[copied(name)]
        spared, _ = maps.get(by_pointers(name), (None, None))
        count = self._count_in(views[0], maps[views[0].map][1])
        told, programs = maps.get(python_functions(name)), maps.get(python_programs(name))
        if told is not None and programs is not None and functions is not None:
            self.pythons = Pythons(programs[0], *told, functions)
        self.copies = Copies(fd, layout, spared, codes, stacks, count, self._tokens, recognised, self.pythons)

    def _count_in(self, view: ViewInfo, layout: MapLayout) -> Callable[[Sample, int], None]:
        """The counter of samples in rows of a view's map."""
        fields = {
            view.user: "user",
            view.kernel: "kernel",
            view.process_field: "tgid",
            "tid": "tid",
            "thread": "thread",
        }
        key = tuple(fields.get(field.name, "") for field in layout.key.fields)
        moments = next(
            (ring for ring in self.rings if isinstance(ring, MomentRing) and ring.name == view.moments), None
        )
        rows = self._rows[0]

        def count(sample: Sample, value: int) -> None:
            rows.add(tuple(getattr(sample, name) for name in key), value)
            if moments is not None:
                moments.unwound.append(sample)

        return count

    def _displayed(
        self,
        fd: int,
        layout: MapLayout,
        context: Context,
        stacks: StackNumbering | None,
        functions: Functions | None,
    ) -> DisplayedMap:
        views = self.message.outcome.views
        process = process_field(views, layout.name)
        by_code = process and not of_moment(views, layout.name) and stack_fields(views, layout.name)[0]
        if stacks is None or functions is None or process is None or not by_code:
            return DisplayedMap(fd, layout, views, self._census, context, stacks)
        return CodeRows(fd, layout, views, self._census, context, stacks, functions, process)

    def look(self) -> None:
        """Read all maps, and the cost of the programs. Raises `OSError`, `ValueError`."""
        self._looked = time.time_ns(), time.monotonic_ns(), time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        for each in self.maps:
            each.look()
        self.account.look()

    def snapshot(self) -> Snapshot:
        """All maps as of the last reading."""
        self._seq += 1
        realtime, monotonic, boottime = self._looked
        return Snapshot(
            run=self.number,
            seq=self._seq,
            realtime_ns=realtime,
            monotonic_ns=monotonic,
            boottime_ns=boottime,
            maps={each.name: each.columns() for each in self.maps},
            losses=self.losses(),
        )

    def open_waits(self, threads: list[int]) -> list[OpenWait]:
        """The waits of these threads that have begun and not ended. Nothing is cached, because few
        users look at them.
        """
        names = self.message.open
        if self._open is None or names is None:
            return []
        try:
            keys, values = MapReader(*self._open).read()
        except OSError:
            return []
        wanted = np.isin(keys["key"], threads) & (values[names.since] > 0)
        values = values[wanted]
        fields = (names.since, names.holder, names.waker, names.woken)
        columns = (values[field].tolist() if field else [0] * len(values) for field in fields)
        return [
            OpenWait(tid=tid, since_ns=since, holder=holder, waker=waker, woken_ns=woken)
            for tid, since, holder, waker, woken in zip(keys["key"][wanted].tolist(), *columns, strict=True)
        ]

    # ---------------------------------------------------------------- names of functions

    def asked(self) -> None:
        """A lookup of the code counted until the last look has begun."""
        for each in self._of_code():
            each.asked()

    def learned(self, change: Change, sure: bool) -> None:
        """Other code has replaced some of what was counted, as `change` says. sure: nothing else has changed. Raises
        `OSError`.
        """
        if change and self.copies is not None:
            alive = filter(None, map(self._census.alive, change))
            self.copies.changed(identity.tgid for identity in alive)
        renewed = {each.stacks: each.stacks.renew(change) for each in self._of_code()} if change else {}
        for each in self._of_code():
            if change:
                each.divide(renewed[each.stacks])
            if sure:
                each.sure()

    def _of_code(self) -> Iterator[CodeRows]:
        return (each for each in self.maps if isinstance(each, CodeRows))

    # ---------------------------------------------------------------- events, losses, cost

    def take(self, *, last: bool = False) -> list[npt.NDArray[Any]]:
        """The records in the rings, one array per ring; copied stacks are unwound and counted. last: this is the last
        call. Raises `RingBroken`.
        """
        if self.copies is not None:
            self.copies.take(last=last)
            self._tokens.over, self._tokens.all_taken = last, not self.copies.ring.waiting
        return [ring.drain() for ring in self.rings]

    @property
    def waits(self) -> bool:
        """Whether copied stacks are waiting to be unwound."""
        return self.copies is not None and self.copies.waiting

    def events(self, taken: list[npt.NDArray[Any]]) -> list[Events]:
        """Frames of the records taken, one per ring that had any. Raises `OSError`, `ValueError`."""
        filled = [(ring, records) for ring, records in zip(self.rings, taken, strict=False) if len(records)]
        losses = self.losses() if filled else Losses()
        return [
            Events(run=self.number, map=ring.name, columns=ring.columns(records), count=len(records), losses=losses)
            for ring, records in filled
        ]

    def skip(self, events: int) -> None:
        """Count events that a slow consumer missed as lost."""
        self._skipped += events

    def losses(self) -> Losses:
        map_full = lost = 0
        if self._failures is not None:
            counts = self._failures.read()[1]["value"]
            map_full, lost = int(counts[_MAP_FULL]), int(counts[_RING_FULL])
        return Losses(
            lost=lost + self._skipped,
            map_full=map_full + sum(each.lost for each in self._rows),
            evicted=sum(each.evicted for each in self.maps),
            missed=self.account.misses,
        )

    def cost(self, accounted: bool) -> Cost:
        """At the last look."""
        extra = self.message.attachment_ns
        return Cost(
            run=self.number,
            monotonic_ns=self._looked[1],
            accounted=accounted,
            estimated=self.account.estimated,
            programs=[
                ProgramCost(name=name, run_count=runs, run_time_ns=ns, attachment_ns=extra.get(name, 0))
                for name, (ns, runs) in self.account.sums().items()
            ],
            rings=[RingUse(map=each.name, size=each.ring.size, most=each.ring.most) for each in self.buffers],
        )

    @property
    def buffers(self) -> list[EventRing | Copies | Pythons]:
        """All ring buffers that are read."""
        return [*self.rings, *filter(None, [self.copies]), *filter(None, [self.pythons])]

    @property
    def has_events(self) -> bool:
        """Whether somebody may be waiting for records in the rings."""
        return any(not isinstance(ring, MomentRing) for ring in self.rings)

    @property
    def has_stacks(self) -> bool:
        return bool(self._stacks)

    def held(self) -> set[int]:
        """Identities in the rows of its maps."""
        return set[int]().union(*(each.held() for each in self.maps))

    def forget(self, census: Census) -> None:
        """Drop everything kept only for processes that the census has forgotten."""
        for stacks in self._stacks:
            stacks.forget(census)

    def close(self) -> None:
        """Close maps and programs. Attachments are closed earlier and elsewhere, because that takes long."""
        for ring in self.buffers:
            ring.close()
        for fd in (*self._map_fds, *self._programs.values()):
            os.close(fd)
