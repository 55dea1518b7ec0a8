"""Private block devices for tests, the kernel's statistics on them, and files that don't fit."""

from __future__ import annotations

import contextlib
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

SECTOR = 512  # of /proc/diskstats, whatever the device's own size


@contextlib.contextmanager
def loop_device(file: Path, size: int) -> Iterator[Path]:
    """A block device of `size` bytes, backed by a new file, that only the test uses."""
    with file.open("wb") as new:
        new.truncate(size)
    with attached(file) as device:
        yield device


@contextlib.contextmanager
def attached(file: Path, *options: str) -> Iterator[Path]:
    """A block device for this file. options: of losetup."""
    command = ["losetup", "--find", "--show", *options, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    device = Path(done.stdout.strip())
    try:
        yield device
    finally:
        subprocess.run(["losetup", "--detach", str(device)], check=True)


def accounted(device: Path) -> tuple[int, int]:
    """(reads done, bytes read) from /proc/diskstats; see the kernel's Documentation/admin-guide/iostats."""
    for line in Path("/proc/diskstats").read_text().splitlines():
        _, _, name, reads, _, sectors, *_ = line.split()
        if name == device.name:
            return int(reads), int(sectors) * SECTOR
    raise AssertionError(f"{device} is not in /proc/diskstats")


def flushes(device: Path) -> int:
    """The number of completed flushes of its cache, from the same file."""
    for line in Path("/proc/diskstats").read_text().splitlines():
        fields = line.split()
        if fields[2] == device.name:
            return int(fields[18])
    raise AssertionError(f"{device} is not in /proc/diskstats")


@contextlib.contextmanager
def file_system(folder: Path, size: int = 16 << 20) -> Iterator[tuple[Path, Path]]:
    """(device, place): an ext4 file system mounted at `place` that only the test uses."""
    place = folder / "mounted"
    place.mkdir()
    with loop_device(folder / "image", size) as device:
        subprocess.run(["mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", str(device)], check=True)
        subprocess.run(["mount", str(device), str(place)], check=True)
        try:
            yield device, place
        finally:
            subprocess.run(["umount", str(place)], check=True)


@contextlib.contextmanager
def frozen(place: Path) -> Iterator[None]:
    """Writers to this file system block until the end of the `with`."""
    subprocess.run(["fsfreeze", "--freeze", str(place)], check=True)
    try:
        yield
    finally:
        subprocess.run(["fsfreeze", "--unfreeze", str(place)], check=True)


@contextlib.contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """What is longer fails in the middle, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
