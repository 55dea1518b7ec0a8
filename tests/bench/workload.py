"""Work for the kernel that is the same in every round."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

CALLS = 100_000
TURNS = 10_000
REPEATS = 3  # the quickest counts, as anything else that happens on the machine only adds


def system_calls(least: float = 0.0) -> float:
    """`CALLS` system calls that do nothing, again for so many seconds at least; CPU time of one in ns."""
    return min(_mean(_calls, least) for _ in range(REPEATS)) / CALLS


def _mean(work: Callable[[], int], least: float) -> float:
    """Of one time."""
    until, taken = time.monotonic() + least, [work()]
    while time.monotonic() < until:
        taken.append(work())
    return sum(taken) / len(taken)


def _calls() -> int:
    since = time.thread_time_ns()
    for _ in range(CALLS):
        os.getppid()
    return time.thread_time_ns() - since


def switches(least: float = 0.0) -> float:
    """`TURNS` times there and back between two threads on one CPU, again for so many seconds at least; CPU time in ns
    of a wakeup with its switch, which are two system calls as well.
    """
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        return min(_mean(_turns, least) for _ in range(REPEATS)) / (2 * TURNS)
    finally:
        os.sched_setaffinity(0, before)


def _turns() -> int:
    (there, here), (back, away) = os.pipe(), os.pipe()

    def answer() -> None:
        for _ in range(TURNS):
            os.read(there, 1)
            os.write(away, b".")

    thread = threading.Thread(target=answer)
    thread.start()
    since = time.process_time_ns()
    for _ in range(TURNS):
        os.write(here, b".")
        os.read(back, 1)
    taken = time.process_time_ns() - since
    thread.join()
    for fd in (there, here, back, away):
        os.close(fd)
    return taken
