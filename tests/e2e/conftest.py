from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that everybody can read; pytest's own are for their owner alone."""
    folder = Path(tempfile.mkdtemp(prefix="ebpftop-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)
