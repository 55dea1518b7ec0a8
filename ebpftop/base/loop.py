"""Runs asyncio's event loop."""

from __future__ import annotations

import contextlib
import select
import socket
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


def run(work: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
    """The result of the coroutine that `work` makes. Raises `OSError` if the loop's own files can't be opened.

    They are opened once before, because a loop that gets only a part of them complains on stderr when it is collected.
    """
    import asyncio

    with select.epoll(), contextlib.ExitStack() as held:
        for end in socket.socketpair():
            held.enter_context(end)
    return asyncio.run(work())
