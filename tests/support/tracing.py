"""A probe run for a test by the program itself: `ebpftop run PROBE --format json`, and what its lines add up to."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from support import held
from support.processes import SLOWER, children, eventually, has_census

PROBES = Path(__file__).resolve().parents[2] / "probes"
PATIENCE = 60.0  # seconds until a probe is attached, and until it has ended

Row = dict[str, Any]

any_kernel = pytest.mark.skipif("EBPFTOP_EMULATED" in os.environ, reason="alike on every kernel, and slow in emulation")


class Traced:
    """What the lines so far told. Values in a line are of its interval, so they are summed here."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    @property
    def rejected(self) -> dict[str, Any]:
        """The verdict of a probe that was refused."""
        verdict: dict[str, Any] = self.lines[0]["rejected"]
        return verdict

    @property
    def variant(self) -> str:
        return str(self.lines[0]["variant"])

    def losses(self) -> dict[str, int]:
        """Losses that are not 0."""
        return {name: n for name in ("lost", "map_full", "evicted") if (n := self.lines[-1][name])}

    def _views(self, name: str) -> Iterator[dict[str, Any]]:
        for line in list(self.lines):
            yield line["views"][name]

    def count(self, view: str, **labels: Any) -> int:
        """Values in a histogram view whose labels are these, whatever the other labels are."""
        series = (each for part in self._views(view) for each in part["series"])
        return sum(each["count"] for each in series if labels.items() <= each["labels"].items())

    def buckets(self, view: str, **labels: Any) -> Counter[tuple[int, int]]:
        """Their counts by the bounds (low, high) of a bucket: low <= value < high."""
        total: Counter[tuple[int, int]] = Counter()
        for part in self._views(view):
            for each in part["series"]:
                if labels.items() <= each["labels"].items():
                    total.update({(low, high): count for low, high, count in each["buckets"]})
        return total

    def totals(self, view: str, key: str) -> dict[Any, Counter[str]]:
        """Sums of a table view's counters by the values of one column."""
        totals: defaultdict[Any, Counter[str]] = defaultdict(Counter)
        for part in self._views(view):
            counters = [column["name"] for column in part["columns"] if column["unit"]]
            for row in _rows(part):
                totals[row[key]].update({name: row[name] for name in counters})
        return dict(totals)

    def stacks(self, view: str, **labels: Any) -> list[dict[str, Any]]:
        """The call stacks of a view whose labels are these, as each line told them."""
        return [
            each for part in self._views(view) for each in part["stacks"] if labels.items() <= each["labels"].items()
        ]

    def events(self, view: str = "events", **values: Any) -> list[Row]:
        """Events whose columns have these values."""
        rows = (row for part in self._views(view) for row in _rows(part))
        return [row for row in rows if values.items() <= row.items()]


def counted(stacks: list[dict[str, Any]], *functions: str) -> int:
    """What these stacks count, or those of them that pass through a function with one of these in its name."""
    return sum(
        each["count"]
        for each in stacks
        if not functions or any(name in frame["name"] for frame in each["frames"] for name in functions)
    )


def _rows(part: Mapping[str, Any]) -> Iterator[Row]:
    names = [column["name"] for column in part["columns"]]
    for row in part["rows"]:
        yield dict(zip(names, row, strict=True))


class Tracing(Traced):
    """A probe that is attached."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        super().__init__()
        self._process = process
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append(json.loads(line))

    @property
    def pid(self) -> int:
        """Of the `ebpftop run`."""
        return self._process.pid

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait until what was told so far fulfils a condition, for events that come some time after their cause."""
        eventually(condition, what, PATIENCE)

    def attached(self) -> bool:
        if self._process.poll() is not None:
            self._reader.join(PATIENCE * SLOWER)
            assert self.lines, f"it ended with {self._process.returncode} before it said anything"
        return bool(self.lines)

    def until_named(self) -> None:
        """Wait for the census, asked for with the probe: from then on a process is named however short it lives."""
        eventually(self._has_census, "the census is attached", PATIENCE)

    def _has_census(self) -> bool:
        """Of a probe that has a ring buffer or two itself, only the census's loader can still be at work."""
        ours = children(self._process.pid)
        return "loader" not in ours and has_census(ours["collect"].pid)

    def end(self) -> int:
        """Ctrl-C; returns the exit code once the last line was read."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        code = self._process.wait(PATIENCE * SLOWER)
        self._reader.join(PATIENCE * SLOWER)
        return code


def command(probe: str, params: Mapping[str, Any], interval: float = 0.5, probes: Path | None = None) -> list[str]:
    chosen = [part for name, value in params.items() for part in ("-p", f"{name}={value}")]
    if probes is not None:
        chosen += ["--probes", str(probes)]
    return [sys.executable, "-m", "ebpftop", "run", probe, *chosen, "--format", "json", "--interval", str(interval)]


@contextlib.contextmanager
def trace(probe: str, interval: float = 0.5, probes: Path | None = None, **params: Any) -> Iterator[Tracing]:
    """The probe is attached inside of the `with`; after it, all its lines were read. `probes`: one more folder."""
    process = subprocess.Popen(command(probe, params, interval, probes), stdout=subprocess.PIPE, text=True)
    try:
        tracing = Tracing(process)
        eventually(tracing.attached, f"{probe} is attached", PATIENCE)
        assert "rejected" not in tracing.lines[0], tracing.lines[0]
        held.traced(tracing.lines[0]["probe"], tracing.variant)
        yield tracing
        assert tracing.end() == 0
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def rejected(probe: str) -> Traced:
    """What is told of a probe that must be refused."""
    done = subprocess.run(command(probe, {}), capture_output=True, text=True, timeout=PATIENCE * SLOWER, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    traced = Traced()
    traced.lines = [json.loads(line) for line in done.stdout.splitlines()]
    held.traced(probe, "rejected")
    return traced


def only_variant(folder: Path, probe: str, variant: str) -> str:
    """Write a copy of a probe that has this variant alone to a folder of probes; returns the copy's id."""
    copy = f"copies/{probe.rpartition('/')[2]}-{variant}"
    held.is_copy(copy, probe)
    shutil.copytree(PROBES / probe, folder / copy)
    manifest = folder / copy / "probe.toml"
    head, *variants = manifest.read_text().split("[[variants]]\n")
    last, views, rest = variants.pop().partition("[[views]]\n")
    kept = next(text for text in (*variants, last) if f'name = "{variant}"' in text)
    manifest.write_text(f"{head}[[variants]]\n{kept}{views}{rest}")
    return copy
