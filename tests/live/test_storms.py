"""Storms of events: what was made is what was seen and what was counted as lost, whatever the rate."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest

from tests.support.tracing import Tracing, any_kernel, trace
from tests.support.workloads import Worker

pytestmark = [pytest.mark.bpf, any_kernel]

PAUSES = (0.01, 0.001, 0)  # seconds after every 50 events: 5,000 a second at most, 50,000, and as many as there can be
NAME = f"storm{os.getpid()}"


class Storm(NamedTuple):
    """Python that sets up what it needs, and then makes one event; how many of them each of two workers makes."""

    probe: str
    set_up: str
    event: str
    each: int = 2000
    params: Mapping[str, Any] = MappingProxyType({})


_LIBC = "import ctypes\nlibc = ctypes.CDLL(None)"
_SOCKET = "import socket\nfrom socket import AF_INET, SOCK_STREAM, SOCK_DGRAM"
STORMS = [
    Storm("disk/opensnoop", _LIBC, "libc.open(b'/nowhere/at/all', 0)", 20_000),
    Storm("disk/statsnoop", "", "os.path.exists('/nowhere/at/all')", 20_000),
    Storm("disk/mountsnoop", _LIBC, "libc.umount2(b'/nowhere', 0)"),
    Storm("cpu/naptime", "import time", "time.sleep(1e-9)", 1000, {"slower": "1us"}),
    Storm("security/killsnoop", "import signal\nsignal.signal(30, signal.SIG_IGN)", "os.kill(os.getpid(), 30)", 20_000),
    Storm("security/setuids", "", "os.setuid(0)", 20_000),
    Storm("security/unshare", _LIBC, "libc.setns(-1, 0)", 10_000),
    Storm("security/bpfsnoop", f"{_LIBC}\nnothing = bytes(64)", "libc.syscall(321, 0, nothing, 64)", 10_000),
    Storm("security/ptracesnoop", _LIBC, "libc.ptrace(16, 0x3fffffff, 0, 0)", 10_000),
    Storm("security/capable", "import socket", "socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close()", 1000),
    Storm("network/bindsnoop", _SOCKET, "with socket.socket() as one: one.bind(('127.0.0.1', 0))"),
    Storm(
        "network/listensnoop", f"{_SOCKET}\none = socket.socket()\none.bind(('127.0.0.1', 0))", "one.listen()", 10_000
    ),
    Storm(
        "network/dnssnoop",
        f"{_SOCKET}\none = socket.socket(AF_INET, SOCK_DGRAM)\n"
        "query = bytes.fromhex('00010100000100000000000001610000010001')",
        "one.sendto(query, ('127.0.0.2', 53))",
    ),
    Storm(
        "network/tcpaccept",
        f"{_SOCKET}\none = socket.create_server(('127.0.0.1', 0))\naddress = one.getsockname()",
        "with socket.create_connection(address), one.accept()[0]: pass",
        500,
    ),
    Storm(
        "network/tcpconnect",
        f"{_SOCKET}\none = socket.create_server(('127.0.0.1', 0))\naddress = one.getsockname()",
        "with socket.create_connection(address), one.accept()[0]: pass",
        500,
    ),
    Storm("network/gethostlatency", "import socket", "socket.getaddrinfo('127.0.0.1', 80)"),
]

_WORK = """
import select
{set_up}
pauses, counts = list(map(float, sys.argv[1].split())), list(map(int, sys.argv[2].split()))
def work():
    pause = pauses.pop(0)
    for number in range(counts.pop(0)):
        {event}
        if pause and number % 50 == 0: select.select([], [], [], pause)
"""


@contextlib.contextmanager
def storming(storm: Storm, rounds: list[tuple[float, int]], name: str = NAME) -> Iterator[list[Worker]]:
    """Two workers; `rounds` are the pauses and the counts of one call of `work` after another."""
    code = _WORK.format(set_up=storm.set_up, event=storm.event)
    pauses, counts = (" ".join(map(str, each)) for each in zip(*rounds, strict=True))
    with Worker(code, pauses, counts, name=name) as one, Worker(code, pauses, counts, name=name) as other:
        yield [one, other]


def together(workers: list[Worker]) -> None:
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.finish()


def seen(traced: Tracing) -> int:
    views = (view for line in list(traced.lines) for view in line["views"].values())
    return sum(len(view["rows"]) for view in views if view["kind"] == "events")


def lost(traced: Tracing) -> int:
    return int(traced.lines[-1]["lost"])


def until_accounted(traced: Tracing, made: int) -> None:
    traced.until(lambda: seen(traced) + lost(traced) >= made, f"{made:,} events are accounted for")


@pytest.mark.parametrize("storm", STORMS, ids=lambda storm: storm.probe.rpartition("/")[2])
def test_made_is_seen_and_lost_at_every_rate(storm: Storm) -> None:
    made = 0
    with (
        storming(storm, [(pause, storm.each) for pause in PAUSES]) as workers,
        trace(storm.probe, comm=NAME, **storm.params) as traced,
    ):
        for _ in PAUSES:
            together(workers)
            made += 2 * storm.each
            until_accounted(traced, made)
            assert seen(traced) + lost(traced) == made
    assert seen(traced) + lost(traced) == made


@pytest.mark.parametrize("probe", ["cpu/execsnoop", "cpu/exitsnoop"])
def test_made_is_seen_and_lost_of_programs(probe: str, tmp_path: Path) -> None:
    program = str(shutil.copy("/bin/true", tmp_path / NAME))
    storm = Storm(probe, f"path = {program!r}", "os.waitpid(os.posix_spawn(path, [path], {}), 0)")
    made = 0
    rounds = [(pause, 300) for pause in PAUSES]
    with storming(storm, rounds, "other") as workers, trace(probe, comm=NAME) as traced:
        for _ in PAUSES:
            together(workers)
            made += 600
            until_accounted(traced, made)
    assert seen(traced) + lost(traced) == made


MORE_THAN_FIT = {
    "disk/opensnoop": 150_000,
    "disk/statsnoop": 150_000,
    "security/killsnoop": 40_000,
    "security/setuids": 40_000,
}
FAST = [storm for storm in STORMS if storm.probe in MORE_THAN_FIT]


@pytest.mark.parametrize("storm", FAST, ids=lambda storm: storm.probe.rpartition("/")[2])
def test_past_the_rings_capacity_what_is_lost_is_counted(storm: Storm) -> None:
    """Nobody reads while more is made than the ring holds."""
    many, few = MORE_THAN_FIT[storm.probe], 1000
    with storming(storm, [(0, many), (0, few)]) as workers, trace(storm.probe, comm=NAME, **storm.params) as traced:
        collector = traced.collector
        os.kill(collector, signal.SIGSTOP)
        try:
            together(workers)
        finally:
            os.kill(collector, signal.SIGCONT)
        until_accounted(traced, 2 * many)
        assert lost(traced) > 0
        assert seen(traced) > 10_000
        before, were_lost = seen(traced), lost(traced)
        together(workers)  # there is room again
        traced.until(lambda: seen(traced) >= before + 2 * few, "those that fit are seen")
    assert (seen(traced), lost(traced)) == (before + 2 * few, were_lost)
    assert before + were_lost == 2 * many
