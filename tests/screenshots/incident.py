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

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.screenshots import story
from tests.support.command import COMMAND
from tests.support.disks import attached
from tests.support.shop import GROUP, INSIDE, PORT, WEB, Shop, apart

PROBES = ("runqlat", "syscount", "biolatency", "execsnoop", "tcplife", "profile", "null-deref")
SECONDS = 145  # of the tape
LOADING = 15  # seconds before it, until all probes are loaded
NICE = -15
SCRIPTS = {
    "web": WEB,
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
    apart("tests.screenshots.incident", str(tape))


def inside(tape: Path) -> None:
    """The same, in namespaces of our own."""
    with tempfile.TemporaryDirectory() as folder, disk(Path("/var/tmp/shop-data")) as device:
        whole, part = Path(folder) / "whole.tape", Path(folder) / "part.tape"
        with Shop(SCRIPTS, device, NICE) as shop:
            for name in QUIET:
                shop.start(name)
            time.sleep(1)
            options = ["--duration", str(LOADING + SECONDS + 5), "-p", f"cgroup={GROUP}", "-p", f"port={PORT}"]
            options += ["-p", f"device={device.name}"]
            command = [*COMMAND, "record", "-o", whole, *options, *PROBES]
            recorder = subprocess.Popen(command, preexec_fn=lambda: os.nice(NICE) and None)
            began = time.monotonic() + LOADING
            starts = [(at, shop.start, name) for at, _, names in TROUBLE for name in names]
            ends = [(at + lasts, shop.end, name) for at, lasts, names in TROUBLE for name in set(names)]
            for at, act, name in sorted(starts + ends, key=lambda each: each[0]):
                time.sleep(max(0.0, began + at - time.monotonic()))
                act(name)
            status = recorder.wait(LOADING + SECONDS)
        if status != 1:
            raise SystemExit(f"the recorder ended with {status}; it should with 1, as lab/null-deref is rejected")
        begin, end = str(LOADING), str(LOADING + SECONDS)
        subprocess.run([*COMMAND, "tape", "cut", whole, "--from", begin, "--to", end, "-o", part], check=True)
        story.tell(part, tape)


@contextlib.contextmanager
def disk(data: Path) -> Iterator[Path]:
    """A block device whose data are in a file, which goes with it."""
    with data.open("wb") as file:
        for _ in range(128):
            file.write(os.urandom(1 << 20))
        os.fsync(file.fileno())
    try:
        with attached(data, "--direct-io=on") as device:
            yield device
    finally:
        data.unlink()


if __name__ == "__main__":
    if INSIDE in sys.argv:
        inside(Path(sys.argv[-1]))
    else:
        record(Path(sys.argv[1]))
