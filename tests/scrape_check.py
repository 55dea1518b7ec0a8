"""`make scrape-check`: a real Prometheus scrapes the exporter for ten minutes, while as much is done as is known.

Its own tool accepts what is exposed and the rules; counters have the workload's counts, a quantile lies in the bucket
of what was slept, and an exporter that is started again is a reset.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.support.command import COMMAND
from tests.support.processes import SLOWER, eventually

SECONDS = 600
PORT, PROMETHEUS = 19_435, 19_090
CALLS, SLEEPS, SLEPT = 1009, 7, 0.02  # a round; seconds each
CONFIGURATION = f"""
global: {{scrape_interval: 2s, evaluation_interval: 5s}}
rule_files: [rules.yml]
scrape_configs: [{{job_name: ebpftop, static_configs: [{{targets: ["127.0.0.1:{PORT}"]}}]}}]
"""
EXPORTER = ("exporter", "syscount", "syslatency", "execsnoop", "-p", "min=5ms", "--listen", f"127.0.0.1:{PORT}")
COUNTED = "sched_get_priority_max"
DEMO = Path(__file__).resolve().parents[1] / "ebpftop" / "demo.tape"


def check(seconds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        rules = subprocess.run([*COMMAND, "exporter", "--rules"], capture_output=True, check=True).stdout
        Path(folder, "rules.yml").write_bytes(rules)
        Path(folder, "prometheus.yml").write_text(CONFIGURATION)
        subprocess.run(["promtool", "check", "config", f"{folder}/prometheus.yml"], check=True)
        with _running(
            "prometheus",
            f"--config.file={folder}/prometheus.yml",
            f"--storage.tsdb.path={folder}/data",
            f"--web.listen-address=127.0.0.1:{PROMETHEUS}",
            "--log.level=error",
        ):
            made = 0
            for part in range(2):
                with _exporter():
                    before = made
                    until = time.monotonic() + seconds / 2
                    while time.monotonic() < until:
                        made += _work()
                    name = f'ebpftop_syscount_by_system_call_calls_total{{system_call="{COUNTED}"}}'
                    _wait_for(name, made - before)
                    if not part:
                        _check_text()
                        _check_quantile()
            resets = _asked(
                f'resets(ebpftop_syscount_by_system_call_calls_total{{system_call="{COUNTED}"}}[{seconds * 2}s])'
            )
            assert resets == 1, f"{resets} resets"
            print(f"{made:,} calls counted, one reset, a quantile in its bucket: as they should be")
    _check_tape()


def _check_tape() -> None:
    """Its tool makes blocks of a tape's metrics, with every sample."""
    with tempfile.TemporaryDirectory() as folder:
        text = subprocess.run(
            [*COMMAND, "tape", "export", DEMO, "--format", "openmetrics"], stdout=subprocess.PIPE, check=True
        ).stdout
        file = Path(folder, "metrics.txt")
        file.write_bytes(text)
        command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", file, f"{folder}/blocks"]
        told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
        rows = [line.split() for line in told.splitlines() if not line.startswith("BLOCK")]
        samples = sum(int(row[4]) for row in rows)
        assert samples == sum(not line.startswith(b"#") for line in text.splitlines()) > 0, told
        print(f"{samples:,} samples of a tape in {len(rows)} blocks")


def _wait_for(query: str, value: float) -> None:
    try:
        eventually(lambda: _asked(query) == value, f"{query} is {value}", 120)
    except AssertionError:
        failed = _asked(f"count_over_time((up == 0)[{SECONDS}s:2s])")
        print(f"it is {_asked(query)}, lost {_asked('sum(ebpftop_probe_lost_total)')}; {failed} scrapes failed")
        raise


def _work() -> int:
    """Calls that nobody else makes, and sleeps; how many calls."""
    for _ in range(CALLS):
        os.sched_get_priority_max(0)
    for _ in range(SLEEPS):
        time.sleep(SLEPT)
    return CALLS


def _check_text() -> None:
    with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/metrics", timeout=30) as answer:
        text = answer.read()
    subprocess.run(["promtool", "check", "metrics"], input=text, check=True)


def _check_quantile() -> None:
    """What was asked for, and at most one bucket more."""
    latency = 'ebpftop_syslatency_latency_seconds_bucket{syscall="clock_nanosleep"}'
    found = _asked(f"histogram_quantile(0.5, sum by (le) ({latency}))")
    assert SLEPT / 2 <= found <= SLEPT * 4, f"slept {SLEPT} s, and the median is {found} s"


def _asked(query: str) -> float:
    url = f"http://127.0.0.1:{PROMETHEUS}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
    with urllib.request.urlopen(url, timeout=30) as answer:
        found: Any = json.load(answer)
    return sum(float(each["value"][1]) for each in found["data"]["result"])


@contextlib.contextmanager
def _exporter() -> Iterator[None]:
    with _running(*COMMAND, *EXPORTER):
        eventually(lambda: _asked("sum(ebpftop_probe_up)") == 3, "three probes are up", 60)
        yield


@contextlib.contextmanager
def _running(*command: str) -> Iterator[None]:
    with subprocess.Popen(command) as process:
        try:
            eventually(lambda: process.poll() is None, "it runs", 1)
            time.sleep(1)
            yield
        finally:
            process.terminate()
            process.wait(60 * SLOWER)


if __name__ == "__main__":
    check(int(sys.argv[1]) if len(sys.argv) > 1 else SECONDS)
