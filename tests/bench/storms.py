"""How many events a second each tool shows without losing one: two processes make them at ever lower rates, and the
lines that tell of them are counted.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.bench.peers import environment, peers
from tests.bench.table import Row
from tests.bench.tool import ToolFailed

ROUNDS = 2
SECONDS = 2.5  # of a storm
_PATIENCE = 60.0
_MARK = "made-by-a-storm"
_UNBOUNDED = 10_000_000  # a second: as many as there can be

# Makes events for a while, at a rate; writes how many. `one` is one of them.
_STORM = """
import ctypes, os, sys, time
rate, seconds, path = float(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
libc, name = ctypes.CDLL(None), path.encode()
{one}
made, began = 0, time.monotonic()
while (passed := time.monotonic() - began) < seconds:
    if made >= passed * rate:
        time.sleep(0.0005)
        continue
    for _ in range({batch}): one()
    made += {batch}
print(made)
"""


class Storm(NamedTuple):
    """An event: the code of `one`, how many between two looks at the clock, the rates to try, and who shows it."""

    what: str
    code: str
    batch: int
    rates: tuple[int, ...]
    probe: str
    tool: str
    least: float | None = None  # that is wanted


_OPENS = Storm(
    "opens",
    "def one(): libc.open(name, 0)",
    64,
    (25_000, 50_000, 100_000, 150_000, 200_000, _UNBOUNDED),
    "disk/opensnoop",
    "opensnoop",
    200_000,
)
_EXECS = Storm(
    "execs",
    "def one(): os.waitpid(os.posix_spawn(path, [path], {}), 0)",
    1,
    (250, 500, 1000, 2000, _UNBOUNDED),
    "cpu/execsnoop",
    "execsnoop",
)


def rows() -> list[Row]:
    """Ours beside each peer's; the higher, the better."""
    with tempfile.TemporaryDirectory() as folder:
        program = shutil.copy("/bin/true", Path(folder) / _MARK)
        return [*_compared(_OPENS, f"/nowhere/{_MARK}"), *_compared(_EXECS, str(program))]


def _compared(storm: Storm, path: str) -> list[Row]:
    ours = [sys.executable, "-m", "ebpftop", "run", storm.probe, "--budget", "0"]
    them = peers(storm.tool)
    notes = {peer.name: peer.missing for peer in them}
    measured: list[float] = []
    theirs: dict[str, list[float]] = {peer.name: [] for peer in them}
    for _ in range(ROUNDS):
        measured.append(_lossless(storm, path, ours, dict(os.environ)))
        for peer in them:
            if peer.command and not notes[peer.name]:
                try:
                    theirs[peer.name].append(_lossless(storm, path, peer.command, environment()))
                except ToolFailed as failure:
                    notes[peer.name] = str(failure)
    return [
        Row(
            f"{storm.what} a second without a loss",
            measured,
            name,
            [] if note else theirs[name],
            _rate,
            note=note,
            least=storm.least,
        )
        for name, note in notes.items()
    ]


def _lossless(storm: Storm, path: str, command: list[str], surroundings: dict[str, str]) -> float:
    """The highest rate at which all events were shown; 0 if there is none. Raises ToolFailed.

    The highest of all is tried first; between the others, those that were shown and those that weren't are halved.
    """
    shown_all, low, high = 0.0, 0, len(storm.rates)
    middle = high - 1
    while low < high:
        with _running(command, surroundings) as shown:
            made = _made(storm, storm.rates[middle], path)
            seen = _seen(shown, made)
        if seen >= made:
            shown_all, low = made / SECONDS, middle + 1
        else:
            high = middle
        middle = (low + high) // 2
    return shown_all


def _made(storm: Storm, rate: int, path: str) -> int:
    code = _STORM.format(one=storm.code, batch=storm.batch)
    command = [sys.executable, "-c", code, str(rate / 2), str(SECONDS), path]
    makers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    return sum(int(maker.communicate()[0]) for maker in makers)


@contextlib.contextmanager
def _running(command: list[str], surroundings: dict[str, str]) -> Iterator[Path]:
    """The tool, tracing; the file that it writes to."""
    with tempfile.TemporaryDirectory() as folder:
        shown = Path(folder) / "shown"
        with shown.open("w") as out, (shown.parent / "errors").open("w") as errors:
            process = subprocess.Popen(
                command,
                env=surroundings,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=errors,
                start_new_session=True,
            )
        try:
            _until_it_traces(process, shown)
            yield shown
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _until_it_traces(process: subprocess.Popen[bytes], shown: Path) -> None:
    """Open or start something marked, again and again, until the tool shows it. Raises ToolFailed."""
    probe = Path(tempfile.gettempdir()) / "ebpftop-bench-begins"
    probe.write_text("#!/bin/sh\n")
    probe.chmod(0o700)
    deadline = time.monotonic() + _PATIENCE
    while probe.name not in shown.read_text(errors="replace"):
        if process.poll() is not None or time.monotonic() > deadline:
            last = (shown.parent / "errors").read_text(errors="replace").strip().splitlines()[-1:]
            raise ToolFailed(f"it never traced: {last[0] if last else 'no word on stderr'}")
        subprocess.run([probe], check=False)
        time.sleep(0.2)


def _seen(shown: Path, made: int) -> int:
    """Lines with the mark, once all are there or no more come for a while."""
    seen, quiet = -1, 0
    while quiet < 4 and seen < made:
        before = seen
        with shown.open(errors="replace") as lines:
            seen = sum(_MARK in line for line in lines)
        quiet = quiet + 1 if seen == before else 0
        time.sleep(0.5)
    return seen


def _rate(events: float) -> str:
    return f"{events:,.0f}/s"
