"""Finding probe folders: the bundled ones, those named with --probes, and root's own in /etc."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from ebpftop.base.inert import inert
from ebpftop.catalog.document import BadManifest
from ebpftop.catalog.manifest import read_probe
from ebpftop.catalog.model import Probe
from ebpftop.catalog.playbook import FOLDER as PLAYBOOKS
from ebpftop.catalog.playbook import SUFFIX, Playbook, faults, read_playbook

SYSTEM = Path("/etc/ebpftop/probes")

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
_SHARED = "include"  # headers of all probes, beside the categories


class CatalogRead(msgspec.Struct, frozen=True):
    """Every probe that could be read, by id and in order, and one line for each folder that couldn't. Playbooks, by
    name, may name probes that there are not; that is a line as well.
    """

    probes: dict[str, Probe]
    problems: list[str]
    playbooks: dict[str, Playbook] = {}


def bundled() -> Path:
    """The probes that ship with the package: inside it once installed, beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "_probes"
    return installed if installed.is_dir() else package.parent / "probes"


def includes() -> dict[str, str]:
    """The headers every probe may use, by name."""
    return {file.name: file.read_text() for file in sorted((bundled() / _SHARED).glob("*.h"))}


class Part(msgspec.Struct, frozen=True):
    """What one folder of probes holds, read by itself: probes by id, problems, playbooks by name."""

    probes: dict[str, Probe]
    problems: list[str]
    playbooks: dict[str, Playbook] = {}


def read_catalog(extra: Sequence[Path] = (), system: Path = SYSTEM) -> CatalogRead:
    """All probes and playbooks: of the bundled folder, of the extra ones, of the system's; each read into memory once.

    An id that an earlier folder has is not taken from a later one, which is a problem. The system's folder is used only
    as far as root alone can write to it. Raises nothing: what can't be read is a problem.
    """
    return merged([read_folder(bundled()), *map(read_folder, extra), read_system(system)])


def read_folder(root: Path) -> Part:
    """A folder of probes and playbooks; one that isn't there is a problem."""
    if os.path.isdir(root):  # False also where it may not be looked at
        return _read(root, system=False)
    return Part({}, [f"{inert(str(root))}: no such folder of probes"])


def read_system(root: Path = SYSTEM) -> Part:
    """The system's folder, as far as root alone can write to it; nothing where there is none."""
    if not os.path.isdir(root):
        return Part({}, [])
    if why := _distrust(root):
        return Part({}, [f"{why}; its probes are not used"])
    return _read(root, system=True)


def merged(parts: Sequence[Part]) -> CatalogRead:
    """The catalog of several folders, of which an earlier one goes before a later one."""
    probes: dict[str, Probe] = {}
    playbooks: dict[str, Playbook] = {}
    problems: list[str] = []
    for part in parts:
        problems += part.problems
        for probe_id, probe in part.probes.items():
            if (first := probes.setdefault(probe_id, probe)) is not probe:
                problems.append(_taken(probe.folder, probe_id, first.folder))
        for name, playbook in part.playbooks.items():
            if (other := playbooks.setdefault(name, playbook)) is not playbook:
                problems.append(_taken(playbook.file, name, other.file))
    for playbook in playbooks.values():
        problems += faults(playbook, probes)
    return CatalogRead(dict(sorted(probes.items())), problems, dict(sorted(playbooks.items())))


def _taken(path: Path, name: str, first: Path) -> str:
    return f"{inert(str(path))}: {name} is already in {inert(str(first))}; this one is not used"


def _read(root: Path, *, system: bool) -> Part:
    part = Part({}, [], {})
    for category in _folders(root, part.problems):
        if category.name == PLAYBOOKS:
            _read_playbooks(root, category, part, system=system)
        if category.name in (_SHARED, PLAYBOOKS):
            continue
        for folder in _folders(category, part.problems):
            probe_id = f"{category.name}/{folder.name}"
            if system and (why := _distrust_all(root, folder.parent, folder, inside=folder)):
                part.problems.append(f"{why}; {probe_id} is not used")
            else:
                try:
                    part.probes[probe_id] = read_probe(folder, probe_id)
                except BadManifest as error:
                    part.problems.append(str(error))
    return part


def _read_playbooks(root: Path, folder: Path, part: Part, *, system: bool) -> None:
    for file in playbook_files(folder):
        if not _NAME.fullmatch(file.stem):
            part.problems.append(f"{inert(str(file))}: a name of lower-case letters, digits, - and _ expected")
        elif system and (why := _distrust_all(root, folder, file)):
            part.problems.append(f"{why}; playbook {file.stem} is not used")
        else:
            try:
                part.playbooks[file.stem] = read_playbook(file)
            except BadManifest as error:
                part.problems.append(str(error))


def playbook_files(folder: Path) -> list[Path]:
    """The files of playbooks in a folder of playbooks, in order; none where it can't be looked at."""
    try:
        return sorted(file for file in folder.iterdir() if file.suffix == SUFFIX and not file.name.startswith("."))
    except OSError:
        return []


def _folders(parent: Path, problems: list[str]) -> Iterator[Path]:
    """The folders in a folder, in order, except hidden ones."""
    try:
        children = sorted(child for child in parent.iterdir() if child.is_dir())
    except OSError as error:
        problems.append(f"{inert(str(parent))}: {error.strerror}")
        return
    for child in children:
        if child.name.startswith((".", "_")):
            continue
        if _NAME.fullmatch(child.name):
            yield child
        else:
            problems.append(f"{inert(str(child))}: a name of lower-case letters, digits, - and _ expected")


def _distrust_all(root: Path, *paths: Path, inside: Path | None = None) -> str:
    """Why something in the system's folder isn't used: someone else can write to it, or to what is inside of it, or it
    is a way out of the folder.
    """
    top = root.resolve()
    try:
        for path in (*paths, *(inside.iterdir() if inside else ())):
            if not path.resolve().is_relative_to(top):
                return f"{inert(str(path))}: leads out of {inert(str(root))}"
            if why := _distrust(path):
                return why
    except OSError as error:
        return f"{inert(str(paths[-1]))}: {error.strerror}"
    return ""


def _distrust(path: Path) -> str:
    """Why what this path leads to isn't root's alone, or nothing. A sticky folder keeps others from its entries."""
    real = path.resolve()
    for place in (real, *real.parents):
        status = place.stat()
        if status.st_uid != 0:
            return f"{inert(str(place))}: not owned by root"
        if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and (place == real or not status.st_mode & stat.S_ISVTX):
            return f"{inert(str(place))}: others than root can write to it"
    return ""
