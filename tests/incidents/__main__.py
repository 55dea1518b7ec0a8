"""Incidents that `ebpftop triage` is tested with, recorded on the running kernel: a small shop and what goes wrong in
it, and the same shop on calm days.

    python -m tests.incidents [NAME…]

records them anew, beside this file. Needs root, control groups of version 2, the CPU controller of version 1, and
FUSE. Each begins calm; after `CALM` seconds the trouble starts. The tapes hold the shop alone: probes filter by its
control group and its disk, pressure is that of the group, and other processes and the host's name are left out.
"""

from __future__ import annotations

import contextlib
import ctypes
import signal
import socket
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
from ebpftop.kernel import mounts
from tests.support.disks import attached
from tests.support.slow_fuse import slow_file

HERE = Path(__file__).parent
CALM, TROUBLE = 14, 12  # seconds
LOADING = 20  # before them, until all probes are loaded
SHARES = 1 << 18  # of the CPUs, of which others have 1024: what else runs on this machine must not be part of it
GROUP, HOST, PORT = "shop.slice", "shop-01", 8080
PROGRAMS = Path("/opt/shop")
CPU = Path("/sys/fs/cgroup/cpu")  # version 1; there is none of version 2 on the machine they were recorded on
MEMORY = Path("/sys/fs/cgroup/memory")  # likewise
SPOOL, FILES = Path("/opt/spool"), 400  # a file system, and for how many files it has room
ROOM = 48 << 20  # bytes of memory for the cache
INSIDE = "--inside"
PR_SET_CHILD_SUBREAPER = 36  # prctl(2)
PROBES = (
    *("cputop", "runqlat", "pidpersec", "futexlat", "biolatency", "fsslower", "fsynclat", "opensnoop"),
    *("tcpconnlat", "tcpretrans", "oomkill"),
)

SCRIPTS = {
    "web": f"""#!/usr/bin/python3 -IS
import os, socket
server = socket.create_server(("127.0.0.1", {PORT}), backlog=64)
page = bytes(3000)
while True:
    visitor, _ = server.accept()
    while visitor.recv(4096):
        os.stat("/etc/hostname")
        visitor.sendall(page)
    visitor.close()
""",
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
}
SCRIPTS |= {
    "cache": """#!/bin/sh
while :; do /opt/shop/cached; done
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


def main(arguments: list[str]) -> None:
    for name in arguments or INCIDENTS:
        command = ["unshare", "--uts", "--mount", "--", sys.executable, "-B", "-m", "tests.incidents", INSIDE, name]
        subprocess.run(command, check=True)


def inside(name: str) -> None:
    """Record one, in namespaces of its own."""
    socket.sethostname(HOST)
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    subprocess.run(["mount", "-t", "tmpfs", "none", PROGRAMS.parent], check=True)
    PROGRAMS.mkdir()
    SPOOL.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"nr_inodes={FILES}", "none", SPOOL], check=True)
    for program, script in SCRIPTS.items():
        (PROGRAMS / program).write_text(script)
        (PROGRAMS / program).chmod(0o755)
    incident = INCIDENTS[name]
    with (
        tempfile.TemporaryDirectory() as text,
        first_of_all(),
        little_room(),
        slow_file(Path(text), 64 << 20, 1 << 20) as file,
        attached(file) as disk,
    ):
        shop, whole = Shop(disk), Path(text) / "whole.tape"
        try:
            for program in (*QUIET, *incident.also):
                shop.start(program)
            time.sleep(1)
            options = ["-p", f"cgroup={GROUP}", "-p", f"device={disk.name}", "-p", f"port={PORT}", "-p", "failed=true"]
            command = [sys.executable, "-m", "ebpftop", "record", "-o", whole, *options, *PROBES, *incident.words]
            recorder = subprocess.Popen([str(word) for word in command])
            time.sleep(LOADING + CALM)
            for program in incident.ends:
                shop.end(program)
            for program in incident.starts:
                shop.start(program)
            time.sleep(TROUBLE)
            recorder.send_signal(signal.SIGINT)
            if recorder.wait():
                raise SystemExit(f"the recorder ended with {recorder.returncode}")
        finally:
            shop.close()
        part = Path(text) / "part.tape"
        end = next(at for at, frame in TapeReader(whole) if isinstance(frame, Detaching)) / 1e9
        begin = f"{end - CALM - TROUBLE:.1f}"
        cut = [sys.executable, "-m", "ebpftop", "tape", "cut", str(whole), "--from", begin, "-o", str(part)]
        subprocess.run(cut, check=True)
        _alone(part, HERE / f"{name}.tape", shop.pressure, {*PROBES, *incident.words})


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
    """A control group of memory that the cache joins."""
    group = MEMORY / GROUP
    group.mkdir()
    (group / "memory.limit_in_bytes").write_text(str(ROOM))
    try:
        yield
    finally:
        group.rmdir()


class Shop:
    """A control group with one below it for each program; its pressure is read once a second."""

    def __init__(self, disk: Path) -> None:
        root = mounts.cgroups()
        assert root is not None, "the incidents need control groups of version 2"
        self.group, self._disk = root / GROUP, disk
        self.pressure: list[tuple[int, dict[str, Pressure]]] = []  # realtime, and what had been waited by then
        self._children: list[subprocess.Popen[bytes]] = []
        self._closing = threading.Event()
        self.group.mkdir()
        for name in SCRIPTS:
            self._below(name).mkdir()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _below(self, name: str) -> Path:
        return self.group / f"{name}.service"

    def start(self, name: str) -> None:
        """Start one more process of a program, in the program's group before it does anything."""
        join = (self._below(name) / "cgroup.procs").write_text

        program = [PROGRAMS / name, self._disk]
        self._children.append(subprocess.Popen(program, preexec_fn=lambda: join("0") and None, env={"PATH": "/bin"}))

    def end(self, name: str) -> None:
        (self._below(name) / "cgroup.kill").write_text("1")

    def _read(self) -> None:
        while not self._closing.wait(0.25):
            found = {name: _pressure((self.group / f"{name}.pressure").read_text()) for name in ("cpu", "memory", "io")}
            self.pressure.append((time.time_ns(), found))

    def close(self) -> None:
        self._closing.set()
        self._reader.join()
        (self.group / "cgroup.kill").write_text("1")
        for child in self._children:
            child.wait()
        time.sleep(0.3)  # what they had started is gone as well
        for name in SCRIPTS:
            self._below(name).rmdir()
        self.group.rmdir()


def _pressure(text: str) -> Pressure:
    totals = {line.split()[0]: int(line.rpartition("total=")[2]) * 1000 for line in text.splitlines()}
    return Pressure(some_ns=totals["some"], full_ns=totals.get("full", 0))


def _alone(tape: Path, out: Path, pressure: list[tuple[int, dict[str, Pressure]]], loaded: Collection[str]) -> None:
    """Write the tape without what isn't the shop's: other processes, the machine's pressure, the probes' sources."""
    reader = TapeReader(tape)
    with TapeWriter(out, force=True) as writer:
        for at, frame in reader:
            for kept in _of_shop(frame, pressure, loaded):
                writer.write(kept, at)
    reader.close()
    out.chmod(0o644)
    print(f"{out.name}: {out.stat().st_size:,} bytes", file=sys.stderr)


def _of_shop(
    frame: AnyFrame, pressure: list[tuple[int, dict[str, Pressure]]], loaded: Collection[str]
) -> list[AnyFrame]:
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
