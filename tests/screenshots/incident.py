"""An incident made for the demo, recorded on the running kernel: a small shop and all that goes wrong with it.

First it is quiet: visitors ask a web server, orders are read from a disk, a journal is written to it. Then thumbnails
are made by more processes than there are CPUs, a health check starts one program after another, and a backup reads the
disk. The tape begins when all probes are loaded, and gets the captions of `story`. Needs root.

    python -m tests.screenshots.incident TAPE

It starts itself again with a host name and mounts of its own, so that no name of this machine comes on the tape, and
filters by a control group and a disk of its own, so that only its own processes are seen. They have priority over what
else runs on this machine.
"""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType

from ebpftop.kernel import mounts
from tests.screenshots import story

HOST = "shop-01"
PROBES = ("runqlat", "syscount", "biolatency", "execsnoop", "tcplife", "profile", "null-deref")
SECONDS = 145  # of the tape
LOADING = 15  # seconds before it, until all probes are loaded
NICE = -15
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
import mmap, os, sys, time
log, page = os.open(sys.argv[1], os.O_WRONLY | os.O_DIRECT), mmap.mmap(-1, 8192)
while True:
    os.pwrite(log, page, 0)
    time.sleep(0.03)
""",
    "orders": """#!/usr/bin/python3 -IS
import mmap, os, random, sys, time
disk, room = os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECT), mmap.mmap(-1, 4096)
while True:
    os.preadv(disk, [room], random.randrange(1 << 14) * 4096)
    time.sleep(0.01)
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
import mmap, os, random, sys, threading
disk = os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECT)
def read():
    room = mmap.mmap(-1, 1 << 20)
    while True:
        os.preadv(disk, [room], random.randrange(128) << 20)
for _ in range(16):
    threading.Thread(target=read).start()
""",
}
QUIET = ("web", "visitors", "visitors", "orders", "journal")
# What begins when, and for how long, in seconds since the tape began.
TROUBLE = [(20, 35, ["thumbnails"] * 5), (66, 10, ["healthcheck"]), (84, 36, ["backup"] * 3)]


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
    with Shop() as shop, tempfile.TemporaryDirectory() as folder:
        for name in QUIET:
            shop.start(name)
        time.sleep(1)
        options = ["--duration", LOADING + SECONDS + 5, "-p", f"cgroup={story.GROUP}", "-p", f"port={PORT}"]
        options += ["-p", f"device={shop.disk.name}"]
        whole = Path(folder) / "whole.tape"
        command = [sys.executable, "-m", "ebpftop", "record", "-o", whole, *options, *PROBES]
        recorder = subprocess.Popen([str(word) for word in command], preexec_fn=lambda: os.nice(NICE) and None)
        began = time.monotonic() + LOADING
        starts = [(at, shop.start, name) for at, _, names in TROUBLE for name in names]
        ends = [(at + lasts, shop.end, name) for at, lasts, names in TROUBLE for name in set(names)]
        for at, act, name in sorted(starts + ends, key=lambda each: each[0]):
            time.sleep(max(0.0, began + at - time.monotonic()))
            act(name)
        status = recorder.wait(LOADING + SECONDS)
        if status != 1:
            raise SystemExit(f"the recorder ended with {status}; it should with 1, as lab/null-deref is rejected")
        part = Path(folder) / "part.tape"
        begin, end = str(LOADING), str(LOADING + SECONDS)
        subprocess.run(
            [sys.executable, "-m", "ebpftop", "tape", "cut", whole, "--from", begin, "--to", end, "-o", part],
            check=True,
        )
        story.tell(part, tape)


class Shop:
    """A control group with one below it for each program, and a disk: a loop device. All of it goes with it."""

    def __init__(self) -> None:
        root = mounts.cgroups()
        assert root is not None, "the incident needs control groups of version 2"
        self.group = root / story.GROUP
        self.services = {name: self.group / f"{name}.service" for name in SCRIPTS}
        self.data = Path("/var/tmp/shop-data")
        self.disk = Path("/dev")  # known when it is there
        self.children: list[subprocess.Popen[bytes]] = []

    def start(self, name: str) -> None:
        """Start one more process of a program, in the program's group before it does anything."""
        join = (self.services[name] / "cgroup.procs").write_text

        def prepare() -> None:
            os.nice(NICE)
            join("0")

        self.children.append(subprocess.Popen([PROGRAMS / name, self.disk], preexec_fn=prepare, env={"PATH": "/bin"}))

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
        loop = ["losetup", "--direct-io=on", "--show", "-f", self.data]
        self.disk = Path(subprocess.run(loop, check=True, stdout=subprocess.PIPE, text=True).stdout.strip())
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
        subprocess.run(["losetup", "-d", self.disk], check=True)
        self.data.unlink()


if __name__ == "__main__":
    if INSIDE in sys.argv:
        inside(Path(sys.argv[1]))
    else:
        record(Path(sys.argv[1]))
