"""The cgroups that a container, a pod and a unit select, by paths and by the containers' names."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from difflib import get_close_matches

from ebpftop.base.cgroup_path import UNITS, home, is_id, short
from ebpftop.base.inert import inert, quoted
from ebpftop.collector.containers import Named

_BEGINNING = re.compile(r"[0-9a-f-]{4,}")  # of a container's id, or of a pod's uid
_NEAR, _TOLD = 3, 5  # names told where none fits: those that are close, else the first ones


class UnknownPlace(Exception):
    """A parameter names nothing that exists, or is ambiguous; the text is one line. kind: the parameter."""

    def __init__(self, kind: str, why: str) -> None:
        super().__init__(why)
        self.kind = kind


class Selector:
    """given: by kind (container, pod, unit), the names that together limit the selection. paths: of all existing
    groups. Raises `UnknownPlace`.
    """

    def __init__(self, given: Mapping[str, str], paths: Collection[str], named: Callable[[str], Named]) -> None:
        self._given = {kind: _unit(text) if kind == "unit" else text for kind, text in given.items()}
        self._named = named
        self._numbers: dict[str, set[str]] = {"container": set(), "pod": set(), "unit": set()}
        self._learn_pods(paths)
        for kind, text in self._given.items():
            if not any(self._is_it(kind, text, path) for path in paths):
                self._numbers[kind] = self._begun(kind, text, paths)

    def __str__(self) -> str:
        return " ".join(f"{kind}={inert(text)}" for kind, text in self._given.items())

    def topmost(self, paths: Iterable[str]) -> list[str]:
        """The selected ones among these paths and their ancestors, without those below another one."""
        found: list[str] = []
        known: dict[str, frozenset[str]] = {"": frozenset()}
        self._learn_pods(paths := [*paths])

        def inside(path: str) -> frozenset[str]:
            if path not in known:
                above = inside(path.rpartition("/")[0])
                own = {kind for kind, text in self._given.items() if self._is_it(kind, text, path)}
                known[path] = above | own
                if len(above) < len(known[path]) == len(self._given):
                    found.append(path)
            return known[path]

        for path in paths:
            inside(path.rstrip("/"))
        return found

    def _is_it(self, kind: str, text: str, path: str) -> bool:
        """Whether the innermost container, pod or unit of a path is the one given."""
        place = home(path)
        if kind == "unit":
            return place.unit == text
        number = place.container if kind == "container" else place.pod
        return bool(number) and (text in self._names(kind, path) or number in self._numbers[kind])

    def _names(self, kind: str, path: str) -> Iterator[str]:
        """The names of the innermost container or pod of a path, its id last."""
        place, named = home(path), self._named(path)
        if kind == "container":
            yield from filter(None, (named.container, place.container))
        else:
            yield from filter(None, (named.pod, named.pod.rpartition("/")[2], place.pod))

    def _learn_pods(self, paths: Iterable[str]) -> None:
        """A pod's own group has no container, which would have the pod's name."""
        if text := self._given.get("pod"):
            self._numbers["pod"] |= {home(path).pod for path in paths if text in self._names("pod", path)}

    def _begun(self, kind: str, text: str, paths: Iterable[str]) -> set[str]:
        """The only id that begins with this. Raises `UnknownPlace` if there is none or several."""
        here: dict[str, str] = {}  # the name, by id or, where there is none, name
        for path in paths:
            place = home(path)
            number = {"container": place.container, "pod": place.pod, "unit": place.unit}[kind]
            if number:
                name = number if kind == "unit" else next(self._names(kind, path))
                here[number] = name if name != number or number not in here else here[number]
        begun = [n for n in here if n.startswith(text)] if kind != "unit" and _BEGINNING.fullmatch(text) else []
        if len(begun) > 1:
            several = ", ".join(f"{inert(short(here[n]))} ({inert(_shortened(n))})" for n in begun[:_TOLD])
            raise UnknownPlace(kind, f"{quoted(text)} matches the ids of {len(begun)} {kind}s: {several}")
        if begun:
            return set(begun)
        names = sorted({short(name) for name in here.values()})
        stems = {name.removesuffix(".service"): name for name in names}  # in which all units would be alike
        near = [
            stems[each] for each in get_close_matches(text.removesuffix(".service")[:100], stems, n=_NEAR, cutoff=0.5)
        ]
        told = "; did you mean " + " or ".join(map(inert, near)) + "?" if near else _all(kind, names)
        raise UnknownPlace(kind, f"no {kind} {quoted(text)} here{told}")


def _all(kind: str, names: list[str]) -> str:
    if not names:
        return f"; no {kind} runs here" if kind != "unit" else "; no cgroup here is a unit's"
    more = f" and {len(names) - _TOLD} more" if len(names) > _TOLD else ""
    return (
        f"; there are {', '.join(map(inert, names[:_TOLD]))}{more}"
        if len(names) > 1
        else f"; there is {inert(names[0])}"
    )


def _shortened(number: str) -> str:
    """A container's id as the runtimes' lists show it; a pod's uid unchanged."""
    return short(number) if is_id(number) else number


def _unit(text: str) -> str:
    """With the suffix that systemctl would add."""
    return text if text.endswith((*UNITS, ".slice")) else f"{text}.service"
