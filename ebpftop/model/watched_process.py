"""A process that somebody looks at: its last facts, and the course of its CPU time and memory since."""

from __future__ import annotations

from collections import deque

from ebpftop.frames.messages import Process, ProcessFacts

SAMPLES = 240
SLACK_NS = 20_000_000  # /proc counts starts in ticks of 10 ms
ZOMBIE = "Z"


class WatchedProcess:
    """`take` gets the answers. facts: the last answer with content, kept after the process's end.

    percents: of a CPU, between answers; sizes: resident bytes, at answers. of_threads: the same as percents between the
    last two answers, by thread.
    """

    def __init__(self, process: Process) -> None:
        self.process = process
        self.facts: ProcessFacts | None = None
        self.gone_ns: int | None = None  # boottime of the first answer that said so
        self.unreaped = False  # whether its parent has yet to notice that
        self.percents: deque[float] = deque(maxlen=SAMPLES)
        self.sizes: deque[float] = deque(maxlen=SAMPLES)
        self.of_threads: dict[int, float] = {}

    def is_about(self, other: Process | ProcessFacts) -> bool:
        """Whether it is about the same process. A start from /proc is replaced by the kernel's own, which is more
        precise.
        """
        mine = self.process
        return other.tgid == mine.tgid and abs(other.start_ns - mine.start_ns) <= SLACK_NS

    def take(self, facts: ProcessFacts) -> None:
        """An answer about this process."""
        self.unreaped = facts.state == ZOMBIE and facts.thread_count <= 1
        if facts.gone or self.unreaped:
            self.gone_ns = self.gone_ns if self.gone_ns is not None else facts.boottime_ns
            return
        before, self.facts = self.facts, facts
        if facts.rss is not None:
            self.sizes.append(facts.rss)
        if before is None or facts.boottime_ns <= before.boottime_ns:
            return
        passed = facts.boottime_ns - before.boottime_ns
        self.percents.append(_percent(facts.cpu_ns - before.cpu_ns, passed))
        earlier = {each.tid: each.cpu_ns for each in before.threads}
        self.of_threads = {
            each.tid: _percent(each.cpu_ns - earlier[each.tid], passed) for each in facts.threads if each.tid in earlier
        }

    @property
    def ended_ns(self) -> int | None:
        """Its end, boottime: as reported by the kernel, or else when it was noticed; None while it lives."""
        return self.process.ended_ns if self.process.ended_ns is not None else self.gone_ns


def _percent(spent: int, passed: int) -> float:
    return 100 * max(0, spent) / passed
