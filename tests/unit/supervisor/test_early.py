"""Loads that begin before their requests: what takes longest first, and each for its own request."""

from __future__ import annotations

import socket
from contextlib import nullcontext
from pathlib import Path

from ebpftop.frames.messages import Load
from ebpftop.handover import protocol
from ebpftop.loader.load import Order
from ebpftop.supervisor.early import EarlyLoads
from ebpftop.supervisor.tasks import Tasks, Work
from tests.support.probes import SOURCE, make_probe

SHARED = {"ebpftop.h": "", "ebpftop_maps.h": "", "ebpftop_long.h": "// as long as this\n" * 99}
SOURCES = {
    "cpu/short": SOURCE,
    "cpu/long": SOURCE + "// as long as this\n" * 9,
    protocol.CENSUS: SOURCE,
    "cpu/shares": f'#include "ebpftop_long.h"\n{SOURCE}',
}


class Unstarted(Tasks):
    """Tasks that are never forked."""

    def start(
        self, name: str, run: int, work: Work, *, first: bool = False, seconds: float | None = None
    ) -> socket.socket:
        channel, _ = socket.socketpair()
        return channel


def test_what_takes_longest_begins_first_but_the_census_before_all(tmp_path: Path) -> None:
    probes = {name: make_probe(tmp_path, name, source=source) for name, source in SOURCES.items()}
    begun: list[str] = []

    def order(load: Load) -> Order:
        return Order(
            probe=probes[load.probe],
            params={},
            definitions=list,
            includes=SHARED,
            bcc=tmp_path,
            rights=nullcontext,
            confine=lambda: None,
        )

    def work(ordered: Order) -> Work:
        begun.append(ordered.probe.id)
        return lambda channel: None

    early = EarlyLoads(Unstarted())
    early.start([Load(request=number, probe=name) for number, name in enumerate(SOURCES, 1)], order, work)
    assert begun == [protocol.CENSUS, "cpu/shares", "cpu/long", "cpu/short"]

    for number, name in enumerate(SOURCES, 1):
        request = protocol.RequestLoad(run=50 + number, request=number, probe=name, params={})
        taken = early.take(request)
        assert taken is not None
        assert taken.probe.id == name
        taken.channel.close()
        assert early.take(request) is None
