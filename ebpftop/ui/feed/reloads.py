"""A probe whose file was saved is loaded again; the version before runs until the new one is attached."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ebpftop.frames.messages import Catalog, Loaded, Rejected
from ebpftop.model.run import Run

Wanted = tuple[str, dict[str, str]]  # a probe and its parameters


def request_of(run: Run) -> Wanted:
    return run.probe, run.params


def saved(before: Catalog | None, now: Catalog) -> set[str]:
    """Probes of which another revision is there."""
    known = {probe.id: probe.revision for probe in before.probes} if before else {}
    return {probe.id for probe in now.probes if known.get(probe.id, probe.revision) != probe.revision}


def to_load_again(probes: set[str], runs: Iterable[Run]) -> list[Wanted]:
    """What was asked of these probes, if it runs or was rejected last; each once."""
    wanted: list[Wanted] = []
    theirs = [run for run in runs if run.probe in probes]
    for at, run in enumerate(theirs):
        last = not any(request_of(later) == request_of(run) for later in theirs[at + 1 :])
        stands = run.state in ("loading", "running") or (last and run.state == "rejected")
        if stands and request_of(run) not in wanted:
            wanted.append(request_of(run))
    return wanted


def replaced(frame: Loaded, again: set[int], runs: Mapping[int, Run]) -> list[int]:
    """The runs that end now that this one is attached: those before it that it takes the place of, or itself, where its
    load took longer than that of a later version. `again` holds the runs of new versions.
    """
    alike = [
        run.id for run in runs.values() if request_of(run) == (frame.probe, frame.params) and run.state == "running"
    ]
    newest = max((run for run in alike if run in again), default=None)
    return [run for run in alike if newest is not None and run < newest]


def before(frame: Rejected, runs: Mapping[int, Run]) -> Run | None:
    """The run of the version before this one, if there was another version."""
    request = (frame.probe, frame.params)
    earlier = [run for run in runs.values() if run.id < frame.run and request_of(run) == request]
    last = max(earlier, key=lambda run: run.id, default=None)
    return None if last is None or (last.rejected and last.rejected.text == frame.text) else last
