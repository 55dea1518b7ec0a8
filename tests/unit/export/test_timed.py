"""A tape's metrics with timestamps: at each moment what an exporter would have served, in memory that is bounded."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

import ebpftop as package
from ebpftop.export.exporter import timed
from ebpftop.export.exporter.timed import Timed
from ebpftop.export.headless import Reporter
from tests.support import frames, tape_sums
from tests.support.command import ebpftop
from tests.support.frames import CALLS, EPOCH, SECOND, loaded
from tests.support.headless import HISTOGRAM, LAST, PEOPLE, calls

DEMO = Path(package.__file__).parent / "demo.tape"
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def written(given: Sequence[Any]) -> str:
    found, out = Timed(io.StringIO()), io.BytesIO()
    reporter = Reporter(found, io.StringIO())
    for frame in [frames.hello(), *given]:
        reporter.take(frame)
    reporter.finish()
    found.write(out)
    return out.getvalue().decode()


def moments(text: str) -> dict[float, Samples]:
    """As Prometheus' own parser reads each, as it takes no histogram twice. Samples of a set of labels stand
    together, in order of time. Empty labels are none.
    """
    lines = text.splitlines()
    assert lines.count("# EOF") == 1
    assert lines[-1] == "# EOF"
    groups: dict[str, list[float]] = {}
    last = ""
    for line in lines:
        if not line.startswith("#"):
            series, _, at = line.rpartition(" ")
            name, _, labels = re.sub(r'le="[^"]*",?', "", series).rpartition(" ")[0].partition("{")
            group = re.sub(r"_(bucket|count|sum)$", "", name) + labels
            assert group == last or group not in groups, f"in two places: {group}"
            groups.setdefault(group, []).append(float(at))
            last = group
    assert all(times == sorted(times) for times in groups.values())
    times = {line.rpartition(" ")[2] for line in lines if not line.startswith("#")}
    return {
        float(at): parsed("\n".join(each for each in lines if each.startswith("#") or each.endswith(f" {at}")) + "\n")
        for at in sorted(times, key=float)
    }


def parsed(text: str) -> Samples:
    return {
        (sample.name, frozenset((name, value) for name, value in sample.labels.items() if value)): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def of(found: Samples, name: str, **labels: str) -> float:
    return found[name, frozenset(labels.items())]


def test_each_moment_has_the_sums_until_then() -> None:
    found = moments(written([*HISTOGRAM, *LAST]))
    at = EPOCH / SECOND
    assert list(found) == [at, at + 1, at + 1.5]
    count = "ebpftop_some_latency_seconds_count"
    assert [of(each, count, comm="sh") for each in found.values()] == [10, 12, 13]
    assert [of(each, count, comm="make") for each in list(found.values())[1:]] == [4, 11]
    assert (count, frozenset({("comm", "make")})) not in found[at]
    lost = [of(each, "ebpftop_probe_lost_total", probe="cpu/some", cause="lost") for each in found.values()]
    assert lost == [0, 2, 3]
    assert [of(each, "ebpftop_probe_runs_total", probe="cpu/some") for each in found.values()] == [10, 30, 40]


def test_beyond_its_memory_every_second_moment_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timed, "MOST", 100)
    given = [loaded(1, "cpu/some", CALLS), PEOPLE, *(calls(at, [(1, "read", 3 * at + 1, 1)]) for at in range(50))]
    found = moments(written(given))
    start = EPOCH / SECOND
    assert 3 <= len(found) <= 20
    for at, samples in found.items():
        (value,) = [each for (name, _), each in samples.items() if name == "ebpftop_some_calls_count_total"]
        assert value == 3 * (at - start) + 1
    assert list(found)[-1] == start + 49  # the last one is always told
    steps = [after - before for before, after in zip(list(found), list(found)[1:], strict=False)]
    assert len(set(steps[:-1])) == 1


def test_the_bundled_tapes_counters_end_with_its_sums(tmp_path: Path) -> None:
    out = tmp_path / "metrics.txt"
    done = ebpftop("tape", "export", DEMO, "--format", "openmetrics", "-o", out)
    assert (done.returncode, done.stderr) == (0, "")
    text = out.read_text()
    last = max({line.rpartition(" ")[2] for line in text.splitlines() if not line.startswith("#")}, key=float)
    lines = [each for each in text.splitlines() if each.startswith("#") or each.endswith(f" {last}")]
    found = parsed("\n".join(lines) + "\n")
    waits = sum(value for (name, _), value in found.items() if name == "ebpftop_runqlat_latency_seconds_count")
    (runqlat,) = (run for run in tape_sums.read(DEMO).runs.values() if run.probe == "cpu/runqlat")
    assert waits == sum(gains.total() for gains in runqlat.views["latency"].gained().values()) > 0
