"""Runs a probe with the program's own processes: its output, as from `ebpftop run PROBE --format json`, and sums
of it.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import tempfile
import weakref
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from ebpftop.export.headless import Reporter
from ebpftop.export.ndjson import Ndjson
from ebpftop.frames.messages import (
    AnyFrame,
    AnyRequest,
    Columns,
    Detach,
    Detached,
    Loaded,
    Process,
    Processes,
    Refused,
    Rejected,
    Snapshot,
    Threads,
)
from tests.support import held
from tests.support.processes import SLOWER, children, eventually, has_census
from tests.support.schemas import check_type
from tests.support.tracer import CHECKOUT, PATIENCE, Asked, Tracer

PROBES = CHECKOUT / "probes"

Row = dict[str, Any]

any_kernel = pytest.mark.skipif(
    "EBPFTOP_EMULATED" in os.environ, reason="alike on every kernel, and slow in emulation: make test runs it"
)


class Traced:
    """The output so far. Each line has an interval's values; here they are summed."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    @property
    def failed(self) -> dict[str, Any]:
        """The verdict of a probe that was refused."""
        failure: dict[str, Any] = self.lines[0]["failed"]
        return failure

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
        """The number of values in a histogram view with these labels; other labels are ignored."""
        series = (each for part in self._views(view) for each in part["series"])
        return sum(each["count"] for each in series if labels.items() <= each["labels"].items())

    def buckets(self, view: str, **labels: Any) -> Counter[tuple[int, int]]:
        """The counts of values by the bounds (low, high) of a bucket: low <= value < high."""
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
        """The call stacks in a view with these labels, from each line."""
        return [each for line in self.stacks_by_line(view, **labels) for each in line]

    def stacks_by_line(self, view: str, **labels: Any) -> list[list[dict[str, Any]]]:
        return [
            [each for each in part["stacks"] if labels.items() <= each["labels"].items()] for part in self._views(view)
        ]

    def events(self, view: str = "events", **values: Any) -> list[Row]:
        """Events whose columns have these values."""
        return [row for row in self.rows(view) if values.items() <= row.items()]

    def rows(self, view: str) -> Iterator[Row]:
        """The rows of a table or of events, from each line."""
        return (row for part in self._views(view) for row in _rows(part))


def counted(stacks: list[dict[str, Any]], *functions: str) -> int:
    """The sum of these stacks' counts, or of those with a function whose name contains one of these."""
    return sum(
        each["count"]
        for each in stacks
        if not functions or any(name in frame["name"] for frame in each["frames"] for name in functions)
    )


def _rows(part: Mapping[str, Any]) -> Iterator[Row]:
    names = [column["name"] for column in part["columns"]]
    for row in part["rows"]:
        yield dict(zip(names, row, strict=True))


_alive: weakref.WeakSet[Tracing] = weakref.WeakSet()


def lost() -> str:
    """Of what a test that fails has traced, a line each: what was lost, and what was said."""
    each = ((one.probe, one.losses() if one.lines else "no line", one.said) for one in _alive)
    return "\n".join(f"{probe}: {losses or 'nothing'}{said}" for probe, losses, said in sorted(each, key=str))


class Tracing(Traced, Asked):
    """A requested probe."""

    def __init__(self, probe: str, params: Mapping[str, Any], tracer: Tracer) -> None:
        Traced.__init__(self)
        Asked.__init__(self, probe, {name: str(value) for name, value in params.items()})
        self.notes: list[str] = []
        self.processes: dict[int, Process] = {}
        self.maps: dict[str, Columns] = {}  # in the last sample
        self.threads: Threads | None = None  # the last reading of them
        self.frames: list[AnyFrame] | None = None  # all frames, if they are kept
        self._tracer, self._heard = tracer, io.StringIO()
        self._teller = Reporter(Ndjson(_Lines(self.lines), self._heard), self._heard)
        _alive.add(self)

    def take(self, frame: AnyFrame) -> None:
        if self.frames is not None:
            self.frames.append(frame)
        if isinstance(frame, Loaded):
            self.notes = frame.notes
        if isinstance(frame, Processes):
            self.processes |= {each.id: each for each in frame.processes}
        if isinstance(frame, Snapshot):
            self.maps = frame.maps
        if isinstance(frame, Threads):
            self.threads = frame
        self._teller.take(frame)
        if isinstance(frame, Detached | Rejected | Refused):
            self._teller.finish()
            self.ended.set()

    @property
    def said(self) -> str:
        """Its notices, behind a semicolon."""
        said = " ".join(self._heard.getvalue().split())
        return f"; {said}" if said else ""

    @property
    def collector(self) -> int:
        """The pid of the process that holds the probe's maps and programs."""
        return children(self._tracer.pid)["collect"].pid

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait until the output fulfils a condition, for events that arrive some time after their cause."""
        eventually(condition, what, PATIENCE)

    def attached(self) -> bool:
        self._tracer.check()
        assert self.lines or not self.ended.is_set(), f"it ended before it said anything: {self._heard.getvalue()}"
        return bool(self.lines)

    def ask(self, request: AnyRequest) -> None:
        """Send another request."""
        self._tracer.request(request)

    def until_named(self) -> None:
        """Wait for the census, which is requested with the probe: from then on even short-lived processes are named."""
        eventually(self._has_census, "the census is attached", PATIENCE)

    def _has_census(self) -> bool:
        """Whether the collector has the census. If the probe has a ring buffer or two itself, only the census's loader
        can still be running.
        """
        return "loader" not in children(self._tracer.pid) and has_census(self.collector)

    def shrunk(self) -> dict[str, int]:
        """How many values became smaller, by view: counters don't, unless their row was evicted and came back."""
        runs = self._teller._session.runs.values()
        return {name: ledger.skew for run in runs for name, ledger in run.ledgers.items() if ledger.skew}

    def end(self) -> int:
        """Detach it; returns the exit code once its last line was read."""
        if not self.ended.is_set():
            assert self.run is not None
            self._tracer.request(Detach(run=self.run))
        assert self.ended.wait(PATIENCE * SLOWER), f"{self.probe} is not detached; it said {self._heard.getvalue()}"
        return self._teller.code


