"""The state of the header, the tabs and the catalog's signs, computed from the session."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from time import localtime, strftime
from typing import TYPE_CHECKING, Protocol

from ebpftop.model.past.span import INTERVAL, START, Recent, Span, Wanted
from ebpftop.model.pressure import lately
from ebpftop.model.results import SHORT
from ebpftop.model.session import Session
from ebpftop.stats import formatting
from ebpftop.ui.drawing.inert import inert
from ebpftop.ui.drawing.spans import clock, position
from ebpftop.ui.drawing.theme import NOT_HERE, RUNNING, WARNING
from ebpftop.ui.feed.feed import Feed
from ebpftop.ui.widgets.entries import RunState
from ebpftop.ui.widgets.header import HeaderState
from ebpftop.ui.widgets.runs import Tab

if TYPE_CHECKING:
    from ebpftop.model.run import Run, Sample

ATTACHED = ("running", "detaching")
LATE = 2.0  # seconds behind from which a screen isn't live


def percent_of(run: Run) -> float | None:
    """Percent of one CPU that the run's programs take now; None while the kernel doesn't measure it."""
    from ebpftop.model.readings import cost

    now = cost(run)
    return now.cpu_percent if now and run.state in ATTACHED else None


def header_state(feed: Feed) -> HeaderState:
    session, over, paused = feed.session, feed.over, feed.still
    attached = [run for run in session.runs.values() if state_of(run, over) in ATTACHED]
    costs = [percent for run in attached if (percent := percent_of(run)) is not None]
    return HeaderState(
        hello=session.hello,
        hosts=tuple(session.hosts)[-10:],
        machines=tuple(session.machines.states),
        machines_at=session.machines.at,
        stalls=tuple(lately([*session.machines.loads[each.name]][-10:]) for each in session.machines.states),
        running=len(attached),
        cost=sum(costs) if costs else None,
        own=feed.own_percent,
        lost=sum(run.losses.lost for run in session.runs.values()),
        mode=_mode(feed, paused),
        live=feed.source.live,
        paused=paused,
        over=over,
        recorded=feed.keeping.tape.size if feed.keeping and feed.keeping.tape else None,
        late=feed.behind >= LATE or _as_of(feed, paused) is not None,
    )


def _mode(feed: Feed, paused: bool) -> str:
    """Live, or a tape and its position."""
    playback, stands = feed.playback, standing(feed)
    if playback is not None:
        stands = f"{stands} · " if stands else ""
        speed = f" ×{playback.speed:g}" if playback.speed != 1 else ""
        end = " · ended" if feed.ended is not None else ""
        return f"{stands}tape {position(playback.position)} / {position(playback.duration)}{speed}{end}"
    if feed.when.compares:
        return stands
    if (as_of := _as_of(feed, paused)) is not None:
        return strftime("as of %H:%M:%S", localtime(as_of))  # unlike an age, it stays true on the way to the screen
    if stands and feed.ended is None:
        return f"{stands} · collecting"
    if feed.behind >= LATE:
        return f"{feed.behind:.0f} s behind"
    word = "ended" if feed.ended is not None else "live" if feed.source.live else "tape"
    return f"{word} {interval_words(feed.interval)}"


def standing(feed: Feed) -> str:
    """Where the span is frozen; empty while it moves with time. An age is in tens of seconds, because each change is a
    drawing.
    """
    wanted, newest, a = feed.when.wanted, feed.session.newest, feed.when.a
    if newest is not None and feed.when.compares and feed.when.hosts is not None:
        return f"comparing A {inert(feed.when.hosts[0])} with B {inert(feed.when.hosts[1])} {_ends(wanted, newest)}"
    if newest is not None and a is not None and feed.when.compares:
        return f"comparing A {_ends(a, newest)} with B {_ends(wanted, newest)}"
    if not feed.when.still or newest is None:
        return "paused" if feed.when.still else ""
    if isinstance(wanted, Span):
        return _ends(wanted, newest)
    seconds = (newest.monotonic_ns - wanted.end) // 10**10 * 10
    return f"paused {formatting.duration(seconds * 1e9)} ago" if seconds else "paused"


def _ends(wanted: Wanted, newest: Sample) -> str:
    """The ends of a frozen span."""
    offset = newest.realtime_ns - newest.monotonic_ns
    until = clock(wanted.end, offset)
    if isinstance(wanted, Recent):
        if wanted.seconds in (INTERVAL.seconds, START.seconds):
            return f"until {until}"
        wanted = Span.last(wanted.seconds, wanted.end)
    return f"{clock(wanted.start, offset)}–{until}"


def _as_of(feed: Feed, paused: bool) -> float | None:
    return feed.as_of if feed.source.live and feed.ended is None and not paused else None


def state_of(run: Run, over: bool) -> str:
    """The run's state; nothing is attached once the collector is gone."""
    return "detached" if over and run.state in ("loading", *ATTACHED) else run.state


