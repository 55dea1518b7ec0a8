"""Recording probes to a tape without a screen, with a progress line."""

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
from ebpftop.frames.codec import BadFrame
from ebpftop.frames.messages import AnyFrame, Events, Load, Loaded, Notice, Refused, Rejected, Snapshot
from ebpftop.frames.recording import Recording
from ebpftop.frames.source import Source, SourceEnded
from ebpftop.frames.tape import TapeExists, TapeWriter
from ebpftop.model import failure_text
from ebpftop.model.failure import explain
from ebpftop.stats import formatting


async def record(
    source: Source,
    loads: Sequence[Load],
    path: Path,
    *,
    duration: float | None,
    args: bool,
    force: bool,
    err: TextIO,
    stop: asyncio.Event,
) -> int:
    """Load the probes and record all frames until `stop` is set or `duration` seconds have passed.

    The tape is complete however it ends, and includes rejected probes. Closes the source. Returns the exit code: 0
    done, 1 a probe was rejected, the tape can't be written or the source ended, 2 a request was refused.
    """
    progress = Progress(err)
    closing: Source = source
    try:
        tape = TapeWriter(path, args=args, force=force)
        closing = recording = Recording(source, tape)
        async for frame in attached(recording, loads, duration=duration, stop=stop):
            progress.take(frame, tape)
            if recording.writer is None:
                break
        recording.stop()
    except (TapeExists, SourceEnded, BadFrame) as error:
        progress.fail(inert(str(error)))
    except OSError as error:
        progress.fail(f"{inert(str(path))}: {error.strerror}")
    else:
        progress.finish(path, tape)
    finally:
        await closing.close()
    return progress.code


class Progress:
    """One line, overwritten every second on a terminal; messages stand above it."""

    def __init__(self, err: TextIO) -> None:
        self.code = DONE
        self._err, self._live = err, err.isatty()
        self._probes = 0
        self._lost: dict[int, int] = {}
        self._next = 0.0

    def take(self, frame: AnyFrame, tape: TapeWriter) -> None:
        match frame:
            case Loaded():
                self._probes += 1
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
            case Snapshot() | Events():
                self._lost[frame.run] = frame.losses.lost
        if self._live and time.monotonic() >= self._next:
            self._next = time.monotonic() + 1
            self._err.write(f"\r\x1b[K{self._line(tape)} · Ctrl-C stops")
            self._err.flush()

    def fail(self, line: str) -> None:
        self._print(f"ebpftop: {line}\n")
        self.code = FAILED

    def finish(self, path: Path, tape: TapeWriter) -> None:
        self._print(f"{inert(str(path))}: {self._line(tape)}\n")

    def _print(self, lines: str) -> None:
        self._err.write(("\r\x1b[K" if self._live else "") + lines)
        self._err.flush()

    def _line(self, tape: TapeWriter) -> str:
        facts = (
            formatting.plural(self._probes, "probe"),
            formatting.duration(tape.seconds * 1e9),
            formatting.bytes_(tape.size),
            f"lost {formatting.count(sum(self._lost.values()))}",
        )
        return " · ".join(facts)
