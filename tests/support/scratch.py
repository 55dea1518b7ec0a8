"""A file that lies in memory, and a folder for everybody."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def scratch(data: bytes) -> Iterator[Path]:
    with tempfile.NamedTemporaryFile(dir="/dev/shm") as file:
        file.write(data)
        file.flush()
        yield Path(file.name)


@contextlib.contextmanager
def public_folder() -> Iterator[Path]:
    """A folder that others reach. They reach none of pytest's: each pytest that starts closes the folder of all."""
    with tempfile.TemporaryDirectory(prefix="ebpftop-test-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
