"""One host: its stream, which restarts after a disconnection, and what is known of the host."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterable
from typing import Literal, Protocol

from ebpftop.base.inert import inert
from ebpftop.frames.codec import BadFrame
from ebpftop.frames.messages import (
    FOLDED,
    PROTOCOL,
    UNKNOWN,
    AnyFrame,
    AnyRequest,
    Catalog,
    Hello,
    Host,
    HostState,
    Loaded,
    Loading,
    Notice,
    Ping,
    Pong,
    Rejected,
)
from ebpftop.frames.renumbering import Latest, Renumbered, Shift
from ebpftop.frames.source import ReadOnly, Source, SourceEnded
from ebpftop.hosts.clocks import ASKED, Clocks
from ebpftop.hosts.notices import Notices, shortened
from ebpftop.hosts.pages import Pages, Pool

BEAT = 2.0  # seconds from one sign of life of ours to the next
LATE = 3.0  # seconds without a frame after which a host is late: the load of a machine comes every second
_PAUSES = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)  # seconds before it is tried again
_SETTLED = 60.0  # seconds after which a connection counts as one that works
_HELD = 1000  # frames until clocks are known
_ANSWERS = 10.0  # seconds in which they become known; a host that answers nothing would never be ready
_ONE_START = 20_000_000  # ns by which a machine differs from itself in when it was started
_NOTICED = 1.0  # seconds by which clocks may differ before it is said
_DRIFT = 60_000_000_000  # ns by which clocks may have moved apart since they were measured, in weeks


class Hub(Protocol):
    """The receiver of what hosts send."""

    def ready(self, peer: Peer) -> None:
        """It accepts requests."""

    def take(self, peer: Peer, frame: AnyFrame) -> None:
        """A frame, in the hub's numbers and clocks. Raises `BadFrame`."""

    def gone(self, peer: Peer) -> None:
        """It was cut off."""

    def told(self, peer: Peer, text: str, level: Literal["info", "warning", "error"]) -> None: ...

    async def room(self) -> None:
        """Wait until it can take more."""


class Pools:
    """The pools of numbers that all hosts share."""

    def __init__(self) -> None:
        self.processes, self.stacks, self.functions = Pool(), Pool(), Pool()


