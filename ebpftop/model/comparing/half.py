"""One of the two spans that are compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ebpftop.frames.messages import Hello, Process
from ebpftop.model.past.span import Span
from ebpftop.model.run import Run

_SAME_BOOT = 2_000_000_000  # ns by which two streams may disagree on when the machine was started


@dataclass(frozen=True, eq=False, slots=True)
class Half:
    """A span of a run, and the stream that it is from."""

    run: Run
    span: Span
    processes: Mapping[int, Process]
    hello: Hello | None = None

    def same_stream(self, other: Half) -> bool:
        return self.processes is other.processes

    def same_boot(self, other: Half) -> bool:
        """Whether a process of one may be in the other: a machine that was not started anew in between."""
        mine, theirs = self.hello, other.hello
        if self.same_stream(other):
            return True
        if mine is None or theirs is None or mine.host != theirs.host:
            return False
        return abs(mine.boot_realtime_ns - theirs.boot_realtime_ns) <= _SAME_BOOT

    def alive(self, process: Process, span: Span) -> bool:
        """Whether a process lived at any time of a span (monotonic ns)."""
        last = self.run.last
        asleep = last.boottime_ns - last.monotonic_ns if last else 0
        ended = process.ended_ns
        return process.start_ns <= span.end + asleep and (ended is None or ended >= span.start + asleep)
