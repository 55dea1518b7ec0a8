"""Sums up the contents of a tape step by step in plain Python: no module of ebpftop, no NumPy."""

from __future__ import annotations

import struct
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import Any

import msgspec

from tests.support import plain_tape

Key = tuple[Any, ...]


def frames(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """(ns since the first frame, frame) of every frame, of both formats."""
    data = path.read_bytes()
    if data[12] > 1:
        yield from plain_tape.frames(path)
        return
    at = 16
    while at < len(data):
        stored, unpacked, _, _ = struct.unpack_from("<IIQQ", data, at)
        at += 24
        if not stored:
            return
        block = zlib.decompress(data[at : at + stored])
        assert len(block) == unpacked
        at += stored
        place = 0
        while place < len(block):
            passed, length = struct.unpack_from("<QI", block, place)
            place += 12
            yield passed, msgspec.msgpack.decode(block[place : place + length])
            place += length


def texts(column: dict[str, Any]) -> list[Any]:
    """The values of a column: texts, if it has labels."""
    found = plain_tape.numbers(column)
    return found if column.get("labels") is None else [column["labels"][code] for code in found]


# ---------------------------------------------------------------- gains


@dataclass
class Step:
    """gains: key → counter → gain; for stacks with a gauge, the value itself. gauges: key → gauge → value."""

    end: int
    realtime: int
    gains: dict[Key, Counter[str]]
    gauges: dict[Key, dict[str, Any]]


@dataclass
class View:
    info: dict[str, Any]
    keys: list[str]
    counters: list[str]
    gauges: list[str]
    process: str | None
    steps: list[Step] = field(default_factory=list)
    seen: dict[Key, Counter[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, info: dict[str, Any]) -> View:
        columns = info.get("columns", [])
        process = next((each["field"] for each in columns if each.get("decode") == "process"), None)
        if info["show"] in ("histogram", "stacks"):
            last = info.get("slot", "slot") if info["show"] == "histogram" else "stack"
            return cls(info, [*info.get("by", []), last], [info.get("count", "count")], [], process)
        roles = {
            role: [c["field"] for c in columns if c.get("role", "key") == role] for role in ("key", "counter", "gauge")
        }
        return cls(info, roles["key"], roles["counter"], roles["gauge"], process)

    def add(self, end: int, realtime: int, rows: list[dict[str, Any]], *, base: bool = False) -> None:
        """Add a sample; the contents of a base were counted before."""
        now: dict[Key, Counter[str]] = defaultdict(Counter)
        gauges: dict[Key, dict[str, Any]] = {}
        for row in rows:
            key = tuple(row[name] for name in self.keys)
            for name in self.counters:
                now[key][name] += row[name]
            gauges.setdefault(key, {name: row[name] for name in self.gauges})
        moved: dict[Key, Counter[str]] = defaultdict(Counter)
        for key, values in self.seen.items():
            if key not in now and self.process in self.keys:
                into = tuple(0 if name == self.process else part for name, part in zip(self.keys, key, strict=True))
                if into in now and into != key:
                    moved[into].update(values)
        gains: dict[Key, Counter[str]] = {}
        for key, values in now.items():
            before = self.seen.get(key, Counter())
            gained = Counter()
            for name, value in values.items():
                shrank = value < before[name]
                gained[name] = value if shrank else max(0, value - before[name] - moved[key][name])
            gains[key] = Counter() if base and not self.info.get("gauge") else gained
        self.steps.append(Step(end, realtime, gains, gauges))
        self.seen = dict(now)

    def gained(self, start: int = -1, end: int = 1 << 62) -> dict[Key, Counter[str]]:
        """The sum of the steps that end after `start` and not after `end`."""
        total: dict[Key, Counter[str]] = defaultdict(Counter)
        for step in self.within(start, end):
            for key, gains in step.gains.items():
                total[key].update(gains)
        return {key: gains for key, gains in total.items() if any(gains.values())}

    def within(self, start: int = -1, end: int = 1 << 62) -> list[Step]:
        return [step for step in self.steps if start < step.end <= end]

    def seconds(self, start: int = -1, end: int = 1 << 62) -> float:
        """The seconds from the sample before the first step, or from the first sample, to the last."""
        inside = self.within(start, end)
        if not inside:
            return 0.0
        at = self.steps.index(inside[0])
        return (inside[-1].end - self.steps[max(0, at - 1)].end) / 1e9

    def last(self, end: int = 1 << 62) -> dict[Key, dict[str, Any]]:
        """The last seen gauges."""
        found: dict[Key, dict[str, Any]] = {}
        for step in self.within(end=end):
            found.update(step.gauges)
        return found

    def slots(self, start: int = -1, end: int = 1 << 62) -> dict[Key, Counter[int]]:
        """For a histogram: key without the slot → slot → count."""
        found: dict[Key, Counter[int]] = defaultdict(Counter)
        for key, gains in self.gained(start, end).items():
            found[key[:-1]][key[-1]] += gains[self.counters[0]]
        return dict(found)


@dataclass
class Run:
    probe: str
    params: dict[str, str]
    views: dict[str, View]
    events: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    losses: list[tuple[int, dict[str, int]]] = field(default_factory=list)
    pending: list[dict[str, int]] = field(default_factory=list)  # losses of events since the last sample
    costs: list[tuple[int, int, int, bool]] = field(default_factory=list)
    based: bool | None = None  # whether its first sample is a base; None before it

    def lost(self, start: int = -1, end: int = 1 << 62) -> dict[str, int]:
        """The losses in a span, by kind."""
        names = ("lost", "map_full", "evicted", "missed")
        before = [losses for at, losses in self.losses if at <= start]
        after = [losses for at, losses in self.losses if at <= end]
        return {
            name: max((each.get(name, 0) for each in after), default=0)
            - max((each.get(name, 0) for each in before), default=0)
            for name in names
        }


@dataclass
class Sums:
    """The contents of a tape. runs: by number. processes: identity → its last description."""

    runs: dict[int, Run] = field(default_factory=dict)
    processes: dict[int, dict[str, Any]] = field(default_factory=dict)
    functions: dict[int, dict[str, Any]] = field(default_factory=dict)
    stacks: dict[int, list[int]] = field(default_factory=dict)
    hosts: list[dict[str, Any]] = field(default_factory=list)
    hello: dict[str, Any] = field(default_factory=dict)
    ahead: int = 0  # realtime minus monotonic at the last sample

    def name(self, identity: int) -> tuple[Any, Any]:
        """(pid, name) of a process; (None, None) if nothing describes it."""
        found = self.processes.get(identity)
        return (None, None) if found is None else (found["tgid"], found.get("comm", ""))

    def own(self, identity: int) -> bool:
        return bool(self.processes.get(identity, {}).get("own"))


def read(path: Path) -> Sums:
    sums, maps = Sums(), plain_tape.Maps()
    latest = 0
    for _, frame in frames(path):
        run = sums.runs.get(frame.get("run", -1))
        match frame["kind"]:
            case "hello":
                sums.hello = frame
            case "processes":
                sums.processes.update({each["id"]: each for each in frame["processes"]})
            case "stacks":
                sums.functions.update({each["id"]: each for each in frame.get("functions", [])})
                sums.stacks.update({each["id"]: each["functions"] for each in frame.get("stacks", [])})
            case "host":
                sums.hosts.append(frame)
            case "loaded":
                views = {each["name"]: View.of(each) for each in frame["views"]}
                sums.runs[frame["run"]] = Run(frame["probe"], frame["params"], views)
            case "changes" | "snapshot" if run is not None:
                rows = _whole(frame) if frame["kind"] == "snapshot" else maps.take(frame)
                _sample(run, frame, rows or {})
                if frame["monotonic_ns"] >= latest:
                    latest, sums.ahead = frame["monotonic_ns"], frame["realtime_ns"] - frame["monotonic_ns"]
            case "events" if run is not None:
                columns = {name: texts(column) for name, column in frame["columns"].items()}
                rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
                run.events.setdefault(frame["map"], []).extend(rows)
                run.pending.append(frame.get("losses", {}))
            case "cost" if run is not None:
                programs = frame["programs"]
                spent = sum(each["run_time_ns"] for each in programs)
                count = sum(each["run_count"] for each in programs)
                run.costs.append((frame["monotonic_ns"], count, spent, frame["statistics"]))
    for run in sums.runs.values():
        run.losses += [(run.losses[-1][0] if run.losses else 0, losses) for losses in run.pending]
    return sums


def _sample(run: Run, frame: dict[str, Any], rows: dict[str, list[dict[str, Any]]]) -> None:
    now = frame["monotonic_ns"]
    base = run.based is None and frame["seq"] > 1
    run.based = bool(run.based or base)
    if base:
        run.losses.append((-2, frame.get("losses", {})))  # before any span
    run.losses += [(now, losses) for losses in (*run.pending, frame.get("losses", {}))]  # events: of this step
    run.pending.clear()
    for view in run.views.values():
        if view.info["show"] != "events" and view.info["map"] in rows:
            view.add(now, frame["realtime_ns"], rows[view.info["map"]], base=base)


def _whole(frame: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The maps of a frame in tape format 1."""
    found = {}
    for name, columns in frame["maps"].items():
        values = [texts(column) for column in columns.values()]
        found[name] = [dict(zip(columns, row, strict=True)) for row in zip(*values, strict=True)]
    return found


# ---------------------------------------------------------------- histograms


def lower(slot: int) -> int:
    """The lowest value of a slot: eight slots to a power of two, and one to each value below eight."""
    if slot < 16:
        return slot
    exponent, rest = divmod(slot, 8)
    return (8 + rest) << (exponent - 1)


def percentile(counts: Counter[int], q: str) -> tuple[int, int] | None:
    """The bounds of the slot that contains the value of this rank (nearest rank, q as an exact decimal)."""
    total = sum(counts.values())
    if not total:
        return None
    rank = max(1, ceil(Fraction(q) * total))
    for slot in sorted(counts):
        rank -= counts[slot]
        if rank <= 0:
            return lower(slot), lower(slot + 1)
    raise AssertionError
