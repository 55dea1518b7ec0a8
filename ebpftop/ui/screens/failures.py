"""Which failed load a screen shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ebpftop.model.run import Run
    from ebpftop.model.session import Session


def last_failed(*runs: Run | None) -> Run | None:
    """The one that failed last, of runs that were rejected or detached though nobody requested it."""
    return max((run for run in runs if run and run.failed), key=lambda run: run.failed, default=None)


def last_rejected(session: Session, probe: str | None = None) -> Run | None:
    """The last load that failed, of one probe or of any, of what has not been loaded since."""
    last = {(run.probe, *sorted(run.params.items())): run for run in session.runs.values()}
    found = [run for run in last.values() if run.rejected and probe in (None, run.probe)]
    return max(found, key=lambda run: run.id, default=None)
