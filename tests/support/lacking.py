"""What a test can't run without."""

from __future__ import annotations

import ctypes
import os
from typing import NoReturn

import pytest

_LANDLOCK_CREATE_RULESET = 444  # a system call, on every architecture
_VERSION = 1  # a flag: it only tells the version

# It asks the kernel by itself, as a mistake of ours is no reason to skip.
needs_landlock = pytest.mark.skipif(
    ctypes.CDLL(None).syscall(_LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION) < 1,
    reason="this kernel has no Landlock, or it is switched off",
)


def lacking(what: str) -> NoReturn:
    """Skip the test; with CI=true fail it, as there it must run."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"this must run in CI: {what}", pytrace=False)
    pytest.skip(what)
