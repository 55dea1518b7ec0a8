"""The identity of a process in a few lines, above its page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace
from textual.content import Content
from textual.reactive import reactive

from ebpftop.frames.messages import Ancestor, Process, ProcessFacts
from ebpftop.model import dimensions
from ebpftop.stats import formatting
from ebpftop.ui.drawing.inert import cell, inert
from ebpftop.ui.drawing.line import Piece, fit, piece
from ebpftop.ui.drawing.theme import WARNING
from ebpftop.ui.widgets.kept import Words
from ebpftop.ui.widgets.sparkline import sparkline

TITLES = 9  # cells
CHART = 30  # values of a chart, at most
NEAR = 0.9  # of the limit of open files
STATES = {
    "R": "running",
    "S": "sleeping",
    "D": "waiting, uninterruptible",
    "T": "stopped",
    "t": "stopped by a debugger",
    "Z": "zombie",
    "X": "dead",
    "I": "idle",
}
_BYTES = ("locked memory", "address space", "core file size", "stack size")
_SHORT = {"core file size": "core"}

Line = tuple[str, list[Piece]]  # a title, and what stands behind it


@dataclass(frozen=True, slots=True)
class Portrait:
    """The facts of a process. parents: the nearest first. started: the time, formatted. age_ns: how long it has lived,
    or did. ended: in words, "" while it lives. notes: a line for each thing that is unknown or not live. percents: of a
    CPU, between samples; sizes: resident bytes, at samples.
    """

    process: Process
    facts: ProcessFacts | None = None
    parents: Sequence[Ancestor] = ()
    started: str = ""
    age_ns: int | None = None
    ended: str = ""
    notes: Sequence[str] = ()
    percents: Sequence[float] = field(default_factory=tuple)
    sizes: Sequence[float] = field(default_factory=tuple)

    @property
    def name(self) -> str:
        """Its name, as it is now."""
        return cell(self.facts.comm if self.facts and self.facts.comm else self.process.comm)

    @property
    def user(self) -> str:
        facts = self.facts
        if facts is None:
            return inert(self.process.user)
        return inert(facts.user) + (f" (uid {facts.uid})" if facts.uid != facts.euid else "")

    @property
    def command(self) -> str:
        known = self.facts.command if self.facts else None
        return inert(known if known is not None else self.process.command)

    @property
    def cgroup(self) -> str:
        return self.facts.cgroup if self.facts and self.facts.cgroup else self.process.cgroup

    @property
    def places(self) -> dict[str, str]:
        """The names of the places where it runs, by kind of place."""
        process = self.process
        if process.cgroup != self.cgroup:  # it was moved
            process = replace(process, cgroup=self.cgroup, container="", pod="", image="")
        found = {name: dimensions.TRAITS[name](process) for name in ("container", "pod", "image", "unit")}
        return {name: text for name, text in found.items() if text}

    @property
    def family(self) -> str:
        return " ‹ ".join(f"{cell(each.comm)} {each.tgid}" for each in self.parents)


class ProcessHead(Words):
    DEFAULT_CSS = """
    ProcessHead { height: 1; padding: 0 1; background: $background; }
    """
    portrait: reactive[Portrait | None] = reactive(None, repaint=False)

    def watch_portrait(self) -> None:
        height = len(self._lines())
        if self.styles.height is None or self.styles.height.value != height:
            self.styles.height = height  # else nothing moves
        self.update_lines()

    def _lines(self) -> list[Line]:
        return list(lines(self.portrait)) if self.portrait else []

    def words(self) -> Content:
        width = self.size.width
        written = []
        for title, pieces in self._lines():
            room = max(1, width - TITLES - 1)
            rest = fit(pieces, [], room) if title else fit(pieces, [], width)
            written.append(Content.assemble((f"{title:<{TITLES}} " if title else "", "$quiet"), rest))
        return Content("\n").join(written)


def lines(known: Portrait) -> Iterator[Line]:
    """As much as fits a line, the most important first."""
    facts = known.facts
    yield "", _who(known)
    yield "command", [piece(known.command or "–", "" if known.command else "$quiet")]
    yield "parents", [piece(known.family or "–")]
    yield "cgroup", [*_places(known.places), piece(inert(known.cgroup) or "–", "$quiet", 2)]
    if facts is not None:
        yield "CPU", _cpu(known, facts)
        yield "memory", _memory(known, facts)
        yield "limits", _limits(facts)
    for note in known.notes:
        yield "", [piece(f"{WARNING} {inert(note)}", "$warning")]


def _places(named: Mapping[str, str]) -> list[Piece]:
    """The places where it runs. A unit needs no label: its suffix shows that it is one."""
    words = {name: f"{name} {cell(text)}" if name != "unit" else cell(text) for name, text in named.items()}
    return [piece(text, "" if name == "image" else "bold", int(name == "image")) for name, text in words.items()]


def _who(known: Portrait) -> list[Piece]:
    facts, process = known.facts, known.process
    state = known.ended or (STATES.get(facts.state, inert(facts.state)) if facts else "")
    threads = formatting.plural(facts.thread_count, "thread") if facts and facts.thread_count else ""
    age = f"{formatting.duration(known.age_ns)} old" if known.age_ns is not None and not known.ended else ""
    pieces = [piece(f"{known.name} {process.tgid}", "bold")]
    pieces += [piece(f"{process.nspid} in its pid namespace", "bold", 1)] if process.nspid else []
    pieces += [piece(state, "bold $warning" if known.ended else "$success")] if state else []
    rest = [("ebpftop's own" if process.own else "", 1), (known.user, 2), (threads, 3), (age, 4)]
    rest.append((f"since {known.started}" if known.started else "", 5))
    return pieces + [piece(text, rank=rank) for text, rank in rest if text]


def _cpu(known: Portrait, facts: ProcessFacts) -> list[Piece]:
    last = known.percents[-1] if known.percents else None
    now = f"{formatting.percent(last)} of a CPU" if last is not None else "measuring…"
    spent = piece(f"{formatting.duration(facts.cpu_ns)} since its start", rank=1)
    return [piece(f"{now:<16}"), spent, *_chart(known.percents)]


def _memory(known: Portrait, facts: ProcessFacts) -> list[Piece]:
    if facts.rss is None:
        return [piece("none of its own", "$quiet")]
    pss = [piece(f"PSS {formatting.bytes_(facts.pss)}", rank=3)] if facts.pss else []
    swap = [piece(f"swap {formatting.bytes_(facts.swap)}", "bold $warning" if facts.swap else "", rank=1)]
    return [piece(f"{'RSS ' + formatting.bytes_(facts.rss):<16}"), *swap, *pss, *_chart(known.sizes)]


def _chart(values: Sequence[float]) -> list[Piece]:
    """A chart from 0 to the greatest value, as wide as there are values."""
    return [piece(sparkline(values, min(len(values), CHART)), "$primary", 2)] if len(values) > 1 else []


def _limits(facts: ProcessFacts) -> list[Piece]:
    order = ("open files", "processes", "locked memory", "address space", "core file size", "cpu time", "stack size")
    soft = {each.name: each.soft for each in facts.limits}
    pieces = []
    for rank, name in enumerate(name for name in order if name in soft):
        written = _limit(name, soft[name])
        style = ""
        if name == "open files":
            used = facts.file_count + facts.socket_count
            written = f"{formatting.count(used)} of {written}"
            style = "bold $warning" if soft[name] is not None and used >= NEAR * (soft[name] or 0) else ""
        if name in ("cpu time", "stack size") and soft[name] is None:
            continue
        pieces.append(piece(f"{_SHORT.get(name, name)} {written}", style, rank))
    return pieces or [piece("–", "$quiet")]


def _limit(name: str, value: int | None) -> str:
    if value is None:
        return "unlimited"
    return formatting.bytes_(value) if name in _BYTES else formatting.count(value)


def fields(known: Portrait) -> list[tuple[str, str]]:
    """Everything, uncut, for a list of fields."""
    facts = known.facts
    found = [
        ("name", known.name),
        ("pid", str(known.process.tgid)),
        *([("pid in its namespace", str(known.process.nspid))] if known.process.nspid else []),
        ("state", known.ended or (STATES.get(facts.state, facts.state) if facts else "")),
        ("command line", known.command),
        ("parents", known.family),
        ("user", known.user),
        *known.places.items(),
        ("cgroup", known.cgroup),
        ("started", known.started),
        ("age", formatting.duration(known.age_ns) if known.age_ns is not None else ""),
    ]
    if facts is not None:
        found += [
            ("CPU time", formatting.duration(facts.cpu_ns)),
            ("RSS", formatting.bytes_(facts.rss)),
            ("PSS", formatting.bytes_(facts.pss)),
            ("swap", formatting.bytes_(facts.swap)),
        ]
        for each in facts.limits:
            soft, hard = _limit(each.name, each.soft), _limit(each.name, each.hard)
            found.append((f"limit: {each.name}", soft if soft == hard else f"{soft}, up to {hard}"))
    return [*found, *(("note", note) for note in known.notes)]
