"""Requested loads without an outcome, and the answers to their requests until then."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import asdict as facts
from msgspec.structs import replace

from ebpftop.catalog import params
from ebpftop.collector.groups import Groups
from ebpftop.collector.limit import Found
from ebpftop.collector.selector import UnknownPlace
from ebpftop.frames import messages
from ebpftop.handover import protocol


@dataclass(slots=True)
class Pending:
    """One such load. probe: as in the catalog at the time of the request. found: the cgroups that it is limited to."""

    request: messages.Load
    probe: messages.ProbeInfo
    stage: messages.Stage = "queued"
    found: Found | None = None
    given: dict[str, str] = field(default_factory=dict)  # its parameters, with pids of the host
    notes: list[str] = field(default_factory=list)

    def identity(self, run: int) -> dict[str, Any]:
        """The fields that every answer begins with."""
        return {
            "request": self.request.request,
            "run": run,
            "probe": self.request.probe,
            "params": self.request.params,
        }


class Loads:
    """The pending loads of one consumer, by the numbers of their future runs. `request` asks the supervisor for one."""

    def __init__(
        self,
        put: Callable[[messages.AnyFrame], None],
        request: Callable[[protocol.RequestLoad], None],
        groups: Groups,
    ) -> None:
        self._put, self._request, self._groups = put, request, groups
        self._pending: dict[int, Pending] = {}
        self._unfound: deque[int] = deque()  # those that name what is still looked for
        self._numbers = iter(range(1, 1 << 30))

    def __len__(self) -> int:
        return len(self._pending)

    def begin(self, request: messages.Load, probe: messages.ProbeInfo) -> None:
        """Request the load, at once unless it names something that has to be looked up first."""
        number = next(self._numbers)
        self._pending[number] = Pending(request, probe)
        if params.by_name(probe, request.params):
            self._groups.ask()
            self._unfound.append(number)
        else:
            self._ask(number, request.params)

    def tick(self) -> None:
        """Request or refuse the loads whose names can be resolved by now."""
        while self._unfound and self._groups.ready:
            number = self._unfound.popleft()
            pending = self._pending[number]
            try:
                pending.found, given, pending.notes = self._groups.found(pending.probe, pending.request.params)
            except (UnknownPlace, params.BadParam) as why:
                self.refused(number, str(why))
            else:
                self._ask(number, given)

    def _ask(self, number: int, given: dict[str, str]) -> None:
        request, self._pending[number].given = self._pending[number].request, given
        self._request(protocol.RequestLoad(run=number, request=request.request, probe=request.probe, params=given))

    def reached(self, number: int, stage: messages.Stage, stages: list[tuple[str, float]]) -> None:
        """The load is queued, or has reached this stage."""
        if pending := self._pending.get(number):
            pending.stage = stage
            self._put(messages.Loading(**pending.identity(number), stage=stage, stages=stages))

    def refuse(self, request: messages.Load, error: str) -> None:
        """The request can't be fulfilled, so nothing is tried."""
        self._put(messages.Refused(request=request.request, error=error))

    def refused(self, number: int, error: str) -> bool:
        """The supervisor or the loader refuses it. Returns whether it was pending; so does `failed`."""
        pending = self._pending.pop(number, None)
        if pending is not None:
            self.refuse(pending.request, error)
        return pending is not None

    def failed(self, number: int, outcome: messages.Failed) -> bool:
        """It was tried and failed."""
        pending = self._pending.pop(number, None)
        if pending is not None:
            self._put(messages.Rejected(**pending.identity(number), **facts(outcome)))
        return pending is not None

    def ended(self, ended: protocol.TaskEnded) -> messages.Failed:
        """Its process ended without doing its work: what that comes to."""
        pending = self._pending.get(ended.run)
        return ended.outcome(pending.stage, pending.probe.source) if pending else ended.outcome("queued", "")

    def attached(self, number: int) -> Pending:
        """It is attached, and so no longer pending."""
        return self._pending.pop(number)

    def loaded(self, number: int, pending: Pending, outcome: messages.Attached) -> None:
        """Report that it is read from now on."""
        outcome = replace(outcome, notes=[*pending.notes, *outcome.notes])
        self._put(messages.Loaded(**pending.identity(number), **facts(outcome)))
