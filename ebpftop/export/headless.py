"""Runs probes without a screen: a report every interval, and a summary when they are stopped or the tape ends."""

from __future__ import annotations

import asyncio
import io
import time
from typing import BinaryIO, Literal, Protocol, TextIO, cast

from ebpftop.base import bounds
from ebpftop.base.inert import inert
from ebpftop.export.csv_writer import Csv
from ebpftop.export.folded import Folded
from ebpftop.export.loads import attached
from ebpftop.export.ndjson import Ndjson
from ebpftop.export.perfetto import Perfetto
from ebpftop.export.pprof import Pprof
from ebpftop.export.report import Report, report
from ebpftop.export.speedscope import Speedscope
from ebpftop.export.text_report import TextReport
from ebpftop.frames.codec import BadFrame
from ebpftop.frames.marks import marked
from ebpftop.frames.messages import (
    AnyFrame,
    Cost,
    Detached,
    Detaching,
    Load,
    Loaded,
    Loading,
    Mark,
    Notice,
    Refused,
    Rejected,
    Snapshot,
)
from ebpftop.frames.outside import Mailbox
from ebpftop.frames.source import Source, SourceEnded
from ebpftop.model.failure import Failure, explain
from ebpftop.model.past.span import START
from ebpftop.model.run import Run
from ebpftop.model.scope import Scope
from ebpftop.model.session import Session
from ebpftop.model.watching import Watching

Format = Literal["text", "json", "csv", "folded", "speedscope", "pprof", "perfetto"]
DONE, FAILED, USAGE = 0, 1, 2  # exit codes
_QUIETLY = 10.0  # seconds that a load may take before it is said where it is
_SAMPLES = 64 << 20  # bytes of single samples in a trace; beyond that, the oldest are dropped


class Writer(Protocol):
    """A format."""

    def report(self, report: Report) -> None:
        """Write the report of an interval."""

    def marked(self, mark: Mark) -> None:
        """Write a mark."""

    def failed(self, failure: Failure) -> None:
        """Write why the probe could not be loaded."""

    def summary(self, report: Report, *, events: dict[str, int]) -> None:
        """Write the report of the whole run; `events` counts them by view."""


def writer(format: Format, out: TextIO, err: TextIO, *, raw: bool = False) -> Writer:
    """The writer of a format, with `err` for messages about a failed load; `raw` is `Csv`'s. What isn't text goes to
    the binary stream under `out`.
    """
    match format:
        case "pprof" | "perfetto":
            assert isinstance(out, io.TextIOWrapper)
            binary = cast(BinaryIO, out.buffer)
            return Pprof(binary, err) if format == "pprof" else Perfetto(binary, err)
        case "json":
            return Ndjson(out, err)
        case "csv":
            return Csv(out, err, raw=raw)
        case "folded":
            return Folded(out, err)
        case "speedscope":
            return Speedscope(out, err)
        case "text":
            return TextReport(out, err)


async def run(
    source: Source,
    load: Load,
    *,
    duration: float | None,
    format: Format,
    raw: bool = False,
    watching: Watching | None = None,
    out: TextIO,
    err: TextIO,
    stop: asyncio.Event,
) -> int:
    """Load the probe, write reports until `stop` is set or `duration` seconds passed, detach it, and write the summary.

    Closes the source. Returns the exit code: 0 done, 1 rejected or the source ended, 2 refused.
    """
    for stream in (out, err):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a stream's encoding may lack characters of process names
    reporter = Reporter(writer(format, out, err, raw=raw), err, watching)
    late: float | None = time.monotonic() + _QUIETLY
    stage = "queued"
    try:
        with Mailbox(lambda text: reporter.take(marked(text, "outside"))):
            async for frame in attached(source, [load], duration=duration, stop=stop):
                reporter.take(frame)
                if isinstance(frame, Loading):
                    stage = frame.stage
                elif reporter.ran or stop.is_set():
                    late = None
                elif late is not None and time.monotonic() > late:
                    print(f"ebpftop: {load.probe} is still loading ({stage}); Ctrl-C stops", file=err, flush=True)
                    late = None
    except (SourceEnded, BadFrame) as error:
        reporter.code = FAILED
        reporter.finish()
        print(f"ebpftop: {inert(str(error))}", file=err)
        return FAILED
    finally:
        await source.close()
    reporter.finish()
    return reporter.code


