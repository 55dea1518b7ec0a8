"""Finds what requests name (a container, a pod, a unit, or a process in one) in the existing cgroups.

All cgroups of one run are in one hierarchy: version 2 if it has one of them, otherwise the oldest version 1 hierarchy
that has one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from ebpftop.base.inert import inert, quoted
from ebpftop.catalog import params
from ebpftop.collector.attached import AttachedProbe
from ebpftop.collector.containers import Containers
from ebpftop.collector.decode.cgroup import V2, Cgroups
from ebpftop.collector.limit import Found, GroupFilter
from ebpftop.collector.selector import Selector, UnknownPlace
from ebpftop.frames.messages import ProbeInfo
from ebpftop.kernel import proc

_TOLD = 5  # processes told where none fits


class Groups:
    """Finds what requests name, once the running containers have been looked up, and follows new ones.

    runs: the attached runs, by number.
    """

    def __init__(self, cgroups: Cgroups, containers: Containers, runs: Mapping[int, AttachedProbe]) -> None:
        self._cgroups, self._containers, self._runs = cgroups, containers, runs
        cgroups.learned = self._began

    def ask(self) -> None:
        """Start looking up the containers."""
        for _, groups in self._cgroups.existing():
            for path in groups:
                self._containers.named(path)

    @property
    def ready(self) -> bool:
        """Whether the containers have been looked up."""
        return self._containers.settled

    def found(self, probe: ProbeInfo, given: Mapping[str, str]) -> tuple[Found | None, dict[str, str], list[str]]:
        """Resolve a request: its limit, its parameters with pids of the host, and a line for each. Raises
        `UnknownPlace` and `params.BadParam`, whose texts name probe and parameter.
        """
        named = params.by_name(probe, given)
        kinds = {param.name: param.type for param in probe.params if param.name in named}
        places = {kinds[name]: text for name, text in named.items() if kinds[name] != "pid"}
        known, notes = dict(given), list[str]()
        found = None
        try:
            if places:
                found = self.find(places)
                notes.append(described(found))
            for name, text in named.items():
                if kinds[name] == "pid" and (pair := params.inner_pid(text)) is not None:
                    known[name] = str(self.inside(*pair))
                    notes.append(f"{name}={inert(given[name])}: process {known[name]} of the host")
        except UnknownPlace as why:
            name = next(name for name, kind in kinds.items() if kind == why.kind)
            raise UnknownPlace(why.kind, f"{probe.id}: {name}: {why}") from None
        except ValueError as error:  # a pid that was not checked before
            name = next(name for name, kind in kinds.items() if kind == "pid")
            raise params.BadParam(f"{probe.id}: {name}: {error}") from None
        return found, known, notes

    def find(self, given: Mapping[str, str]) -> Found:
        """The cgroups that a container, a pod and a unit (text by kind) select together. Raises `UnknownPlace`."""
        trees = self._cgroups.existing()
        selector = Selector(given, [path for _, groups in trees for path in groups], self._containers.named)
        for hierarchy, groups in trees:
            if selector.topmost(groups):
                return Found(selector, hierarchy, self._cgroups.roots[hierarchy], groups)
        raise UnknownPlace([*given][-1], f"{selector} selects nothing: no cgroup is in all of them")

    def inside(self, place: str, number: int) -> int:
        """The host's pid of the process that has this pid inside a container or, without one, a pod. Raises
        `UnknownPlace`.
        """
        try:
            found = self.find({"container": place})
        except UnknownPlace as why:
            try:
                found = self.find({"pod": place})
            except UnknownPlace:
                raise UnknownPlace("pid", str(why)) from None
        processes = _processes(found)
        pids = [str(pid) for pid, numbers, _ in processes if number in (numbers[1:] or numbers)]
        if len(pids) == 1:
            return int(pids[0])
        if pids:
            said = f"several processes {number}: {', '.join(pids[:_TOLD])} on the host"
        else:
            inner = sorted((numbers[-1], inert(name)) for _, numbers, name in processes)
            listed = ", ".join(f"{pid} ({name})" for pid, name in inner[:_TOLD])
            said = f"no process {number}; it has {listed or 'none'}{', …' * (len(inner) > _TOLD)}"
        raise UnknownPlace("pid", f"{quoted(place)} has {said}")

    def limit(self, run: AttachedProbe, found: Found | None) -> None:
        """Limit a run to the selection. Raises `OSError`."""
        if found is not None and run.groups is not None:
            groups = dict(self._cgroups.existing())[found.hierarchy]  # there may be others by now
            run.limit = GroupFilter(found._replace(groups=groups), run.groups)
            run.subjects.append(run.limit)

    def renamed(self) -> None:
        """Containers have new names."""
        for each in self._limits():
            each.renamed()

    def _began(self, number: int, hierarchy: int, path: str) -> None:
        for each in self._limits():
            each.began(number, hierarchy, path)

    def _limits(self) -> Iterator[GroupFilter]:
        return (run.limit for run in self._runs.values() if run.limit is not None)


def described(found: Found) -> str:
    """One line: which groups are counted."""
    paths = found.selector.topmost(found.groups)
    more = f" and {len(paths) - 1} more cgroups" if len(paths) > 1 else ""
    version = "version 2" if found.hierarchy == V2 else f"version 1, hierarchy {inert(str(found.root))}"
    return f"{found.selector}: cgroup {inert(paths[0])}{more} ({version})"


def _processes(found: Found) -> list[tuple[int, list[int], str]]:
    """The processes in the selection: pid, pids from the outermost namespace to its own, and name."""
    roots = tuple(found.selector.topmost(found.groups))
    inside: Iterable[str] = (path for path in found.groups if any(f"{path}/".startswith(f"{root}/") for root in roots))
    listed = []
    for path in inside:
        try:
            pids = Path(f"{found.root}{path}/cgroup.procs").read_text().split()
        except (OSError, ValueError):
            continue
        for pid in pids:
            try:
                status = proc.status(Path(f"/proc/{pid}/status").read_bytes())
            except OSError:
                continue
            if numbers := proc.inner_pids(status):
                listed.append((int(pid), numbers, status.get("Name", "")))
    return listed
