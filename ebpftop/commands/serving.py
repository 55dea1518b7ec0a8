"""The root side of a tracing command: what it reads and imports while the command's consumer starts."""

from __future__ import annotations

import socket
from collections.abc import Collection, Sequence
from pathlib import Path

from ebpftop.catalog.current import CurrentCatalog
from ebpftop.catalog.folders import includes
from ebpftop.catalog.manifest import read_probe
from ebpftop.frames.messages import Catalog, Load
from ebpftop.handover import protocol
from ebpftop.handover.mailbox import Control
from ebpftop.supervisor import caches
from ebpftop.supervisor.children import Started
from ebpftop.supervisor.folders import Folders
from ebpftop.supervisor.supervisor import Plan, Supervisor

PACKAGE = Path(__file__).resolve().parents[1]


def serve(
    extra: list[Path],
    started: Started,
    bcc: Path,
    *,
    survey: bool,
    idle: bool,
    budget: float,
    expected: Sequence[Load],
    tied_to: Collection[int],
) -> int:
    """Serve a consumer until it ends; returns its exit status. With a screen, the extra folders are watched and reread
    when they change. idle: see `collector.server.Server`. For the other arguments see `Plan`.
    """

    def collector(catalog: Catalog, control: Control, stream: socket.socket) -> int:
        from ebpftop.collector.greeting import Greeting

        greeting = Greeting(stream, catalog)
        from ebpftop.collector.server import Server

        unsent = greeting.finish()
        return Server(control, stream, catalog, unsent, idle=idle, budget=budget).run()

    current = CurrentCatalog(extra, again=started.screen, cache=caches.folder())
    plan = Plan(
        folders=Folders(current, started.invoker),
        internal={protocol.CENSUS: read_probe(PACKAGE / "collector" / "census", protocol.CENSUS)},
        includes=includes(),
        bcc=bcc,
        collector=collector,
        expected=list(expected),
        survey=survey,
        tied_to=tied_to,
    )
    return Supervisor(plan, started).run()
