"""A span of a tape, or of a session's past, in each of the formats."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, get_args

import numpy as np

from ebpftop.export.compared import Compared
from ebpftop.export.csv_writer import Csv
from ebpftop.export.folded import Folded
from ebpftop.export.gathered import Gathered, RunNumbers, gather
from ebpftop.export.ndjson import Ndjson
from ebpftop.export.page.flame import flame
from ebpftop.export.page.page import Page, html
from ebpftop.export.pprof import as_file as as_pprof
from ebpftop.export.report import Part, RowsPart
from ebpftop.export.spans import span_report
from ebpftop.export.speedscope import write_file
from ebpftop.export.stack_report import StacksPart
from ebpftop.export.taped import Taped
from ebpftop.export.text_report import TextReport
from ebpftop.model.scope import WHOLE, Scope

Format = Literal["html", "csv", "json", "folded", "speedscope", "pprof", "svg", "text"]
FORMATS: tuple[Format, ...] = get_args(Format)
WIDTH, EVENTS = 100, 50  # of a text: its width in cells, and the number of events at its end


def content(format: Format, taped: Taped, scope: Scope = WHOLE, *, title: str = "") -> bytes:
    """A tape as a whole file, UTF-8."""
    return written(format, [gather(each, scope) for each in taped.chapters], title, taped.name, taped.problem)


def written(
    format: Format,
    streams: Sequence[Gathered],
    title: str,
    source: str,
    problem: str = "",
    compared: Compared | None = None,
) -> bytes:
    """`content` for gathered data. source: its origin. problem: why it is incomplete. compared: on a page."""
    if format == "html":
        return html(Page(title, source, list(streams), problem, compared)).encode("utf-8", "backslashreplace")
    return data(format, [each for stream in streams for each in stream.runs])


def compared_page(tapes: Sequence[Taped], compared: Compared, scope: Scope = WHOLE, *, title: str) -> bytes:
    """A page about one tape or two, and their compared spans."""
    streams = []
    for name, taped in zip(("Before: ", "After: "), tapes, strict=False):
        for at, chapter in enumerate(taped.chapters):
            found = gather(chapter, scope)
            found.spans.update(
                (letter, part.span)
                for letter, part in zip("AB", compared.parts, strict=True)
                if part.chapter is chapter
            )
            heading = f"{name}{taped.name}" if len(tapes) > 1 and not at else ""
            streams.append(replace(found, title=heading))
    source, problem = (
        " and ".join(filter(None, (getattr(taped, field) for taped in tapes))) for field in ("name", "problem")
    )
    return written("html", streams, title, source, problem, compared)


def data(format: Format, runs: Sequence[RunNumbers]) -> bytes:
    """Attached runs, one after the other; in speedscope's and pprof's formats together. svg: the first flame graph."""
    attached = [each for each in runs if each.run.loaded is not None]
    found = [span_report(each.run, each.parts, each.losses, each.cost) for each in attached]
    if format in ("csv", "json", "folded", "speedscope", "pprof"):  # the other formats say how much they leave out
        found = [replace(each, parts=list(map(_asked_for, each.parts))) for each in found]
    if format == "pprof":
        return as_pprof(found)
    out, err = io.StringIO(), io.StringIO()
    match format:
        case "csv":
            table = Csv(out, err)
            for each in found:
                table.report(each)
        case "json":
            for each in found:
                Ndjson(out, err).report(each)
        case "folded":
            for each in found:
                Folded(out, err).summary(each, events={})
        case "text":
            for each, numbers in zip(found, attached, strict=True):
                text = TextReport(out, err, WIDTH)
                text.summary(each, events={one.part.view.name: one.events for one in numbers.parts})
                text.report(replace(each, parts=[_latest(part) for part in each.parts]))
        case "svg":
            parts = [part for each in found for part in each.parts if isinstance(part, StacksPart)]
            out.writelines(str(flame(part.others(), standalone=True).svg) for part in parts[:1])
        case _:
            write_file(out, found)
    return out.getvalue().encode("utf-8", "backslashreplace")


def _asked_for(part: Part) -> Part:
    """A part without ebpftop's own rows, if those aren't shown."""
    return part.others() if part.shown is not None and part.shown.leaves_out else part


def _latest(part: Part) -> Part:
    """The last events."""
    if not isinstance(part, RowsPart) or part.count <= EVENTS:
        return part
    return part.take(np.arange(part.count - EVENTS, part.count))
