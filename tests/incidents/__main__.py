"""Incidents that `ebpftop triage` is tested with, recorded on the running kernel: a small shop and what goes wrong in
it, and the same shop on calm days.

    python -m tests.incidents [NAME…]

records them anew, beside this file. Needs root, control groups of version 2, the CPU controller of version 1, and
FUSE. Each begins calm; after `CALM` seconds the trouble starts. The tapes hold the shop alone: probes filter by its
control group and its disk, pressure is that of the group, and other processes and the host's name are left out.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ebpftop.frames.messages import AnyFrame, Catalog, Cost, Detaching, Host, Loading, Pressure, ProbeInfo, Processes
from ebpftop.frames.tape import TapeReader, TapeWriter
from tests.support.command import COMMAND
from tests.support.disks import attached
from tests.support.shop import GROUP, INSIDE, PORT, PROGRAMS, WEB, Shop, apart
from tests.support.slow_fuse import slow_file

HERE = Path(__file__).parent
CALM, TROUBLE = 14, 12  # seconds
LOADING = 20  # before them, until all probes are loaded
SHARES = 1 << 18  # of the CPUs, of which others have 1024: what else runs on this machine must not be part of it
CPU = Path("/sys/fs/cgroup/cpu")  # version 1; there is none of version 2 on the machine they were recorded on
MEMORY = Path("/sys/fs/cgroup/memory")  # likewise
SPOOL, FILES = Path("/opt/spool"), 400  # a file system, and for how many files it has room
ROOM = 48 << 20  # bytes of memory for the cache
PROBES = (
    *("cputop", "runqlat", "pidpersec", "futexlat", "biolatency", "fsslower", "fsynclat", "opensnoop"),
    *("tcpconnlat", "tcpretrans", "oomkill"),
)

SCRIPTS = {
    "web": WEB,
    "visitors": f"""#!/usr/bin/python3 -IS
import socket, time
while True:
    time.sleep(0.02)
    try:
        with socket.create_connection(("127.0.0.1", {PORT})) as web:
            for _ in range(10):
                web.sendall(b"GET /")
                web.recv(4096)
                time.sleep(0.02)
    except OSError: pass
""",
    "orders": """#!/usr/bin/python3 -IS
import mmap, os, sys, time
disk, room = os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECT), mmap.mmap(-1, 4096)
number = 0
while True:
    number += 1
    os.preadv(disk, [room], number % 1000 * 4096)
    time.sleep(0.04)
""",
    "mailer": """#!/usr/bin/python3 -IS
import os, time
while True:
    time.sleep(1)
    os.waitpid(os.posix_spawn("/bin/true", ["/bin/true"], {}), 0)
    try: os.open("/etc/mailer.d/local", os.O_RDONLY)
    except OSError: pass
""",
    "steady": """#!/usr/bin/python3 -IS
import hashlib, time
data = bytes(1 << 20)
while True:
    hashlib.sha256(data).digest()
    time.sleep(0.006)
""",
    "report": """#!/usr/bin/python3 -IS
import hashlib, threading
data = bytes(1 << 22)
def sums():
    while True: hashlib.sha256(data).digest()
for _ in range(4): threading.Thread(target=sums).start()
""",
    "healthcheck": """#!/bin/sh
while :; do /bin/true; done
""",
    "plugins": """#!/usr/bin/python3 -IS
import os, time
while True:
    time.sleep(0.005)
    try: os.open("/usr/lib/shop/theme.so", os.O_RDONLY)
    except OSError: pass
""",
    "backup": """#!/usr/bin/python3 -IS
import mmap, os, sys, threading
disk, piece = os.open(sys.argv[1], os.O_WRONLY | os.O_DIRECT), mmap.mmap(-1, 65536)
def write(first):
    for number in range(first, 1 << 20, 3): os.pwrite(disk, piece, number % 1000 * 65536)
