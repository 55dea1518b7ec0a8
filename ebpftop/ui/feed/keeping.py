"""What is kept of a live stream besides the session: the last minutes, the findings of triggers, and a tape."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ebpftop.base.inert import inert
from ebpftop.frames.messages import AnyFrame, Mark, Notice, Process
from ebpftop.frames.recent import DASHBOARD, Copy, Recent
from ebpftop.frames.tape import TapeWriter

if TYPE_CHECKING:
    from ebpftop.model.run import Run
    from ebpftop.model.trigger import Trigger
    from ebpftop.model.watching import Watching


class Keeping:
    """watching: looks for triggers, and may already have the recent frames."""

    def __init__(self, watching: Watching | None = None) -> None:
        self._watching = watching
        self.recent = watching.recent if watching and watching.recent else Recent(DASHBOARD)
        if watching is not None:
            watching.recent = self.recent
        self._copy: Copy | None = None

    @property
    def tape(self) -> TapeWriter | None:
        """The tape being written."""
        return self._copy.writer if self._copy is not None else None

    def take(self, frame: AnyFrame, run: Run | None, processes: Mapping[int, Process]) -> list[Mark | Notice]:
        """Keep a frame after the session took it. Returns findings of triggers, and lines for the user."""
        if self._watching is None:
            self.recent.add(frame)
            return self._copied(frame)
        found = self._watching.take(frame, run, processes)
        told: list[Mark | Notice] = [*self._copied(frame), *found]
        for mark in found:
            if isinstance(mark, Mark):
                told += self._copied(mark)
        return told

    def watch(self, trigger: Trigger, runs: Iterable[Run]) -> list[Mark | Notice]:
        """Watch for another trigger; returns what is wrong with it for the running probes."""
        if self._watching is None:
            from ebpftop.model.watching import Watching  # NumPy, which the first screen can do without

            self._watching = Watching([], self.recent)
        return self._watching.add(trigger, runs)

    def _copied(self, frame: AnyFrame) -> list[Mark | Notice]:
        if self._copy is not None:
            try:
                self._copy.take(frame)
            except OSError as error:
                return [self._broken(self._copy, error)]
        return []

    def _broken(self, copy: Copy, error: OSError) -> Notice:
        """End the tape where it is still readable."""
        self._copy = None
        with contextlib.suppress(OSError):
            copy.writer.close()
        return Notice(
            level="error", text=f"recording stopped: {error.strerror}; {inert(str(copy.writer.path))} ends here"
        )

    def record(self, path: Path, seconds: float) -> None:
        """Write the last seconds and all later frames to a new tape. Raises `OSError`, `TapeExists`."""
        self._copy = Copy(self.recent, TapeWriter(path), seconds)

    def stop(self) -> TapeWriter | None:
        """End the tape, if one is being written; returns the writer of a complete one. Raises `OSError`."""
        copy, self._copy = self._copy, None
        if copy is None:
            return None
        copy.close()
        return copy.writer

    def close(self) -> None:
        """End all tapes."""
        with contextlib.suppress(OSError):
            self.stop()
        if self._watching is not None:
            self._watching.close()
