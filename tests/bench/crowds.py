"""Many processes: what the dashboard costs beside htop when 10,000 are awake once a second, and what memory it takes
when they come and go.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator

from tests.bench import painting
from tests.bench.screen import running_on
from tests.bench.table import Row, mib
from tests.churn import MOST

AWAKE = 10_000
_SIZE = (200, 60)
_SECONDS, _RATE = 30, 1000  # of processes that come and go
_ROUNDS = 2

# Children that do nothing but wake up, each at its own moment; "r" when all are there.
_CROWD = """
import gc, os, sys, time
gc.freeze()
count = int(sys.argv[1])
for number in range(count):
    if not os.fork():
        parent = os.getppid()
        time.sleep(number / count)
        while os.getppid() == parent: time.sleep(1)
        os._exit(0)
os.write(1, b"r")
sys.stdin.read()
"""


def rows() -> list[Row]:
    ours, theirs = [], []
    with _crowd(AWAKE):
        for _ in range(_ROUNDS):
            with painting.dashboard(_SIZE, ["cputop"]) as screen:
                ours.append(painting.spent(screen).cpu)
            if shutil.which("htop"):
                with running_on(["htop", "-d", "10"], _SIZE) as screen:
                    screen.read(3.0)
                    theirs.append(painting.spent(screen, painting.PEERS_SPAN).cpu)
    note = "" if theirs else "not installed"
    awake = Row(f"CPU, {AWAKE:,} processes awake once a second", ours, "htop", theirs, painting.percent, 1.0, note)
    collector, consumer = _sizes()
    what = f"private memory after {_SECONDS * _RATE:,} processes came and went"
    return [
        awake,
        Row(f"{what}, collector", [collector], unit=mib, most=MOST),
        Row(f"{what}, consumer", [consumer], unit=mib, most=MOST),
    ]


def _sizes() -> tuple[float, float]:
    """Most bytes of the collector and of the consumer, each a process of its own."""
    code = f"import json; from tests.churn import churn; print(json.dumps(churn({_SECONDS}, {_RATE})[2]))"
    written = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    collector, consumer, _ = zip(*json.loads(written), strict=True)
    return max(collector), max(consumer)


@contextlib.contextmanager
def _crowd(count: int) -> Iterator[None]:
    command = [sys.executable, "-c", _CROWD, str(count)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as crowd:
        assert crowd.stdin is not None
        assert crowd.stdout is not None
        crowd.stdout.read(1)
        try:
            yield
        finally:
            crowd.stdin.close()  # the children see that it is gone, and end
