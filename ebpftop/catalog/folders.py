"""Finds probe folders: the bundled ones, those given with --probes, and the system's in /etc."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import msgspec

from ebpftop.base.inert import inert
from ebpftop.catalog.cache import kept
from ebpftop.catalog.files import Unreadable, entries
from ebpftop.catalog.model import Probe
from ebpftop.catalog.playbook import FOLDER as PLAYBOOKS
from ebpftop.catalog.playbook import SUFFIX, Playbook, faults, read_playbook
from ebpftop.catalog.trust import distrust

SYSTEM = Path("/etc/ebpftop/probes")

MOST_PROBES = 1000  # in one folder of probes
MOST_TEXT = 4 << 20  # characters of all their files, and of all playbooks
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
_SHARED = "include"  # headers shared by all probes, beside the categories


class CatalogRead(msgspec.Struct, frozen=True):
    """All readable probes by id, in order; playbooks by name; and `problems`, one line for each unreadable folder and
    for each playbook step that names a missing probe. refused: which of them are about a probe, by its id, or about a
    playbook, by `playbooks/NAME`. unread: which of them are about a whole folder of probes.
    """

    probes: dict[str, Probe]
    problems: list[str]
    playbooks: dict[str, Playbook] = {}
    refused: dict[str, str] = {}
    unread: list[str] = []

    def lacks(self, *why: str) -> list[str]:
        """What to say about a name that isn't in it, for these reasons: it may be in one of the unread folders."""
        return [*self.unread, *why, *(line for line in self.problems if line not in self.unread)]


