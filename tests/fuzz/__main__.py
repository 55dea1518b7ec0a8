"""`python -m tests.fuzz [SECONDS [SEED [DOOR…]]]`: hostile input at every door, in turn, until the time is over.

Prints what each door was given, and of each hole the file below `tests/fuzz/corpus` that holds its input. What reached
new code is kept in `.cache/fuzz`, where the next run begins. 1 if there is a hole, else 0.
"""

from __future__ import annotations

import os
import random
import sys
import time
import traceback

from tests.fuzz.doors import DOORS
from tests.fuzz.engine import (
    CORPUS,
    Door,
    Hole,
    Reached,
    attempt,
    bounded,
    by_changes,
    by_structure,
    corpus,
    keep,
    last,
)
from tests.support.command import CHECKOUT

SECONDS = 3600.0
TURN = 20.0  # seconds that a door gets before it is the next one's turn
KEPT = CHECKOUT / ".cache" / "fuzz"
EXAMPLES, CHANGES = 100, 300  # between two looks at the clock


def turn(door: Door, number: int, until: float) -> bool:
    """Whether the door held."""
    choice, reached = random.Random(number), Reached()
    made = changes = 0
    inputs = [*door.seeds(), *corpus(door), *_kept(door)]
    known = len(inputs)
    try:
        with bounded():
            for data in inputs:
                reached.by(lambda data=data: attempt(door, data))
            while time.monotonic() < until:
                by_structure(door, EXAMPLES, choice.getrandbits(32))
                by_changes(door, inputs, choice, reached, CHANGES)
                made, changes = made + EXAMPLES, changes + CHANGES
    except Hole as hole:
        traceback.print_exception(hole.__cause__)
        _tell(door, hole.data)
        return False
    for data in inputs[known:]:
        keep(KEPT / door.name, data)
    print(
        f"{door.name}: {made:,} made, {changes:,} changed; {len(inputs):,} kept reach {len(reached.lines):,} lines",
        flush=True,
    )
    return True


def _kept(door: Door) -> list[bytes]:
    folder = KEPT / door.name
    return [each.read_bytes() for each in sorted(folder.iterdir())] if folder.is_dir() else []


def _tell(door: Door, data: bytes) -> None:
    path = keep(CORPUS / door.name, data)
    print(f"{door.name}: a hole, {path.relative_to(CHECKOUT)}", flush=True)


def apart(door: Door, number: int, until: float) -> bool:
    """The same in a process of its own, which an input may end."""
    sys.stdout.flush()
    child = os.fork()
    if not child:
        try:
            os._exit(0 if turn(door, number, until) else 1)
        except BaseException:
            traceback.print_exc()
            os._exit(2)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        print(f"{door.name}: ended by signal {os.WTERMSIG(status)}")
        _tell(door, last())
    return status == 0


def main(seconds: float = SECONDS, number: int | None = None, *names: str) -> int:
    number = random.SystemRandom().getrandbits(32) if number is None else number
    doors = [door for door in DOORS if not names or door.name in names]
    print(f"seed {number}: {len(doors)} doors, {seconds:,.0f} s", flush=True)
    until, choice, holes = time.monotonic() + seconds, random.Random(number), set[str]()
    share = min(TURN, seconds / len(doors))
    while time.monotonic() < until and len(holes) < len(doors):
        for door in doors:
            ends = min(until, time.monotonic() + share)
            if door.name not in holes and not apart(door, choice.getrandbits(32), ends):
                holes.add(door.name)
    print(f"{len(holes)} of {len(doors)} doors have a hole" + f": {', '.join(sorted(holes))}" * bool(holes))
    return 1 if holes else 0


if __name__ == "__main__":
    given = sys.argv[1:]
    sys.exit(main(*[float(each) for each in given[:1]], *[int(each) for each in given[1:2]], *given[2:]))
