"""Doing what may hang in a thread of its own, which is left behind if it does."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

Job = Callable[[], None]


class Apart:
    """Does one job after another. One that takes longer than `patience` seconds is left behind with its thread, and the
    next one gets a new thread.

    A thread that is left behind ends with its process: what it waits in must be killable. Jobs raise nothing.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._jobs: queue.SimpleQueue[Job | None] | None = None
        self._ends: queue.SimpleQueue[None] = queue.SimpleQueue()
        self.left = 0  # jobs that were left behind

    def done(self, job: Job) -> bool:
        """Do it; False if it was left behind."""
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
        """End the thread that waits for jobs."""
        if self._jobs is not None:
            self._jobs.put(None)
            self._jobs = None


def _work(jobs: queue.SimpleQueue[Job | None], ends: queue.SimpleQueue[None]) -> None:
    while (job := jobs.get()) is not None:
        job()
        ends.put(None)