for first in range(3): threading.Thread(target=write, args=(first,)).start()
""",
    "ledger": """#!/usr/bin/python3 -IS
import threading, time
lock = threading.Lock()
def book():
    while True:
        with lock: time.sleep(0.002)
for _ in range(8): threading.Thread(target=book).start()
""",
    "journal": """#!/usr/bin/python3 -IS
import os, tempfile
file = tempfile.TemporaryFile(dir="/var/tmp")
while True:
    os.pwrite(file.fileno(), bytes(4096), 0)
    os.fsync(file.fileno())
""",
    "cache": f"""#!/bin/sh
while :; do {PROGRAMS}/cached; done
""",
    "cached": f"""#!/usr/bin/python3 -IS
import os, time
open("{MEMORY / GROUP}/cgroup.procs", "w").write(str(os.getpid()))
kept = []
while True:
    kept.append(b"x" * (1 << 18))
    time.sleep(0.015)
""",
    "uploads": f"""#!/usr/bin/python3 -IS
import os, time
number = 0
while True:
    time.sleep(0.02)
    number += 1
    try:
        os.close(os.open(f"{SPOOL}/{{number}}", os.O_CREAT | os.O_WRONLY))
        os.unlink(f"{SPOOL}/{{number}}")
    except OSError: pass
""",
    "thumbs": f"""#!/usr/bin/python3 -IS
import os, time
for number in range(100_000):
    try: os.close(os.open(f"{SPOOL}/thumb-{{number}}", os.O_CREAT | os.O_WRONLY))
    except OSError: time.sleep(1)
