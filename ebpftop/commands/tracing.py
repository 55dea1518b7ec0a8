"""Commands that trace: they need root, and run under the supervisor.

Modules that only a child needs (asyncio, Textual, NumPy) are imported in that child, so the supervisor stays small.
Those that only the root side needs are imported once the consumer has been forked.
"""

from __future__ import annotations

import argparse
import signal
import socket
import sys
from collections.abc import Callable, Collection, Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ebpftop.base import hangup, jobs, loop
from ebpftop.base.bounds import BUDGET
from ebpftop.base.errors import Cannot, UsageError
from ebpftop.base.lean import lean
from ebpftop.commands import root, settings
from ebpftop.commands.screen import require as require_screen
from ebpftop.frames.messages import Load, PlaybookInfo
from ebpftop.handover import protocol, transport
from ebpftop.handover.mailbox import Control
from ebpftop.kernel import support
from ebpftop.supervisor import children, privilege, terminal

if TYPE_CHECKING:
    import asyncio

    from ebpftop.catalog.model import Probe
    from ebpftop.frames.local import LocalSource
    from ebpftop.frames.source import Source
    from ebpftop.model.trigger import Trigger

    Found = Sequence[tuple[Trigger, Probe]]  # the triggers of a command, with their probes
    Work = Coroutine[Any, Any, int]  # it returns the command's status

_LOOKS = 30  # minimum number of steps for triage
_PACKAGE = Path(__file__).resolve().parents[1]


def dashboard(arguments: argparse.Namespace, argv: list[str]) -> int:
    """Run the dashboard on the running kernel."""
    from ebpftop.commands import triggers

    opened = settings.playbook(arguments)
    found = triggers.read(arguments)
    require_screen()
    return _on_screen(arguments, argv, found, opened.info if opened else None)


def play(arguments: argparse.Namespace, argv: list[str]) -> int:
    """Run the dashboard on a playbook; its probes start loading while the dashboard is starting."""
    from ebpftop.commands import named, triggers

    playbook = named.playbook(arguments.playbook, arguments.probes).info
    found = triggers.read(arguments)
    require_screen()
    return _on_screen(arguments, argv, found, playbook)


def _on_screen(arguments: argparse.Namespace, argv: list[str], found: Found, playbook: PlaybookInfo | None) -> int:
    """Run the dashboard. Probes that triggers name are loaded too, unless they need a parameter that says what to
    trace.
    """
    from ebpftop.commands import triggers

    loads = _steps(playbook, arguments.interval) if playbook else []
    more = [probe.id for probe in triggers.others(found, [load.probe for load in loads]) if not probe.asks]
    outer: list[int] = []

    def consumer(source: Source) -> int:
        lean("asyncio", "ssl")
        from ebpftop.ui.app.run import run_dashboard

        return run_dashboard(
            source,
            auto_load=[(name, {}) for name in more],
            playbook=playbook.name if playbook else "",
            loads=loads,
            interval=arguments.interval,
            chosen=arguments.settings,
            watching=triggers.watching(arguments, found, screen=True),
            outer=outer,
        )

    return _trace(arguments, argv, consumer, screen=True, survey=True, expected=loads, outer=outer)


def run(arguments: argparse.Namespace, argv: list[str]) -> int:
    """Run one probe without the dashboard."""
    from ebpftop.commands import named, triggers

    probe = named.probe(arguments.probe, arguments.probes)
    named.check_format(probe, arguments.format, arguments.raw)
    found = triggers.read(arguments)
    for other in triggers.others(found, [probe.id]):
        raise UsageError(f"--when names {other.id}, but only {probe.id} runs: to run several, use 'ebpftop record'")
    loads = _loads([(probe, {})], arguments.param, arguments.interval)

    def work(source: Source, stop: asyncio.Event) -> Work:
        from ebpftop.export import headless

        return headless.run(
            source,
            loads[0],
            duration=arguments.duration,
            format=arguments.format,
            raw=arguments.raw,
            watching=triggers.watching(arguments, found),
            out=sys.stdout,
            err=sys.stderr,
            stop=stop,
        )

    return _trace(arguments, argv, _without_screen(work), expected=_expected([probe], loads), tied_to=ends_with())


