"""From the attach points of a manifest, and the parameters, to places: one for each matching function.

Functions are checked before anything is compiled: kernel functions against the list of traceable ones, functions of a
file against its symbols.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from fnmatch import translate
from functools import cached_property

import msgspec

from ebpftop.base.inert import inert, quoted
from ebpftop.base.nearest import nearest
from ebpftop.catalog.model import Attach, Probe, Variant
from ebpftop.catalog.params import number
from ebpftop.kernel import points, usdt
from ebpftop.kernel.elf import BadElf, Elf
from ebpftop.kernel.libbpf import KernelLacks
from ebpftop.loader.binaries import NoBinary, open_binary

MOST = 100  # functions that one pattern may match
_GLOB = re.compile(r"[*?\[]")
_MACHINES = {"x86_64": 62, "aarch64": 183}
_IN_FILES = ("uprobe", "uretprobe", "usdt")
_OF_KERNEL = ("kprobe", "kretprobe", "fentry", "fexit")
_SOME_FUNCTION = "vfs_read"  # every kernel has it
_NEAR = 2_000  # names that are compared with a mistyped one


class BadTarget(Exception):
    """A parameter names something that can't be attached to; the text is one line."""


class NotHere(BadTarget):
    """There is no such program or library here; a process may have one of its own."""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """One attachment to make. `program` is the name under which `run` is loaded; `name` distinguishes the attachment
    from others of the program. In a file (`path`): `descriptor`, `offset`, `semaphore`, the locations of a static
    probe's `arguments`, and the only process whose calls count, if there is one: for other processes the attachment
    costs nothing.
    """

    mechanism: str
    target: str
    run: str
    program: str
    name: str = ""
    frequency: int = 0
    path: str = ""
    descriptor: int = -1
    offset: int = 0
    semaphore: int = 0
    arguments: str = ""
    process: int = -1

    def __str__(self) -> str:
        return f"{self.mechanism}:{self.target}"


class File:
    """An opened program or library, with what it offers."""

    def __init__(self, path: str, descriptor: int) -> None:
        self.path, self.descriptor = path, descriptor
        try:
            elf = Elf.of(descriptor)
            if elf.machine != _MACHINES.get(os.uname().machine):
                raise BadTarget(f"{inert(path)} is built for another architecture")
            if not elf.linked:
                raise BadElf("an object file, which must be linked before it can run")
            self.build_id = elf.build_id()
            self._elf = elf
        except (BadElf, OSError, MemoryError) as error:
            raise self._unreadable(error) from None

    def _unreadable(self, error: Exception) -> BadTarget:
        why = error.strerror if isinstance(error, OSError) else str(error) or "it takes too much memory to read"
        return BadTarget(f"{inert(self.path)} isn't a program or library that can be traced: {why}")

    def function(self, name: str) -> tuple[int | None, bool]:
        """The start of a function, None if there is none of this name, and whether the dynamic loader chooses its
        implementation. It doesn't look at all other functions. Raises `BadTarget`.
        """
        try:
            return self._elf.place(os.fsencode(name))
        except (BadElf, OSError, MemoryError) as error:
            raise self._unreadable(error) from None

    @cached_property
    def functions(self) -> dict[str, int]:
        """The start of each. Raises `BadTarget`."""
        try:
            return {_shown(name): place for name, place in self._elf.places()[0].items()}
        except (BadElf, OSError, MemoryError) as error:
            raise self._unreadable(error) from None

    @cached_property
    def static_probes(self) -> list[usdt.StaticProbe]:
        """Raises `BadTarget`."""
        try:
            return usdt.static_probes(self._elf)
        except (BadElf, OSError, MemoryError) as error:
            raise self._unreadable(error) from None

    def __str__(self) -> str:
        build = f", build ID {self.build_id.hex()}" if self.build_id else ""
        return f"{inert(self.path)} is the file of inode {os.fstat(self.descriptor).st_ino}{build}"


