"""A terminal that takes 2 kB/s, or nothing for a while: its screen is never older than it says, and keys work."""

from __future__ import annotations

import os
import re
import shlex
import time
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import pytest

from tests.support.command import COMMAND
from tests.support.slow_terminal import FAST, SlowTerminal, slow_terminal
from tests.support.workloads import Worker

pytestmark = [pytest.mark.bpf, pytest.mark.beside]

NAME = f"slow{os.getpid()}"
FIRST, EACH = 10_000, 100
CALLS = f"""
count = {FIRST}
def work():
    global count
    for _ in range(count): os.getppid()
    count = {EACH}
"""
SLOW = 2000  # bytes a second
# From a call to the screen: an interval, how far data may be behind before the header says so, and the pace of drawing.
ON_THE_WAY = 1.0 + 3.0 + 1.5
AS_OF = re.compile(r"as of (\d\d):(\d\d):(\d\d)")


class Counter:
    """What a worker did until when, and what the terminal showed of it."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._times: list[float] = []
        self._counts: list[int] = []
        self.total = 0
        self.seen: list[tuple[float, int, str]] = []  # the time that the header speaks of, the count shown, the header

    def work(self) -> None:
        self._worker.work()
        self.total += EACH if self.total else FIRST
        self._times.append(time.time())
        self._counts.append(self.total)

    def worked_under_ten_headers(self) -> bool:
        self.work()
        return len({then for then, _, _ in self.seen}) >= 10

    def watch(self, lines: list[str]) -> None:
        count, said = shown(lines), AS_OF.search(lines[0])
        if count and said:
            now = datetime.now().astimezone()
            hour, minute, second = map(int, said.groups())
            then = now.replace(hour=hour, minute=minute, second=second, microsecond=0).timestamp()
            then -= 86400 if then > now.timestamp() + 3600 else 0
            self.seen.append((then, count, lines[0]))

    def wait_for(self, term: SlowTerminal) -> None:
        """Until the terminal shows the present, and that it is that."""
        term.wait_until(
            lambda: shown(term.text().splitlines()) >= self.total and "● live" in term.text(), f"{self.total} and live"
        )

    def check(self) -> None:
        """Every screen showed all that was done by the time it named."""
        for then, count, header in self.seen:
            before = bisect_right(self._times, then - ON_THE_WAY)
            assert count >= (self._counts[before - 1] if before else 0), header


@contextmanager
def counting() -> Iterator[tuple[SlowTerminal, Counter]]:
    """A dashboard on a terminal, with the total of one process in sight."""
    with Worker(CALLS, name=NAME) as worker, slow_terminal(COMMAND) as term:
        counter = Counter(worker)
        term.wait_for("first-minute")
        term.type("/syscount\r")
        term.wait_for("System calls by")
        term.type("ttt")
        term.wait_for("since start")
        counter.work()
        term.type("f" + NAME + "\r")
        counter.wait_for(term)
        yield term, counter


def shown(lines: list[str]) -> int:
    """Calls of the worker; 0 if they aren't shown. It makes one more for each byte that it reads and writes."""
    found = re.search(rf"{NAME} +(\d\d)\W(\d\d\d) ", "\n".join(lines[1:]))
    return int(found[1] + found[2]) if found else 0


def test_a_slow_terminal_says_of_when_it_is_and_takes_keys() -> None:
    with counting() as (term, counter):
        term.watch = counter.watch
        term.rate = SLOW
        term.type("?")  # a painting that takes a while
        term.wait_for("Keys")
        term.type("\x1b")
        term.wait_until(counter.worked_under_ten_headers, "the header said ten times of when the screen is")
        counter.check()
        term.type("?")
        term.wait_for("Keys")
        term.type("\x1b")
        term.rate = FAST
        counter.wait_for(term)
        assert term.process.poll() is None


def test_a_terminal_that_stood_still_shows_the_present_at_once() -> None:
    with counting() as (term, counter):
        before = term.taken
        for _ in range(8):
            counter.work()
            time.sleep(1)
        flowing = term.taken - before
        term.rate = 0
        for _ in range(12):
            counter.work()
            time.sleep(1)
        before = term.taken
        term.rate = FAST
        term.wait_until(lambda: shown(term.text().splitlines()) >= counter.total, "the present is shown")
        assert term.taken - before < flowing, "what the terminal missed was not kept for it"
        term.wait_for("● live")


def test_a_late_answer_is_not_typed_into_the_shell() -> None:
    program = shlex.join([*COMMAND, "demo"])
    then = "stty -icanon -echo; IFS= read -rt 2 -n 99 left; printf 'left: [%q]' \"$left\""
    with slow_terminal(["bash", "-c", f"{program}; {then}"]) as term:
        term.wait_for("Catalog", "q quit")
        term.way = 0.3
        term.type("\t\tq")
        term.wait_for("left: ['']")
