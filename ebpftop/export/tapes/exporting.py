"""Converts a tape for other tools: every interval as `ebpftop run` or `exporter` would have reported it, or the sums of
its call stacks.
"""

from __future__ import annotations

import io
from typing import BinaryIO, Literal, TextIO

from ebpftop.export.gathered import gather
from ebpftop.export.headless import Reporter, Writer, writer
from ebpftop.export.reporting import data
from ebpftop.export.taped import read
from ebpftop.frames.codec import BadFrame
from ebpftop.frames.messages import Hello
from ebpftop.frames.tape import TapeReader

Format = Literal["csv", "json", "perfetto", "folded", "speedscope", "pprof", "openmetrics"]


def export(reader: TapeReader, format: Format, out: BinaryIO, *, raw: bool = False) -> list[str]:
    """Write the contents of the tape; returns why they are incomplete. raw: as for `Csv`.

    Raises `OSError` if writing fails.
    """
    problems = list[str]()
    if format in ("folded", "speedscope", "pprof"):
        taped = read(reader)
        problems += [taped.problem] if taped.problem else []
        out.write(data(format, [each for chapter in taped.chapters for each in gather(chapter).runs]))
        return problems
    told = io.StringIO()  # notices and marks that the format has no place for: `tape info` shows them
    if format == "openmetrics":
        from ebpftop.export.exporter.timed import Timed  # needs Prometheus' library

        timed = Timed(told)
        problems += _take(reader, timed, told)
        timed.write(out)
        return problems
    text = io.TextIOWrapper(out, "utf-8", errors="backslashreplace", newline="\n", write_through=True)
    try:
        problems += _take(reader, writer(format, text, told, raw=raw), told)
        text.flush()
    finally:
        text.detach()
    return problems


def _take(reader: TapeReader, write: Writer, told: TextIO) -> list[str]:
    """Have a format write every interval; returns why the tape is incomplete."""
    problems = list[str]()
    reporter = Reporter(write, told)
    try:
        for _, frame in reader:
            if isinstance(frame, Hello) and reporter.ran:
                reporter.finish()
                reporter = Reporter(write, told)
            reporter.take(frame)
    except BadFrame as error:
        problems.append(str(error))
    if reporter.ran:
        reporter.finish()
    return problems
