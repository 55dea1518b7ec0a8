"""A command without a screen, ended by signals."""

from __future__ import annotations

import subprocess
import sys

import pytest

# Sends a signal in the instant between asyncio's own pipe and its handlers, which it closes in this order.
LATE = """
import os, signal
from asyncio.selector_events import BaseSelectorEventLoop
from ebpftop.commands.tracing import _asynchronously

number, close = signal.Signals[{name!r}], BaseSelectorEventLoop._close_self_pipe
def closing(loop):
    close(loop)
    os.kill(os.getpid(), number)
BaseSelectorEventLoop._close_self_pipe = closing
async def work(stop):
    os.kill(os.getpid(), number)
    await stop.wait()
    return 0
raise SystemExit(_asynchronously(work))
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP"])
def test_a_signal_after_the_one_that_ended_it_says_nothing(name: str) -> None:
    done = subprocess.run([sys.executable, "-c", LATE.format(name=name)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
