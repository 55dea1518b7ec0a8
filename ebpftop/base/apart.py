"""Runs work that may hang in a separate thread, and abandons the thread if it does."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

Job = Callable[[], None]


class Apart:
    """Runs one job after another. A job that takes longer than `patience` seconds is abandoned with its thread, and the
    next job gets a new thread.

    An abandoned thread ends with its process, so whatever it blocks in must be killable. Jobs raise nothing.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._jobs: queue.SimpleQueue[Job | None] | None = None
        self._ends: queue.SimpleQueue[None] = queue.SimpleQueue()
        self.left = 0  # abandoned jobs

    def done(self, job: Job) -> bool:
        """Run the job; False if it was abandoned."""
        if self._jobs is None:
            self._jobs, self._ends = queue.SimpleQueue(), queue.SimpleQueue()
            threading.Thread(target=_work, args=(self._jobs, self._ends), daemon=True).start()
        self._jobs.put(job)
        try:
            self._ends.get(timeout=self._patience)
        except queue.Empty:
            self.left += 1
            self._jobs = None
            return False
        return True

    def close(self) -> None:
        """End the idle thread."""
        if self._jobs is not None:
            self._jobs.put(None)
            self._jobs = None


def _work(jobs: queue.SimpleQueue[Job | None], ends: queue.SimpleQueue[None]) -> None:
    while (job := jobs.get()) is not None:
        job()
        ends.put(None)
