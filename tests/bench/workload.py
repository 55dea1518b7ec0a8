"""Work for the kernel that is the same in every round."""

from __future__ import annotations

import os
import threading
import time

CALLS = 100_000
TURNS = 10_000
REPEATS = 3  # the quickest counts, as anything else that happens on the machine only adds


def system_calls() -> float:
    """`CALLS` system calls that do nothing; CPU time of one in ns."""
    return min(_calls() for _ in range(REPEATS)) / CALLS


def _calls() -> int:
    since = time.thread_time_ns()
    for _ in range(CALLS):
        os.getppid()
    return time.thread_time_ns() - since


def switches() -> float:
    """`TURNS` times there and back between two threads on one CPU; CPU time in ns of a wakeup with its switch,
    which are two system calls as well."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        return min(_turns() for _ in range(REPEATS)) / (2 * TURNS)
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