class Targets:
    """The places of a probe's variants under these parameters. Opens the files at once, with `rights`.

    Without `resolve` nothing is looked up, because nothing will be attached: names in parameters stay as they are.
    """

    def __init__(
        self,
        probe: Probe,
        chosen: Mapping[str, str],
        rights: Callable[[], AbstractContextManager[None]],
        *,
        resolve: bool = True,
    ) -> None:
        self._chosen, self._resolve = chosen, resolve
        pid = next((chosen[p.name] for p in probe.params if p.type == "pid" and p.name in chosen), None)
        self._process = None if pid is None else number(pid)
        self._files: dict[str, File | BadTarget] = {}
        for point in (point for variant in probe.variants for point in variant.attach):
            if resolve and point.mechanism in _IN_FILES:
                name = self._filled(point.target.partition(":")[0])
                if name not in self._files:
                    self._files[name] = self._open(name, rights)

    def places(self, variant: Variant) -> list[Place]:
        """In the manifest's order. Raises `BadTarget`."""
        return [place for point in variant.attach for place in self._places(point)]

    def files(self, places: Iterable[Place]) -> list[str]:
        """The files of these places, one line each: by now a path alone may mean another file."""
        used = {place.descriptor for place in places}
        return [str(file) for file in self._files.values() if isinstance(file, File) and file.descriptor in used]

    def close(self) -> None:
        for file in self._files.values():
            if isinstance(file, File):
                os.close(file.descriptor)

    def _open(self, name: str, rights: Callable[[], AbstractContextManager[None]]) -> File | BadTarget:
        try:
            path, descriptor = open_binary(name, self._process, rights)
            return File(path, descriptor)
        except NoBinary as error:
            return NotHere(inert(str(error)))
        except BadTarget as error:
            return error

    def _filled(self, text: str) -> str:
        """The name with the values of its parameters; without a file, the process's own."""
        return re.sub(r"\$(\w+)", lambda match: self._chosen.get(match[1], ""), text)

    def _places(self, point: Attach) -> Iterable[Place]:
        if point.mechanism in _IN_FILES and self._resolve:
            return self._in_file(point)
        if point.mechanism in _OF_KERNEL:
            return self._in_kernel(point)
        frequency = point.frequency if isinstance(point.frequency, int) else int(self._filled(point.frequency) or 1)
        place = Place(
            mechanism=point.mechanism, target=point.target, run=point.run, program=point.run, frequency=frequency
        )
        return [place]

    def _in_kernel(self, point: Attach) -> Iterable[Place]:
        names = [point.target]
        if "$" in point.target:
            pattern = self._filled(point.target)
            names = kernel_functions(pattern, point.mechanism) if self._resolve else [_SOME_FUNCTION]
        prefix = {"fentry": "kfunc__", "fexit": "kretfunc__"}.get(point.mechanism)  # libbcc finds the function by it
        return [
            Place(
                mechanism=point.mechanism,
                target=name,
                run=point.run,
                program=f"{prefix}{name}" if prefix else point.run,
                name=name if "$" in point.target else "",
            )
            for name in names
        ]

    def _in_file(self, point: Attach) -> Iterable[Place]:
        file_text, _, wanted = point.target.partition(":")
        file = self._files[self._filled(file_text)]
        if isinstance(file, BadTarget):
            raise file
        wanted = self._filled(wanted)
        found = _static_probes(file, wanted) if point.mechanism == "usdt" else _functions(file, wanted)
        return [
            Place(
                mechanism=point.mechanism,
                target=f"{file.path}:{name}",
                run=point.run,
                program=point.run,
                name=name.rpartition(":")[2],
                path=file.path,
                descriptor=file.descriptor,
                offset=offset,
                semaphore=semaphore,
                arguments=arguments,
                process=-1 if self._process is None else self._process,
            )
            for name, offset, semaphore, arguments in found
        ]


def absent_file(probe: Probe, variant: Variant) -> str | None:
    """Why a fixed place in a file isn't available here; parameters have their defaults.

    A probe with a `pid` parameter can find what that process has mapped, wherever that is.
    """
    fixed = tuple(point for point in variant.attach if point.mechanism in _IN_FILES)
    defaults = {param.name: param.default for param in probe.params if param.default is not None}
    if not fixed or variant.params - defaults.keys():
        return None
    kept = msgspec.structs.replace(variant, attach=fixed)
    try:
        with contextlib.closing(
            Targets(msgspec.structs.replace(probe, variants=(kept,)), defaults, contextlib.nullcontext)
        ) as targets:
            targets.places(kept)
    except NotHere as error:
        return None if any(param.type == "pid" for param in probe.params) else str(error)
    except BadTarget as error:
        return str(error)
    return None


