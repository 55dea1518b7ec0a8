"""A probe of the catalog before it runs: what it answers, what it costs, what it takes, and its C."""

from __future__ import annotations

from collections.abc import Iterable

from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from ebpftop.frames.messages import ProbeInfo, Rejected
from ebpftop.ui.code import highlighted
from ebpftop.ui.inert import inert
from ebpftop.ui.markdown import rendered
from ebpftop.ui.theme import NOT_HERE, RUNNABLE, UNKNOWN
from ebpftop.ui.widgets.panel import words

WELCOME = (
    "Choose a probe on the left and press Enter: it is compiled, checked by the kernel's verifier and attached in a "
    "fraction of a second. Nothing stays in the kernel after you leave."
)


class About(VerticalScroll, can_focus=True):
    DEFAULT_CSS = """
    About {
        height: 1fr;
        border: round $rim;
        border-title-color: $quiet;
        padding: 0 2;
        scrollbar-size: 1 1;
        &:focus { border: round $primary; border-title-color: $foreground; }
        & > Static { width: auto; margin: 0 0 1 0; }
        & > #about-words { width: 100%; }
    }
    """

    def __init__(self) -> None:
        super().__init__(id="about")
        self.told = Static(markup=False, id="about-words")
        self.code = Static(markup=False, id="about-code")
        self._shown: tuple[ProbeInfo, Rejected | None] | list[ProbeInfo] | None = None

    def compose(self) -> Iterable[Widget]:
        yield self.told
        yield self.code

    def show(self, probe: ProbeInfo, rejected: Rejected | None = None) -> None:
        """Tell of one probe, and why it was rejected last."""
        if self._shown != (probe, rejected):
            self._shown = (probe, rejected)
            self._tell(probe.id, _words(probe, rejected), highlighted(probe.source))

    def show_category(self, probes: list[ProbeInfo]) -> None:
        """Tell of several probes, a line each."""
        if self._shown != probes:
            self._shown = probes
            self._tell(probes[0].category if probes else "", _summaries(probes), Content(""))

    def _tell(self, title: str, told: Content, code: Content) -> None:
        self.scroll_home(animate=False)
        self.border_title = words(title)
        self.told.update(told)
        self.code.update(code)


def _summaries(probes: list[ProbeInfo]) -> Content:
    lines = [Content(""), Content.styled(WELCOME, "$quiet")]
    for probe in probes:
        name = probe.id.partition("/")[2]
        lines += [
            Content(""),
            Content.assemble((inert(name), "bold"), f"  {inert(probe.title)}"),
            Content(inert(probe.question)),
        ]
    return Content("\n").join(lines)


def _words(probe: ProbeInfo, rejected: Rejected | None) -> Content:
    lines = [
        Content(""),
        Content.styled(inert(probe.title), "bold"),
        Content(inert(probe.summary)),
        Content(""),
        _said("answers", inert(probe.question)),
        _said("costs", inert(probe.overhead)),
        _said("here", _availability(probe)),
    ]
    if rejected:
        lines.append(_said("rejected", Content.styled(f"{NOT_HERE} {inert(rejected.error)}   v shows why", "$error")))
    for at, param in enumerate(probe.params):
        default = f", {inert(param.default)} by default" if param.default is not None else ""
        choices = f" ({', '.join(map(inert, param.choices))})" if param.choices else ""
        kind = f"{inert(param.type)}{choices}{default}"
        text = Content.assemble((inert(param.name), "bold"), f"  {inert(param.help)}  ", (kind, "$quiet"))
        lines.append(_said("takes" if at == 0 else "", text))
    if probe.readme:
        lines += [Content(""), rendered(probe.readme.removeprefix(f"# {probe.title}\n"))]
    return Content("\n").join(lines)


def _availability(probe: ProbeInfo) -> Content:
    if probe.available is False:
        return Content.styled(f"{NOT_HERE} {inert(probe.reason or 'not on this kernel')}", "$warning")
    if probe.available is None:
        return Content.styled(f"{UNKNOWN} {inert(probe.reason or 'only root can tell')}", "$quiet")
    how = ", ".join(
        inert(part) for part in (probe.meaning, f"variant {probe.variant}" if probe.variant else None) if part
    )
    return Content.assemble((f"{RUNNABLE} runnable", ""), (f"   {how}" if how else "", "$quiet"))


def _said(name: str, text: str | Content) -> Content:
    return Content.assemble((f"{name:<10}", "$quiet"), text)
