"""Removes names from a tape, so that it can be shared: each text that isn't known to be public becomes a pseudonym, the
same one wherever the text occurs.

Public texts are those of the bundled catalog, the kernel's own words in decoders' labels, and the kernel's functions.
Texts that can't be checked are left out: logs and the C of rejected probes, notices, readmes of other probes. Numbers
(PIDs, times, ports, counts) stay.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Set
from typing import Any

import numpy as np
from msgspec import structs

from ebpftop.base.gaps import is_gap
from ebpftop.export.tapes.output import Output
from ebpftop.export.tapes.parts import readable
from ebpftop.frames.columns import intern
from ebpftop.frames.messages import (
    AnyFrame,
    Catalog,
    Column,
    ColumnInfo,
    Columns,
    Cost,
    Detached,
    Detaching,
    Events,
    Function,
    Hello,
    Holder,
    Host,
    Hosts,
    HostState,
    Loaded,
    Loading,
    Mark,
    PlaybookInfo,
    ProbeInfo,
    Process,
    Processes,
    Program,
    Programs,
    Rejected,
    Snapshot,
    Stacks,
    Tried,
    ViewInfo,
    Without,
)
from ebpftop.frames.stacks import STACK
from ebpftop.frames.tape import TapeReader
from ebpftop.model.stacks import StackFrame

LEFT_OUT = "(left out)"
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?|")
_VERSION = re.compile(r"[0-9]+(\.[0-9]+)*")
_SYMBOL = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")
_MACHINES = ("x86_64", "aarch64")
_POINT = re.compile(r"(raw_tracepoint|tracepoint|kprobe|kretprobe|fentry|fexit|perf_event):([a-z0-9_:]+)")
_KINDS = {
    "address": "address",
    "cgroup": "group",
    "comm": "process",
    "device": "device",
    "host": "host",
    "user": "user",
}
_WORDS = re.compile(r"\w+")


def words_of(text: str) -> list[str]:
    return _WORDS.findall(text)


class Names:
    """Pseudonyms by text. public: texts that stay. words: decoder → words that stay in labels of its columns."""

    def __init__(self, public: Set[str], words: Mapping[str, Set[str]]) -> None:
        self._public, self._words = {*public, STACK, "slot", "count", ""}, words
        self._known: dict[str, str] = {}
        self._counts: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._known)

    def hide(self, text: str, kind: str) -> str:
        """A pseudonym. In a path, each part has its own, so that the tree stays."""
        if not text or text == "/":
            return text
        if text.startswith("/"):
            return "/".join(self.hide(part, "name") for part in text.split("/"))
        if text not in self._known:
            number = self._counts[kind] = self._counts.get(kind, 0) + 1
            self._known[text] = f"{kind}{number}"
        return self._known[text]

    def is_public(self, text: str) -> bool:
        return text in self._public

    def public(self, text: str, kind: str = "text") -> str:
        """The text if it is public, else a pseudonym."""
        return text if text in self._public else self.hide(text, kind)

    def label(self, text: str, decode: str | None) -> str:
        """A label of a column."""
        words = self._words.get(decode or "")
        if words is not None and all(word in words or word.isdecimal() for word in words_of(text)):
            return text
        return self.hide(text, _KINDS.get(decode or "", "text"))


class Scrub:
    """Frames without names."""

    def __init__(self, names: Names, bundled: Mapping[str, ProbeInfo]) -> None:
        self._names, self._bundled = names, bundled
        self._views: dict[int, list[ViewInfo]] = {}

    def frame(self, frame: AnyFrame) -> AnyFrame | None:
        """A frame without names; None if nothing is left. Frames of an unknown kind are dropped."""
        hide, public = self._names.hide, self._names.public
        match frame:
            case Hello():
                return structs.replace(
                    frame,
                    host=hide(frame.host, "host"),
                    user=hide(frame.user, "user"),
                    version=_version(frame.version),
                    kernel=_version(frame.kernel),
                    machine=frame.machine if frame.machine in _MACHINES else "",
                )
            case Catalog():
                playbooks = [_playbook(each, public) for each in frame.playbooks]
                return Catalog(probes=[self._probe(each) for each in frame.probes], playbooks=playbooks)
            case Processes():
                return Processes(processes=[self._process(each) for each in frame.processes])
            case Stacks():
                return structs.replace(frame, functions=[self._function(each) for each in frame.functions])
            case Loading() | Loaded() | Rejected():
                return self._load(frame)
            case Snapshot():
                views = self._views.get(frame.run, [])
                maps = {
                    public(name): self._columns([view for view in views if view.map == name], columns)
                    for name, columns in frame.maps.items()
                    if any(view.map == name for view in views)
                }
                return structs.replace(frame, maps=maps)
            case Events():
                views = [view for view in self._views.get(frame.run, []) if frame.map in (view.map, view.moments)]
                columns = self._columns(views, frame.columns)
                return structs.replace(frame, map=public(frame.map), columns=columns) if columns else None
            case Cost():
                programs = [structs.replace(each, name=public(each.name, "program")) for each in frame.programs]
                rings = [structs.replace(each, map=public(each.map)) for each in frame.rings]
                return structs.replace(frame, programs=programs, rings=rings)
            case Mark():
                return structs.replace(frame, text=hide(frame.text, "mark"))
            case Programs():
                others = [self._program(each) for each in frame.programs]
                return structs.replace(frame, programs=others, error="", host=hide(frame.host, "host"))
            case Detached():
                return structs.replace(frame, reason=LEFT_OUT if frame.reason else "")
            case Host():
                return self._load_of(frame)
            case Hosts():
                return structs.replace(frame, hosts=[self._host(each) for each in frame.hosts])
            case Detaching():
                return frame
        return None

    def _load_of(self, host: Host) -> Host:
        return structs.replace(host, cgroup=self._names.hide(host.cgroup, "group"))

    def _host(self, host: HostState) -> HostState:
        hide = self._names.hide
        return structs.replace(
            host,
            name=hide(host.name, "host"),
            host=hide(host.host, "host"),
            kernel=_version(host.kernel),
            problem=LEFT_OUT if host.problem else "",
            without=[
                Without(
                    probe=self._id(each.probe),
                    params={self._names.public(name): self._value(value) for name, value in each.params.items()},
                    why=LEFT_OUT,
                )
                for each in host.without
            ],
            load=None if host.load is None else self._load_of(host.load),
        )

    def _process(self, process: Process) -> Process:
        hide = self._names.hide
        return structs.replace(
            process,
            comm=hide(process.comm, "process"),
            parent=hide(process.parent, "process"),
            command="",
            user=hide(process.user, "user"),
            cgroup=hide(process.cgroup, "group"),
            container=hide(process.container, "container"),
            pod=hide(process.pod, "pod"),
            image=hide(process.image, "image"),
        )

    def _function(self, function: Function) -> Function:
        if function.side == "missing":
            name = function.name if is_gap(function.name) else self._names.public(function.name, "missing")
            return structs.replace(function, name=name, module="")
        own = function.module not in ("", "vmlinux") or function.name.startswith("bpf_")
        if function.side == "kernel" and not own and _SYMBOL.fullmatch(function.name):
            return function
        hide = self._names.hide
        is_named = not StackFrame.of(function).gap
        return structs.replace(
            function,
            name=hide(function.name, "function") if is_named else function.name,
            module=hide(function.module, "module"),
            symbol=hide(function.symbol, "function"),
            file=hide(function.file, "file"),
        )

    def _program(self, program: Program) -> Program:
        hide = self._names.hide
        holders = [Holder(pid=each.pid, comm=hide(each.comm, "process")) for each in program.holders]
        name, type_ = hide(program.name, "program"), self._names.label(program.type, "bpf_type")
        return structs.replace(program, name=name, type=type_, tag="", holders=holders)

    def _probe(self, probe: ProbeInfo) -> ProbeInfo:
        """A bundled probe as in our catalog; for another one, only its views."""
        if probe.id in self._bundled:
            here = self._bundled[probe.id]
            return structs.replace(here, available=probe.available, file="", revision="")
        public = self._names.public
        return ProbeInfo(
            id=self._id(probe.id),
            title=public(probe.title),
            summary="",
            category=public(probe.category, "category"),
            question="",
            overhead="",
            params=[],
            views=[self._view(view) for view in probe.views],
            source="",
            available=probe.available,
        )

    def _id(self, probe: str) -> str:
        if probe in self._bundled:
            return probe
        category, slash, name = probe.partition("/")
        return self._names.public(category, "category") + slash + self._names.hide(name, "probe")

    def _load(self, frame: Loading | Loaded | Rejected) -> AnyFrame:
        public = self._names.public
        changes: dict[str, Any] = {
            "probe": self._id(frame.probe),
            "params": {public(name): self._value(value) for name, value in frame.params.items()},
        }
        match frame:
            case Loaded():
                self._views[frame.run] = frame.views
                changes |= {
                    "variant": public(frame.variant),
                    "meaning": public(frame.meaning),
                    "views": [self._view(view) for view in frame.views],
                    "attached": [self._point(each) for each in frame.attached],
                    "points": [public(each, "point") for each in frame.points],
                    "tried": [self._tried(each) for each in frame.tried],
                    "notes": [],
                }
            case Rejected():
                changes |= {"error": LEFT_OUT, "text": "", "log": "", "places": [], "headers": {}}
                changes["variant"] = None if frame.variant is None else public(frame.variant)
                changes["function"] = None if frame.function is None else public(frame.function, "function")
                changes["tried"] = [self._tried(each) for each in frame.tried]
        return structs.replace(frame, **changes)

    def _value(self, value: str) -> str:
        return value if _NUMBER.fullmatch(value) else self._names.hide(value, "value")

    def _tried(self, tried: Tried) -> Tried:
        return Tried(variant=self._names.public(tried.variant), reason=LEFT_OUT)

    def _point(self, point: str) -> str:
        """An attach point without names; one of the kernel stays."""
        if self._names.is_public(point) or _POINT.fullmatch(point):
            return point
        mechanism, colon, _ = point.partition(":")
        return self._names.public(mechanism) + colon + self._names.hide(point, "point")

    def _view(self, view: ViewInfo) -> ViewInfo:
        public = self._names.public
        texts = ("name", "map", "title", "unit", "slot", "count", "stacks", "kernel", "user", "moments")
        return structs.replace(
            view,
            **{name: public(getattr(view, name)) for name in texts},
            by=[public(each) for each in view.by],
            columns=[self._column(each) for each in view.columns],
            sort=None if view.sort is None else public(view.sort),
        )

    def _column(self, column: ColumnInfo) -> ColumnInfo:
        public = self._names.public
        decode = column.decode if column.decode is None else public(column.decode)
        return structs.replace(
            column, field=public(column.field), title=public(column.title), unit=public(column.unit), decode=decode
        )

    def _columns(self, views: Iterable[ViewInfo], columns: Columns) -> Columns:
        """The columns that a view names; the meaning of others is unknown."""
        shown: dict[str, str | None] = {}
        for view in views:
            shown |= dict.fromkeys(view.by)
            shown |= {view.slot: None, view.count: None, STACK: None}
            shown |= {column.field: column.decode for column in view.columns}
            if view.moments:
                shown |= {"time": None, "cpu": None}
        return {
            self._names.public(name): self._values(column, shown[name])
            for name, column in columns.items()
            if name in shown
        }

    def _values(self, column: Column, decode: str | None) -> Column:
        if column.labels is not None:
            labels = [self._names.label(each, decode) for each in column.labels]
            return structs.replace(column, labels=labels)
        dtype = np.dtype(column.dtype)
        if dtype.kind == "S":
            texts = np.frombuffer(column.data, dtype).tolist()
            return intern(np.array([self._names.hide(repr(each)[2:-1], "text") for each in texts], object))
        return column


def _version(text: str) -> str:
    """The numbers of a version; text after them may name the builder."""
    found = _VERSION.match(text)
    return found[0] if found else ""


def _playbook(playbook: PlaybookInfo, public: Callable[[str], str]) -> PlaybookInfo:
    steps = [
        structs.replace(
            step,
            probe=public(step.probe),
            question=public(step.question),
            view=public(step.view),
            params={public(name): public(value) for name, value in step.params.items()},
        )
        for step in playbook.steps
    ]
    name, title, summary = public(playbook.name), public(playbook.title), public(playbook.summary)
    return structs.replace(playbook, name=name, title=title, summary=summary, steps=steps, opens=public(playbook.opens))


def scrub(reader: TapeReader, output: Output, names: Names, bundled: Mapping[str, ProbeInfo]) -> list[str]:
    """Write the tape without names. Returns why frames are missing."""
    problems: list[str] = []
    scrubbed = Scrub(names, bundled)
    for at, frame in readable(iter(reader), problems):
        kept = scrubbed.frame(frame)
        if kept is not None:
            output.write(at, kept)
    return problems
