import asyncio
import socket
import time

import pytest

from ebpftop.frames import local
from ebpftop.frames.codec import encode
from ebpftop.frames.messages import AnyFrame, Host, Notice
from tests.support.frames import hello

LOAD = Host(realtime_ns=1, cpu_percent=1.0, memory_percent=1.0, load=1.0)


class Stream:
    """A source, and the collector's end of its socket."""

    def __init__(self) -> None:
        ours, self.collector = socket.socketpair()
        self.frames = local.LocalSource(ours, lambda: ours).frames()

    async def next(self, *sent: AnyFrame) -> AnyFrame:
        self.collector.sendall(b"".join(map(encode, sent)))
        async with asyncio.timeout(10):
            return await anext(self.frames)


def notice(text: str) -> Notice:
    return Notice(level="warning", text=text)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "SILENCE", 0.01)
    monkeypatch.setattr(local, "STARTING", 0.51)


async def test_silence_is_told_once_and_costs_no_data() -> None:
    stream = Stream()
    assert await stream.next(LOAD) == LOAD
    assert await stream.next() == notice("no data for 0 s: the collector is stopped or hangs")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await anext(stream.frames)


async def test_the_end_of_silence_is_told() -> None:
    stream = Stream()
    assert await stream.next(LOAD) == LOAD
    await stream.next()
    assert await stream.next(hello()) == notice("there is data again, after 0 s")
    assert await stream.next() == hello()


async def test_a_start_may_take_longer() -> None:
    stream = Stream()
    assert await stream.next(hello()) == hello()
    assert await stream.next() == notice("no data for 1 s: the collector is stopped or hangs")


async def test_data_that_came_while_we_were_stopped_is_no_silence() -> None:
    stream = Stream()
    assert await stream.next(LOAD) == LOAD
    waiting = asyncio.ensure_future(stream.next())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    stream.collector.sendall(encode(hello()))
    asyncio.get_running_loop().call_soon(time.sleep, 0.05)
    assert await waiting == hello()
