"""Reports what a format has no place for on a second stream."""

from __future__ import annotations

from typing import TextIO

from ebpftop.base.inert import inert
from ebpftop.export.mark_line import mark_line
from ebpftop.export.report import Report
from ebpftop.frames.messages import Mark
from ebpftop.model.failure import Failure


class Telling:
    """A format that writes marks and failures as lines on `err`."""

    def __init__(self, err: TextIO) -> None:
        self._err = err

    def marked(self, mark: Mark) -> None:
        print(f"ebpftop: {mark_line(mark)}", file=self._err)

    def failed(self, failure: Failure) -> None:
        print(f"ebpftop: {inert(failure.headline)}", file=self._err)


class AtEnd(Telling):
    """A format that is the sum of the whole run, written at its end."""

    def report(self, report: Report) -> None:
        """Writes nothing: the sum includes every interval."""
