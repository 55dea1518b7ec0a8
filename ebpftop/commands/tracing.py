"""Commands that trace: they need root, and run under the supervisor.

What only a child needs (asyncio, Textual, NumPy) is imported in that child: the supervisor stays small.
"""

from __future__ import annotations

import argparse
import signal
import socket
import sys
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ebpftop.base.errors import Cannot, UsageError
from ebpftop.catalog import folders, params
from ebpftop.catalog.current import CurrentCatalog
from ebpftop.catalog.manifest import read_probe
from ebpftop.catalog.model import Probe
from ebpftop.commands import named, root
from ebpftop.commands.screen import require as require_screen
from ebpftop.frames.messages import Catalog
from ebpftop.handover import protocol, transport
from ebpftop.supervisor import privilege
from ebpftop.supervisor.supervisor import Consumer, Plan, Supervisor

if TYPE_CHECKING:
    import asyncio

    from ebpftop.frames.local import LocalSource

_PACKAGE = Path(__file__).resolve().parents[1]


def dashboard(arguments: argparse.Namespace, argv: list[str]) -> int:
    """The dashboard on the running kernel."""
    require_screen()
    root.become(arguments, argv)
    return supervise(arguments.probes, _on_screen(""), screen=True, survey=True)


def play(arguments: argparse.Namespace, argv: list[str]) -> int:
    """The dashboard on a playbook, whose probes load while it still starts."""
    playbook = named.playbook(arguments.playbook, arguments.probes).info
    require_screen()
    root.become(arguments, argv)
    expected = [(step.probe, step.params) for step in playbook.steps]
    return supervise(arguments.probes, _on_screen(playbook.name), screen=True, survey=True, expected=expected)


def _on_screen(playbook: str) -> Consumer:
    def consumer(control: socket.socket, stream: socket.socket) -> int:
        from ebpftop.ui.app.run import run_dashboard

        return run_dashboard(_source(control, stream), playbook=playbook)

    return consumer


def run(arguments: argparse.Namespace, argv: list[str]) -> int:
    """One probe without the dashboard."""
    probe = named.probe(arguments.probe, arguments.probes)
    named.check_format(probe, arguments.format)
    given = _params([probe], arguments.param)
    root.become(arguments, argv)

    def consumer(control: socket.socket, stream: socket.socket) -> int:
        from ebpftop.export import headless

        return _asynchronously(
            lambda stop: headless.run(
                _source(control, stream),
                probe.id,
                given[probe.id],
                interval=arguments.interval,
                duration=arguments.duration,
                format=arguments.format,
                raw=arguments.raw,
                out=sys.stdout,
                err=sys.stderr,
                stop=stop,
            )
        )

    return supervise(arguments.probes, consumer, screen=False, expected=_expected([probe], given))


def record(arguments: argparse.Namespace, argv: list[str]) -> int:
    """Several probes into a tape, which belongs to whoever asked."""
    probes = [named.probe(name, arguments.probes) for name in arguments.names]
    given = _params(probes, arguments.param)
    root.become(arguments, argv)

    def consumer(control: socket.socket, stream: socket.socket) -> int:
        from ebpftop.export import recorder

        return _asynchronously(
            lambda stop: recorder.record(
                _source(control, stream),
                [(probe.id, given[probe.id]) for probe in probes],
                arguments.output,
                interval=arguments.interval,
                duration=arguments.duration,
                args=arguments.args,
                force=arguments.force,
                err=sys.stderr,
                stop=stop,
            )
        )

    return supervise(
        arguments.probes,
        consumer,
        screen=False,
        survey=True,
        expected=_expected(probes, given),
    )


# ---------------------------------------------------------------- what they share


def _params(probes: list[Probe], given: list[tuple[str, str]]) -> dict[str, dict[str, str]]:
    """The parameters of each probe by id; early, so that a mistake costs no password. Raises `UsageError`."""
    chosen: dict[str, dict[str, str]] = {}
    for probe in probes:
        known = {param.name for param in probe.params}
        mine = {name: value for name, value in given if name in known or len(probes) == 1}
        try:
            params.usable(probe, params.canonical(probe, mine))
        except params.BadParam as error:
            raise UsageError(str(error)) from None
        chosen[probe.id] = mine
    for name, _ in given:
        if not any(name in mine for mine in chosen.values()):
            raise UsageError(f"none of these probes has a parameter {name!a}")
    return chosen


def _expected(probes: list[Probe], given: dict[str, dict[str, str]]) -> list[tuple[str, dict[str, str]]]:
    """What will be loaded, the census first where processes are shown: they may end before it is asked for."""
    named = any(column.decode == "process" for probe in probes for view in probe.views for column in view.columns)
    census: list[tuple[str, dict[str, str]]] = [(protocol.CENSUS, {})] if named else []
    return census + [(probe.id, given[probe.id]) for probe in probes]


def supervise(
    extra: list[Path],
    consumer: Consumer,
    *,
    screen: bool,
    survey: bool = False,
    expected: list[tuple[str, dict[str, str]]] | None = None,
) -> int:
    """Run a command's consumer; where it has the screen, the extra folders are read again when they are saved."""
    who = privilege.invoker()
    census = read_probe(_PACKAGE / "collector" / "census", protocol.CENSUS)

    def collector(catalog: Catalog, control: socket.socket, stream: socket.socket) -> int:
        from ebpftop.collector.server import Server

        return Server(control, stream, catalog, idle=screen).run()

    plan = Plan(
        current=CurrentCatalog(extra, again=screen, rights=partial(privilege.rights_of, who)),
        internal={protocol.CENSUS: census},
        includes=folders.includes(),
        bcc=root.bcc(),
        collector=collector,
        consumer=consumer,
        expected=expected or [],
        survey=survey,
        screen=screen,
        invoker=who,
    )
    if who is not None and not privilege.can_read(who, _PACKAGE):
        raise Cannot(
            f"{who.name} can't read {_PACKAGE}, and the dashboard runs as {who.name}: "
            "install ebpftop where every user can read it"
        )
    return Supervisor(plan).run()


def _source(control: socket.socket, stream: socket.socket) -> LocalSource:
    from ebpftop.frames.local import LocalSource

    receiver = transport.Receiver(control)

    def restarted() -> socket.socket:
        transport.send(control, protocol.Restart())
        received = receiver.receive()
        if received is None or not isinstance(received[0], protocol.Stream):
            raise OSError("the supervisor is gone")
        return socket.socket(fileno=received[1][0])

    return LocalSource(stream, restarted)


def _asynchronously(work: Callable[[asyncio.Event], Coroutine[Any, Any, int]]) -> int:
    """Run with an event that SIGINT, SIGTERM and SIGHUP set."""
    import asyncio

    async def go() -> int:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        return await work(stop)

    return asyncio.run(go())
