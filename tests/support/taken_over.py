"""`python -m tests.support.taken_over dashboard|collector FILE`: the program with one process under an attacker's
control.

It tries the actions that SECURITY.md says are impossible, and writes the results to the file, as JSON.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ebpftop.commands import serving, tracing
from ebpftop.frames.codec import encode
from ebpftop.frames.messages import (
    AccountRunTimes,
    Catalog,
    Describe,
    Detach,
    Interval,
    Load,
    Ping,
    ProcessFacts,
    ReadProcess,
    ReadPrograms,
    ReadThreads,
    Refused,
    Request,
    Watch,
)
from ebpftop.frames.reading import FrameDecoder
from ebpftop.handover import protocol, transport
from ebpftop.handover.mailbox import Control

_PTRACE_ATTACH, _BPF, _NEXT_PROGRAM = 16, 321, 11  # x86-64
TRIED = 64  # requests that need root
PATIENCE = 60.0

Told = dict[str, Any]


def outcome(work: Callable[[], object]) -> str:
    try:
        found = work()
    except OSError as error:
        return f"refused: {error.strerror}"
    return f"succeeded: {found!r}"


def call(name: str, *given: int | bytes) -> object:
    """Call the C library. Raises `OSError`."""
    library = ctypes.CDLL(None, use_errno=True)
    if getattr(library, name)(*given) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return name


def as_anybody(control: Control) -> Told:
    """Try actions that no process of a user may perform."""
    parent = os.getppid()
    sudo = ["sudo", "-n", "true"]
    return {
        "become root": outcome(lambda: os.setresuid(0, 0, 0)),
        "join root's group": outcome(lambda: os.setgroups([0])),
        "read root's files": outcome(lambda: Path("/etc/shadow").read_text()[:1]),
        "read the supervisor's memory": outcome(lambda: open(f"/proc/{parent}/mem", "rb")),
        "read its environment": outcome(lambda: Path(f"/proc/{parent}/environ").read_bytes()[:1]),
        "see its descriptors": outcome(lambda: os.listdir(f"/proc/{parent}/fd")),
        "trace it": outcome(lambda: call("ptrace", _PTRACE_ATTACH, parent, 0, 0)),
        "signal it": outcome(lambda: os.kill(parent, 0)),
        "list the kernel's programs": outcome(lambda: call("syscall", _BPF, _NEXT_PROGRAM, bytes(128), 128)),
        "send root a descriptor": outcome(lambda: socket.send_fds(control.socket, [b"."], [0])),
        "use sudo": "refused" if subprocess.run(sudo, capture_output=True, check=False).returncode else "succeeded",
        "descriptors": descriptors(),
    }


def descriptors() -> list[str]:
    """The targets of our own descriptors."""
    found = set()
    for each in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # the descriptor of the listing itself
            found.add(os.readlink(f"/proc/self/fd/{each}"))
    return sorted(found)


def siblings() -> list[str]:
    """The names of the supervisor's children."""
    children = Path(f"/proc/{os.getppid()}/task/{os.getppid()}/children").read_text().split()
    return sorted(Path(f"/proc/{each}/comm").read_text().strip() for each in children)


REQUESTS: list[protocol.Message] = [
    protocol.RequestLoad(run=7, request=7, probe="cpu/syscount", params={}),
    protocol.RequestRunTimes(run=8),
    protocol.RequestPrograms(run=9),
    protocol.RequestProcess(run=10, tgid=1, start_ns=0),
    protocol.RequestThreads(run=11),
    protocol.RequestContainers(run=12, ids={"a" * 64: ""}),
    protocol.RequestSymbols(run=13, kernel=[1], processes=[]),
    protocol.RequestMemoryEvents(run=14),
    protocol.RequestCode(run=15, programs=[], known=[]),
    protocol.Reread(catalog=Catalog(probes=[])),
    protocol.Channel(run=16),
    protocol.TaskEnded(run=17, error="", output=""),
    protocol.CatalogRead(catalog=b"\xc1"),
]

