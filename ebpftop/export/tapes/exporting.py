"""A tape for other tools: every interval as `ebpftop run` would have written it, or the sums of its call stacks."""

from __future__ import annotations

import io
from typing import BinaryIO, Literal

from ebpftop.export.gathered import gather
from ebpftop.export.headless import Reporter, writer
from ebpftop.export.reporting import data
from ebpftop.export.taped import read
from ebpftop.frames.codec import BadFrame
from ebpftop.frames.messages import Hello
from ebpftop.frames.tape import TapeReader

Format = Literal["csv", "json", "perfetto", "folded", "speedscope", "pprof"]


def export(reader: TapeReader, format: Format, out: BinaryIO, *, raw: bool = False) -> list[str]:
    """Write what the tape holds; returns why that isn't all of it. raw: as `Csv` takes it.

    Raises `OSError` where it can't be written.
    """
    problems = list[str]()
    if format in ("folded", "speedscope", "pprof"):
        taped = read(reader)
        problems += [taped.problem] if taped.problem else []
        out.write(data(format, [each for chapter in taped.chapters for each in gather(chapter).runs]))
        return problems
    text = io.TextIOWrapper(out, "utf-8", errors="backslashreplace", newline="\n", write_through=True)
    told = io.StringIO()  # notices and marks that the format has no place for: `tape info` shows them
    try:
        write = writer(format, text, told, raw=raw)
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
        text.flush()
    finally:
        text.detach()
    return problems
