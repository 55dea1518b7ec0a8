"""From the command to what it is for: the first screen, the demo, a playbook's numbers, and the commands that print.

A screen is timed to the part of the output after which a terminal shows what is wanted. Output is only gathered while
the program starts and interpreted afterwards, so that this takes no CPU from what is measured.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

import pyte

from tests.bench.screen import running_on
from tests.bench.table import Row, interleaved, s

_ROUNDS = 4
_SIZE = (200, 60)  # columns and rows
_OURS = [sys.executable, "-m", "ebpftop"]
_TILES = 9  # of the playbook below
# The last two: seconds at most, and of output that are looked at.
_SCREENS: dict[str, tuple[list[str], Callable[[str], bool], float, float]] = {
    "first screen": ([], lambda shown: "What is wrong?" in shown and "first-minute" in shown, 0.4, 2.0),
    "first screen of the demo": (["demo"], lambda shown: "Catalog" in shown and "tape 0:0" in shown, 0.4, 2.0),
    f"a playbook of {_TILES}, data in all tiles": (
        ["play", "first-minute"],
        lambda shown: shown.count("╭─ ●") == _TILES and "first snapshot" not in shown,
        1.5,
        5.0,
    ),
}
_PRINTED = {"list": (["list"], 0.15), "show": (["show", "cpu/runqlat"], 0.1), "--help": (["--help"], 0.05)}
_HTOPS = 1.0  # seconds of htop's output that are looked at


def rows() -> list[Row]:
    """Screens beside htop's, printing commands beside an interpreter that does nothing."""
    found = []
    for what, (arguments, is_there, most, patience) in _SCREENS.items():
        ours, theirs = [], []
        for _ in range(_ROUNDS):
            ours.append(shown_after([*_OURS, *arguments], is_there, patience))
            if shutil.which("htop"):
                theirs.append(shown_after(["htop"], lambda shown: "PID" in shown, _HTOPS))
        note = "" if theirs else "not installed"
        found.append(Row(f"from the command to: {what}", ours, "htop", theirs, s, note=note, most=most))
    for what, (arguments, most) in _PRINTED.items():
        ours, theirs = interleaved(
            _ROUNDS, lambda a=arguments: _run([*_OURS, *a]), lambda: _run([sys.executable, "-c", ""])
        )
        found.append(Row(f"the whole of: {what}", ours, "python", theirs, s, most=most))
    return found


def _run(command: Sequence[str]) -> None:
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)


def shown_after(command: Sequence[str], is_there: Callable[[str], bool], patience: float) -> float:
    """Seconds until it is on the screen; all that are looked at if it isn't by then."""
    since = time.perf_counter()
    parts: list[tuple[float, bytes]] = []

    def taken(part: bytes) -> bool:
        parts.append((time.perf_counter(), part))
        return False

    with running_on(command, _SIZE) as screen:
        screen.read(patience, taken)
    terminal = pyte.Screen(*_SIZE)
    stream = pyte.ByteStream(terminal)
    for at, part in parts:
        stream.feed(part)
        if is_there("\n".join(terminal.display)):
            return at - since
    return patience
