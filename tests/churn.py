"""`make churn`: processes come and go under a probe that counts by process, 150 a second for an hour.

Prints the private memory of collector and consumer, and how much of the consumer's is the past, which grows up to its
bound. The rest has to become flat. At the end it compares two counts of the same calls: by process, where those that
ended were added up, and by system call, where nothing ever is.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ebpftop.collector.displayed import KEPT
from ebpftop.frames.messages import FOLDED, AnyFrame, Detach, Detached
from ebpftop.model.ledger import LIMIT
from ebpftop.model.session import Session
from tests.support.processes import children
from tests.support.tracer import PATIENCE, Asked, Tracer

SECONDS, RATE = 3600, 150
LONG = 600  # seconds
MOST = 160 << 20  # bytes of each
GROWTH = 1.05  # of the last third's peak, without the past, over that of the middle third
STORM = """
import ctypes, os, sys, time
ctypes.CDLL(None).prctl(15, b"churn", 0, 0, 0)
seconds, rate = map(int, sys.argv[1:])
made, began = 0, time.monotonic()
while made < seconds * rate:
    while made < min(seconds, time.monotonic() - began) * rate:
        child = os.fork()
        if not child:
            os._exit(0)
        os.waitpid(child, 0)
        made += 1
    time.sleep(0.01)
print(made)
"""


class _Churned(Asked):
    """The consumer: what a dashboard keeps of a stream."""

    def __init__(self) -> None:
        super().__init__("cpu/syscount", {"comm": "churn"})
        self.session = Session()

    def take(self, frame: AnyFrame) -> None:
        self.session.feed(frame)
        if isinstance(frame, Detached):
            self.ended.set()

    @property
    def running(self) -> bool:
        return any(run.state == "running" and run.last for run in list(self.session.runs.values()))

    @property
    def past(self) -> int:
        """Its bytes."""
        return sum(past.bytes for run in list(self.session.runs.values()) for past in list(run.kept.values()))

    def sums(self) -> tuple[int, int]:
        """Calls as counted by process, and by system call."""
        ledgers = self.session.runs[self.run or 0].ledgers.values()
        first, second = (int(each.totals["calls"].sum()) + each.rest["calls"] for each in ledgers)
        return first, second


def churn(seconds: int, rate: int) -> tuple[int, tuple[int, int], list[tuple[int, int, int]], Session]:
    """(processes made, calls by process and by system call, bytes of collector, consumer and past, the consumer)."""
    asked, sizes = _Churned(), []
    with tempfile.TemporaryDirectory() as folder:
        tracer = Tracer(Path(folder))
        try:
            tracer.load(asked, 1.0)
            while not asked.running:
                tracer.check()
                time.sleep(0.05)
            command = [sys.executable, "-c", STORM, str(seconds), str(rate)]
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as storm:
                while storm.poll() is None:
                    time.sleep(seconds / 60)
                    tracer.check()
                    sizes.append((_private(children(tracer.pid)["collect"].pid), _private("self"), asked.past))
                    print(*(f"{size >> 10:,} KiB" for size in sizes[-1]), sep="  ", file=sys.stderr, flush=True)
                assert storm.stdout
                made = int(storm.stdout.read())
            assert asked.run is not None
            tracer.request(Detach(run=asked.run))
            asked.ended.wait(PATIENCE)
        finally:
            tracer.end()
    return made, asked.sums(), sizes, asked.session


def _private(pid: int | str) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    kib = {line.split(":")[0]: int(line.split()[1]) for line in lines}
    return (kib["Private_Clean"] + kib["Private_Dirty"]) * 1024


def main(seconds: int = SECONDS, rate: int = RATE) -> int:
    """0, or 1 where counts differ or memory grows. A run of less than `LONG` only has to stay below `MOST`: the past
    isn't full yet.
    """
    made, (by_process, by_call), sizes, session = churn(seconds, rate)
    print(f"{made:,} processes; calls by process {by_process:,}, by system call {by_call:,}")
    ok = by_process == by_call >= made
    if made > KEPT + LIMIT and FOLDED not in session.processes:
        print("nothing was added up")
        ok = False
    third = len(sizes) // 3
    collector, consumer, past = zip(*sizes, strict=True)
    print(f"past: {max(past) >> 20} MiB")
    for name, column, beside in (("collector", collector, [0] * len(past)), ("consumer", consumer, past)):
        rest = [size - part for size, part in zip(column, beside, strict=True)]
        growth = max(rest[2 * third :]) / max(rest[third : 2 * third])
        print(f"{name}: {max(column) >> 20} MiB, the last third {growth:.2f} of the one before")
        ok = ok and max(column) <= MOST and (growth <= GROWTH or seconds < LONG)
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
