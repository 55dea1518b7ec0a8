"""What can be exported, and how: the view in front, and all probes, from memory or from a tape."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ebpftop.base.inert import inert
from ebpftop.export.compared import Asking, Part, compare_parts
from ebpftop.export.comparison_json import view_as_json
from ebpftop.export.gathered import Gathered, begun, gather, of_run
from ebpftop.export.reporting import Format, data, written
from ebpftop.export.shown import rows_of
from ebpftop.export.taped import Chapter, read
from ebpftop.frames.messages import ViewInfo
from ebpftop.frames.tape import TapeReader
from ebpftop.model.comparing.view import ViewComparison
from ebpftop.model.past.span import ALL, Span
from ebpftop.model.run import Run
from ebpftop.model.scope import Scope
from ebpftop.model.session import Session

FORMATS: tuple[tuple[Format, str, str], ...] = (
    ("csv", "csv", "CSV"),
    ("json", "ndjson", "NDJSON"),
    ("folded", "folded", "folded stacks, for flamegraph.pl"),
    ("speedscope", "speedscope.json", "speedscope, for speedscope.app"),
    ("svg", "svg", "flame graph as SVG"),
    ("html", "html", "report, one HTML page"),
)
_OF_STACKS = ("folded", "speedscope", "svg")
Spans = tuple[Span, Span]


@dataclass(frozen=True, slots=True)
class Choice:
    """A format, and its source. view: None for all probes. name: of the file, without its ending. compared: A and B of
    the view. spans: A and B, for a report that compares.
    """

    format: Format
    ending: str
    title: str
    name: str
    view: ViewInfo | None = None
    compared: ViewComparison | None = None
    spans: Spans | None = None


def choices(
    session: Session,
    run: Run | None,
    view: ViewInfo | None,
    compared: ViewComparison | None = None,
    spans: Spans | None = None,
) -> list[Choice]:
    """The choices, first those of the view in front. compared, spans: while A and B are compared."""
    found: list[Choice] = []
    if run is not None and view is not None:
        stacks = view.show == "stacks"
        name = f"{run.probe}-{view.name}"
        found = [
            Choice(kind, ending, title, name, view)
            for kind, ending, title in FORMATS
            if kind != "html" and (stacks or kind not in _OF_STACKS)
        ]
        if compared is not None:
            found.insert(0, Choice("json", "json", "JSON, A and B compared", f"{name}-compared", view, compared))
    if any(each.loaded or each.rejected for each in session.runs.values()):
        stacks = any(each.show == "stacks" for one in session.runs.values() for each in one.views)
        found += [
            Choice(kind, ending, title, "ebpftop-report" if kind == "html" else "ebpftop")
            for kind, ending, title in reversed(FORMATS)
            if kind != "svg" and (stacks or kind not in _OF_STACKS)
        ]
        if spans is not None:
            found = [
                replace(each, title=f"{each.title}, A and B compared", spans=spans) if each.format == "html" else each
                for each in found
            ]
    return found


async def exported(choice: Choice, session: Session, run: Run | None, scope: Scope, tape: Path | None) -> bytes:
    """The file: what is shown of a view, or of all probes. Memory is read between frames, a probe at a time, so that
    keys are answered; the rest is done in a thread. tape: read whole, from its beginning, if all probes are wanted.
    Raises `OSError`, `BadTape`.
    """
    if choice.compared is not None and run is not None:
        selected = rows_of(run, choice.compared.view, Scope(selection=scope.selection))
        found = {**view_as_json(choice.compared), "scope": {"rows": selected}}
        return json.dumps(found, allow_nan=False).encode() + b"\n"
    if choice.view is not None and run is not None:
        numbers = of_run(Chapter(session), run, scope, choice.view)
        return await asyncio.to_thread(data, choice.format, [numbers])
    if choice.spans is not None:
        scope = replace(scope, wanted=ALL)  # both are parts of it
    if tape is not None:
        now = session.newest.monotonic_ns if session.newest else 0
        return await asyncio.to_thread(_of_tape, choice, tape, scope, now)
    hello = session.hello
    source = f"the memory of a dashboard on {hello.host}" if hello else "the memory of a dashboard"
    chapter = Chapter.of(session)
    stream = await _gathered(chapter, scope)
    asking = None
    if choice.spans is not None:
        stream.spans.update(zip("AB", choice.spans, strict=True))
        asking = await _asked(source, chapter, choice.spans, scope)

    def write() -> bytes:
        compared = asking.answer() if asking else None
        return written(choice.format, [stream], "What ebpftop recorded", source, compared=compared)

    return await asyncio.to_thread(write)


def of_all(scope: Scope) -> Scope:
    """The scope of an export of all probes: the chosen span, or everything if the span moves with time."""
    return scope if isinstance(scope.wanted, Span) else replace(scope, wanted=ALL)


def _of_tape(choice: Choice, path: Path, scope: Scope, now: int) -> bytes:
    """now: a moment (monotonic ns) of the stream whose views are looked at and whose spans are compared."""
    tape = read(TapeReader(path))
    mine = next((each for each in tape.chapters if _holds(each, now)), tape.chapters[-1])
    streams = [gather(each, scope if each is mine else replace(scope, aspects={})) for each in tape.chapters]
    compared = None
    if choice.spans is not None:
        streams[tape.chapters.index(mine)].spans.update(zip("AB", choice.spans, strict=True))
        before, after = (Part(path.name, mine, span) for span in choice.spans)
        compared = compare_parts(before, after, scope=scope.among(mine.session.processes))
    title = f"What ebpftop recorded: {path.stem}"
    return written(choice.format, streams, title, tape.name, tape.problem, compared)


def _holds(chapter: Chapter, moment: int) -> bool:
    sampled = chapter.sampled
    return sampled is not None and sampled.start <= moment <= sampled.end


async def _gathered(chapter: Chapter, scope: Scope) -> Gathered:
    found = begun(chapter, scope.wanted if isinstance(scope.wanted, Span) else ALL)
    for run in chapter.runs():
        found.runs.append(of_run(chapter, run, scope))
        await asyncio.sleep(0)
    return found


async def _asked(source: str, chapter: Chapter, spans: Spans, scope: Scope) -> Asking:
    before, after = (Part(source, chapter, span) for span in spans)
    asking = Asking(before, after, scope=scope)
    for pair in asking.pairs.runs:
        asking.ask(pair)
        await asyncio.sleep(0)
    return asking


def as_text(session: Session, run: Run, view: ViewInfo, scope: Scope) -> str:
    """What is shown of a view as plain text; for events, the last ones."""
    return data("text", [of_run(Chapter(session), run, scope, view)]).decode()


def row_as_text(fields: Sequence[tuple[str, str]]) -> str:
    """A row, with a line for each of its fields."""
    return "".join(f"{inert(title)}: {inert(text)}\n" for title, text in fields)
