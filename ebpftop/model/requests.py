"""The loads requested by this dashboard, by number. When a probe's file is saved, it is loaded again by another request
of the same lineage. The previous version runs until the new one is attached.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from ebpftop.frames.messages import Catalog

if TYPE_CHECKING:
    from ebpftop.model.run import Run

Cause = Literal["user", "playbook", "save"]


class Requested(Struct, frozen=True):
    """by: the cause: the user's choice of a probe, an opened playbook, or a save. lineage: the number of the first
    request for it; after a save it differs from this request's number.
    """

    number: int
    probe: str
    params: dict[str, str]
    by: Cause
    lineage: int


class Requests:
    """Numbers are never reused, even after a restart of the collector. first: the lowest free one."""

    def __init__(self, first: int = 1) -> None:
        self._next = first
        self._known: dict[int, Requested] = {}

    def new(
        self, probe: str, params: dict[str, str], by: Cause = "user", *, number: int = 0, lineage: int = 0
    ) -> Requested:
        """A new request, under a number that was agreed before, or else the next one; after a save, for a lineage."""
        if not number:
            number = self._next
            self._next += 1
        requested = self._known[number] = Requested(number, probe, params, by, lineage or number)
        return requested

    def get(self, number: int) -> Requested | None:
        """The request with this number; None for requests of others, such as those on a tape."""
        return self._known.get(number)

    def clear(self) -> None:
        """Forget all loads, because none of them runs any more."""
        self._known.clear()

    def runs(self, lineage: int, runs: Iterable[Run]) -> list[Run]:
        """The runs of a lineage, oldest first."""
        return [run for run in runs if (of := self.get(run.request)) and of.lineage == lineage]

    def to_reload(self, probes: set[str], runs: Iterable[Run]) -> list[Requested]:
        """The lineages of these probes that run, or whose last version was rejected; of equal
        rejected ones, the last.
        """
        lineages: dict[int, list[Run]] = {}
        for run in runs:
            if run.probe in probes and (of := self.get(run.request)):
                lineages.setdefault(of.lineage, []).append(run)
        wanted: dict[object, int] = {}
        for lineage, theirs in lineages.items():
            if any(run.state in ("loading", "running") for run in theirs):
                wanted[lineage] = lineage
            elif theirs[-1].state == "rejected":
                wanted[theirs[-1].probe, *sorted(theirs[-1].params.items())] = lineage
        return [self._known[lineage] for lineage in wanted.values()]

    def replaced(self, new: Run, runs: Mapping[int, Run]) -> list[int]:
        """The runs that end because this one is attached: those before it in its lineage, or itself if a later version
        was faster.
        """
        requested = self.get(new.request)
        if requested is None:
            return []
        alike = [run for run in self.runs(requested.lineage, runs.values()) if run.state == "running"]
        reloaded = [run.id for run in alike if (of := self.get(run.request)) and of.by == "save"]
        newest = max(reloaded, default=None)
        return [run.id for run in alike if newest is not None and run.id < newest]

    def before(self, run: Run, runs: Mapping[int, Run]) -> Run | None:
        """The run of the previous version, if there was one."""
        requested = self.get(run.request)
        if requested is None or run.rejected is None:
            return None
        earlier = [each for each in self.runs(requested.lineage, runs.values()) if each.id < run.id]
        last = max(earlier, key=lambda each: each.id, default=None)
        return None if last is None or (last.rejected and last.rejected.text == run.rejected.text) else last


def saved(before: Catalog | None, now: Catalog) -> set[str]:
    """The probes whose revision changed."""
    known = {probe.id: probe.revision for probe in before.probes} if before else {}
    return {probe.id for probe in now.probes if known.get(probe.id, probe.revision) != probe.revision}
