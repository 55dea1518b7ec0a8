"""Work done before anybody waits for it, but after the first screen is painted: importing what the first probe needs,
and reading the past of a tape.
"""

from __future__ import annotations

import asyncio
import gc
import importlib

from ebpftop.ui.feed.feed import Feed

MODULES = (
    "ebpftop.model.run",
    "ebpftop.ui.widgets.view_panels",
    "ebpftop.ui.drawing.markdown",
    "ebpftop.ui.drawing.code",
    "ebpftop.ui.screens.parameters",
)


async def import_ahead() -> None:
    """Import in a thread, so that keys are answered meanwhile. Code that needs a module earlier waits for the rest of
    its import.
    """
    for name in MODULES:
        await asyncio.to_thread(importlib.import_module, name)
    from ebpftop.ui.drawing.code import Code

    await asyncio.to_thread(Code("").line, 0)  # makes the lexer


async def read_past(feed: Feed) -> None:
    await feed.read_ahead()
    gc.freeze()  # it stays: a collection that visits it holds up a key
