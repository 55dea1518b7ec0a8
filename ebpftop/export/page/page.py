"""The whole page: place and time, events, the machine, and each probe."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from ebpftop import __version__
from ebpftop.base.look import Look
from ebpftop.export.compared import Compared
from ebpftop.export.gathered import Gathered, RunNumbers
from ebpftop.export.page import compared, tables, views
from ebpftop.export.page.axes import Axis, clock
from ebpftop.export.page.charts import Line, lines
from ebpftop.export.page.flame import rules
from ebpftop.export.page.markup import Markup, bare, joined, tag, text
from ebpftop.export.page.tables import Cell, table
from ebpftop.export.taped import Moment
from ebpftop.frames.messages import Hello, Host, Losses
from ebpftop.model import failure_text
from ebpftop.model.pressure import RESOURCES, stalled
from ebpftop.model.run import Run
from ebpftop.stats import formatting

_FOLDER = Path(__file__).parent
_PLAIN = Look(100, colour=False)
_LOG_LINES = 400  # of a verifier log
_SCRIPTS = ("sort.js", "save.js")
_NOTHING_ELSE = "img-src blob:; base-uri 'none'; form-action 'none'"  # the page's own script creates blobs
_MOMENTS = 200
_MACHINE = 240  # columns
_CAVEATS = re.compile(r"^\*\*Caveats\.\*\*\s+(.+?)(?:\n\s*\n|\Z)", re.MULTILINE | re.DOTALL)
_STRESSED = re.compile(r"(`[^`]+`|\*[^*`]+\*)")
_LOSSES = {
    "lost": "events lost to a full ring buffer or a slow reader",
    "map_full": "updates rejected by a full map",
    "evicted": "keys evicted from a full map by the kernel",
    "missed": "program runs skipped by the kernel",
}


@dataclass(frozen=True, slots=True)
class Page:
    """The contents of a page. source: a tape's name, or another origin of the numbers. problem: why the data is
    incomplete.

    compared: two compared spans, if any.
    """

    title: str
    source: str
    streams: list[Gathered]
    problem: str = ""
    compared: Compared | None = None


def html(page: Page) -> str:
    """The self-contained page."""
    style = (_FOLDER / "page.css").read_text() + rules()
    script = "".join((_FOLDER / name).read_text() for name in _SCRIPTS)
    policy = f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; {_NOTHING_ELSE}"
    sections = [_stream(stream, number) for number, stream in enumerate(page.streams)]
    if page.compared is not None:
        sections.insert(0, compared.section(page.compared))
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", page.title),
        tag("style", Markup(style)),
    )
    body = tag(
        "body",
        tag("a", "Skip to the numbers", href="#numbers", class_="skip"),
        tag("header", tag("h1", page.title), tag("p", "Source: ", bare(page.source), class_="quiet")),
        tag("p", f"▲ The tape is incomplete: {page.problem}", class_="warning") if page.problem else None,
        _contents(page),
        tag("main", sections, id="numbers"),
        tag("footer", _footer()),
        tag("script", Markup(script)),
    )
    return "<!DOCTYPE html>\n" + tag("html", head, body, lang="en") + "\n"


def _hash(content: str) -> str:
    return "sha256-" + b64encode(hashlib.sha256(content.encode()).digest()).decode()


def _contents(page: Page) -> Markup:
    links = [
        tag("li", tag("a", bare(each.run.probe), href=f"#{_anchor(number, each.run)}"), _state(each.run))
        for number, stream in enumerate(page.streams)
        for each in stream.runs
    ]
    if page.compared is not None:
        links.insert(0, compared.contents(page.compared))
    return tag("nav", tag("h2", "Probes"), tag("ul", links), aria_label="Probes")


def _state(run: Run) -> str:
    if run.rejected is not None:
        return " ✗ load failed"
    return " ▲ detached early" if run.stopped else ""


def _anchor(stream: int, run: Run) -> str:
    return f"run-{stream}-{run.id}"


def _footer() -> list[Markup]:
    return [
        tag(
            "p",
            "Numbers cover the span shown above them. A percentile is given as two bounds: the value lies between the "
            "two, which are at most 12.5% apart. A rate is an increase divided by the observed time. Times are in "
            f"the time zone of the machine that wrote this page. Written by ebpftop {__version__}.",
        )
    ]


# ---------------------------------------------------------------- a stream of frames


def _stream(stream: Gathered, number: int) -> Markup:
    axis = _axis(stream)
    runs = [_run(each, axis, _anchor(number, each.run)) for each in stream.runs]
    named = stream.title or (f"Part {number + 1}: the collector was restarted" if number else "")
    heading = tag("h2", bare(named)) if named else None
    return tag(
        "section",
        heading,
        _where(stream.hello, axis),
        _moments(stream.moments, stream.unnoticed),
        _machine(stream.hosts, axis),
        runs,
        class_="stream",
    )


def _axis(stream: Gathered) -> Axis:
    if stream.sampled is None:
        return Axis(0, 0, 0)
    ahead = stream.ahead
    moments = enumerate(stream.moments[:_MOMENTS], 1)
    marks = [(each.realtime_ns - ahead, at) for at, each in moments if each.realtime_ns is not None]
    whole = stream.sampled
    spans = [(name, span) for name, span in stream.spans.items() if span.start < whole.end and span.end > whole.start]
    return Axis(whole.start, whole.end, ahead, tuple(marks), tuple(spans))


def _where(hello: Hello | None, axis: Axis) -> Markup:
    facts: list[tuple[str, Markup | str]] = []
    if hello is not None:
        facts += [
            ("host", bare(hello.host)),
            ("kernel", bare(f"{hello.kernel} {hello.machine}")),
            ("CPUs", str(hello.cpus)),
            ("recorded by", bare(f"ebpftop {hello.version}" + (f", {hello.user}" if hello.user else ""))),
        ]
    if axis.end > axis.start:
        facts += [
            ("from", tag("span", clock(axis.start + axis.ahead), data_ns=axis.start + axis.ahead)),
            ("to", tag("span", clock(axis.end + axis.ahead), data_ns=axis.end + axis.ahead)),
            ("length", formatting.duration(axis.end - axis.start)),
        ]
    return tag("dl", (joined(tag("dt", name), tag("dd", value)) for name, value in facts), class_="facts")


def _moments(moments: list[Moment], unnoticed: int) -> Markup | None:
    if not moments:
        return None
    rows = [
        [
            Cell(str(at), at),
            Cell("–") if each.realtime_ns is None else Cell(clock(each.realtime_ns), each.realtime_ns),
            Cell(each.what),
            Cell(each.text),
        ]
        for at, each in enumerate(moments[:_MOMENTS], 1)
    ]
    more = len(moments) - len(rows) + unnoticed
    left_out = f"{formatting.plural(more, 'more moment')} left out." if more else ""
    return joined(tag("h2", "What happened"), table("Moments", "moments", ["", "when", "what", ""], rows, left_out))


def _machine(hosts: list[Host], axis: Axis) -> Markup | None:
    hosts = [host for host in hosts if axis.start <= host.realtime_ns - axis.ahead <= axis.end]
    if len(hosts) < 2:
        return None
    hosts = [hosts[at * len(hosts) // _MACHINE] for at in range(_MACHINE)] if len(hosts) > _MACHINE else hosts
    ends = [host.realtime_ns - axis.ahead for host in hosts]
    starts = [axis.start, *ends[:-1]]
    drawn = [
        Line("CPU", "p50", [host.cpu_percent for host in hosts]),
        Line("memory", "p99", [host.memory_percent for host in hosts]),
    ]
    picture = lines(axis, starts, ends, drawn, "percent", "The machine: CPU and memory in percent over time")
    rows = [
        _summary("CPU", [host.cpu_percent for host in hosts]),
        _summary("memory", [h.memory_percent for h in hosts]),
    ]
    shares = [
        stalled(one.pressure, other.pressure, other.realtime_ns - one.realtime_ns) for one, other in pairwise(hosts)
    ]
    for name in RESOURCES:
        if values := [share[name] for share in shares if name in share]:
            rows.append(_summary(f"some tasks stalled, {name}", values))
    return tag(
        "section",
        tag("h2", "The machine"),
        tag("figure", tag("figcaption", "CPU solid, memory dashed, in percent"), picture),
        table("The machine in percent", "machine", ["", "least", "mean", "most"], [*rows, _load(hosts)]),
    )


def _summary(name: str, values: list[float]) -> list[Cell]:
    found = (min(values), sum(values) / len(values), max(values))
    return [Cell(name), *(Cell(formatting.percent(value), value) for value in found)]


def _load(hosts: list[Host]) -> list[Cell]:
    values = [host.load for host in hosts]
    found = (min(values), sum(values) / len(values), max(values))
    return [Cell("load average"), *(Cell(formatting.count(value), value) for value in found)]


# ---------------------------------------------------------------- a run of a probe


def _run(numbers: RunNumbers, axis: Axis, anchor: str) -> Markup:
    run, info = numbers.run, numbers.info
    heading = tag("h2", bare(run.probe), _params(run))
    if run.loaded is None:
        body = [_failure(run)] if run.rejected else [tag("p", "It was never attached.")]
        return tag("section", heading, body, id=anchor, class_="run", data_probe=run.probe, data_run=run.id)
    shown = [views.view(part, over, axis) for part, over in zip(numbers.parts, numbers.overviews, strict=True)]
    return tag(
        "section",
        heading,
        tag("p", info.question, class_="question") if info else None,
        _provenance(run),
        _lost(numbers.losses, since=not numbers.traced),
        _caveats(numbers),
        shown,
        _cost(numbers),
        id=anchor,
        class_="run",
        data_probe=run.probe,
        data_run=run.id,
    )


def _params(run: Run) -> Markup | None:
    given = " ".join(f"{name}={value}" for name, value in run.params.items())
    return tag("small", " ", bare(given)) if given else None


def _provenance(run: Run) -> Markup:
    """The variant that runs, the meaning of its numbers, and its attach points."""
    loaded = run.loaded
    assert loaded is not None
    facts = [("variant", f"{loaded.variant}: {loaded.meaning}"), ("attached to", ", ".join(loaded.attached))]
    facts += [(f"not {one.variant}", one.reason) for one in loaded.tried if one.variant != loaded.variant]
    if run.stopped:
        facts.append(("detached", run.stopped))
    return tag("dl", (joined(tag("dt", bare(name)), tag("dd", bare(value))) for name, value in facts), class_="facts")


def _lost(losses: Losses, *, since: bool) -> Markup:
    """What is missing from the numbers."""
    found = {name: getattr(losses, name) for name in _LOSSES}
    items = [
        tag("li", f"▲ {formatting.count(count)} {_LOSSES[name]}", data_loss=name, data_v=count)
        for name, count in found.items()
        if count
    ]
    when = " since it was attached" if since else ""
    if not items:
        return tag("p", f"Nothing was lost{when}.", class_="quiet")
    return joined(tag("p", f"Not in these numbers{when}:"), tag("ul", items, class_="warning"))


def _caveats(numbers: RunNumbers) -> Markup | None:
    said: list[Markup] = [bare(note) for note in numbers.run.loaded.notes] if numbers.run.loaded else []
    for each in numbers.parts:
        name, skew = each.part.view.title, numbers.skew.get(each.part.view.name, 0)
        if each.folded:
            said.append(text(f"{name}: {formatting.plural(each.folded, 'row')} hold several keys each."))
        if skew:
            said.append(text(f"{name}: {formatting.plural(skew, 'value')} decreased that should only increase."))
    if found := _CAVEATS.search(numbers.info.readme if numbers.info else ""):
        said.append(joined(map(_stressed, _STRESSED.split(" ".join(found.group(1).split())))))
    if not said:
        return None
    return tag("details", tag("summary", "Caveats"), tag("ul", (tag("li", one) for one in said)), open=True)


def _stressed(piece: str) -> Markup:
    """A piece of Markdown: code, emphasis or plain."""
    if len(piece) > 2 and piece[0] == piece[-1] and piece[0] in "`*":
        return tag("code" if piece[0] == "`" else "em", piece[1:-1])
    return text(piece)


def _cost(numbers: RunNumbers) -> Markup | None:
    """The programs' use of the machine."""
    cost, rows = numbers.cost, []
    if cost is not None:
        estimated = " (estimated: timed for a tenth of the time)" if cost.estimated else ""
        rows += [
            [Cell(f"program time{estimated}"), tables.number(cost.run_time_ns, "ns")],
            [Cell(f"program runs{estimated}"), tables.number(cost.run_count)],
            [Cell("time per run"), tables.number(cost.ns_per_event, "ns")],
            [
                Cell("share of one CPU"),
                Cell("–") if cost.cpu_percent is None else Cell(formatting.percent(cost.cpu_percent), cost.cpu_percent),
            ],
        ]
        if cost.attachment_ns:
            rows.append([Cell("attachment time (estimated)"), tables.number(cost.attachment_ns, "ns")])
    rows += [
        [Cell(f"ring buffer {ring.map}"), Cell(formatting.ring(ring.size, ring.most), ring.most)]
        for ring in numbers.rings
    ]
    if not rows:
        return None
    what = "What the probe cost" if numbers.traced else "What the probe cost since it was attached"
    return tag("details", tag("summary", "What it cost"), table(what, "cost", ["", ""], rows))


def _failure(run: Run) -> Markup:
    failure = run.failure
    assert failure is not None
    explained = failure_text.as_text(failure, _PLAIN)
    log = failure.log.splitlines()
    shown = log[:_LOG_LINES]
    rest = (
        tag("p", f"{formatting.plural(len(log) - len(shown), 'more line')} left out.")
        if len(log) > len(shown)
        else None
    )
    return joined(
        tag("p", f"✗ {failure.headline}", class_="warning"),
        _preformatted(explained.splitlines(), "The explanation"),
        tag("details", tag("summary", "Log"), _preformatted(shown, "The log"), rest) if log else None,
    )


def _preformatted(rows: list[str], what: str) -> Markup:
    written = Markup("\n".join(text(row.expandtabs()) for row in rows))
    return tag("pre", written, tabindex=0, role="region", aria_label=what)