def kernel_functions(pattern: str, mechanism: str) -> list[str]:
    """The traceable kernel functions that match a pattern. Raises `BadTarget`, `KernelLacks`."""
    if not _GLOB.search(pattern):
        if reason := points.missing(mechanism, pattern):
            raise BadTarget(reason + nearest(pattern, _alike(pattern, points.traceable())))
        return [pattern]
    copies = Counter(points.traceable())
    if not copies:
        raise KernelLacks("this kernel doesn't list the functions it can trace", "name a single function")
    names = [name for name, count in copies.items() if count == 1]  # one name, several functions: which one is meant?
    found = [name for name in _matching(pattern, names, "this kernel") if not points.missing(mechanism, name)]
    if not found:
        raise BadTarget(f"no function that {mechanism} can attach to matches {quoted(pattern)}")
    return found


def _functions(file: File, wanted: str) -> list[tuple[str, int, int, str]]:
    """(name, offset, 0, ""), each place under one name only. Raises `BadTarget`."""
    what = inert(file.path)
    if not _GLOB.search(wanted):
        place, chosen = file.function(wanted)
        if place is not None:
            return [(wanted, place, 0, "")]
        if chosen:
            raise BadTarget(
                f"{what}: the dynamic loader chooses an implementation of {inert(wanted)}; trace that one by its name"
            )
        if wanted in file.functions:  # as it is shown: not all names are UTF-8
            return [(wanted, file.functions[wanted], 0, "")]
        if not file.functions:
            raise BadTarget(f"{what} has no symbols")
        near = nearest(wanted, _alike(wanted, file.functions))
        raise BadTarget(f"{what} has no function {inert(wanted)}{near}")
    names: dict[int, str] = {}
    pattern = re.compile(translate(wanted))
    for name, place in file.functions.items():
        if pattern.match(name) and (place not in names or _plainness(name) < _plainness(names[place])):
            names[place] = name
    _limit(wanted, len(names), what)
    return [(name, place, 0, "") for place, name in sorted(names.items())]


def _static_probes(file: File, wanted: str) -> list[tuple[str, int, int, str]]:
    """(name, offset, semaphore, arguments) of each site of a probe PROVIDER:NAME. Raises `BadTarget`."""
    sites = [
        (f"{_shown(one.provider)}:{_shown(one.name)}", one.offset, one.semaphore, one.arguments)
        for one in file.static_probes
    ]
    found = [site for site in sites if site[0] == wanted]
    if not sites:
        raise BadTarget(f"{inert(file.path)} has no static probes (USDT)")
    if not found:
        near = nearest(wanted, {name for name, *_ in sites})
        raise BadTarget(f"{inert(file.path)} has no static probe {inert(wanted)}{near}")
    return found


def _matching(pattern: str, names: Iterable[str], owner: str) -> list[str]:
    matches = re.compile(translate(pattern)).match
    found = [name for name in names if matches(name)]
    _limit(pattern, len(found), owner)
    return sorted(found)


def _limit(pattern: str, count: int, owner: str) -> None:
    if count == 0:
        raise BadTarget(f"no function of {owner} matches {quoted(pattern)}")
    if count > MOST:
        raise BadTarget(f"{quoted(pattern)} matches {count:,} functions of {owner}; the limit is {MOST}")


def _alike(name: str, names: Iterable[str]) -> list[str]:
    """A few candidates for the nearest name, because comparing all names of a kernel takes seconds."""
    return [one for one in names if one[:2] == name[:2]][:_NEAR]


def _plainness(name: str) -> tuple[int, int, str]:
    return len(name) - len(name.lstrip("_")), len(name), name


def _shown(name: bytes) -> str:
    return name.decode("utf-8", "backslashreplace")
