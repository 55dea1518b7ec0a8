"""An incident from end to end: two services share a disk, one begins to write, and the heatmap leads to it; live, and
from the tape as an ordinary user.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.command import AS_NOBODY, COMMAND, ebpftop
from tests.support.disks import attached
from tests.support.page_reader import Report
from tests.support.processes import eventually
from tests.support.slow_fuse import slow_file
from tests.support.terminal import Terminal, terminal
from tests.support.workloads import Worker

pytestmark = [
    pytest.mark.bpf,
    pytest.mark.skipif(not Path("/dev/fuse").exists(), reason="this kernel has no FUSE"),
]

SIZE = 64 << 20  # of the disk
RATE = 1 << 20  # bytes a second: 4 ms for a page; 190 ms for a piece where two are in front of it
AFTER = 7  # seconds after it became slow: the middle of span B
LARGE = (200, 26)  # wide enough for the heatmap beside the bars; few rows, so that each spans much

READ = """
import mmap, time
file, page = os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECT), mmap.mmap(-1, 4096)
def work():
    for number in range(1 << 20):
        os.preadv(file, [page], number % 1000 * 4096)
        time.sleep(0.04)
"""
WRITE = """
import mmap, threading
file, piece = os.open(sys.argv[1], os.O_WRONLY | os.O_DIRECT), mmap.mmap(-1, 65536)
def write(first):
    for number in range(first, 1 << 20, 3): os.pwrite(file, piece, number % 1000 * 65536)
def work():
    for first in range(3): threading.Thread(target=write, args=(first,)).start()
