"""More probes requested at once than may wait: each request is answered, and the limit is named."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from ebpftop.frames.codec import encode
from ebpftop.frames.messages import AnyFrame, Load, Loading, Refused
from ebpftop.supervisor.tasks import LOADS_AT_ONCE, MOST_AT_ONCE
from tests.support.command import CHECKOUT, COMMAND
from tests.support.processes import SLOWER, children, eventually
from tests.support.tracer import Tracer

pytestmark = pytest.mark.bpf

AT_ONCE = 300
SLOTS = min(MOST_AT_ONCE, LOADS_AT_ONCE)
LIMIT = "mine/{}: not loaded: 128 probes are waiting already, try again in a moment"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """`mine/endless`, whose compilation never ends, so that it keeps its place, and `mine/next`."""
    for name in ("endless", "next"):
        shutil.copytree(CHECKOUT / "probes/lab/hello", tmp_path / "mine" / name)
    endless = tmp_path / "mine/endless"
    source = endless / "probe.bpf.c"
    source.write_text(f'#include "twice.h"\n{source.read_text()}')
    (endless / "twice.h").write_text("#if __INCLUDE_LEVEL__ < 100\n" + '#include "twice.h"\n' * 2 + "#endif\n")
    return tmp_path


class Answers(Tracer):
    """The first answer to each request, by its number."""

    def _take(self, frame: AnyFrame) -> None:
        if isinstance(frame, Refused) or (isinstance(frame, Loading) and frame.request not in self.seen):
            self.seen.setdefault(frame.request, []).append(frame)
        if isinstance(frame, Loading):
            self.stages[frame.request] = frame.stage

    def __init__(self, probes: Path) -> None:
        self.seen: dict[int, list[Refused | Loading]] = {}
        self.stages: dict[int, str] = {}
        super().__init__(probes)

    def send(self, probe: str, numbers: range) -> None:
        self.check()
        self._stream.sendall(b"".join(encode(Load(request=number, probe=probe, params={})) for number in numbers))


def test_each_of_three_hundred_requests_is_answered(folder: Path) -> None:
    tracer = Answers(folder)
    try:
        eventually(lambda: "collect" in children(tracer.pid), "the collector has started", 60)
        collector = children(tracer.pid)["collect"].pid
        tracer.send("mine/endless", range(1, SLOTS + 1))
        compiling = Counter({"compile": SLOTS})
        eventually(lambda: Counter(tracer.stages.values()) == compiling, "no place is free", 60)
        burst = range(100, 100 + AT_ONCE)
        tracer.send("mine/next", burst)
        eventually(lambda: tracer.seen.keys() >= set(burst), "each is answered", 60)
        answers = [answer for number in burst for answer in tracer.seen[number]]
        assert len(answers) == AT_ONCE
        refused = [answer.error for answer in answers if isinstance(answer, Refused)]
        assert set(refused) == {LIMIT.format("next")}
        assert AT_ONCE - 128 <= len(refused) <= AT_ONCE - 120  # some of 128 serve all
        assert children(tracer.pid)["collect"].pid == collector
        tracer.check()
    finally:
        tracer.end()


def test_a_recording_names_what_was_refused(folder: Path, tmp_path: Path) -> None:
    names = ["mine/endless"] * SLOTS + ["mine/next"] * AT_ONCE
    errors = tmp_path / "errors"
    command = [*COMMAND, "record", "-o", str(tmp_path / "t"), "--probes", str(folder), *names]
    with errors.open("w") as file:
        process = subprocess.Popen(command, stderr=file)
    try:
        told = f"ebpftop: {LIMIT.format('next')}\n"
        eventually(lambda: errors.read_text().count(told) >= AT_ONCE - 128 - SLOTS, "the refused are named", 120)
        process.send_signal(signal.SIGINT)
        assert process.wait(20 * SLOWER) == 2
    finally:
        process.kill()
        process.wait()