def record(arguments: argparse.Namespace, argv: list[str]) -> int:
    """Record probes, or only what triggers find, to a tape that belongs to the invoker."""
    from ebpftop.commands import named, triggers

    found = triggers.read(arguments)
    if arguments.output is None and arguments.save is None:
        raise UsageError("record needs -o TAPE, or --when TRIGGER and --save DIR")
    if str(arguments.output) == "-":
        raise UsageError("a tape can't be written to standard output; for a file named -, use -o ./-")
    probes = [named.probe(name, arguments.probes) for name in arguments.names]
    probes += triggers.others(found, [probe.id for probe in probes])
    if not probes:
        raise UsageError("record needs a probe, or a trigger that names one")
    loads = _loads([(probe, {}) for probe in probes], arguments.param, arguments.interval)

    def work(source: Source, stop: asyncio.Event) -> Work:
        from ebpftop.export import recorder

        return recorder.record(
            source,
            loads,
            arguments.output,
            duration=arguments.duration,
            args=arguments.args,
            force=arguments.force,
            watching=triggers.watching(arguments, found),
            err=sys.stderr,
            stop=stop,
        )

    return _trace(
        arguments, argv, _without_screen(work), survey=True, expected=_expected(probes, loads), tied_to=_terminals()
    )


def exporter(arguments: argparse.Namespace, argv: list[str]) -> int:
    """Serve the probes' counts to Prometheus; the process that listens has the invoker's rights."""
    from ebpftop.commands.exporting import wanted

    asked = wanted(arguments)
    probes = [probe for probe, _ in asked.probes]
    loads = _loads(asked.probes, arguments.param, asked.interval)
    become_root(arguments, argv)

    def consumer(control: Control, stream: socket.socket) -> int:
        from ebpftop.export.exporter import run

        return _asynchronously(
            lambda stop: run.run(_source(control, stream), loads, asked.listen, asked.top, err=sys.stderr, stop=stop)
        )

    return supervise(
        asked.folders,
        consumer,
        screen=False,
        budget=asked.budget,
        expected=_expected(probes, loads),
        tied_to=_terminals(),
    )


def triage(arguments: argparse.Namespace, argv: list[str]) -> int:
    """Run a playbook's probes for a while, and print what is conspicuous."""
    from ebpftop.commands import named

    playbook = named.playbook(arguments.what, arguments.probes).info
    interval = min(1.0, arguments.duration / _LOOKS)
    loads = _steps(playbook, interval)

    def work(source: Source, stop: asyncio.Event) -> Work:
        from ebpftop.export import triaging

        return triaging.run(
            source,
            loads,
            seconds=arguments.duration,
            name=playbook.name,
            as_json=arguments.json,
            out=sys.stdout,
            err=sys.stderr,
            stop=stop,
        )

    expected = [Load(request=0, probe=protocol.CENSUS), *loads]
    return _trace(arguments, argv, _without_screen(work), expected=expected, tied_to=_terminals())


# ---------------------------------------------------------------- shared by all of them


def _trace(
    arguments: argparse.Namespace,
    argv: list[str],
    consumer: Callable[[Source], int],
    *,
    screen: bool = False,
    survey: bool = False,
    expected: Sequence[Load],
    outer: list[int] | None = None,
    tied_to: Collection[int] = (),
) -> int:
    """Run a command's consumer on its source: this machine, or the hosts that the command names.

    outer: receives the terminals that show the terminal of a screen. See `supervise`.
    """
    from ebpftop.commands import hosts

    names = hosts.named(arguments)
    if names and not hosts.has_local(names):
        settings.tell(arguments)
        return hosts.watch(names, arguments.ssh, consumer)
    become_root(arguments, argv)
    if outer is not None:
        outer += terminal.outer()
        tied_to = hangup.terminals()

    def child(control: Control, stream: socket.socket) -> int:
        source = _source(control, stream)
        return consumer(hosts.connected(names, arguments.ssh, source) if names else source)

    return supervise(
        arguments.probes,
        child,
        screen=screen,
        survey=survey,
        budget=arguments.budget,
        expected=expected,
        keep=outer or (),
        tied_to=tied_to,
    )


def become_root(arguments: argparse.Namespace, argv: list[str]) -> None:
    """Return only if this process may trace, and the kernel's process ids and clocks are those seen here. Raises
    `Cannot`.
    """
    if (space := support.misleading()) is not None:
        raise Cannot(f"tracing would give wrong results in {space.detail}: {space.remedy}")
    root.become(arguments, argv)
    settings.tell(arguments)