# One request of each kind except loads, for something that doesn't exist, or for more than is allowed.
ASKED: list[Request] = [
    Detach(run=1 << 40),
    Interval(run=1 << 40, seconds=1.0),
    AccountRunTimes(on=True),
    Describe(processes=[-1, 1 << 62]),
    Watch(runs=[1 << 40], cgroup="/../../../etc"),
    ReadPrograms(host="../x"),
    ReadThreads(host="../x"),
    ReadProcess(tgid=1, start_ns=1),
    Ping(number=1),
]


# ---------------------------------------------------------------- a dashboard


def dashboard(control: Control, stream: socket.socket, file: Path) -> int:
    stream.recv(1, socket.MSG_PEEK)  # the collector serves
    told = as_anybody(control)
    told["collector's memory"] = outcome(lambda: os.open(f"/proc/{_collector()}/mem", os.O_RDONLY))
    for each in REQUESTS * (TRIED // len(REQUESTS)):
        control.mailbox.post(each)  # straight to root
    control.mailbox.post(REQUESTS[0])
    control.mailbox.post(REQUESTS[0])  # so all requests before them were handled
    told["siblings"] = siblings()
    decoder = FrameDecoder()
    for request in ASKED * 16:
        stream.sendall(encode(request))
    told["another process"] = next(
        frame.gone for frame in iter(lambda: next(_frames(stream, decoder)), None) if isinstance(frame, ProcessFacts)
    )
    for load in (
        Load(request=1, probe="../../etc/passwd"),
        Load(request=2, probe="cpu/syscount", params={"pid": "1; rm -rf /"}),
        Load(request=3, probe="cpu/syscount", params={"comm": "x", "-include": "/etc/shadow"}),
        Load(request=4, probe="internal/census"),
    ):
        stream.sendall(encode(load))
        told[f"load {load.request}"] = next(
            frame.error
            for frame in iter(lambda: next(_frames(stream, decoder)), None)
            if isinstance(frame, Refused) and frame.request == load.request
        )
    stream.sendall(b"\xff\xff\xff\xff" + bytes(64))  # not a request: the collector ends
    while stream.recv(1 << 16):
        pass
    receiver = transport.Receiver(control.socket)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:  # until the supervisor has noticed
        control.mailbox.post(protocol.Restart())
        time.sleep(0.1)
        control.socket.setblocking(False)
        try:
            received = receiver.receive()
        except BlockingIOError:
            continue
        told["restarted"] = received is not None and isinstance(received[0], protocol.Stream)
        break
    file.write_text(json.dumps(told))
    return 0


_waiting: list[Any] = []


def _frames(stream: socket.socket, decoder: FrameDecoder) -> Any:
    while True:
        while _waiting:
            yield _waiting.pop(0)
        data = stream.recv(1 << 16)
        assert data, "the collector has ended"
        _waiting.extend(decoder.feed(data))


def _collector() -> int:
    children = Path(f"/proc/{os.getppid()}/task/{os.getppid()}/children").read_text().split()
    (found,) = (int(each) for each in children if "collect" in Path(f"/proc/{each}/comm").read_text())
    return found


# ---------------------------------------------------------------- a collector


def collector(control: Control, stream: socket.socket, file: Path) -> int:
    told = as_anybody(control)
    shadow = os.stat("/etc/shadow")
    device = f"{os.major(shadow.st_dev):02x}:{os.minor(shadow.st_dev):02x}".encode()
    receiver = transport.Receiver(control.socket)
    asked: dict[str, protocol.Message] = {
        "a probe that is a path": protocol.RequestLoad(run=1, request=0, probe="../../etc/passwd", params={}),
        "a parameter that is C": protocol.RequestLoad(run=2, request=0, probe="cpu/syscount", params={"pid": "1};x"}),
        "a parameter that is an option": protocol.RequestLoad(
            run=3, request=0, probe="cpu/syscount", params={"-D": "x"}
        ),
        "names in a file of root's": protocol.RequestSymbols(
            run=4,
            kernel=[],
            processes=[],
            files=[protocol.Offsets(id=1, path=b"/etc/shadow", device=device, inode=shadow.st_ino, offsets=[0])],
        ),
        "names in another process": protocol.RequestSymbols(
            run=5, kernel=[], processes=[protocol.Addresses(id=1, tgid=1, start_ns=1, addresses=[0x400000])]
        ),
        "a container that is a path": protocol.RequestContainers(run=6, ids={"../../../../etc/shadow": "", "x": "0"}),
        "another process": protocol.RequestProcess(run=7, tgid=1, start_ns=1),
        "the code of another process": protocol.RequestCode(
            run=8, programs=[protocol.Program(id=1, tgid=1, start_ns=1, code=0, stack=0)], known=[]
        ),
    }
    for name, message in asked.items():
        control.mailbox.post(message)
        told[name] = _answer(receiver)
    for message in large():
        for _ in range(6):  # more than wait, and one that runs
            control.mailbox.post(message)
    status = Path(f"/proc/{os.getppid()}/status").read_text()
    told["supervisor's memory"] = int(status.partition("VmHWM:")[2].split()[0]) >> 10
    os.pwrite(control.mailbox.descriptors[0], bytes(9), 0)
    with contextlib.suppress(BlockingIOError):  # root hasn't looked at the last message yet, which this replaces
        os.eventfd_write(control.mailbox.fileno(), 1)
    while control.socket.recv(1 << 16):  # root closes it after what is no message
        pass
    file.write_text(json.dumps(told))
    stream.close()
    return 0


def large() -> list[protocol.Message]:
    """The largest messages, of what takes the most memory once it is decoded, and the most time to answer."""
    names = [f"{number:04x}" for number in range(1 << 19)]
    known: dict[str, list[int]] = {name: [] for name in names}
    one = protocol.Addresses(id=1, tgid=1, start_ns=1, addresses=[], known=known)
    return [
        protocol.RequestSymbols(run=9, kernel=[], processes=[one]),
        protocol.RequestSymbols(run=9, kernel=[*range(1 << 16, 700_000)], processes=[]),
        protocol.RequestContainers(run=9, ids=dict.fromkeys(names, "")),
        protocol.RequestCode(run=9, programs=[], known=names),
        protocol.RequestLoad(run=9, request=9, probe="cpu/syscount", params=dict.fromkeys(names, "")),
    ]


def _answer(receiver: transport.Receiver) -> Any:
    """A refusal's text, or the report of the task that was started, without CPU times."""
    received = receiver.receive()
    assert received is not None
    message, descriptors = received
    if isinstance(message, protocol.Channel):
        with socket.socket(fileno=descriptors[0]) as channel:
            received = transport.Receiver(channel).receive()
        assert received is not None
        message = received[0]
    match message:
        case protocol.Refusal(error=error):
            return error
        case protocol.Symbols():
            return [each.ranges for each in message.processes]
        case protocol.ContainersRead():
            return message.containers
        case protocol.ProcessRead():
            return "gone" if message.facts.gone else "told"
        case protocol.CodeRead():
            return [each.ranges for each in message.programs]
    return type(message).__name__


def main(who: str, file: Path) -> int:
    def consumer(control: Control, stream: socket.socket) -> int:
        if who == "dashboard":
            return dashboard(control, stream, file)
        stream.settimeout(PATIENCE)
        while stream.recv(1 << 16):
            pass
        return 0

    if who == "collector":
        plan = serving.Plan

        def taken_over(catalog: Catalog, control: Control, stream: socket.socket) -> int:
            return collector(control, stream, file)

        serving.Plan = lambda **given: plan(**{**given, "collector": taken_over})
    return tracing.supervise([], consumer, screen=False, budget=0.0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