""",
}
Pressures = list[tuple[int, dict[str, Pressure]]]  # realtime ns, and what had been waited by then
QUIET = ("web", "visitors", "orders", "mailer")


@dataclass(frozen=True)
class Incident:
    """starts: what begins when the trouble does; ends: what is killed then. also: what runs all the time besides.
    words: more probes, and options of theirs.
    """

    starts: tuple[str, ...] = ()
    ends: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    words: tuple[str, ...] = ()


INCIDENTS = {
    "cpu-hog": Incident(("report",)),
    "fork-storm": Incident(("healthcheck",)),
    "missing-file": Incident(("plugins",)),
    "busy-disk": Incident(("backup",)),
    "lock-convoy": Incident(("ledger",)),
    "dead-service": Incident(ends=("web",)),
    "fsync-storm": Incident(("journal",)),
    "memory-leak": Incident(("cache",), words=("heapgrowth", "drsnoop", "-p", "unwind=fp")),
    "disk-full": Incident(("thumbs",), also=("uploads",)),
    "calm": Incident(),
    "calm-and-busy": Incident(also=("steady", "visitors")),
}


def main(names: list[str]) -> None:
    for name in names or INCIDENTS:
        apart("tests.incidents", name)


def inside(name: str) -> None:
    """Record one, in namespaces of its own."""
    incident = INCIDENTS[name]
    with (
        tempfile.TemporaryDirectory() as text,
        first_of_all(),
        little_room(),
        slow_file(Path(text), 64 << 20, 1 << 20) as file,
        attached(file) as disk,
    ):
        whole, part = Path(text) / "whole.tape", Path(text) / "part.tape"
        with Shop(SCRIPTS, disk) as shop, watched(shop.group) as pressure:
            SPOOL.mkdir()
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"nr_inodes={FILES}", "none", SPOOL], check=True)
            for program in (*QUIET, *incident.also):
                shop.start(program)
            time.sleep(1)
            options = ["-p", f"cgroup={GROUP}", "-p", f"device={disk.name}", "-p", f"port={PORT}", "-p", "failed=true"]
            recorder = subprocess.Popen([*COMMAND, "record", "-o", whole, *options, *PROBES, *incident.words])
            time.sleep(LOADING + CALM)
            for program in incident.ends:
                shop.end(program)
            for program in incident.starts:
                shop.start(program)
            time.sleep(TROUBLE)
            recorder.send_signal(signal.SIGINT)
            status = recorder.wait()
        if status:
            raise SystemExit(f"the recorder ended with {status}")
        with contextlib.closing(TapeReader(whole)) as reader:
            end = next(at for at, frame in reader if isinstance(frame, Detaching)) / 1e9
        begin = f"{end - CALM - TROUBLE:.1f}"
        subprocess.run([*COMMAND, "tape", "cut", whole, "--from", begin, "-o", part], check=True)
        _alone(part, HERE / f"{name}.tape", pressure, {*PROBES, *incident.words})


@contextlib.contextmanager
def first_of_all() -> Iterator[None]:
    """All that this process starts meanwhile has the CPUs before what else runs on this machine."""
    group = CPU / GROUP
    group.mkdir()
    (group / "cpu.shares").write_text(str(SHARES))
    (group / "cgroup.procs").write_text("0")
    try:
        yield
    finally:
        (CPU / "cgroup.procs").write_text("0")
        group.rmdir()


@contextlib.contextmanager
def little_room() -> Iterator[None]:
    """A control group of memory, which the cache joins."""
    group = MEMORY / GROUP
    group.mkdir()
    (group / "memory.limit_in_bytes").write_text(str(ROOM))
    try:
        yield
    finally:
        group.rmdir()


@contextlib.contextmanager
def watched(group: Path) -> Iterator[Pressures]:
    """The pressure of a control group, four times a second: realtime, and what had been waited by then."""
    found: Pressures = []
    closing = threading.Event()

    def read() -> None:
        while not closing.wait(0.25):
            now = {name: _pressure((group / f"{name}.pressure").read_text()) for name in ("cpu", "memory", "io")}
            found.append((time.time_ns(), now))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield found
    finally:
        closing.set()
        reader.join()


def _pressure(text: str) -> Pressure:
    totals = {line.split()[0]: int(line.rpartition("total=")[2]) * 1000 for line in text.splitlines()}
    return Pressure(some_ns=totals["some"], full_ns=totals.get("full", 0))


def _alone(tape: Path, out: Path, pressure: Pressures, loaded: Collection[str]) -> None:
    """Write the tape without what isn't the shop's: other processes, the machine's pressure, the probes' sources."""
    reader = TapeReader(tape)
    with TapeWriter(out, force=True) as writer:
        for at, frame in reader:
            for kept in _of_shop(frame, pressure, loaded):
                writer.write(kept, at)
    reader.close()
    out.chmod(0o644)
    print(f"{out.name}: {out.stat().st_size:,} bytes", file=sys.stderr)


def _of_shop(frame: AnyFrame, pressure: Pressures, loaded: Collection[str]) -> list[AnyFrame]:
    match frame:
        case Processes():
            shops = [each for each in frame.processes if not each.tgid or each.cgroup.startswith(f"/{GROUP}/")]
            return [msgspec.structs.replace(frame, processes=shops)] if shops else []
        case Host():
            _, mine_now = min(pressure, key=lambda each: abs(each[0] - frame.realtime_ns))
            return [msgspec.structs.replace(frame, pressure=mine_now, cpu_percent=0.0, memory_percent=0.0, load=0.0)]
        case Catalog():
            told = [each for each in frame.probes if each.id.partition("/")[2] in loaded]
            more = {name for each in told for name in each.next}
            told += [each for each in frame.probes if each.id in more and each not in told]
            return [msgspec.structs.replace(frame, probes=[_short(each) for each in told], playbooks=[])]
        case Cost() | Loading():
            return []
    return [frame]


def _short(probe: ProbeInfo) -> ProbeInfo:
    return msgspec.structs.replace(
        probe,
        source="",
        readme="",
        summary="",
        overhead="",
        params=[each for each in probe.params if each.type == "pid"],
    )


if __name__ == "__main__":
    if INSIDE in sys.argv:
        inside(sys.argv[-1])
    else:
        main(sys.argv[1:])
