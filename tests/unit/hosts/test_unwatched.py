"""Hosts that begin to send frames, and then are of no use."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import AsyncIterator, Mapping

import pytest

from ebpftop.export import headless
from ebpftop.frames.codec import BadFrame
from ebpftop.frames.messages import AnyFrame, AnyRequest, Host, Load, Ping
from ebpftop.frames.source import Source, SourceEnded
from ebpftop.hosts import peer
from ebpftop.hosts.merged import MergedSource
from tests.support.far_host import FarHost
from tests.support.frames import CALLS, catalog, hello, probe
from tests.unit.hosts.conftest import Read

CATALOG = catalog(probe("cpu/some", [CALLS]))


class Broken(FarHost):
    """Each of its connections ends in the same way."""

    def __init__(self, end: Exception, *first: AnyFrame) -> None:
        super().__init__(CATALOG)
        self._end, self._first = end, first

    async def frames(self) -> AsyncIterator[AnyFrame]:
        for frame in self._first:
            yield frame
        raise self._end


class Leaves(FarHost):
    """It leaves whenever it is asked to load a probe."""

    async def request(self, request: AnyRequest) -> None:
        if isinstance(request, Load):
            self.cut("it left")
        else:
            await super().request(request)


class LeavesLater(FarHost):
    """It leaves soon after it has loaded the probe, and doesn't come back."""

    async def request(self, request: AnyRequest) -> None:
        await super().request(request)
        if isinstance(request, Load):
            asyncio.get_running_loop().call_later(0.2, self.cut, "it left")

    async def restart(self) -> None:
        raise SourceEnded("no route to host")


class Mute(FarHost):
    """It answers nothing, and only says how loaded it is."""

    async def request(self, request: AnyRequest) -> None:
        assert isinstance(request, Ping)
        self.play(Host(realtime_ns=1, cpu_percent=1.0, memory_percent=1.0, load=1.0))


async def said(hosts: Mapping[str, Source]) -> tuple[int, list[str]]:
    """The exit code of a headless run on these hosts, and its lines on stderr."""
    err = io.StringIO()
    async with asyncio.timeout(30):
        code = await headless.run(
            MergedSource(hosts),
            Load(request=1, probe="cpu/some"),
            duration=1.0,
            format="text",
            out=io.StringIO(),
            err=err,
            stop=asyncio.Event(),
        )
    return code, err.getvalue().splitlines()


@pytest.mark.parametrize(
    ("host", "why"),
    [
        (Broken(SourceEnded("the connection was closed")), "the connection was closed"),
        (Broken(BadFrame("it sent noise"), hello()), "it sent noise"),
        (Leaves(CATALOG), "it left"),
        (Mute(CATALOG), "it answered nothing for 0 s"),
    ],
    ids=["at once", "after its Hello", "at the load", "never answers"],
)
async def test_a_run_ends_if_its_only_host_is_lost_before_the_probe_is_attached(
    monkeypatch: pytest.MonkeyPatch, host: FarHost, why: str
) -> None:
    monkeypatch.setattr(peer, "_ANSWERS", 0.2)
    code, lines = await said({"web-1": host})
    assert code == 1
    assert lines == [f"ebpftop: web-1: {why}; reconnecting", "ebpftop: this host can't be watched"]


async def test_a_run_whose_only_host_is_lost_at_its_end_is_no_success() -> None:
    code, lines = await said({"web-1": LeavesLater(CATALOG)})
    assert code == 1
    assert lines == ["ebpftop: web-1: it left; reconnecting", "ebpftop: this host can't be watched"]


async def test_a_run_without_any_values_has_the_time_at_which_it_ended(read: Read) -> None:
    host = FarHost(CATALOG)
    async with read({"web-1": host}) as reader:
        run = await reader.load("cpu/some")
        began = time.monotonic_ns()
        host.cut()
        await reader.until(lambda: run.last)
        assert run.last
        assert run.last.monotonic_ns >= began


async def test_hosts_that_are_all_lost_end_it_too() -> None:
    hosts = {name: Broken(SourceEnded("it was closed")) for name in ("web-1", "web-2")}
    code, lines = await said(hosts)
    assert (code, lines[-1]) == (1, "ebpftop: none of the hosts can be watched")
