"""The contents of a tape."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from ebpftop.base.inert import inert
from ebpftop.frames.messages import (
    AnyFrame,
    Changes,
    Detached,
    Events,
    Hello,
    Host,
    Loaded,
    Losses,
    Mark,
    Rejected,
    Snapshot,
    Written,
)
from ebpftop.frames.size import size
from ebpftop.frames.tape import TapeReader
from ebpftop.frames.tape_format import BadTape
from ebpftop.stats import formatting

_encode = msgspec.msgpack.Encoder().encode


@dataclass
class Probe:
    """One run. sizes: bytes by map or ring buffer, before compression. failed: why it wasn't loaded, or ended."""

    run: int
    probe: str
    params: dict[str, str]
    variant: str = ""
    loaded_s: float | None = None
    ended_s: float | None = None
    failed: str = ""
    snapshots: int = 0
    events: int = 0
    losses: Losses = field(default_factory=Losses)
    sizes: Counter[str] = field(default_factory=Counter)
    views: dict[str, list[str]] = field(default_factory=dict)  # names by map


@dataclass
class Info:
    """problem: why the tape is incomplete, "" if it isn't. index: whether there is a valid one. sizes: bytes before
    compression of everything but rows and events, by the kind of frame.
    """

    name: str
    bytes: int
    format: int
    index: bool
    keys: int
    seconds: float
    began_ns: int | None = None
    hello: Hello | None = None
    probes: list[Probe] = field(default_factory=list)
    marks: list[tuple[float, str]] = field(default_factory=list)
    sizes: Counter[str] = field(default_factory=Counter)
    problem: str = ""


def info(reader: TapeReader) -> Info:
    """Read the whole tape once."""
    blocks = reader.blocks
    found = Info(reader.name, reader.size, blocks.version, blocks.index is not None, len(blocks.keys), reader.duration)
    runs: dict[int, Probe] = {}
    try:
        for at, frame, size in reader.written():
            _take(found, runs, at / 1e9, frame, size)
    except BadTape as error:
        found.problem = str(error)
    found.index = blocks.index is not None
    return found


def _take(found: Info, runs: dict[int, Probe], at: float, frame: Written, length: int) -> None:
    match frame:
        case Hello():
            found.hello = found.hello or frame
        case Loaded() | Rejected():
            runs[frame.run] = new = Probe(frame.run, frame.probe, frame.params, frame.variant or "", at)
            found.probes.append(new)
            if isinstance(frame, Rejected):
                new.failed, new.loaded_s = frame.error, None
            else:
                for view in frame.views:
                    new.views.setdefault(view.map, []).append(view.name)
                    if view.moments:
                        new.views.setdefault(view.moments, []).append(f"{view.name} by moment")
        case Mark():
            found.marks.append((at, frame.text))
        case Detached() if frame.run in runs:
            runs[frame.run].ended_s, runs[frame.run].failed = at, frame.reason
    if isinstance(frame, Snapshot | Changes | Host | Mark) and found.began_ns is None:
        found.began_ns = max(0, frame.realtime_ns - round(at * 1e9))
    run = runs.get(frame.run) if isinstance(frame, Snapshot | Changes | Events) else None
    if run is None:
        found.sizes[_kind(frame)] += length
        return
    if isinstance(frame, Snapshot | Changes | Events):
        run.losses = frame.losses
    match frame:
        case Snapshot():
            run.snapshots += 1
            run.sizes.update({name: size(columns) for name, columns in frame.maps.items()})
        case Changes():
            run.snapshots += 1
            run.sizes.update({name: len(_encode(rows)) for name, rows in frame.rows.items()})
        case Events():
            run.events += frame.count
            run.sizes[frame.map] += length


def _kind(frame: AnyFrame | Changes) -> str:
    return type(frame).__name__.lower()


def as_json(found: Info) -> dict[str, Any]:
    """One object a tape."""
    hello = found.hello
    return {
        "file": found.name,
        "bytes": found.bytes,
        "format": found.format,
        "index": found.index,
        "keys": found.keys,
        "complete": not found.problem,
        "problem": found.problem or None,
        "host": hello and hello.host,
        "kernel": hello and hello.kernel,
        "machine": hello and hello.machine,
        "cpus": hello and hello.cpus,
        "version": hello and hello.version,
        "began_ns": found.began_ns,
        "seconds": round(found.seconds, 3),
        "probes": [
            {
                "run": each.run,
                "probe": each.probe,
                "params": each.params,
                "variant": each.variant,
                "loaded_s": each.loaded_s,
                "ended_s": each.ended_s,
                "failed": each.failed or None,
                "snapshots": each.snapshots,
                "events": each.events,
                "losses": msgspec.to_builtins(each.losses),
                "views": [
                    {"views": each.views.get(name, []), "map": name, "bytes": count}
                    for name, count in each.sizes.items()
                ],
            }
            for each in found.probes
        ],
        "marks": [{"at_s": at, "text": text} for at, text in found.marks],
        "sizes": dict(found.sizes),
    }


def as_text(found: Info) -> list[str]:
    """Lines of text, all inert."""
    lines = [found.name]
    if hello := found.hello:
        lines.append(
            f"  host     {inert(hello.host)} · Linux {inert(hello.kernel)} · {inert(hello.machine)} · {hello.cpus} CPUs"
        )
    began = "unknown" if found.began_ns is None else _date(found.began_ns)
    lines.append(f"  when     {began}, for {_clock(found.seconds)}")
    index = (
        f"index, {formatting.plural(found.keys, 'key')}"
        if found.index
        else f"no index, {formatting.plural(found.keys, 'key')}"
    )
    lines.append(f"  file     {formatting.bytes_(found.bytes)} · format {found.format} · {index}")
    if found.problem:
        lines.append(f"  problem  {found.problem}")
    for each in found.probes:
        lines += _probe(each)
    lines += [f"  mark     {_clock(at)}  {inert(text)}" for at, text in found.marks]
    others = ", ".join(f"{kind} {formatting.bytes_(count)}" for kind, count in found.sizes.most_common() if count)
    lines.append(f"  other    {others or 'nothing'} (before compression)")
    return lines


def _probe(probe: Probe) -> Sequence[str]:
    params = "".join(f" {inert(name)}={inert(value)}" for name, value in probe.params.items())
    head = f"  probe    {inert(probe.probe)}{params}"
    if probe.loaded_s is None:
        return [f"{head}: not loaded: {inert(probe.failed)}"]
    until = "" if probe.ended_s is None else f" to {_clock(probe.ended_s)}"
    facts = [
        f"{inert(probe.variant)}, from {_clock(probe.loaded_s)}{until}",
        formatting.plural(probe.snapshots, "snapshot"),
    ]
    facts += [formatting.plural(probe.events, "event")] if probe.events else []
    lost = [f"{count} {name}" for name, count in msgspec.to_builtins(probe.losses).items() if count]
    facts.append(", ".join(lost) or "nothing lost")
    facts += [f"detached: {inert(probe.failed)}"] if probe.failed else []
    lines = [head, f"           {' · '.join(facts)}"]
    for name, count in probe.sizes.items():
        views = ", ".join(map(inert, probe.views.get(name, [name])))
        lines.append(f"           {views}: {formatting.bytes_(count)}")
    return lines


def _date(realtime_ns: int) -> str:
    """The date in local time."""
    try:
        return f"{datetime.fromtimestamp(realtime_ns // 10**9):%Y-%m-%d %H:%M:%S}"
    except (ValueError, OverflowError, OSError):
        return str(realtime_ns)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02}:{rest:04.1f}" if hours else f"{minutes}:{rest:04.1f}"
