"""The comparisons: a workload, what one of bcc's tools counts of it, and what our probe does, both at the same time."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.compare import theirs
from tests.support.disks import loop_device
from tests.support.network import CONNECT, DATAGRAMS, ECHO, FAR, NEAR, PING, SERVE, Wire, free_port
from tests.support.tracing import Tracing, trace
from tests.support.workloads import Worker, run_programs

EDGES = "they begin and end tenths of a second apart, and the rest of the machine goes on meanwhile"


@dataclass(frozen=True, slots=True)
class Row:
    """What both counted of one workload. `slack`: the difference that `reason` explains; beyond it they disagree."""

    tool: str
    probe: str
    workload: str
    ours: int = 0
    theirs: int = 0
    slack: int = 0
    reason: str = ""


def both(tool: str, probe: str, work: Callable[[], object], **params: object) -> tuple[Tracing, list[str]]:
    """`tool` is a command line. The work, watched by both; what they tell a second later still counts."""
    name, *arguments = tool.split()
    with theirs.running(name, *arguments) as lines, trace(probe, **params) as traced:
        work()
        time.sleep(1.0)
    return traced, lines


def numbers(lines: list[str], pattern: str) -> int:
    """The sum of the first groups of all lines that match."""
    return sum(int(match[1]) for line in lines if (match := re.search(pattern, line)))


def matching(lines: list[str], pattern: str) -> int:
    return sum(1 for line in lines if re.search(pattern, line))


def histogram(lines: list[str]) -> int:
    """All that a histogram of bcc's counts."""
    return numbers(lines, r"^\s*\d+ -> \d+\s*: (\d+)")


# ---------------------------------------------------------------- processes and the scheduler


def syscount(folder: Path) -> Row:
    with Worker("def work():\n for _ in range(10007): os.getppid()") as worker:
        traced, lines = both(f"syscount -p {worker.pid}", "cpu/syscount", worker.work, pid=worker.pid)
    ours = traced.totals("by system call", "system call")["getppid"]["calls"]
    return Row("syscount", "cpu/syscount", "10,007 getppid()", ours, numbers(lines, r"^getppid\s+(\d+)"))


def exitsnoop(folder: Path) -> Row:
    pids: list[int] = []
    traced, lines = both("exitsnoop", "cpu/exitsnoop", lambda: pids.extend(run_programs(23)))
    ours = sum(row["pid"] in pids for row in traced.events())
    found = sum(1 for line in lines if (match := re.match(r"true\s+(\d+) ", line)) and int(match[1]) in pids)
    return Row("exitsnoop", "cpu/exitsnoop", "23 programs that end", ours, found)


def trace_execs(folder: Path) -> Row:
    program = folder / "started"
    program.symlink_to("/bin/true")
    pids: list[int] = []
    # trace.py takes its probe as one argument
    with (
        theirs.running("trace", 't:sched:sched_process_exec "pid %d", args->pid') as lines,
        trace("cpu/execsnoop") as traced,
    ):
        pids += run_programs(29, str(program))
        time.sleep(1.0)
    found = sum(1 for line in lines if (match := re.search(r"pid (\d+)", line)) and int(match[1]) in pids)
    return Row("trace", "cpu/execsnoop", "29 programs that begin", len(traced.events(path=str(program))), found)


def execsnoop(folder: Path) -> Row:
    program = folder / "started"
    program.symlink_to("/bin/true")
    traced, lines = both("execsnoop", "cpu/execsnoop", lambda: run_programs(31, str(program)))
    ours = len(traced.events(path=str(program)))
    return Row("execsnoop", "cpu/execsnoop", "31 programs that begin", ours, matching(lines, re.escape(str(program))))


def killsnoop(folder: Path) -> Row:
    with Worker("def work():\n for _ in range(13): os.kill(os.getpid(), 28)") as worker:
        traced, lines = both("killsnoop", "security/killsnoop", worker.work, pid=worker.pid, harmless="true")
    ours = len(traced.events(pid=worker.pid, target=worker.pid))
    return Row("killsnoop", "security/killsnoop", "13 signals", ours, matching(lines, rf" {worker.pid} "))


SLEEPS = "import time\ndef work():\n for _ in range(211): time.sleep(0.001)"


def runqlat(folder: Path) -> Row:
    with Worker(SLEEPS) as worker:
        traced, lines = both(f"runqlat -p {worker.pid}", "cpu/runqlat", worker.work, pid=worker.pid)
        ours = traced.count("latency", pid=worker.pid)
    return Row("runqlat", "cpu/runqlat", "a process wakes 211 times", ours, histogram(lines))


def runqslower(folder: Path) -> Row:
    """Both take what is longer than 1 µs, bcc in whole microseconds: from 2 µs on."""
    with Worker(SLEEPS, name="slower") as worker:
        traced, lines = both(
            f"runqslower -p {worker.pid} 1", "cpu/runqslower", worker.work, pid=worker.pid, slower="1999ns"
        )
    ours = len(traced.events(pid=worker.pid))
    return Row("runqslower", "cpu/runqslower", "waits of 2 µs and more", ours, matching(lines, rf" {worker.pid} "))


# ---------------------------------------------------------------- interrupts


