"""`python -m tests.support.far_serve NAME COUNT`: replaces `ebpftop serve --stdio`, and sends frames about a process.

The process has this name and makes COUNT system calls, and as many again for each snapshot. `NOISE` in the environment
is printed first.
"""

from __future__ import annotations

import os
import select
import sys
import time

import numpy as np

from ebpftop.frames.codec import encode, request_decoder
from ebpftop.frames.messages import AnyFrame, Detach, Detached, Host, Load, Ping, Pong, Process, Processes
from ebpftop.frames.stdio import GREETING
from tests.support.frames import CALLS, catalog, columns, hello, loaded, probe, snapshot

PROBE = "cpu/syscount"
EVERY = 0.2  # seconds


def write(*frames: AnyFrame) -> None:
    rest = b"".join(map(encode, frames))
    while rest:
        rest = rest[os.write(1, rest) :]


def main(name: str, count: int) -> None:
    os.write(1, os.environ.get("NOISE", "").encode() + GREETING)
    write(hello(host=name), catalog(probe(PROBE, [CALLS])))
    decoder, runs, looks = request_decoder(), set[int](), 0
    while True:
        if select.select([0], [], [], EVERY)[0]:
            data = os.read(0, 1 << 16)
            if not data:
                return
            for request in decoder.feed(data):
                match request:
                    case Ping():
                        now = time.monotonic_ns()
                        write(
                            Pong(number=request.number, realtime_ns=time.time_ns(), monotonic_ns=now, boottime_ns=now)
                        )
                    case Load():
                        runs.add(request.request)
                        write(loaded(request.request, PROBE, CALLS, request=request.request))
                        write(Processes(processes=[Process(id=1, tgid=17, start_ns=1, comm=name)]))
                    case Detach():
                        runs.discard(request.run)
                        write(Detached(run=request.run))
        looks += 1
        rows = columns(tgid=np.ones(1, "<u4"), nr=["read"], count=[count * looks], last_ns=[1])
        write(*(snapshot(run, looks, {"calls": rows}, at=time.monotonic() - 1000) for run in sorted(runs)))
        write(Host(realtime_ns=time.time_ns(), cpu_percent=1.0, memory_percent=1.0, load=1.0))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