def run_states(session: Session, over: bool) -> dict[str, RunState]:
    """The state of each loaded probe: that of a running run if there is one, otherwise of its latest run."""
    states: dict[str, RunState] = {}
    for run in session.runs.values():
        state = state_of(run, over)
        if state in ATTACHED:
            states[run.probe] = RunState("running", _percent(run))
        elif states.get(run.probe, RunState("")).state == "running":
            continue
        elif state == "loading":
            states[run.probe] = RunState("loading", run.loading.stage if run.loading else "")
        elif state == "rejected":
            states[run.probe] = RunState("rejected", SHORT[run.rejected.stage] if run.rejected else "rejected")
        else:
            states.pop(run.probe, None)
    return states


def tabs(session: Session, closed: Collection[int], over: bool) -> tuple[Tab, ...]:
    """A tab for every run except rejected ones and those the user closed, in the order in which they were requested."""
    runs = [run for run in session.runs.values() if run.state != "rejected" and run.id not in closed]
    runs.sort(key=lambda run: (run.request, run.id))
    return tuple(tab_of(run, name, state_of(run, over)) for run, name in zip(runs, names(runs), strict=True))


class Named(Protocol):
    """A probe with parameters: a run, or a step of a playbook."""

    @property
    def probe(self) -> str: ...

    @property
    def params(self) -> dict[str, str]: ...


def names(runs: Sequence[Named]) -> list[str]:
    """A name for each run or step, just long enough to distinguish it: with the parameters in which two runs of one
    probe differ, and with the category only if two probes share a name.
    """
    found = []
    for run in runs:
        bare = run.probe.partition("/")[2] or run.probe
        alike = {other.probe for other in runs if other.probe.partition("/")[2] == bare}
        same = [other.params for other in runs if other.probe == run.probe]
        differ = [f" {key}={value}" for key, value in run.params.items() if any(p.get(key) != value for p in same)]
        found.append((run.probe if len(alike) > 1 else bare) + "".join(differ))
    return found


def tab_of(run: Run, name: str, state: str) -> Tab:
    losses = run.losses
    if state == "detached":
        return Tab(run.id, NOT_HERE, "$quiet", name, "detached")
    if state == "rejected":
        return Tab(run.id, NOT_HERE, "$error", name, "rejected")
    if state == "loading":
        return Tab(run.id, "◌", "$success", name, run.loading.stage if run.loading else "")
    if state == "detaching":
        return Tab(run.id, "◌", "$warning", name, "detaching")
    if losses.lost or losses.map_full or losses.evicted or losses.missed:
        return Tab(run.id, WARNING, "$warning", name, _percent(run))
    return Tab(run.id, RUNNING, "$success", name, _percent(run))


def _percent(run: Run) -> str:
    percent = percent_of(run)
    return "" if percent is None else formatting.percent(round(percent, 2 if percent < 1 else 1))


def interval_words(seconds: float) -> str:
    return formatting.duration(seconds * 1e9)