def softirqs(folder: Path) -> Row:
    with Wire() as wire, Worker(DATAGRAMS, 9, 10007, 10, prepare=wire.enter) as sender:
        traced, lines = both("softirqs -C", "irq/softirqs", sender.work)
    ours, found = traced.count("run time", vector="NET_RX"), numbers(lines, r"^net_rx\s+(\d+)")
    return Row("softirqs", "irq/softirqs", "10,007 datagrams: NET_RX", ours, found, max(100, found // 50), EDGES)


READ = """
import mmap
file = os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECT)
page = mmap.mmap(-1, 4096)
def work():
    for number in range(int(sys.argv[2])): os.preadv(file, [page], number * int(sys.argv[3]))
"""


def hardirqs(folder: Path) -> Row:
    file = folder / "file"
    file.write_bytes(bytes(4 << 20))
    with Worker(READ, file, 997, 4096) as reader:
        traced, lines = both("hardirqs -C", "irq/hardirqs", reader.work)
    totals = {name: counts["interrupts"] for name, counts in traced.totals("interrupts", "name").items()}
    busiest = max(totals, key=lambda name: totals[name])
    found = numbers(lines, rf"^{re.escape(busiest)}\s+(\d+)")
    return Row("hardirqs", "irq/hardirqs", f"997 reads: {busiest}", totals[busiest], found, max(50, found // 20), EDGES)


# ---------------------------------------------------------------- disks


def bitesize(folder: Path) -> Row:
    with loop_device(folder / "disk", 8 << 20) as device, Worker(READ, device, 97, 65536, name="biting") as reader:
        traced, lines = both("bitesize", "disk/bitesize", reader.work)
        ours = traced.count("sizes", pid=reader.pid)
    at = next((number for number, line in enumerate(lines) if "biting" in line), len(lines))
    own = next((number for number in range(at + 1, len(lines)) if "Process Name" in lines[number]), len(lines))
    return Row("bitesize", "disk/bitesize", "97 reads of 4 KiB", ours, histogram(lines[at:own]))


def biolatency(folder: Path) -> Row:
    with loop_device(folder / "disk", 8 << 20) as device, Worker(READ, device, 89, 65536) as reader:
        traced, lines = both(f"biolatency -d {device.name}", "disk/biolatency", reader.work)
        ours = traced.count("latency", device=device.name)
    return Row("biolatency", "disk/biolatency", "89 reads of a disk", ours, histogram(lines))


def biopattern(folder: Path) -> Row:
    with loop_device(folder / "disk", 8 << 20) as device, Worker(READ, device, 101, 65536) as reader:
        traced, lines = both("biopattern", "disk/biopattern", reader.work)
        counts = traced.totals("pattern", "device")[device.name]
    found = numbers(lines, rf"^\S+ +{device.name} +\d+ +\d+ +(\d+)")
    ours = counts["sequential"] + counts["random"]
    return Row(
        "biopattern", "disk/biopattern", "101 reads of a disk", ours, found, 1, "bcc leaves a disk's first request out"
    )


# ---------------------------------------------------------------- files


def _named(tool: str, probe: str, call: str, count: int, folder: Path) -> Row:
    """A call that names a path so many times."""
    path = folder / "named"
    path.touch()
    code = f"def work():\n for _ in range({count}): {call}"
    with Worker(code, path) as worker:
        traced, lines = both(f"{tool} -p {worker.pid}", probe, worker.work, pid=worker.pid)
    return Row(tool, probe, f"{count} times one path", len(traced.events(path=str(path))), matching(lines, str(path)))


def opensnoop(folder: Path) -> Row:
    return _named("opensnoop", "disk/opensnoop", "os.close(os.open(sys.argv[1], 0))", 101, folder)


def statsnoop(folder: Path) -> Row:
    return _named("statsnoop", "disk/statsnoop", "os.stat(sys.argv[1])", 17, folder)


# ---------------------------------------------------------------- network


def _connections(tool: str, probe: str, count: int) -> tuple[Tracing, list[str], str]:
    """Connections to a port of this machine, of which both look at the server's side."""
    port = free_port()
    with Worker(SERVE, 4, port, count, 5000) as server, Worker(CONNECT, 4, port, count, 997) as client:

        def work() -> None:
            server.start()
            client.work()
            server.finish()

        return *both(f"{tool} -L {port}", probe, work, port=port), str(port)


def tcplife(folder: Path) -> Row:
    traced, lines, port = _connections("tcplife", "network/tcplife", 41)
    return Row(
        "tcplife", "network/tcplife", "41 connections", len(traced.events(local_port=port)), matching(lines, port)
    )


def tcpstates(folder: Path) -> Row:
    traced, lines, port = _connections("tcpstates", "network/tcpstates", 7)
    ours = len(traced.events(local_port=port))
    return Row("tcpstates", "network/tcpstates", "7 connections, 5 states each", ours, matching(lines, f" {port} "))


def tcpretrans(folder: Path) -> Row:
    with (
        Wire(lose="syn data", port=80) as wire,
        Worker(ECHO, NEAR, 80, prepare=wire.enter) as server,
        Worker(PING, FAR, 80, NEAR, 6, prepare=wire.enter) as client,
    ):
        server.start()
        traced, lines = both("tcpretrans", "network/tcpretrans", client.work, port=80)
    ours = len(traced.events(remote=FAR, remote_port="80"))
    return Row("tcpretrans", "network/tcpretrans", "7 segments lost", ours, matching(lines, rf"R> {FAR}:80 "))


ALL: dict[str, Callable[[Path], Row]] = {
    "syscount": syscount,
    "exitsnoop": exitsnoop,
    "trace": trace_execs,
    "runqlat": runqlat,
    "runqslower": runqslower,
    "softirqs": softirqs,
    "hardirqs": hardirqs,
    "bitesize": bitesize,
    "biopattern": biopattern,
    "tcplife": tcplife,
    "tcpstates": tcpstates,
    "tcpretrans": tcpretrans,
    "execsnoop": execsnoop,
    "opensnoop": opensnoop,
    "statsnoop": statsnoop,
    "killsnoop": killsnoop,
    "biolatency": biolatency,
}