class Peer:
    """name: as in rows. source: its stream; `here`: on this machine, whose clocks are ours. problem: why the first
    attempt to reach it failed. shift: how its times are moved while it is connected. Later knowledge about its clocks
    doesn't change that, because a process must keep its start.
    """

    def __init__(self, name: str, source: Source, pools: Pools, hub: Hub, *, here: bool, problem: str = "") -> None:
        self.name, self.here = name, here
        self.is_ready = False
        self.hello: Hello | None = None
        self.catalog: Catalog | None = None
        self.load: Host | None = None
        self.clocks, self.shift = Clocks(), Shift()
        self.notices = Notices(name)
        self._source, self._pools, self._hub = source, pools, hub
        self._problem = problem
        self._heard = time.monotonic_ns()
        self._began = 0.0  # when it said Hello
        self._runs: dict[int, int] = {}
        self._held: list[AnyFrame] = []
        self._people = Pages(pools.processes)
        self._renumbered: Renumbered | None = None
        self._sending = asyncio.Lock()
        self._beats = iter(range(1, 1 << 60))
        self._closed = False

    # ---------------------------------------------------------------- what is known of it

    @property
    def is_late(self) -> bool:
        return time.monotonic_ns() - self._heard > LATE * 1e9

    def is_same_machine(self, other: Peer) -> bool:
        """Whether both names lead to one machine: same boot time and same host name."""
        mine, theirs = self.hello, other.hello
        if other is self or not self.is_ready or mine is None or theirs is None or mine.host != theirs.host:
            return False
        return abs(mine.boot_realtime_ns - theirs.boot_realtime_ns) < _ONE_START

    @property
    def settled(self) -> bool:
        """Whether it is connected, or an attempt has failed."""
        return self.is_ready or bool(self._problem)

    def state(self) -> HostState:
        shift, load = self.clocks.shift, self.load
        state: Literal["connecting", "live", "late", "lost"] = "lost" if self._problem else "connecting"
        if self.is_ready:
            state = "late" if self.is_late else "live"
        return HostState(
            name=self.name,
            state=state,
            heard_ns=max(0, time.time_ns() - (time.monotonic_ns() - self._heard)),
            problem="" if self.is_ready else self._problem,
            host=self.hello.host if self.hello else "",
            kernel=self.hello.kernel if self.hello else "",
            cpus=self.hello.cpus if self.hello else 0,
            ahead_ns=-shift.realtime,
            way_ns=self.clocks.way_ns or 0,
            load=load,
        )

    # ---------------------------------------------------------------- its stream

    async def watch(self) -> None:
        """Read its stream, and reconnect after a disconnection, until `close`."""
        failures = 0
        again = bool(self._problem)
        while not self._closed:
            if again:
                await asyncio.sleep(_PAUSES[min(failures, len(_PAUSES) - 1)])
                failures += 1
            began, again = time.monotonic(), True
            problem = await self._read(failures > 0)
            if self._closed:
                return
            if time.monotonic() - began > _SETTLED:
                failures = 0
            self._cut_off(problem)

    async def _read(self, again: bool) -> str:
        """Read until the end; returns its reason."""
        beating = None if self.here else asyncio.create_task(self._beat())
        try:
            if again:
                await self._source.restart()
            async for frame in self._source.frames():
                await self._hub.room()
                if not isinstance(frame, Notice):  # which may say that nothing comes
                    self._heard = time.monotonic_ns()
                self._take(frame)
        except (SourceEnded, ReadOnly, BadFrame) as error:
            return str(error)
        except MemoryError:
            return "not enough memory for the data it sent"
        finally:
            if beating is not None:
                beating.cancel()
        return "the stream has ended"

    async def _beat(self) -> None:
        """Send a heartbeat that asks for the clocks: more often until they are known."""
        while True:
            if self.hello is not None:
                number = next(self._beats)
                self.clocks.asks(number)
                await self.send(Ping(number=number))
            await asyncio.sleep(BEAT if self.is_ready else 0.05)

    def _cut_off(self, problem: str) -> None:
        was_ready, first = self.is_ready, not self._problem
        self.is_ready, self.hello, self._problem = False, None, shortened(problem)
        self._held, self._runs, self._renumbered = [], {}, None
        self._hub.gone(self)
        if was_ready or first:
            self._hub.told(self, f"{problem}; reconnecting", "error")

    def _take(self, frame: AnyFrame) -> None:
        match frame:
            case Hello():
                self._begin(frame)
            case Notice():
                self._hub.take(self, frame)
            case _ if self.hello is None:
                raise BadFrame("a frame came before Hello")
            case Pong():
                self.clocks.answered(frame)
                if not self.is_ready and self.clocks.answers >= ASKED:
                    self._ready()
            case Host():
                if self.is_ready:  # else its clocks aren't known yet
                    self._pass_on(frame)
                elif time.monotonic() - self._began > _ANSWERS:
                    raise BadFrame(f"it answered nothing for {_ANSWERS:.0f} s")
            case Catalog():
                self.catalog = frame
                if self.is_ready:
                    self._hub.take(self, frame)
            case _ if not self.is_ready:
                self._held.append(frame)
                if len(self._held) > _HELD:
                    raise BadFrame("it sent too many frames before the first request")
            case _:
                self._pass_on(frame)

    def _begin(self, hello: Hello) -> None:
        if self.hello is not None:
            raise BadFrame("it sent Hello twice")
        if hello.protocol != PROTOCOL:
            raise BadFrame(
                f"ebpftop {inert(hello.version)} there speaks protocol {hello.protocol}, this one speaks {PROTOCOL}: "
                "install the same version on both"
            )
        self.hello, self.catalog, self.clocks, self._began = hello, None, Clocks(), time.monotonic()
        if self.here:
            self._ready()

    def _ready(self) -> None:
        came_back = bool(self._problem)
        self.is_ready, self._problem, self.shift = True, "", self.clocks.shift
        self._people = Pages(self._pools.processes, (FOLDED, UNKNOWN))
        self._renumbered = Renumbered(
            self.shift,
            self._runs.__getitem__,
            self._people,
            Pages(self._pools.stacks),
            Pages(self._pools.functions),
            _latest,
        )
        if came_back:
            self._hub.told(self, "reconnected", "info")
        self._say_clocks()
        self._hub.ready(self)
        held, self._held = self._held, []
        for frame in held:
            self._pass_on(frame)

    def _say_clocks(self) -> None:
        ahead, way = -self.clocks.shift.realtime / 1e9, (self.clocks.way_ns or 0) / 1e9
        if abs(ahead) > max(_NOTICED, way):
            word = "ahead of" if ahead > 0 else "behind"
            text = f"its clock is {abs(ahead):.1f} s {word} this machine's clock; times are shown by this machine's"
            self._hub.told(self, text, "warning")

    def _pass_on(self, frame: AnyFrame) -> None:
        assert self._renumbered is not None
        if isinstance(frame, Loading | Loaded | Rejected):
            self._runs.setdefault(frame.run, frame.request)
        run = getattr(frame, "run", None)
        if run is not None and run not in self._runs:
            return
        had_cut = self._renumbered.cut
        frame = self._renumbered.frame(frame)
        if self._renumbered.cut and not had_cut:
            self._hub.told(self, "some of its times lie in the future; they are shown as now", "warning")
        if isinstance(frame, Host):
            self.load = frame
        self._hub.take(self, frame)

    # ---------------------------------------------------------------- requests

    def identities(self, ours: Iterable[int]) -> list[int]:
        """The identities that it knows, among ours, by its numbers."""
        return [number for each in ours if (number := self._people.back(each)) is not None]

    def there(self, run: int) -> int | None:
        """The number of our run on that host."""
        return next((number for number, ours in self._runs.items() if ours == run), None)

    async def send(self, request: AnyRequest) -> None:
        """Send a request; its end is noticed elsewhere."""
        async with self._sending:
            with contextlib.suppress(SourceEnded, ReadOnly):
                await self._source.request(request)

    async def close(self) -> None:
        self._closed = True
        await self._source.close()


def _latest() -> Latest:
    """Nothing that was read is later than this."""
    boot = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    return Latest(time.time_ns() + _DRIFT, time.monotonic_ns() + _DRIFT, boot + _DRIFT)
