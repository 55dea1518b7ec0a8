"""Whatever dies, nothing of ours stays in the kernel; what dropped root can't have it back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import SLOWER, alive, children, eventually, has_census, held_by, in_kernel
from tests.support.tracing import any_kernel

pytestmark = pytest.mark.bpf

PROBES = ("cpu/runqlat", "cpu/syscount", "irq/softirqs")


class Recording:
    """`ebpftop record` of three probes, once they are attached."""

    def __init__(self, tape: Path) -> None:
        command = [sys.executable, "-m", "ebpftop", "record", "-o", str(tape), *PROBES]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def wait(self) -> None:
        """Until three probes and the census are attached, and every loader has ended."""
        eventually(self._attached, "everything is attached", 60)
        self.held = held_by(children(self.process.pid)["collect"].pid)

    def _attached(self) -> bool:
        """The census comes last, is the only one with ring buffers, and nothing is forked after it."""
        assert self.process.poll() is None, "the recorder ended"
        collector = children(self.process.pid).get("collect")
        if collector is None or not has_census(collector.pid) or len(held_by(collector.pid)[0]) < 10:
            return False
        return set(children(self.process.pid)) == {"collect", "run"}

    def gone(self) -> bool:
        return not in_kernel(self.held)


@pytest.fixture
def recording(tmp_path: Path) -> Iterator[Recording]:
    started = Recording(tmp_path / "incident.tape")
    try:
        started.wait()
        yield started
    finally:
        started.process.kill()
        print(started.process.communicate()[1])  # what it said, should the test fail


def test_kill_of_the_supervisor_leaves_nothing(recording: Recording) -> None:
    others = list(children(recording.process.pid).values())
    recording.process.kill()
    eventually(recording.gone, "no program or map of ours is left")
    eventually(lambda: not any(map(alive, others)), "no process is left")


@any_kernel
def test_kill_of_the_consumer_leaves_nothing(recording: Recording) -> None:
    children(recording.process.pid)["run"].kill()
    eventually(recording.gone, "no program or map of ours is left")
    assert recording.process.wait(20 * SLOWER) == 128 + signal.SIGKILL


@any_kernel
def test_kill_of_the_collector_detaches_and_is_reported(recording: Recording) -> None:
    children(recording.process.pid)["collect"].kill()
    eventually(recording.gone, "no program or map of ours is left")
    _, errors = recording.process.communicate(timeout=20 * SLOWER)
    assert recording.process.returncode == 1
    assert "the collector has ended" in errors


@any_kernel
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_in_order(recording: Recording, number: signal.Signals) -> None:
    recording.process.send_signal(number)
    assert recording.process.wait(20 * SLOWER) == 0
    eventually(recording.gone, "no program or map of ours is left")


@any_kernel
def test_only_the_collector_holds_bpf_descriptors(recording: Recording) -> None:
    holders = {name for name, process in children(recording.process.pid).items() if _bpf_descriptors(process.pid)} | (
        {"supervisor"} if _bpf_descriptors(recording.process.pid) else set()
    )
    assert holders == {"collect"}


@any_kernel
def test_what_each_process_has_loaded(recording: Recording) -> None:
    ours = children(recording.process.pid)
    for process in (recording.process.pid, ours["collect"].pid, ours["run"].pid):
        mapped = Path(f"/proc/{process}/maps").read_text()
        assert "libLLVM" not in mapped
        assert "libbcc.so" not in mapped
    supervisor = Path(f"/proc/{recording.process.pid}/maps").read_text()
    assert "numpy" not in supervisor


@any_kernel
def test_processes_without_an_invoker_hold_no_capability(recording: Recording) -> None:
    for process in children(recording.process.pid).values():
        status = Path(f"/proc/{process.pid}/status").read_text()
        fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        assert {fields[name].strip("0") for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {""}
        assert fields["NoNewPrivs"] == "1"


def _bpf_descriptors(pid: int) -> list[str]:
    found = []
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = os.readlink(entry)
        except OSError:
            continue
        if "bpf" in target or "perf_event" in target:
            found.append(target)
    return found
