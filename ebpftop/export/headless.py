"""One probe without a screen: what it finds, told every interval, and a summary when it is stopped."""

from __future__ import annotations

import asyncio
import io
from typing import Literal, Protocol, TextIO

from ebpftop.base.inert import inert
from ebpftop.export.csv_writer import Csv
from ebpftop.export.folded import Folded
from ebpftop.export.loads import attached
from ebpftop.export.ndjson import Ndjson
from ebpftop.export.report import Report, report
from ebpftop.export.speedscope import Speedscope
from ebpftop.export.text_report import TextReport
from ebpftop.frames.codec import BadFrame
from ebpftop.frames.messages import AnyFrame, Cost, Detached, Detaching, Notice, Refused, Rejected, Snapshot
from ebpftop.frames.source import Source, SourceEnded
from ebpftop.model.run import Run
from ebpftop.model.session import Session

Format = Literal["text", "json", "csv", "folded", "speedscope"]
DONE, FAILED, USAGE = 0, 1, 2  # exit codes


class Writer(Protocol):
    """A format."""

    def report(self, report: Report) -> None:
        """Write what an interval brought."""

    def rejected(self, frame: Rejected) -> None:
        """Write why the probe could not be loaded."""

    def summary(self, report: Report, *, events: dict[str, int]) -> None:
        """Write what the whole run brought; `events` counts them by view."""


def writer(format: Format, out: TextIO, err: TextIO, *, raw: bool = False) -> Writer:  # noqa: A002
    """The writer of a format, with `err` for what is said of a rejected probe; `raw` is `Csv`'s."""
    match format:
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
    probe: str,
    params: dict[str, str],
    *,
    interval: float,
    duration: float | None,
    format: Format,  # noqa: A002
    raw: bool = False,
    out: TextIO,
    err: TextIO,
    stop: asyncio.Event,
) -> int:
    """Load the probe, tell what it finds until `stop` is set or `duration` seconds passed, detach it, and sum up.

    Closes the source. Returns the exit code: 0 done, 1 rejected or the source ended, 2 refused.
    """
    for stream in (out, err):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a stream may know fewer characters than a process name
    teller = Teller(writer(format, out, err, raw=raw), err)
    try:
        async for frame in attached(source, [(probe, params)], interval=interval, duration=duration, stop=stop):
            teller.take(frame)
    except (SourceEnded, BadFrame) as error:
        teller.finish()
        print(f"ebpftop: {inert(str(error))}", file=err)
        return FAILED
    finally:
        await source.close()
    teller.finish()
    return teller.code


class Teller:
    """Writes one report a snapshot, as soon as the cost that follows it is known, so that none is told twice."""

    def __init__(self, write: Writer, err: TextIO) -> None:
        self.code = DONE
        self._write, self._err = write, err
        self._session = Session(history=2, event_rows=None)
        self._run: Run | None = None
        self._seq = 0
        self._due = False

    def take(self, frame: AnyFrame) -> None:
        """Feed a frame and write what it completes. Raises `BadFrame`."""
        if isinstance(frame, Snapshot | Detaching | Detached):
            self._tell()
        before = self._run.last if self._run else None
        self._run = self._session.feed(frame) or self._run
        match frame:
            case Snapshot():
                self._due = self._run is not None and self._run.last is not before
            case Cost():
                self._tell()
            case Notice():
                print(f"ebpftop: {inert(frame.text)}", file=self._err)
            case Refused():
                print(f"ebpftop: {inert(frame.error)}", file=self._err)
                self.code = USAGE
            case Rejected():
                self._write.rejected(frame)
                self.code = FAILED

    def _tell(self) -> None:
        run = self._run
        if run is not None and self._due:
            self._due = False
            chunks = {name: log.take() for name, log in run.events.items()}
            self._write.report(report(run, self._session.processes, self._seq, chunks))
            self._seq += 1

    def finish(self) -> None:
        """Write what is left, and the summary of a probe that ran."""
        run = self._run
        if run is None or run.loaded is None:
            if self.code == DONE:
                self.code = FAILED
                print("ebpftop: ended before the probe was attached", file=self._err)
            return
        self._tell()
        if any(log.kept for log in run.events.values()):
            run.settle()
            self._due = True
            self._tell()
        events = {view.name: run.events[view.map].total for view in run.views if view.map in run.events}
        self._write.summary(report(run, self._session.processes, self._seq, {}, "start"), events=events)
