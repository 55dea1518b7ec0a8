"""A folder with a tape of each incident, bounded in number and bytes."""

from __future__ import annotations

import contextlib
import os
import re
import stat
import time
from pathlib import Path

from ebpftop.base.inert import inert
from ebpftop.frames.messages import AnyFrame, Mark, Notice
from ebpftop.frames.recent import Copy, Recent
from ebpftop.frames.tape import TapeExists, TapeWriter, not_written
from ebpftop.stats import formatting

BEFORE, AFTER = 60.0, 10.0  # seconds
TAPES, BYTES = 50, 1 << 30  # that are kept
_LONGEST = 10  # times `after`, which a tape goes on where incidents follow each other
_NAMED = re.compile(r"when-\d{8}-\d{6}-[\w-]+\.tape", re.ASCII)


class TapeFolder:
    """Takes every frame that was added to the recent ones, and writes one tape at a time: at least the seconds `before`
    an incident, and those `after`.

    A limited number of tapes with a limited total size is kept: the oldest are removed, including those of earlier
    runs. Other files are left alone. A tape that alone exceeds the limit ends. Opening creates the folder, and raises
    `OSError`.
    """

    def __init__(
        self,
        folder: Path,
        recent: Recent,
        *,
        before: float = BEFORE,
        after: float = AFTER,
        tapes: int = TAPES,
        most: int = BYTES,
        args: bool = False,
    ) -> None:
        with contextlib.suppress(FileExistsError):
            folder.mkdir(0o700)
        os.listdir(folder)
        self.folder, self.after, self.tapes, self.most, self.args = folder, after, tapes, most, args
        self.recent = recent
        self._before = before
        self._copy: Copy | None = None
        self._latest = 0  # when it must end, whatever follows
        self._others: list[tuple[Path, int]] = []  # other tapes and their bytes, oldest first

    def take(self, frame: AnyFrame) -> list[Notice]:
        """Continue a tape; returns lines for the user."""
        copy = self._copy
        if copy is None:
            return []
        try:
            more = copy.take(frame)
        except OSError as error:
            return [self._broken(copy, error)]
        if not more:
            return self.close()
        self._make_room(copy.writer.size, len(self._others))
        if not self._others and copy.writer.size > self.most:
            self._copy = None
            return [self._end(copy, f", stopped at the limit of {formatting.bytes_(self.most)}")]
        return []

    def save(self, mark: Mark, probe: str) -> list[Notice]:
        """An incident: begin a tape, or extend the current one."""
        end = self.recent.clock() + round(self.after * 1e9)
        if self._copy is not None:
            self._copy.end = min(end, self._latest)
            return []
        name = f"when-{time.strftime('%Y%m%d-%H%M%S', time.localtime(mark.realtime_ns / 1e9))}"
        self._others = self._there()
        self._make_room(0, self.tapes - 1)
        try:
            writer = self._new(name, probe.rpartition("/")[2])
        except (OSError, TapeExists) as error:
            text = error.strerror if isinstance(error, OSError) else str(error)
            return [Notice(level="error", text=f"no tape saved in {inert(str(self.folder))}: {text}")]
        self._copy = Copy(self.recent, writer, self._before, end)
        self._latest = end + round(_LONGEST * self.after * 1e9)
        return []

    def close(self) -> list[Notice]:
        """End the tape that is being written."""
        copy, self._copy = self._copy, None
        return [] if copy is None else [self._end(copy)]

    def _end(self, copy: Copy, why: str = "") -> Notice:
        try:
            copy.close()
        except OSError as error:
            return self._broken(copy, error)
        self._make_room(copy.writer.size, len(self._others))
        size, length = formatting.bytes_(copy.writer.size), formatting.duration(copy.writer.seconds * 1e9)
        return Notice(level="info", text=f"saved {inert(str(copy.writer.path))}: {length}, {size}{why}")

    def _broken(self, copy: Copy, error: OSError) -> Notice:
        self._copy = None
        with contextlib.suppress(OSError):
            copy.writer.close()
        return Notice(level="error", text=not_written(inert(str(copy.writer.path)), error))

    def _new(self, name: str, probe: str) -> TapeWriter:
        number = 1
        while True:
            path = self.folder / f"{name}-{probe}{f'-{number}' if number > 1 else ''}.tape"
            if not os.path.lexists(path):
                return TapeWriter(path, args=self.args)
            number += 1

    def _there(self) -> list[tuple[Path, int]]:
        found: list[tuple[int, Path, int]] = []
        with contextlib.suppress(OSError), os.scandir(self.folder) as entries:
            for entry in entries:
                status = entry.stat(follow_symlinks=False)
                if _NAMED.fullmatch(entry.name) and stat.S_ISREG(status.st_mode):
                    found.append((status.st_mtime_ns, Path(entry.path), status.st_size))
        return [(path, size) for _, path, size in sorted(found)]

    def _make_room(self, size: int, tapes: int) -> None:
        """Remove the oldest tapes, so that the limits hold with room for this size."""
        while self._others and (
            len(self._others) > tapes or size + sum(bytes_ for _, bytes_ in self._others) > self.most
        ):
            path, _ = self._others.pop(0)
            with contextlib.suppress(OSError):
                path.unlink()
