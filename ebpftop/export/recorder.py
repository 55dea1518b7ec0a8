"""Records probes to a tape without a screen, with a progress line."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from ebpftop.base.inert import inert
from ebpftop.base.look import look_of
from ebpftop.export.headless import DONE, FAILED, USAGE
from ebpftop.export.loads import attached
from ebpftop.export.mark_line import mark_line
from ebpftop.frames.codec import BadFrame
from ebpftop.frames.marks import marked
from ebpftop.frames.messages import AnyFrame, Detached, Events, Load, Loaded, Mark, Notice, Refused, Rejected, Snapshot
from ebpftop.frames.outside import Mailbox
from ebpftop.frames.recording import Recording
from ebpftop.frames.source import Source, SourceEnded
from ebpftop.frames.tape import TapeExists, TapeWriter
from ebpftop.model import failure_text
from ebpftop.model.failure import explain
from ebpftop.model.session import Session
from ebpftop.model.watching import Watching
from ebpftop.stats import formatting


async def record(
    source: Source,
    loads: Sequence[Load],
    path: Path | None,
    *,
    duration: float | None,
    args: bool,
    force: bool,
    watching: Watching | None = None,
    err: TextIO,
    stop: asyncio.Event,
) -> int:
    """Load the probes and record all frames until `stop` is set or `duration` seconds have passed; without a path, only
    watch for triggers.

    The tape is complete however it ends, and includes rejected probes. Closes the source. Returns the exit code: 0
    done, 1 a probe was rejected, the tape can't be written or the source ended, 2 a request was refused.
    """
    progress = Progress(err, len(loads))
    closing: Source = source
    try:
        tape = TapeWriter(path, args=args, force=force) if path else None
        recording = Recording(source, tape)
        closing = recording
        watched = _Watched(watching, recording, progress, tape)
        try:
            with Mailbox(lambda text: watched.mark(marked(text, "outside"))):
                async for frame in attached(recording, loads, duration=duration, stop=stop):
                    watched.take(frame)
                    if tape is not None and recording.writer is None:
                        break
        finally:
            watched.finish()
        recording.stop()
    except (TapeExists, SourceEnded, BadFrame) as error:
        progress.fail(inert(str(error)))
    except OSError as error:
        progress.fail(f"{inert(str(path))}: {error.strerror}")
    else:
        progress.finish(path, tape)
    finally:
        try:
            await closing.close()
        except OSError as error:  # the tape's end, if the source ended before
            progress.fail(f"{inert(str(path))}: {error.strerror}")
    return progress.code


class _Watched:
    """Passes frames to the triggers, if there are any, and to the progress line."""

    def __init__(
        self, watching: Watching | None, recording: Recording, progress: Progress, tape: TapeWriter | None
    ) -> None:
        self._watching, self._recording, self._progress, self._tape = watching, recording, progress, tape
        self._session = Session(history=2, event_rows=1, past_bytes=0)  # triggers examine it

    def take(self, frame: AnyFrame) -> None:
        self._progress.take(frame, self._tape)
        if self._watching is not None:
            run = self._session.feed(frame)
            for more in self._watching.take(frame, run, self._session.processes):
                self._tell(more)

    def mark(self, mark: Mark) -> None:
        """Handle a mark that doesn't come from the source."""
        self._recording.add(mark)
        self.take(mark)

    def _tell(self, frame: Mark | Notice) -> None:
        if isinstance(frame, Mark):
            self._recording.add(frame)
        self._progress.take(frame, self._tape)

    def finish(self) -> None:
        for notice in self._watching.close() if self._watching else ():
            self._tell(notice)


class Progress:
    """One line, overwritten every second on a terminal; messages stand above it. wanted: the number of probes."""

    def __init__(self, err: TextIO, wanted: int) -> None:
        self.code = DONE
        self._err, self._live = err, err.isatty()
        self._probes: dict[int, str] = {}  # the attached probes, by run
        self._wanted = wanted
        self._lost: dict[int, int] = {}
        self._fired = 0
        self._began = time.monotonic()
        self._next = 0.0

    def take(self, frame: AnyFrame, tape: TapeWriter | None) -> None:
        match frame:
            case Loaded():
                self._probes[frame.run] = frame.probe
            case Rejected():
                failure = explain(frame.probe, frame)
                title = f"ebpftop: {failure.headline}"
                look = look_of(self._err)
                self._print(failure_text.as_text(failure, look, title=title, log=True) + "\n")
                self.code = self.code or FAILED
            case Refused():
                self._print(f"ebpftop: {inert(frame.error)}\n")
                self.code = USAGE
            case Notice():
                self._print(f"ebpftop: {inert(frame.text)}\n")
                if frame.level == "error":
                    self.code = self.code or FAILED
            case Mark():
                self._fired += frame.origin == "trigger"
                self._print(f"ebpftop: {mark_line(frame)}\n")
            case Detached() if frame.reason:
                self._print(f"ebpftop: {inert(self._probes.get(frame.run, ''))}: detached, {inert(frame.reason)}\n")
                self.code = self.code or FAILED
            case Snapshot() | Events():
                self._lost[frame.run] = frame.losses.lost
        if self._live and time.monotonic() >= self._next:
            self._next = time.monotonic() + 1
            self._err.write(f"\r\x1b[K{self._line(tape)} · Ctrl-C stops")
            self._err.flush()

    def fail(self, line: str) -> None:
        self._print(f"ebpftop: {line}\n")
        self.code = FAILED

    def finish(self, path: Path | None, tape: TapeWriter | None) -> None:
        self._print(f"{inert(str(path)) if path else 'watched'}: {self._line(tape)}\n")

    def _print(self, lines: str) -> None:
        self._err.write(("\r\x1b[K" if self._live else "") + lines)
        self._err.flush()

    def _line(self, tape: TapeWriter | None) -> str:
        seconds = time.monotonic() - self._began if tape is None else tape.seconds
        attached = len(self._probes)
        facts = (
            ("" if attached == self._wanted else f"{attached} of ") + formatting.plural(self._wanted, "probe"),
            formatting.duration(seconds * 1e9),
            formatting.bytes_(tape.size) if tape else formatting.plural(self._fired, "incident"),
            f"lost {formatting.count(sum(self._lost.values()))}",
        )
        return " · ".join(facts)
