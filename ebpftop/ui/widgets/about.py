"""An entry of the catalog: what a probe answers, costs and needs, and its C; the purpose of a
playbook; what is broken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content
from textual.strip import Strip

from ebpftop.frames.messages import PlaybookInfo, ProbeInfo
from ebpftop.ui.drawing.code import Code
from ebpftop.ui.drawing.inert import inert
from ebpftop.ui.drawing.theme import NOT_HERE, RUNNABLE, UNKNOWN
from ebpftop.ui.widgets.entries import Entry, Problem
from ebpftop.ui.widgets.keyboard import key_of
from ebpftop.ui.widgets.painter import Painter
from ebpftop.ui.widgets.panel import words

if TYPE_CHECKING:
    from ebpftop.model.failure import Failure

WELCOME = (
    "Choose a probe on the left and press Enter: it is compiled, checked by the kernel's verifier and attached in a "
    "fraction of a second. Nothing stays in the kernel after you quit."
)


class About(Painter, can_focus=True):
    """`description` is wrapped to the width; below it is the C, if the entry has any."""

    DEFAULT_CSS = """
    About {
        height: 1fr;
        border: round $rim;
        border-title-color: $quiet;
        padding: 0 2;
        overflow-x: hidden;
        scrollbar-size: 1 1;
        scrollbar-gutter: stable;
        &:focus { border: round $primary; border-title-color: $foreground; }
    }
    """

    def __init__(self) -> None:
        super().__init__(id="about")
        self.description = Content("")
        self.code: Code | None = None
        self._shown: tuple[Entry | list[Entry], Failure | None] | None = None
        self._above: list[Content] = []  # the lines of the description
        self._wrapped = 0  # to so many cells

    def show(self, entry: Entry | list[Entry], failure: Failure | None = None) -> None:
        """Show one entry, and why its probe last failed to load; of several entries, a short text each."""
        if self._shown == (entry, failure):
            return
        self._shown = (entry, failure)
        match entry:
            case ProbeInfo():
                self._draw(entry.id, _words(entry, failure, key_of(self.app, "verifier", "v")), Code(entry.source))
            case PlaybookInfo():
                self._draw(f"playbook {entry.name}", _playbook(entry))
            case Problem():
                self._draw(f"unusable: {entry.name}", _problem(entry))
            case list():
                title = entry[0].category if entry and isinstance(entry[0], ProbeInfo) else ""
                self._draw(title, _summaries(entry))

    def _draw(self, title: str, description: Content, code: Code | None = None) -> None:
        self.border_title = words(title)
        self.description, self.code, self._wrapped = description, code, 0
        self._lay_out()
        self.scroll_home(animate=False)

    def on_resize(self) -> None:
        self._lay_out()

    def _lay_out(self) -> None:
        width = self.scrollable_content_region.width
        if width <= 0 or width == self._wrapped:
            return
        self._wrapped = width
        self._above = self.description.wrap(width)
        self.reach(width, len(self._above) + (len(self.code) + 2 if self.code else 0))
        self.update_lines()

    def line(self, y: int) -> Strip:
        at, width = y + self.scroll_offset.y, self.size.width
        below = at - len(self._above) - 1  # the C's line
        if at < len(self._above):
            content = self._above[at]
        elif self.code is not None and 0 <= below < len(self.code):
            content = self.code.line(below)
        else:
            return Strip.blank(width, self.look())
        return Strip(self.segments_of(content)).simplify().adjust_cell_length(width, self.look())


def _summaries(entries: list[Entry]) -> Content:
    lines = [Content(""), Content.styled(WELCOME, "$quiet")]
    for entry in entries:
        match entry:
            case ProbeInfo():
                name, title, more = entry.id.partition("/")[2], entry.title, entry.question
            case PlaybookInfo():
                name, title, more = entry.name, entry.title, entry.summary
            case Problem():
                name, title, more = entry.name, "", entry.what
        lines += [
            Content(""),
            Content.assemble((inert(name), "bold"), f"  {inert(title)}"),
            Content(inert(more)),
        ]
    return Content("\n").join(lines)


def _playbook(playbook: PlaybookInfo) -> Content:
    lines = [Content(""), Content.styled(inert(playbook.title), "bold"), Content(inert(playbook.summary))]
    for step in playbook.steps:
        given = "".join(f" {name}={value}" for name, value in step.params.items())
        lines += [Content(""), Content.styled(inert(step.probe + given), "bold"), Content(inert(step.question))]
    hint = "Enter loads every probe that can run here and shows them side by side."
    return Content("\n").join([*lines, Content(""), Content.styled(hint, "$quiet")])


def _problem(problem: Problem) -> Content:
    lines = [Content(""), Content.styled(f"{NOT_HERE} {inert(problem.what)}", "bold $error")]
    if problem.where:
        lines.append(_fact("in", inert(problem.where)))
    hint = "The rest of the catalog works. 'ebpftop check DIR' lists every problem in a folder."
    return Content("\n").join([*lines, Content(""), Content.styled(hint, "$quiet")])


def _words(probe: ProbeInfo, failure: Failure | None, key: str) -> Content:
    from ebpftop.ui.drawing.markdown import rendered

    lines = [
        Content(""),
        Content.styled(inert(probe.title), "bold"),
        Content(inert(probe.summary)),
        Content(""),
        _fact("question", inert(probe.question)),
        _fact("overhead", inert(probe.overhead)),
        _fact("status", _availability(probe)),
    ]
    if failure:
        why = Content.styled(f"{NOT_HERE} {inert(failure.message)}   {key} shows why", "$error")
        lines.append(_fact("rejected" if failure.stage == "verify" else "failed", why))
    for at, param in enumerate(probe.params):
        default = f", {inert(param.default)} by default" if param.default is not None else ""
        choices = f" ({', '.join(map(inert, param.choices))})" if param.choices else ""
        kind = f"{inert(param.type)}{choices}{default}"
        text = Content.assemble((inert(param.name), "bold"), f"  {inert(param.help)}  ", (kind, "$quiet"))
        lines.append(_fact("params" if at == 0 else "", text))
    if probe.readme:
        lines += [Content(""), rendered(probe.readme.removeprefix(f"# {probe.title}\n"))]
    return Content("\n").join(lines)


def _availability(probe: ProbeInfo) -> Content:
    if probe.available is False:
        return Content.styled(f"{NOT_HERE} {inert(probe.reason or 'not on this kernel')}", "$warning")
    if probe.available is None:
        return Content.styled(f"{UNKNOWN} {inert(probe.reason or 'not known yet')}", "$quiet")
    how = ", ".join(
        inert(part) for part in (probe.meaning, f"variant {probe.variant}" if probe.variant else None) if part
    )
    return Content.assemble((f"{RUNNABLE} runnable", ""), (f"   {how}" if how else "", "$quiet"))


def _fact(name: str, text: str | Content) -> Content:
    return Content.assemble((f"{name:<10}", "$quiet"), text)
