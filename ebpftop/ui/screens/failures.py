"""Which failed load a screen shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ebpftop.model.run import Run
    from ebpftop.model.session import Session


def last_failed(*runs: Run | None) -> Run | None:
    """The last failure among runs that were rejected, or detached without a request."""
    return max((run for run in runs if run and run.failed), key=lambda run: run.failed, default=None)


def last_rejected(session: Session, probe: str | None = None) -> Run | None:
    """The last failed load, of one probe or of any, if that has not been loaded since."""
    last = {(run.probe, *sorted(run.params.items())): run for run in session.runs.values()}
    found = [run for run in last.values() if run.rejected and probe in (None, run.probe)]
    return max(found, key=lambda run: run.id, default=None)
