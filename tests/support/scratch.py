"""A file in memory, and a folder for everybody."""

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
    """A folder that other users can reach. They can reach none of pytest's, because each starting pytest closes the
    common folder.
    """
    with tempfile.TemporaryDirectory(prefix="ebpftop-test-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