def _loads(
    probes: Sequence[tuple[Probe, dict[str, str]]], shared: Sequence[tuple[str, str]], interval: float
) -> list[Load]:
    """The requests, one a probe, with its own parameters and those of the shared ones that it has. They are made before
    sudo asks for a password, so that a mistake costs none. Raises `UsageError`.
    """
    from ebpftop.catalog import params

    names = [name for name, _ in shared]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"parameter {name!a} is given more than once")
    loads = []
    for number, (probe, given) in enumerate(probes, 1):
        known = {param.name for param in probe.params}
        mine = given | {name: value for name, value in shared if name in known or len(probes) == 1}
        try:
            params.usable(probe, params.canonical(probe, mine))
        except params.BadParam as error:
            raise UsageError(str(error)) from None
        loads.append(Load(request=number, probe=probe.id, params=mine, interval=interval))
    for name in names:
        if not any(name in load.params for load in loads):
            raise UsageError(f"none of these probes has a parameter {name!a}")
    return loads


def _steps(playbook: PlaybookInfo, interval: float) -> list[Load]:
    """The requests for a playbook's steps."""
    return [
        Load(request=number, probe=step.probe, params=step.params, interval=interval)
        for number, step in enumerate(playbook.steps, 1)
    ]


def _expected(probes: list[Probe], loads: list[Load]) -> list[Load]:
    """The expected loads. If processes are shown, the census comes first, because processes may end before it is
    requested.
    """
    named = any(column.decode == "process" for probe in probes for view in probe.views for column in view.columns)
    return [Load(request=0, probe=protocol.CENSUS), *loads] if named else loads


def ends_with() -> set[int]:
    """The terminals and the pipe whose end also ends a command that writes to standard output."""
    return {*_terminals(), *hangup.output()}


def _terminals() -> list[int]:
    """The terminals whose end also ends the command: none if the command should outlive them."""
    return [] if hangup.is_ignored() else hangup.terminals()


def supervise(
    extra: list[Path],
    consumer: children.Consumer,
    *,
    screen: bool,
    survey: bool = False,
    idle: bool | None = None,
    budget: float | None,
    expected: Sequence[Load] = (),
    keep: Collection[int] = (),
    tied_to: Collection[int] = (),
) -> int:
    """Run a command's consumer, and the processes that serve it. budget: percent of a CPU for the programs (None:
    BUDGET). idle: whether a user may still be choosing probes (default: with a screen). See `serving.serve`.
    """
    who, bcc = privilege.invoker(), root.bcc()
    if who is not None and not privilege.can_read(who, _PACKAGE):
        raise Cannot(
            f"{who.name} can't read {_PACKAGE}, and the dashboard runs as {who.name}: "
            "install ebpftop where every user can read it"
        )
    started = children.start(consumer, screen=screen, keep=keep)
    try:
        from ebpftop.commands.serving import serve  # while the consumer imports what it needs

        return serve(
            extra,
            started,
            bcc,
            survey=survey,
            idle=screen if idle is None else idle,
            budget=BUDGET if budget is None else budget,
            expected=expected,
            tied_to=tied_to,
        )
    except BaseException:
        children.end(started)
        raise


def _source(control: Control, stream: socket.socket) -> LocalSource:
    from ebpftop.frames.local import LocalSource

    receiver = transport.Receiver(control.socket)

    def restarted() -> socket.socket:
        control.mailbox.post(protocol.Restart())
        received = receiver.receive()
        if received is None or not isinstance(received[0], protocol.Stream):
            raise OSError("the supervisor is gone")
        return socket.socket(fileno=received[1][0])

    return LocalSource(stream, restarted)


def _without_screen(work: Callable[[Source, asyncio.Event], Work]) -> Callable[[Source], int]:
    """A consumer that runs this work without a screen; the signals that end a command only stop it."""

    def consumer(source: Source) -> int:
        lean("asyncio", "ssl")
        return _asynchronously(lambda stop: work(source, stop))

    return consumer


def _asynchronously(work: Callable[[asyncio.Event], Work]) -> int:
    """Run the work with an event that is set by the signals that end a command."""
    import asyncio

    async def go() -> int:
        stop, running = asyncio.Event(), asyncio.get_running_loop()

        def continued() -> None:
            jobs.continue_parent()
            running.call_later(jobs.NOTICED, jobs.continue_parent)

        for number in hangup.ending_signals():
            running.add_signal_handler(number, stop.set)
        running.add_signal_handler(signal.SIGCONT, continued)
        try:
            return await work(stop)
        finally:  # later signals have nothing to stop, and asyncio closes its pipe before it removes the handlers
            signal.set_wakeup_fd(-1)

    return loop.run(go)
