"""An incident made for the demo, recorded on the running kernel: a small shop and all that goes wrong with it.

First it is quiet: visitors ask a web server, a journal is synced. Then thumbnails are made by more processes than there
are CPUs, a health check starts one program after another, and a backup reads the disk. Needs root.

    python -m tests.screenshots.incident TAPE

It starts itself again with a host name and mounts of its own, so that no name of this machine comes on the tape, and
filters by a control group of its own, so that only its own processes are seen.
"""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

from ebpftop.kernel import mounts

HOST = "shop-01"
PROBES = ("runqlat", "syscount", "biolatency", "execsnoop", "tcplife", "profile", "null-deref")
SECONDS = 50
GROUP = "shop.slice"
PORT = "8080"
PROGRAMS = Path("/opt/shop")
INSIDE = "--inside"
PR_SET_CHILD_SUBREAPER = 36  # prctl(2): whoever loses its parent becomes our child, not that of this machine's init

# Each is a script of this name, so this is what the kernel calls the process.
SCRIPTS = {
    "web": """#!/usr/bin/python3 -IS
import os, socket
server = socket.create_server(("127.0.0.1", 8080), backlog=64)
page = bytes(3000)
while True:
    visitor, _ = server.accept()
    while visitor.recv(4096):
        os.stat("/etc/hostname")
        visitor.sendall(page)
    visitor.close()
""",
    "visitors": """#!/usr/bin/python3 -IS
import contextlib, socket, time
while True:
    time.sleep(0.01)
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", 8080)) as web:
        for _ in range(25):
            web.sendall(b"GET /")
            web.recv(4096)
            time.sleep(0.01)
""",
    "journal": """#!/usr/bin/python3 -IS
import os, sys, time
log = os.open(sys.argv[1] + ".log", os.O_CREAT | os.O_TRUNC | os.O_WRONLY)
while True:
    os.pwrite(log, bytes(8192), 0)
    os.fdatasync(log)
    time.sleep(0.05)
""",
    "thumbnails": """#!/usr/bin/python3 -IS
import zlib
picture = bytes(range(256)) * 256
while True:
    zlib.compress(picture, 9)
""",
    "healthcheck": """#!/bin/sh
while :; do
    id -u
    grep -c processor /proc/cpuinfo
    cut -d' ' -f1 /proc/loadavg
    df /
    curl http://127.0.0.1:8080/health
    sleep 0.2
done >/dev/null 2>&1
""",
    "backup": """#!/usr/bin/python3 -IS
import mmap, os, random, sys
size, piece = os.path.getsize(sys.argv[1]), 1 << 17
file = os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECT)
room = mmap.mmap(-1, piece)
while True:
    os.preadv(file, [room], random.randrange(size // piece) * piece)
""",
}
QUIET = ("web", "visitors", "visitors", "journal")
# What begins when, and for how long, in seconds since the tape began.
TROUBLE = [(13, 15, ["thumbnails"] * 5), (24, 10, ["healthcheck"]), (34, 12, ["backup"] * 2)]


def record(tape: Path) -> None:
    """Make the incident and its tape. Raises `CalledProcessError`."""
    command = ["unshare", "--uts", "--mount", "--", sys.executable, "-m", "tests.screenshots.incident", str(tape)]
    subprocess.run([*command, INSIDE], check=True)


def inside(tape: Path) -> None:
    """The same, in namespaces of our own."""
    socket.sethostname(HOST)
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    subprocess.run(["mount", "-t", "tmpfs", "none", PROGRAMS.parent], check=True)
    PROGRAMS.mkdir()
    for name, script in SCRIPTS.items():
        (PROGRAMS / name).write_text(script)
        (PROGRAMS / name).chmod(0o755)
    with Shop() as shop:
        for name in QUIET:
            shop.start(name)
        time.sleep(1)
        options = ["--force", "--duration", str(SECONDS), "-p", f"cgroup={GROUP}", "-p", f"port={PORT}"]
        recorder = subprocess.Popen([sys.executable, "-m", "ebpftop", "record", "-o", tape, *options, *PROBES])
        began = time.monotonic()
        starts = [(at, shop.start, name) for at, _, names in TROUBLE for name in names]
        ends = [(at + lasts, shop.end, name) for at, lasts, names in TROUBLE for name in set(names)]
        for at, act, name in sorted(starts + ends, key=lambda each: each[0]):
            time.sleep(max(0.0, began + at - time.monotonic()))
            act(name)
        status = recorder.wait(60)
    if status != 1:
        raise SystemExit(f"the recorder ended with {status}; it should with 1, as lab/null-deref is rejected")


class Shop:
    """A control group with one below it for each program, and a file on the disk. All of it goes with it."""

    def __init__(self) -> None:
        root = mounts.cgroups()
        assert root is not None, "the incident needs control groups of version 2"
        self.group = root / GROUP
        self.services = {name: self.group / f"{name}.service" for name in SCRIPTS}
        self.data = Path("/var/tmp/shop-data")
        self.children: list[subprocess.Popen[bytes]] = []

    def start(self, name: str) -> None:
        """Start one more process of a program, in the program's group before it does anything."""
        join = (self.services[name] / "cgroup.procs").write_text
        command = [PROGRAMS / name, self.data]
        self.children.append(subprocess.Popen(command, preexec_fn=lambda: join("0") and None, env={"PATH": "/bin"}))

    def end(self, name: str) -> None:
        """End all processes of a program."""
        (self.services[name] / "cgroup.kill").write_text("1")

    def __enter__(self) -> Shop:
        for folder in (self.group, *self.services.values()):
            folder.mkdir()
        with self.data.open("wb") as file:
            for _ in range(128):
                file.write(os.urandom(1 << 20))
            os.fsync(file.fileno())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        (self.group / "cgroup.kill").write_text("1")
        for child in self.children:
            child.wait()
        time.sleep(0.2)  # what they had started is gone as well
        for folder in (*self.services.values(), self.group):
            folder.rmdir()
        for path in self.data.parent.glob(f"{self.data.name}*"):
            path.unlink()


if __name__ == "__main__":
    if INSIDE in sys.argv:
        inside(Path(sys.argv[1]))
    else:
        record(Path(sys.argv[1]))
