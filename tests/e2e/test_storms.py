"""A storm of events on the dashboard, with a filter and with a stopped screen: in the end every event is there, and the
header says that the screen is live.
"""

from __future__ import annotations

import os
import signal
import sys

import pytest

from ebpftop.stats import formatting
from tests.support.dashboard import load
from tests.support.processes import children
from tests.support.terminal import terminal
from tests.support.workloads import Worker

pytestmark = pytest.mark.bpf

NAME = f"storm{os.getpid()}"
EACH = 1000
SIGNALS = f"""
import signal
signal.signal(30, signal.SIG_IGN)
def work():
    for _ in range({EACH}): os.kill(os.getpid(), 30)
"""


def test_a_stopped_screen_catches_up_and_says_so() -> None:
    with (
        Worker(SIGNALS, name=NAME) as one,
        Worker(SIGNALS, name=NAME) as other,
        terminal([sys.executable, "-m", "ebpftop"], 140, 40) as term,
    ):
        term.wait_for("runqlat")
        load(term, "killsnoop")
        term.wait_for("following the newest")
        term.keys("f")
        term.type(NAME)
        term.keys("Enter")
        for made in (2 * EACH, 4 * EACH, 6 * EACH):
            dashboard = children(term.pid())["dashboa"].pid
            stopped = made == 4 * EACH
            if stopped:
                os.kill(dashboard, signal.SIGSTOP)
            for worker in (one, other):
                worker.start()
            for worker in (one, other):
                worker.finish()
            if stopped:
                os.kill(dashboard, signal.SIGCONT)
            shown = term.wait_for(f"{formatting.count(made)} of ", f"match “{NAME}”", "● live")
            assert "behind" not in shown.splitlines()[0]
            assert "lost 0" in shown.splitlines()[0]
        term.keys("q")
        term.wait_for_end()
