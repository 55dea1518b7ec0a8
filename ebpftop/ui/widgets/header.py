"""The first line: the machine, its load, our cost, lost events, and whether this is live or a tape."""

from __future__ import annotations

from msgspec import Struct
from textual.content import Content
from textual.reactive import reactive

from ebpftop.frames.messages import Hello, Host, HostState
from ebpftop.model.machines import age
from ebpftop.model.pressure import SHORT, STALLS, lately, stalled
from ebpftop.stats import formatting
from ebpftop.ui.drawing.inert import inert
from ebpftop.ui.drawing.line import Piece, fit, piece
from ebpftop.ui.drawing.theme import HERE, NOT_HERE, RUNNING, WARNING
from ebpftop.ui.widgets.kept import Words
from ebpftop.ui.widgets.sparkline import sparkline

SPARK = 10
AMBER, RED = 5.0, 25.0  # percent of a CPU that probes and ebpftop take together


class HeaderState(Struct, frozen=True):
    """The content of the line. `cost` of the probes' programs and `own`, of ebpftop's processes, are percent of one
    CPU, None if not measured; `mode` is the right end.
    """

    hello: Hello | None = None
    hosts: tuple[Host, ...] = ()
    machines: tuple[HostState, ...] = ()  # where the stream comes from several
    machines_at: int = 0
    stalls: tuple[dict[str, float], ...] = ()  # of each of these, by resource
    running: int = 0
    cost: float | None = None
    own: float | None = None
    lost: int = 0
    mode: str = ""
    live: bool = True
    paused: bool = False
    over: bool = False
    late: bool = False
    recorded: int | None = None  # bytes of the tape that is being written


class HeaderLine(Words):
    DEFAULT_CSS = """
    HeaderLine {
        dock: top;
        height: 1;
        padding: 0 1;
        background: $panel;
        color: $foreground;
    }
    """

    state: reactive[HeaderState] = reactive(HeaderState(), repaint=False)

    def watch_state(self) -> None:
        self.update_lines()

    def words(self) -> Content:
        state = self.state
        return fit([_name(), *_machine(state)], [*_ours(state), _mode(state)], self.content_size.width)


def _name() -> Piece:
    return Piece(Content.assemble(("ebpf", "bold"), ("top", "bold $primary")), 1)


def _machine(state: HeaderState) -> list[Piece]:
    if len(state.machines) > 1:
        each_of = zip(state.machines, state.stalls, strict=True)
        return [part for each, stalls in each_of for part in (_host(each, state.machines_at), *_much(each, stalls))]
    pieces = [_host(each, state.machines_at) for each in state.machines if each.state != "live"]
    if hello := state.hello:
        pieces.append(piece(inert(hello.host), "bold", 3))
        if hello.kernel:  # not yet known of a host that was never reached
            pieces.append(piece(f"Linux {inert(hello.kernel)}", "$quiet", 6))
            pieces.append(piece(f"{hello.cpus} cpus", "$quiet", 7))
    if state.hosts:
        host = state.hosts[-1]
        past = sparkline([each.cpu_percent for each in state.hosts], SPARK, 100.0)
        pieces.append(
            Piece(
                Content.assemble(
                    ("cpu ", "$quiet"), (past, "$primary"), f" {formatting.percent(round(host.cpu_percent)):>4}"
                ),
                2,
            )
        )
        pieces.append(Piece(Content.assemble(("mem ", "$quiet"), formatting.percent(round(host.memory_percent))), 4))
        pieces.append(Piece(Content.assemble(("load ", "$quiet"), f"{host.load:.1f}"), 6))
        pieces += _stalls(state.hosts)
    return pieces


def _host(host: HostState, now: int) -> Piece:
    """One host of several. Facts that all share are left out."""
    name = inert(host.name)
    if host.state == "live":
        cpu = formatting.percent(round(host.load.cpu_percent)) if host.load else ""
        return Piece(Content.assemble((name, "bold"), (" cpu ", "$quiet"), f"{cpu:>4}"), 3)
    if host.state == "connecting":
        return piece(f"{name} …", "$quiet", 2)
    sign, style = (WARNING, "bold $warning") if host.state == "late" else (NOT_HERE, "bold $error")
    return piece(f"{sign} {name} {age(host, now)} ago", style, 0)


def _much(host: HostState, stalls: dict[str, float]) -> list[Piece]:
    """The resources that its tasks wait for a lot."""
    much = {resource: share for resource, share in stalls.items() if share >= STALLS[resource][0]}
    return [Piece(_written("psi", much), 6)] if much and host.state == "live" else []


def _stalls(hosts: tuple[Host, ...]) -> list[Piece]:
    """The share of the last seconds in which some tasks waited for a resource: first the machine's,
    then the cgroup's.
    """
    last = hosts[-1]
    pieces = []
    if shares := lately(hosts):
        pieces.append(Piece(_written("psi", shares), 5))
    alike = [host for host in hosts if host.cgroup == last.cgroup]
    before = alike[0]
    passed = last.realtime_ns - before.realtime_ns
    if last.cgroup and (shares := stalled(before.cgroup_pressure, last.cgroup_pressure, passed)):
        name = inert(last.cgroup.rpartition("/")[2])
        pieces.append(Piece(_written(f"in {name}", shares), 5))
    return pieces


def _written(title: str, shares: dict[str, float]) -> Content:
    parts: list[tuple[str, str]] = [(title, "$quiet")]
    for resource, share in shares.items():
        amber, red = STALLS[resource]
        style = "bold $error" if share >= red else "bold $warning" if share >= amber else ""
        if round(share):
            parts.append((f" {SHORT.get(resource, resource)} {formatting.percent(round(share))}", style))
    return Content.assemble(*parts, *([(" 0", "$quiet")] if len(parts) == 1 else []))


def _ours(state: HeaderState) -> list[Piece]:
    pieces = []
    if state.running:
        pieces.append(piece(formatting.plural(state.running, "probe"), rank=5))
    if costs := _costs(state):
        total = (state.cost or 0.0) + (state.own or 0.0)
        style = "bold $error" if total >= RED else "bold $warning" if total >= AMBER else ""
        pieces.append(piece(costs, style, 3))
    if state.lost:
        pieces.append(piece(f"{WARNING} lost {formatting.count(state.lost)}", "bold $warning", 0))
    elif state.running:
        pieces.append(piece("lost 0", "$quiet", 4))
    if state.recorded is not None:
        pieces.append(piece(f"{RUNNING} rec {formatting.bytes_(state.recorded)}", "bold $error", 1))
    return pieces


def _costs(state: HeaderState) -> str:
    """In percent of one CPU; for several hosts the sum."""
    parts = [(state.cost, "probes"), (state.own, "ebpftop")]
    said = " · ".join(f"{formatting.percent(round(used, 1))} {whose}" for used, whose in parts if used is not None)
    several = f" on {len(state.machines)} hosts" if len(state.machines) > 1 else ""
    return said and said + several


def _mode(state: HeaderState) -> Piece:
    if state.over:
        return piece(f"{NOT_HERE} {state.mode}", "bold $error", 0)
    if state.late:
        return piece(f"{WARNING} {state.mode}", "bold $warning", 0)
    if state.paused:
        return piece(f"‖ {state.mode}", "bold $warning", 0)
    sign = RUNNING if state.live else HERE
    return Piece(Content.assemble((f"{sign} ", "$success" if state.live else "$primary"), state.mode), 0)