def bundled() -> Path:
    """The probes that ship with the package: inside it once installed, beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "_probes"
    return installed if installed.is_dir() else package.parent / "probes"


def includes() -> dict[str, str]:
    """The headers that every probe can use, by name."""
    return {file.name: file.read_text() for file in sorted((bundled() / _SHARED).glob("*.h"))}


class Part(msgspec.Struct, frozen=True):
    """The contents of one folder of probes: probes by id, problems, playbooks by name; `refused`: see `CatalogRead`.
    is_unread: the problem is the folder itself.
    """

    probes: dict[str, Probe]
    problems: list[str]
    playbooks: dict[str, Playbook] = {}
    refused: dict[str, str] = {}
    is_unread: bool = False

    def refuse(self, name: str, why: str) -> None:
        self.problems.append(why)
        self.refused.setdefault(name, why)


def read_catalog(
    extra: Sequence[Path] = (),
    system: Path = SYSTEM,
    rights: Callable[[], AbstractContextManager[None]] = nullcontext,
    only: str = "",
    cache: Path | None = None,
) -> CatalogRead:
    """All probes and playbooks from the bundled folder, the extra ones (with these rights) and the system's, in memory.

    If two folders have the same id, the earlier one is used, and that is a problem. In the system's folder, only files
    that root alone can write to are used. Raises nothing: an unreadable file is a problem. only: read nothing but
    probes with this id or bare name. cache: see `kept`.
    """
    own = read_folder(bundled(), only) if only else read_bundled(cache)
    with rights():
        given = [read_folder(folder, only) for folder in extra]
    return merged([own, *given, read_system(system, only)])


def read_bundled(cache: Path | None = None) -> Part:
    """Read the probes that ship with the package, or take them from the cache."""
    root = bundled()
    return kept(cache, root, Part, lambda: read_folder(root))


def read_folder(root: Path, only: str = "") -> Part:
    """Read a folder of probes and playbooks, or its probes with one name; a missing folder is a problem."""
    try:
        if stat.S_ISDIR(os.stat(root).st_mode):
            return _read(root, only, system=False)
        why = "not a folder"
    except (FileNotFoundError, NotADirectoryError):
        why = "no such folder"
    except OSError as error:
        why = error.strerror or str(error)
    except ValueError:  # a zero byte
        why = "not a valid folder name"
    return Part({}, [f"{inert(str(root))}: {why}"], is_unread=True)


def read_system(root: Path = SYSTEM, only: str = "") -> Part:
    """The parts of the system's folder that only root can write to; empty if the folder doesn't exist."""
    if not os.path.isdir(root):
        return Part({}, [])
    if why := distrust(root):
        return Part({}, [f"{why}; its probes are ignored"], is_unread=True)
    return _read(root, only, system=True)


def merged(parts: Sequence[Part]) -> CatalogRead:
    """The catalog of several folders; earlier folders have precedence."""
    probes: dict[str, Probe] = {}
    playbooks: dict[str, Playbook] = {}
    problems: list[str] = []
    refused: dict[str, str] = {}
    unread: list[str] = []
    for part in parts:
        problems += part.problems
        unread += part.problems if part.is_unread else ()
        refused = part.refused | refused
        for probe_id, probe in part.probes.items():
            if (first := probes.setdefault(probe_id, probe)) is not probe:
                problems.append(_taken(probe.folder, probe_id, first.folder))
        for name, playbook in part.playbooks.items():
            if (other := playbooks.setdefault(name, playbook)) is not playbook:
                problems.append(_taken(playbook.file, name, other.file))
    for playbook in playbooks.values():
        problems += faults(playbook, probes)
    order = sorted(playbooks, key=lambda name: (-playbooks[name].priority, name))
    by_name = {name: playbooks[name] for name in order}
    return CatalogRead(dict(sorted(probes.items())), problems, by_name, refused, unread)


def _taken(path: Path, name: str, first: Path) -> str:
    return f"{inert(str(path))}: {name} is already in {inert(str(first))}; this one is ignored"


def _read(root: Path, only: str, *, system: bool) -> Part:
    from ebpftop.catalog.document import BadManifest
    from ebpftop.catalog.manifest import read_probe  # cached results don't need it

    part = Part({}, [], {}, {})
    seen = size = 0
    for category in _folders(root, part.problems):
        if category.name == PLAYBOOKS and not only:
            _read_playbooks(root, category, part, system=system)
        if category.name in (_SHARED, PLAYBOOKS):
            continue
        for folder in _folders(category, part.problems):
            probe_id = f"{category.name}/{folder.name}"
            if only and only not in (probe_id, folder.name):
                continue
            seen += 1
            if seen > MOST_PROBES or size > MOST_TEXT:
                bound = f"{MOST_PROBES:,} probes" if seen > MOST_PROBES else f"{MOST_TEXT >> 20} MiB of text"
                part.problems.append(f"{inert(str(root))}: more than {bound}; {probe_id} and the rest are not read")
                return part
            if system and (why := _distrust_all(root, folder.parent, folder, inside=folder)):
                part.refuse(probe_id, f"{why}; {probe_id} is ignored")
            else:
                try:
                    probe = part.probes[probe_id] = read_probe(folder, probe_id)
                    size += len(probe.written) + len(probe.manifest) + len(probe.readme)
                except BadManifest as error:
                    part.refuse(probe_id, str(error))
    return part


def _read_playbooks(root: Path, folder: Path, part: Part, *, system: bool) -> None:
    from ebpftop.catalog.document import BadManifest

    size = 0
    for file in playbook_files(folder):
        if size > MOST_TEXT:
            what = f"more than {MOST_TEXT >> 20} MiB of playbooks; {inert(file.stem)} and the rest are not read"
            part.problems.append(f"{inert(str(folder))}: {what}")
            return
        if not _NAME.fullmatch(file.stem):
            part.problems.append(f"{inert(str(file))}: the name may contain only lower-case letters, digits, - and _")
        elif system and (why := _distrust_all(root, folder, file)):
            part.refuse(f"{PLAYBOOKS}/{file.stem}", f"{why}; playbook {file.stem} is ignored")
        else:
            try:
                playbook = part.playbooks[file.stem] = read_playbook(file)
                size += len(playbook.text)
            except BadManifest as error:
                part.refuse(f"{PLAYBOOKS}/{file.stem}", str(error))


def playbook_files(folder: Path) -> list[Path]:
    """The playbooks' files in a folder, in order; empty if it can't be read."""
    try:
        return [file for file in entries(folder) if file.suffix == SUFFIX and not file.name.startswith(".")]
    except Unreadable:
        return []


def _folders(parent: Path, problems: list[str]) -> Iterator[Path]:
    """The subfolders of a folder, in order, except hidden ones."""
    try:
        children = [child for child in entries(parent) if child.is_dir()]
    except Unreadable as error:
        problems.append(str(error))
        return
    for child in children:
        if child.name.startswith((".", "_")):
            continue
        if _NAME.fullmatch(child.name):
            yield child
        else:
            problems.append(f"{inert(str(child))}: the name may contain only lower-case letters, digits, - and _")


def _distrust_all(root: Path, *paths: Path, inside: Path | None = None) -> str:
    """Why something in the system's folder isn't used: others can write to it or to its contents, or it leads outside
    the folder. "" if it can be used.
    """
    top = root.resolve()
    try:
        for path in (*paths, *(inside.iterdir() if inside else ())):
            if not path.resolve().is_relative_to(top):
                return f"{inert(str(path))}: leads outside {inert(str(root))}"
            if why := distrust(path):
                return why
    except OSError as error:
        return f"{inert(str(paths[-1]))}: {error.strerror}"
    return ""