class _Lines(io.TextIOBase):
    """Takes lines of JSON as text, and stores their contents."""

    def __init__(self, lines: list[dict[str, Any]]) -> None:
        self._lines = lines

    def write(self, text: str) -> int:
        check_type("run", text)
        self._lines.append(json.loads(text))
        return len(text)


class _Shared:
    """The tracer of the test session; its folder holds a copy of each probe for each of its variants."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._tracer: Tracer | None = None

    def tracer(self) -> Tracer:
        """The running tracer; a new one if the last one broke."""
        if self._tracer is not None and self._tracer.broken is not None:
            self._tracer.end()
            self._tracer = None
        if self._tracer is None:
            if self._folder is None:
                self._folder = Path(tempfile.mkdtemp(prefix="ebpftop-copies-"))
                _copy_variants(self._folder)
            self._tracer = Tracer(self._folder)
        return self._tracer

    def end(self) -> None:
        if self._tracer is not None:
            self._tracer.end()
        if self._folder is not None:
            shutil.rmtree(self._folder)


shared = _Shared()


@contextlib.contextmanager
def trace(
    probe: str, interval: float = 0.5, probes: Path | None = None, keep: bool = False, **params: Any
) -> Iterator[Tracing]:
    """A probe that is attached inside the `with`; after it, all its lines have been read. `probes`: one more folder.
    keep: its frames.
    """
    with contextlib.ExitStack() as stack:
        tracer = shared.tracer()
        if probes is not None:
            tracer = Tracer(probes)
            stack.callback(tracer.end)
        tracing = Tracing(probe, params, tracer)
        tracing.frames = [] if keep else None
        tracer.load(tracing, interval)
        try:
            eventually(tracing.attached, f"{probe} is attached", PATIENCE)
            assert "failed" not in tracing.lines[0], tracing.lines[0]
            held.traced(tracing.lines[0]["probe"], tracing.variant)
            yield tracing
            assert tracing.end() == 0
            assert tracing.losses().get("evicted") or not tracing.shrunk()
        finally:
            if tracing.run is not None:
                tracing.end()


def rejected(probe: str) -> Traced:
    """The output for a probe that must be refused."""
    tracing = Tracing(probe, {}, tracer := shared.tracer())
    tracer.load(tracing, 0.5)
    eventually(tracing.attached, f"{probe} is refused", PATIENCE)
    assert tracing.end() == 1
    held.traced(probe, "rejected")
    return tracing


def variant_of(probe: str, variant: str) -> str:
    """The id of a copy of a probe that has only this variant."""
    copy = f"copies/{probe.rpartition('/')[2]}-{variant}"
    held.is_copy(copy, probe)
    return copy


def _copy_variants(folder: Path) -> None:
    """Write a copy of each probe with several variants for each of them."""
    for manifest in PROBES.glob("*/*/probe.toml"):
        probe = manifest.parent
        head, *variants = manifest.read_text().split("[[variants]]\n")
        last, views, rest = variants.pop().partition("[[views]]\n")
        for text in (*variants, last) if variants else ():
            name = re.search(r'^name\s*= "(.*)"', text, re.MULTILINE)
            assert name is not None, manifest
            copy = folder / "copies" / f"{probe.name}-{name[1]}"
            shutil.copytree(probe, copy)
            (copy / "probe.toml").write_text(f"{head}[[variants]]\n{text}{views}{rest}")
