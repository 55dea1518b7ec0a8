"""What the dashboard costs on a real pty, beside htop and top on one of the same size: CPU, bytes written, and how soon
a key shows.

CPU is user and system time of all our processes together, in percent of one core, over `_SPAN` seconds. The dashboard
and its peers are measured in turn, each running only while it is measured.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from statistics import quantiles
from typing import NamedTuple

from tests.bench.screen import Screen, running_on
from tests.bench.table import Row, ms

_ROUNDS = 2
_SPAN = 5.0
PEERS_SPAN = 4.0  # htop and top do the same each second
_STARTED, _SETTLED = 2.0, 3.5  # seconds after which the screen is there, and after which probes' start is over
_FIVE = ["runqlat", "syscount", "execsnoop", "opensnoop", "softirqs"]  # the last is in front
_KEYS = 60
_CONTROL = re.compile(rb"\x1b\[[0-9;?]*[a-zA-Z]")


class Spent(NamedTuple):
    """Of one span: percent of a core, bytes a second."""

    cpu: float
    written: float


_State = tuple[str, float, float | None]
_PEERS = {"htop": ["htop", "-d", "10"], "top": ["top", "-d", "1"]}


def rows() -> list[Row]:
    """Of each state of the screen, CPU and bytes beside htop and top; then keys."""
    # The keys that lead to each state from the one before, and at most how much CPU and how many bytes a second.
    states = {"": ("", 5.0, 20e3), ", paused": (" ", 0.5, 0.0), ", help in front": (" ?", 1.0, None)}
    five = _beside("5 probes, 200x60", (200, 60), _FIVE, states)
    one = _beside("1 probe, 120x36", (120, 36), _FIVE[:1], {"": ("", 2.0, None)})
    with dashboard((200, 60), _FIVE) as screen:
        screen.keys("\x1b", 0.5)
        screen.keys("/s", 1.0)  # with a search begun, nothing else on the screen changes by itself
        alone = _key_row("key to paint, 5 probes, 200x60", screen, most=0.02)
        with _busy(2):
            loaded = _key_row("key to paint, beside 2 busy loops", screen)
    return [*five, *one, alone, loaded]


def _beside(what: str, size: tuple[int, int], probes: list[str], states: dict[str, _State]) -> list[Row]:
    ours: dict[str, list[Spent]] = {state: [] for state in states}
    theirs: dict[str, list[Spent]] = {name: [] for name in _PEERS}
    for _ in range(_ROUNDS):
        with dashboard(size, probes) as screen:
            for state, (keys, *_) in states.items():
                screen.keys(keys, 2.0)
                ours[state].append(spent(screen))
        for name, command in _PEERS.items():
            if shutil.which(name):
                with running_on(command, size) as screen:
                    screen.read(2.0)
                    theirs[name].append(spent(screen, PEERS_SPAN))
    return [
        Row(
            f"{unit_name}, {what}{state}",
            [spent[at] for spent in ours[state]],
            name,
            [spent[at] for spent in theirs[name]],
            unit,
            note="" if theirs[name] else "not installed",
            most=states[state][1 + at],
        )
        for state in states
        for at, (unit_name, unit) in enumerate((("CPU", percent), ("written", _rate)))
        for name in _PEERS
    ]


def spent(screen: Screen, span: float = _SPAN) -> Spent:
    before, written, since = screen.seconds(), screen.written, time.monotonic()
    screen.read(span)
    passed = time.monotonic() - since
    return Spent((screen.seconds() - before) / passed * 100, (screen.written - written) / passed)


@contextlib.contextmanager
def dashboard(size: tuple[int, int], probes: list[str]) -> Iterator[Screen]:
    with running_on([sys.executable, "-m", "ebpftop"], size) as screen:
        screen.read(_STARTED)
        for probe in probes:
            screen.keys("/")
            screen.keys(probe)
            screen.keys("\r", 1.5)
        screen.read(_SETTLED)
        yield screen


def _key_row(what: str, screen: Screen, most: float | None = None) -> Row:
    """Of letters typed into the search line: the time until each is on the screen."""
    times = [_shown_after(screen, "abcdefghij"[number % 10], number) for number in range(_KEYS)]
    return Row(what, times, unit=ms, most=most, note=f"p99 {ms(quantiles(times, n=100)[98])}")


@contextlib.contextmanager
def _busy(count: int) -> Iterator[None]:
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def _shown_after(screen: Screen, letter: str, number: int) -> float:
    screen.read(0.15 + 0.013 * (number % 20))  # keys fall anywhere within the screen's own rhythm
    since = time.monotonic()

    def shown(part: bytes) -> bool:
        return letter.encode() in _CONTROL.sub(b"", part)

    screen.keys(letter, 0.0)
    screen.read(5.0, shown)
    taken = time.monotonic() - since
    if number % 3 == 2:
        screen.keys("\x7f" * 3, 0.1)
    return taken


def percent(value: float) -> str:
    return f"{value:.1f} %"


def _rate(value: float) -> str:
    return f"{value / 1000:.1f} kB/s"
