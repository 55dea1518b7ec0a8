"""The census's own program: requested once, when names are first needed, and drained together with the events."""

from __future__ import annotations

from collections.abc import Callable

from ebpftop.collector.attached import AttachedProbe
from ebpftop.collector.census import Census
from ebpftop.collector.decode import Context
from ebpftop.collector.event_rings import EventRing
from ebpftop.collector.proc_facts import c_text
from ebpftop.handover import protocol

CUT = 1023  # bytes of a path, as the kernel reports it, that is longer
CENSUS_RUN = -1  # its number, which no run of a consumer's has
APART = 5.0  # seconds between two looks at what was lost: finding it in /proc takes long if there are many processes


class CensusProbe:
    """Feeds births and deaths to the census, and paths of cgroups to the context. `warn` is called with one line if
    that isn't possible.

    pending: it was requested and isn't attached yet, so `take` should be called often.
    """

    def __init__(
        self, census: Census, context: Context, request: Callable[[protocol.Message], None], warn: Callable[[str], None]
    ) -> None:
        self._census, self._context, self._request, self._warn = census, context, request, warn
        self._requested = self.pending = False
        self._lost, self._looked = 0, 0.0
        self._run: AttachedProbe | None = None

    @property
    def rings(self) -> list[EventRing]:
        return self._run.rings if self._run is not None else []

    @property
    def has_groups(self) -> bool:
        """Whether new cgroups are waiting to be taken."""
        return any(ring.name == "groups" and ring.ring.waiting for ring in self.rings)

    def wanted(self) -> None:
        """Request it. Until it is attached, processes are looked up in /proc, so that few can end unseen."""
        if not self._requested:
            self._requested = self.pending = True
            self._census.seed()
            self._request(protocol.RequestLoad(run=CENSUS_RUN, request=0, probe=protocol.CENSUS, params={}))

    def attached(self, message: protocol.Handover, descriptors: list[int]) -> None:
        self.pending = False
        self._run = AttachedProbe(CENSUS_RUN, protocol.CENSUS, message, descriptors, self._census, self._context)
        self._census.attached, self._census.catch_up = True, self.take
        self._census.verify()

    def failed(self, error: str) -> None:
        self.pending = False
        if self._run is None:
            self._warn(f"short-lived processes may have no name: the census could not be attached ({error})")

    def repair(self, now: float) -> None:
        """Find out in /proc what lost records would have said. To be called often (monotonic seconds)."""
        if self._run is None or now < self._looked + APART:
            return
        lost, self._looked = self._run.losses().lost, now
        if lost > self._lost:
            self.take()
            self._census.verify()
            if not self._lost:
                self._warn("too many processes start: some were not reported, so short-lived ones may have no name")
            self._lost = lost

    def take(self) -> None:
        """Take the births and deaths since the last call."""
        if self.pending:
            self._census.seed()
        if self._run is not None:
            rings = dict(zip((ring.name for ring in self._run.rings), self._run.take(), strict=True))
            for row in rings["groups"]:
                path = c_text(row["path"])
                if len(path) < CUT:
                    self._context.cgroups.learn(int(row["id"]), int(row["hierarchy"]), path)
            self._census.take(rings["lives"], rings["execs"])