class Reporter:
    """Writes one report a snapshot, as soon as the cost that follows it is known, so that none is written twice.

    process_bytes: limit for the identities of processes that it keeps.
    """

    def __init__(
        self,
        writer: Writer,
        err: TextIO,
        watching: Watching | None = None,
        *,
        process_bytes: int = bounds.PROCESSES,
    ) -> None:
        self.code = DONE
        self._watching = watching
        self._writer, self._err = writer, err
        samples = _SAMPLES if isinstance(writer, Perfetto) else 0
        self._session = Session(history=2, event_rows=None, past_bytes=samples, process_bytes=process_bytes)
        self._runs: dict[int, Run] = {}  # the loaded ones
        self._reports: dict[int, int] = {}  # the number of written ones
        self._due: set[int] = set()

    @property
    def ran(self) -> bool:
        """Whether any probe was loaded."""
        return bool(self._runs)

    def take(self, frame: AnyFrame) -> None:
        """Process a frame and write the report that it completes. Raises `BadFrame`."""
        if isinstance(frame, Snapshot | Detaching | Detached):
            self._write_report(frame.run)
        known = self._runs.get(frame.run) if isinstance(frame, Snapshot) else None
        before = known.last if known else None
        run = self._session.feed(frame)
        if self._watching is not None:
            for more in self._watching.take(frame, run, self._session.processes):
                self._tell(more)
        match frame:
            case Snapshot() if run is not None and run.last is not before:
                self._due.add(frame.run)
            case Cost():
                self._write_report(frame.run)
            case Loaded():
                if run is not None:
                    self._runs[frame.run] = run
                for note in frame.notes:
                    print(f"ebpftop: {inert(note)}", file=self._err)
            case Notice() | Mark():
                self._tell(frame)
            case Detached() if frame.reason and run:
                print(f"ebpftop: {inert(run.probe)}: detached, {inert(frame.reason)}", file=self._err)
                self.code = FAILED
            case Refused():
                print(f"ebpftop: {inert(frame.error)}", file=self._err)
                self.code = USAGE
            case Rejected():
                self._writer.failed(explain(frame.probe, frame))
                self.code = FAILED

    def _tell(self, frame: Notice | Mark) -> None:
        if isinstance(frame, Mark):
            self._writer.marked(frame)
        else:
            print(f"ebpftop: {inert(frame.text)}", file=self._err)

    def _write_report(self, number: int) -> None:
        run = self._runs.get(number)
        if run is not None and number in self._due:
            self._due.discard(number)
            chunks = {name: log.take() for name, log in run.events.items()}
            seq = self._reports.get(number, 0)
            self._writer.report(report(run, self._session.processes, seq, chunks))
            self._reports[number] = seq + 1

    def finish(self) -> None:
        """Write the remaining data, and a summary of each probe that ran."""
        for notice in self._watching.close() if self._watching else ():
            self._tell(notice)
        if not self._runs and self.code == DONE:
            self.code = FAILED
            print("ebpftop: stopped before the probe was attached", file=self._err)
        for number, run in self._runs.items():
            self._write_report(number)
            if any(log.kept for log in run.events.values()):
                run.settle()
                self._due.add(number)
                self._write_report(number)
            events = {view.name: run.events[view.map].total for view in run.views if view.map in run.events}
            seq = self._reports.get(number, 0)
            self._writer.summary(report(run, self._session.processes, seq, {}, Scope(START)), events=events)
