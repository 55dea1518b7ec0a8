"""The program's supervisor and collector, running for a whole test session, with requests as from a dashboard."""

from __future__ import annotations

import contextlib
import itertools
import socket
import subprocess
import sys
import threading
from pathlib import Path

from ebpftop.frames.codec import encode
from ebpftop.frames.messages import AnyFrame, AnyRequest, Load, Loading, Notice, Refused
from ebpftop.frames.reading import FrameDecoder
from ebpftop.frames.recall import Recall
from tests.support.processes import SLOWER

CHECKOUT = Path(__file__).resolve().parents[2]
PATIENCE = 60.0  # seconds until a probe is attached, and until it has ended


class Asked:
    """A requested probe. Frames arrive on the tracer's thread; `ended` is set after the last one."""

    def __init__(self, probe: str, params: dict[str, str]) -> None:
        self.probe, self.params = probe, params
        self.request = 0  # its number
        self.run: int | None = None
        self.ended = threading.Event()

    def take(self, frame: AnyFrame) -> None:
        """Process a frame of this run, or one for all runs."""


class Tracer:
    """One supervisor and one collector for many probes, so that a test pays only for its load. `broken` says why the
    stream of frames ended.
    """

    def __init__(self, probes: Path) -> None:
        """`probes`: one more folder of probes."""
        ours, theirs = socket.socketpair()
        arguments = [sys.executable, "-B", "-m", "tests.support.supervised", str(probes)]
        self._process = subprocess.Popen(arguments, stdin=theirs, cwd=CHECKOUT)
        theirs.close()
        ours.settimeout(PATIENCE * SLOWER)
        _, (stream,), _, _ = socket.recv_fds(ours, 1, 1)
        self._ours, self._stream = ours, socket.socket(fileno=stream)
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._waiting: dict[int, Asked] = {}  # by request, until their first frame comes
        self._running: dict[int, Asked] = {}
        self._known = Recall()
        self.broken: BaseException | None = None
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """The pid of the supervisor."""
        return self._process.pid

    def load(self, asked: Asked, interval: float) -> None:
        """Request a probe; `interval` is the time between snapshots in seconds."""
        with self._lock:
            asked.request = next(self._numbers)
            self._waiting[asked.request] = asked
            for frame in self._known.frames():
                asked.take(frame)
        self.request(Load(request=asked.request, probe=asked.probe, params=asked.params, interval=interval))

    def request(self, request: AnyRequest) -> None:
        """Send a request."""
        self.check()
        self._stream.sendall(encode(request))

    def check(self) -> None:
        """Raise if the stream of frames has ended."""
        if self.broken is not None:
            raise RuntimeError("no more frames come") from self.broken

    def end(self) -> None:
        """End the supervisor and all its processes."""
        with contextlib.suppress(OSError):
            self._stream.shutdown(socket.SHUT_RDWR)
        self._ours.close()
        self._process.wait(PATIENCE * SLOWER)
        self._reader.join(PATIENCE * SLOWER)
        self._stream.close()

    def _read(self) -> None:
        decoder = FrameDecoder()
        try:
            while data := self._stream.recv(1 << 20):
                for frame in decoder.feed(data):
                    with self._lock:
                        self._take(frame)
            raise EOFError("the collector has ended")
        except Exception as error:
            self.broken = error
            for asked in (*self._waiting.values(), *self._running.values()):
                asked.ended.set()

    def _take(self, frame: AnyFrame) -> None:
        number = getattr(frame, "run", None)
        if isinstance(frame, Refused):
            self._waiting.pop(frame.request).take(frame)
        elif number is None:
            if not isinstance(frame, Notice):  # notices are momentary
                self._known.add(frame)
            for asked in (*self._waiting.values(), *self._running.values()):
                asked.take(frame)
        else:
            if isinstance(frame, Loading) and number not in self._running:
                self._running[number] = asked = self._waiting.pop(frame.request)
                asked.run = number
            self._running[number].take(frame)
        self._running = {number: asked for number, asked in self._running.items() if not asked.ended.is_set()}