"""


class Incident(NamedTuple):
    device: Path
    shop: Worker
    backup: Worker


@pytest.fixture
def incident(tmp_path: Path) -> Iterator[Incident]:
    """Two services on one disk, whose file lies on a file system of a limited rate; each waits for its start."""
    with (
        slow_file(tmp_path, SIZE, RATE) as file,
        attached(file) as device,
        Worker(READ, device, name="shop") as shop,
        Worker(WRITE, device, name="backup") as backup,
    ):
        yield Incident(device, shop, backup)


def calls(worker: Worker) -> int:
    """Reads and writes that it has finished, see proc_pid_io(5)."""
    lines = dict(line.split(": ") for line in Path(f"/proc/{worker.pid}/io").read_text().splitlines())
    return int(lines["syscr"]) + int(lines["syscw"])


def load(term: Terminal, device: Path) -> None:
    """biolatency, for this device alone."""
    term.wait_for("runqlat")
    term.keys("/")
    term.type("biolatency")
    term.wait_for("─ disk/biolatency ─")
    term.keys("Escape")
    term.wait_for("│ / search")
    term.keys("p")
    term.wait_for("load · disk/biolatency")
    term.type(device.name)
    term.keys("Enter")
    term.wait_for("Request latency")


STANDOUT = " of these, "  # what `x` shows, and nothing else


def keys_shown(term: Terminal) -> str:
    return term.text().rstrip("\n").rpartition("\n")[2]


def to_the_heatmap(term: Terminal) -> None:
    for _ in range(5):
        before = keys_shown(term)
        if "V region" in before:
            return
        term.keys("Tab")
        eventually(lambda before=before: keys_shown(term) != before, "the focus moves")
    pytest.fail(f"Tab doesn't reach the heatmap:\n{term.text()}")


def find_who_is_behind_it(term: Terminal, who: Worker, about: str) -> None:
    """Four keys: from the newest requests, which are slow, to those of the row below, to all the time before, and `x`.
    Then its page, which says something `about` it, and its rows alone.
    """
    term.keys("V", "Down", "Home", "x")
    screen = term.wait_for(STANDOUT)
    answer = re.search(r"([0-9.]+)% of these, ([0-9.]+)% of the others: process (\S+) (\d+)", screen)
    assert answer is not None, screen
    assert (answer[3], int(answer[4])) == ("backup", who.pid)
    assert float(answer[1]) > 50 > float(answer[2])
    term.keys("P")
    term.wait_for(f"backup {who.pid}", " biolatency ", about)
    term.keys("Escape")
    term.wait_for(STANDOUT)
    term.keys("Enter")
    eventually(lambda: STANDOUT not in term.text(), "the dashboard is back")
    eventually(lambda: "backup" in term.text() and " shop " not in term.text(), "the reader's rows are left out")


def go_to(term: Terminal, moment: float) -> None:
    """The span around it, as long as the one that is shown."""
    when = f"{datetime.fromtimestamp(moment):%H:%M:%S}"
    term.keys("@")
    term.wait_for("Go to", "-90s")
    term.type(when)
    term.wait_for(f"│ {when} ")
    term.keys("Enter")
    eventually(lambda: "Go to" not in term.text(), "the form is closed")


def compare(term: Terminal, incident: Incident, slow: float) -> None:
    """The seconds before it was slow, and after, of both services again; ended by Esc."""
    term.keys("BSpace")
    term.wait_for(" shop ")
    term.keys("t")
    term.wait_for("last 10 s")
    go_to(term, slow - 5)
    term.keys("a")
    go_to(term, slow + AFTER)
    term.keys("b")
    term.wait_for("comparing A")
    p50 = re.compile(r"p50 +(\S+ \S+) → +(\S+ \S+)")
    eventually(lambda: p50.search(term.text()) is not None, "the spans are compared")
    screen = term.text()
    ((before, after),) = p50.findall(screen)
    assert milliseconds(before) < 50 < 100 < milliseconds(after), screen
    for worker, operation in ((incident.shop, "read"), (incident.backup, "write")):
        assert re.search(rf"{worker.pid} +\S+ +{incident.device.name} +{operation} ", screen), screen
    term.keys("Escape")
    eventually(lambda: "comparing A" not in term.text(), "the comparison is closed")
    term.keys("0")
    term.wait_for("live")


def milliseconds(bounds: str) -> float:
    """The lower one of "4.2–4.7 ms"."""
    number, unit = bounds.partition("–")[0], bounds.rpartition(" ")[2]
    return float(number) * {"µs": 0.001, "ms": 1, "s": 1000}[unit]


def record(term: Terminal, tape: Path) -> None:
    """The minute before, and no more. Each key waits for what the one before it did: on a slow machine what is typed
    overtakes Tab and Ctrl-U.
    """
    term.keys("r")
    lines = term.wait_for("Minutes before now", "are in memory").splitlines()
    field = 1 + next(number for number, line in enumerate(lines) if "│  Tape  " in line)
    term.keys("1")
    eventually(lambda: re.search(r"│ +1 +│", term.text()) is not None, "the minutes are there")
    term.keys("Tab")
    eventually(lambda: term.cursor() == field, "the tape's field has the focus")
    term.keys("C-u")
    eventually(lambda: ".tape" not in term.text().splitlines()[field], "it is empty")
    term.type(str(tape))
    term.wait_for(str(tape))
    term.keys("Enter")
    term.wait_for("● rec ")
    term.keys("r")
    term.wait_for(f"{tape.name}: ")


def to_the_end(term: Terminal) -> None:
    """Of a tape, at its highest speed."""
    for speed in (2, 4, 8, 16, 32, 64):
        term.keys("+")
        term.wait_for(f"×{speed}")
    term.wait_for("ended")


def span(start: float, end: float) -> str:
    """As options take it, on the clock of UTC."""
    return "..".join(f"{datetime.fromtimestamp(at, UTC):%H:%M:%S}" for at in (start, end))


def test_from_the_slow_patch_to_who_is_behind_it(incident: Incident, public: Path) -> None:
    tape = public / "incident.tape"
    with terminal(COMMAND, *LARGE) as term:
        load(term, incident.device)
        began = time.time()
        incident.shop.start()
        eventually(lambda: calls(incident.shop) > 200, "shop has read", 60)
        slow = time.time()
        incident.backup.start()
        eventually(lambda: calls(incident.backup) > 150, "backup has written", 60)
        eventually(lambda: time.time() > slow + AFTER + 2, "samples of what came after are there", 60)
        to_the_heatmap(term)
        find_who_is_behind_it(term, incident.backup, "4 threads")
        compare(term, incident, slow)
        record(term, tape)
        ended = time.time()
        term.keys("q")
        term.wait_for_end()
    tape.chmod(0o644)
    with terminal([*AS_NOBODY, *COMMAND, "replay", str(tape)], *LARGE) as term:
        term.wait_for("Request latency")
        to_the_end(term)
        to_the_heatmap(term)
        find_who_is_behind_it(term, incident.backup, "a tape holds no threads")
        term.keys("q")
        term.wait_for_end()
    before, after = span(began + 1, slow), span(slow + 1, ended)
    done = ebpftop("compare", tape, "--a", before, "--b", after, "--json", before=AS_NOBODY, environment={"TZ": "UTC"})
    assert done.returncode == 0, done.stderr
    compared = json.loads(done.stdout)["probes"][0]["views"]["latency"]
    p50 = compared["whole"]["p50"]
    assert p50["before"][1] < 50_000_000 < 100_000_000 < p50["after"][0]
    rows = {row["labels"]["comm"]: row["numbers"]["values"] for row in compared["rows"]}
    assert rows["backup"]["before"] == 0 < rows["backup"]["after"]
    assert rows["shop"]["before"] > rows["shop"]["after"] > 0
    (run,) = Report(ebpftop("report", tape, "-o", "-", before=AS_NOBODY).stdout).runs.values()
    assert run.probe == "disk/biolatency"
    values = [[str(cell) for cell in row] for row in run.views["latency"].tables["keys"].rows]
    disk = incident.device.name
    assert {tuple(row[:4]) for row in values} >= {
        (str(incident.shop.pid), "shop", disk, "read"),
        (str(incident.backup.pid), "backup", disk, "write"),
    }
