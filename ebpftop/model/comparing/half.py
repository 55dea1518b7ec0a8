"""One of the two compared spans."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ebpftop.frames.messages import Hello, Process, ViewInfo
from ebpftop.model.dimensions import HOST, sources
from ebpftop.model.past.span import Span
from ebpftop.model.run import Run
from ebpftop.model.selection import Choice, Selection

_SAME_BOOT = 2_000_000_000  # ns by which two streams may disagree on when the machine was started


def hosts_of(view: ViewInfo) -> set[str]:
    """The fields of a view that name a row's host."""
    return {source.field for source in sources(view) if source.dimension == HOST}


@dataclass(frozen=True, eq=False, slots=True)
class Half:
    """A span of a run, and its stream. host: the one whose rows count, "" for all rows."""

    run: Run
    span: Span
    processes: Mapping[int, Process]
    hello: Hello | None = None
    host: str = ""

    def narrowed(self, selection: Selection) -> Selection:
        """The selection among the rows that count."""
        choice = Choice(HOST, self.host, HOST, self.host)
        return selection if not self.host or choice in selection.choices else selection.turned(choice)

    def same_stream(self, other: Half) -> bool:
        return self.processes is other.processes and self.host == other.host

    def same_boot(self, other: Half) -> bool:
        """Whether a process of one may be in the other, because the machine was not restarted in between."""
        mine, theirs = self.hello, other.hello
        if self.host != other.host:
            return False
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
