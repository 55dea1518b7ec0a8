"""Restores a terminal's screen after a dashboard that can no longer do so itself."""

from __future__ import annotations

import contextlib
import os

# Reset colours, show the cursor, wrap long lines, disable mouse, focus, paste and size reports, then leave the keyboard
# protocol and the alternate screen.
_MODES = (1000, 1002, 1003, 1006, 1015, 1016, 1004, 2004, 2026, 2048)
_RESET = b"\x1b[0m\x1b[?25h\x1b[?7h" + b"".join(b"\x1b[?%dl" % mode for mode in _MODES) + b"\x1b[<u\x1b[?1049l"


def reset(terminal: int) -> None:
    """Write the sequences to a terminal; does nothing if it is gone."""
    with contextlib.suppress(OSError):
        os.write(terminal, _RESET)
