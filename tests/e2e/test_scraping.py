"""The exporter on the live kernel: what it tells is what was done, and nothing stays when it ends."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.support.command import COMMAND, complaint, ebpftop
from tests.support.processes import SLOWER, eventually
from tests.support.workloads import Worker

EXECS, CALLS = 97, 10_007


class Exporter:
    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process, self.port = process, port

    def value(self, name: str, **labels: str) -> float:
        """The sum of the samples that have these labels."""
        url = f"http://127.0.0.1:{self.port}/metrics"
        request = urllib.request.Request(url, headers={"Accept": "application/openmetrics-text"})
        with urllib.request.urlopen(request, timeout=20 * SLOWER) as answer:
            text = answer.read().decode()
        families = text_string_to_metric_families(text)  # type: ignore[no-untyped-call]
        samples = (sample for family in families for sample in family.samples)
        return sum(each.value for each in samples if each.name == name and labels.items() <= each.labels.items())


@contextmanager
def exporter(*arguments: str) -> Iterator[Exporter]:
    command = [*COMMAND, "exporter", *arguments, "--listen", "127.0.0.1:0", "--interval", "0.5"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            found = re.search(r"http://127\.0\.0\.1:(\d+)/metrics", process.stderr.readline())
            assert found
            yield Exporter(process, int(found[1]))
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60 * SLOWER)


@pytest.mark.bpf
def test_it_tells_what_was_done() -> None:
    calls = f"def work():\n    for _ in range({CALLS}): os.sched_get_priority_max(0)"
    with exporter("execsnoop", "syscount", "runqlat") as one, Worker(calls, name="callers") as worker:
        eventually(lambda: one.value("ebpftop_probe_up") == 3, "all probes are attached", 60)
        worker.work()
        for _ in range(EXECS):
            subprocess.run(["/bin/true"], check=True)
        by_call = "ebpftop_syscount_by_system_call_calls_total"
        eventually(lambda: one.value(by_call, system_call="sched_get_priority_max") >= CALLS, "the calls are told", 30)
        eventually(lambda: one.value("ebpftop_execsnoop_events_total", comm="true") >= EXECS, "the programs are", 30)
        assert one.value(by_call, system_call="sched_get_priority_max") == CALLS
        assert one.value("ebpftop_execsnoop_events_total", comm="true") == EXECS
        latency = "ebpftop_runqlat_latency_seconds"
        assert one.value(f"{latency}_count") > 0
        assert one.value("ebpftop_probe_lost_total") == 0
        listening = _listener(one.port, one.process.pid)
        if os.geteuid() == 0 and os.environ.get("SUDO_UID"):
            assert Path(f"/proc/{listening}").stat().st_uid != 0
    assert one.process.returncode == 0


def _listener(port: int, parent: int) -> int:
    """The process that has the port; it is none that may load programs."""
    inode = next(
        words[9]
        for words in map(str.split, Path("/proc/net/tcp").read_text().splitlines()[1:])
        if words[1] == f"0100007F:{port:04X}" and words[3] == "0A"
    )
    for pid in [parent, *map(int, Path(f"/proc/{parent}/task/{parent}/children").read_text().split())]:
        links = [os.readlink(each) for each in Path(f"/proc/{pid}/fd").iterdir() if each.is_symlink()]
        if f"socket:[{inode}]" in links:
            status = Path(f"/proc/{pid}/status").read_text()
            (capabilities,) = re.findall(r"CapEff:\s+([0-9a-f]+)", status)
            assert int(capabilities, 16) == 0
            return pid
    raise AssertionError("nobody has the port")


@pytest.mark.bpf
def test_an_address_that_is_taken() -> None:
    with exporter("hello") as one:
        done = ebpftop("exporter", "hello", "--listen", f"127.0.0.1:{one.port}")
        assert complaint(done, 1) == f"can't listen on 127.0.0.1 port {one.port}: Address already in use"


@pytest.mark.parametrize("text", ["9435", "host:", "1.2.3.4:70000", "host:x"])
def test_a_bad_address(text: str) -> None:
    done = ebpftop("exporter", "hello", "--listen", text)
    assert done.returncode == 2
    assert "is not ADDRESS:PORT" in done.stderr
