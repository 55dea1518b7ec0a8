"""An hour on tape, of 2,000 processes and five probes: its size, opening it, jumping in it, moving the span over it,
and the memory that takes.

python -m tests.bench.tapes TAPE        seconds of each jump, then of each move, and bytes of private memory
"""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import quantiles

import msgspec
import psutil

from ebpftop.frames.columns import unpack
from ebpftop.frames.messages import Snapshot
from ebpftop.frames.tape_source import TapeSource
from ebpftop.ui.app.app import EbpftopApp
from ebpftop.ui.app.run import collect_from_now_on
from tests.bench.startup import shown_after
from tests.bench.table import Row, mib, ms, s
from tests.support import long_tape
from tests.support.frames import EPOCH

_STEPS, _COMPARED = 3600, 600
_ROUNDS, _JUMPS, _MOVES = 5, 50, 200
_SIZE = (200, 60)


def rows() -> list[Row]:
    """Targets: at most half of what NDJSON takes; open in 1 s, jump in 100 ms, 160 MiB."""
    with tempfile.TemporaryDirectory() as folder:
        short = long_tape.write(Path(folder, "short.tape"), _COMPARED).stat().st_size
        tape = long_tape.write(Path(folder, "hour.tape"), _STEPS)
        opens = [
            shown_after(
                [sys.executable, "-m", "ebpftop", "replay", str(tape)],
                lambda shown: "Catalog" in shown and "tape 0:0" in shown,
                4.0,
            )
            for _ in range(_ROUNDS)
        ]
        jumps, moves, memory = measured_in_a_child(tape)
        size = f"{tape.stat().st_size / (1 << 20):.0f} MiB an hour"
    return [
        Row(f"bytes of {_COMPARED} steps on tape", [short], "zstd NDJSON", [_ndjson()], mib, 0.5, note=size),
        Row("from the command to: an hour's tape", opens, unit=s, most=1.0),
        Row(f"a jump in it, painted (of {_JUMPS})", jumps, unit=ms, most=0.1),
        Row(
            "moving the span over the hour, key to paint",
            moves,
            unit=ms,
            note=f"p99 {ms(quantiles(moves, n=100)[98])}, target 50 ms",
        ),
        Row("private memory of the dashboard on it", [memory], unit=mib, most=160 << 20, note="all of it read"),
    ]


def _ndjson() -> float:
    """Bytes of the same run as a line of JSON for each snapshot, packed by zstd as it comes."""
    with tempfile.TemporaryFile() as packed:
        with subprocess.Popen(["zstd", "-q", "-c"], stdin=subprocess.PIPE, stdout=packed) as zstd:
            assert zstd.stdin is not None
            for line in _lines():
                zstd.stdin.write(line)
        return float(packed.seek(0, 2))


def _lines() -> Iterator[bytes]:
    for _, frame in long_tape.frames(_COMPARED):
        if isinstance(frame, Snapshot):
            ((name, packed),) = frame.maps.items()
            columns = {field: values.tolist() for field, values in unpack(packed).items()}
            lines = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
            yield msgspec.json.encode({"run": frame.run, "time": frame.realtime_ns, name: lines}) + b"\n"


def measured_in_a_child(tape: Path) -> tuple[list[float], list[float], float]:
    """(seconds of each jump, of each move, bytes of private memory)."""
    command: Sequence[str] = [sys.executable, "-m", "tests.bench.tapes", str(tape)]
    found = subprocess.run(command, capture_output=True, check=True, text=True).stdout.split()
    *times, memory = map(float, found)
    return times[:_JUMPS], times[_JUMPS:], memory


class _Counting(EbpftopApp):
    painted = 0

    def begins_painting(self) -> None:
        super().begins_painting()
        self.painted += 1


async def _measure(tape: Path) -> None:
    source = TapeSource(tape, paused=True)
    app = _Counting(source)
    choose = random.Random(1)
    async with app.run_test(size=_SIZE) as pilot:
        await pilot.pause()
        collect_from_now_on()  # as when it is started
        for _ in range(_JUMPS):
            second = choose.randrange(60, round(source.duration))
            since = time.perf_counter()
            app._seek(second)
            while not _is_at(app, second):
                await asyncio.sleep(0.001)
            before = app.painted
            await app.pace.catch_up()
            await _painted(app, before)
            print(time.perf_counter() - since)
        while not _is_read(app, round(source.duration)):
            await asyncio.sleep(0.1)
        await pilot.press("t")
        for number in range(_MOVES):
            await asyncio.sleep(0.02)
            since, before = time.perf_counter(), app.painted
            app.simulate_key("left_parenthesis" if number % 4 else "right_parenthesis")
            await _painted(app, before)
            print(time.perf_counter() - since)
        print(psutil.Process().memory_full_info().uss)


async def _painted(app: _Counting, before: int) -> None:
    """Wait for the next painting after so many."""
    while app.painted == before:
        await asyncio.sleep(0.001)


def _is_at(app: EbpftopApp, second: int) -> bool:
    """Whether all runs have come to the second."""
    lasts = [run.last for run in app.feed.session.runs.values()]
    return len(lasts) == long_tape.PROBES and all(last is not None and last.seq == second for last in lasts)


def _is_read(app: EbpftopApp, second: int) -> bool:
    assert app.feed.ahead is not None
    read = app.feed.ahead.of(app.feed.session.hello)
    known = read.runs.get(long_tape.PROBES) if read else None
    return any(
        len(past.blocks) and past.times()["realtime"][-1] >= EPOCH + second * 10**9
        for past in (known.kept.values() if known else ())
    )


if __name__ == "__main__":
    asyncio.run(_measure(Path(sys.argv[1])))
