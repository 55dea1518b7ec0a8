"""Text for tmux's buffer, and from there for the terminal's clipboard.

Textual writes the escape sequence for the terminal's clipboard (OSC 52). By default tmux accepts that sequence only
from its own commands (`set-clipboard external`).
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress

_PATIENCE = 2.0  # seconds


async def to_tmux(text: str) -> None:
    """Does nothing outside tmux, or if tmux is too old (before 3.2)."""
    if not os.environ.get("TMUX"):
        return
    with suppress(OSError, TimeoutError):
        tmux = await asyncio.create_subprocess_exec(
            *("tmux", "load-buffer", "-w", "-"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            async with asyncio.timeout(_PATIENCE):
                await tmux.communicate(text.encode())
        finally:
            if tmux.returncode is None:
                tmux.kill()
