"""Loads that begin before their requests arrive, while collector and consumer still start."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable

import msgspec

from ebpftop.catalog import params
from ebpftop.catalog.model import Probe
from ebpftop.frames.messages import Load
from ebpftop.handover import protocol
from ebpftop.loader import compose
from ebpftop.loader.load import Order
from ebpftop.supervisor.tasks import NotStarted, Tasks, Work

_FIRST_RUN = 1 << 30  # of the numbers they count as until the collector gives them one


class EarlyLoad(msgspec.Struct, kw_only=True):
    """number: its run number until its request arrives. channel: where its loader reports."""

    number: int
    load: Load
    probe: Probe
    channel: socket.socket
    ended: protocol.TaskEnded | None = None


class EarlyLoads:
    """Early loads whose requests haven't arrived yet."""

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks
        self._waiting: list[EarlyLoad] = []

    def start(self, expected: list[Load], order: Callable[[Load], Order], work: Callable[[Order], Work]) -> None:
        """Fork loaders for the expected requests, as far as that is possible now.

        The slowest loads go first, so that no processor is idle at the end. Before them goes the census, which names
        the processes of all.
        """
        orders: list[tuple[int, Load, Order]] = []
        for number, load in enumerate(expected, _FIRST_RUN):
            with contextlib.suppress(LookupError, params.BadParam):  # reported when the request arrives
                ordered = order(load)
                if not params.by_name(ordered.probe, load.params):  # else it comes once the collector has found those
                    orders.append((number, load, ordered))
        for number, load, ordered in sorted(orders, key=lambda each: _turn(each[2])):
            with contextlib.suppress(NotStarted):  # the same
                channel = self._tasks.start("loader", number, work(ordered))
                self._waiting.append(EarlyLoad(number=number, load=load, probe=ordered.probe, channel=channel))

    def take(self, request: protocol.RequestLoad) -> EarlyLoad | None:
        """The load for this request, now under the request's run number; None if there is none, or it differs."""
        early = next((early for early in self._waiting if early.load.request == request.request), None)
        if early is None:
            return None
        self._waiting.remove(early)
        if (early.load.probe, early.load.params) != (request.probe, request.params):
            early.channel.close()  # the consumer wants something else after all
            return None
        self._tasks.renumber(early.number, request.run)
        return early

    def ended(self, report: protocol.TaskEnded) -> bool:
        """Whether it is of one of these; it is kept for the request then."""
        early = next((early for early in self._waiting if early.number == report.run), None)
        if early is not None:
            early.ended = report
        return early is not None

    def forget_changed(self, order: Callable[[Load], Order]) -> None:
        """Cancel loads of a probe whose files were saved in the meantime."""
        for early in list(self._waiting):
            try:
                changed = order(early.load).probe != early.probe
            except (LookupError, params.BadParam):
                changed = True
            if changed:
                self._waiting.remove(early)
                early.channel.close()


def _turn(order: Order) -> tuple[bool, int]:
    """Sort key: the duration of a load, which is the compiler's and the verifier's, estimated by the amount of C,
    shared or its own.
    """
    written = order.probe.written
    length = len(written) + sum(map(len, compose.used_headers(order.includes, written).values()))
    return order.probe.category != protocol.INTERNAL, -length
