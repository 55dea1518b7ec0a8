"""Keeps the catalog current while the program runs: a folder given with --probes is reread when a file in it is
saved.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from ebpftop.catalog.files import HEADER, MANIFEST, README, SOURCE, Unreadable, entries
from ebpftop.catalog.folders import SYSTEM, Part, merged, read_bundled, read_folder, read_system
from ebpftop.catalog.playbook import FOLDER as PLAYBOOKS
from ebpftop.catalog.playbook import SUFFIX

INTERVAL = 0.5  # seconds between two scans
SETTLE = 0.1  # seconds without a change until a save counts as complete: editors write, rename and delete
SHARE = 0.01  # of a CPU: the limit for scanning, however large the folders are

Stamp = tuple[int, int, int]  # modified (ns), size, inode


class CurrentCatalog:
    """`catalog` is the latest state: the bundled folder and the system's from the start, the extra ones from the first
    `look`.

    Only the extra folders are reread, and only if `again` is set. Changes are detected by the files' timestamps, which
    works on every file system and for every way to save. cache: see `cache.kept`.
    """

    def __init__(
        self, extra: Sequence[Path] = (), *, again: bool, system: Path = SYSTEM, cache: Path | None = None
    ) -> None:
        self.extra = [Path(os.path.abspath(folder)) for folder in extra]
        self.again = again
        self._ends = read_bundled(cache), read_system(system)
        self._parts: list[Part] = []  # of the extra folders
        self._stamps: dict[str, Stamp | None] | None = None
        self._saved = False
        self._at = 0.0
        self.catalog = merged(self._ends)

    @property
    def next_look(self) -> float | None:
        """Time of the next scan in monotonic seconds; None if there is none."""
        return self._at if self.extra and (self.again or self._stamps is None) else None

    def look(self) -> bool:
        """Scan the folders if a scan is due; returns whether `catalog` changed. Raises nothing."""
        began = time.monotonic()
        if self.next_look is None or began < self._at:
            return False
        stamps = {path: _stamp(path) for folder in self.extra for path in _files(str(folder))}
        looking = (time.monotonic() - began) / SHARE
        if self._stamps is None:
            saved = True
        elif stamps != self._stamps:
            self._stamps, self._saved = stamps, True
            self._at = began + max(SETTLE, looking)
            return False
        else:
            saved, self._saved = self._saved, False
        self._stamps = stamps  # taken before reading, so that a save during reading is noticed
        self._at = began + max(INTERVAL, looking)
        if saved:
            self._read()
        return saved

    def _read(self) -> None:
        read = [read_folder(folder) for folder in self.extra]
        if self.again:
            before = self._parts or [Part({}, [])] * len(read)
            read = [_again(*each) for each in zip(self.extra, before, read, strict=True)]
        self._parts = read
        self.catalog = merged([self._ends[0], *read, self._ends[1]])


def _files(root: str) -> Iterator[str]:
    """The files of a folder of probes, including expected ones that don't exist yet."""
    for category in _entries(root):
        if os.path.basename(category) == PLAYBOOKS:
            yield from (file for file in _entries(category) if file.endswith(SUFFIX))
            continue
        for folder in _entries(category):
            yield from (f"{folder}/{name}" for name in (MANIFEST, SOURCE, README))
            yield from (file for file in _entries(folder) if file.endswith(HEADER))


def _entries(folder: str) -> list[str]:
    """A folder's entries except hidden ones; empty if it can't be read."""
    try:
        return [str(path) for path in entries(Path(folder)) if not path.name.startswith(".")]
    except Unreadable:
        return []


def _stamp(path: str) -> Stamp | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _marked(part: Part) -> Part:
    marked = {key: msgspec.structs.replace(probe, reloads=True) for key, probe in part.probes.items()}
    return msgspec.structs.replace(part, probes=marked)


def _again(root: Path, before: Part, now: Part) -> Part:
    """The new state; a probe or playbook that exists but can't be read now keeps its previous state."""
    probes = {key: old for key, old in before.probes.items() if _is_there(root / key)}
    playbooks = {name: old for name, old in before.playbooks.items() if _is_there(old.file)}
    return Part(probes | _marked(now).probes, now.problems, playbooks | now.playbooks, now.refused)


def _is_there(path: Path) -> bool:
    """Whether the path exists; true if we lack permission to check."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        pass
    return True
