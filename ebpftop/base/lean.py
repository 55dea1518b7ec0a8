"""Imports a library without its optional dependencies that we don't use."""

from __future__ import annotations

import sys


def lean(library: str, *left_out: str) -> None:
    """Import it as if these modules weren't installed. Modules that are already imported stay as they are."""
    absent = [name for name in left_out if name not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type]  # None: it can't be imported
    try:
        __import__(library)
    finally:
        for name in absent:
            del sys.modules[name]
