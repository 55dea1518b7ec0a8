"""`make soak`: random faults under load, an hour of them, from a seed that reproduces them.

Each episode starts the program, makes a load, and does something bad to one of its processes, its terminal, its disk or
its memory at some stage. Then nothing of it may be left in the kernel, no process and no raw terminal; its tape is
readable, its numbers are right or marked, and its memory was bounded.

    python -m tests.soak [SECONDS [SEED [FIRST]]]

The episode N of a seed is always the same; FIRST begins with another than 0.
"""

from __future__ import annotations

import random
import sys
import time
import traceback

from tests.soak.episode import Episode, drawn

SECONDS = 3600.0


def main(seconds: float = SECONDS, seed: int | None = None, first: int = 0) -> int:
    """0 where all episodes went well, else 1."""
    seed = random.SystemRandom().getrandbits(32) if seed is None else seed
    print(f"seed {seed}, {seconds:,.0f} s", flush=True)
    until, number, failed = time.monotonic() + seconds, first, list[int]()
    while time.monotonic() < until:
        episode: Episode = drawn(random.Random(f"{seed}:{number}"))
        try:
            told = episode.run()
        except Exception as error:
            failed.append(number)
            told = f"FAILED: {error}"
            traceback.print_exc()
        print(f"{number:4} {episode}: {told}", flush=True)
        number += 1
    print(f"{number - first} episodes of seed {seed}, {len(failed)} failed {failed or ''}")
    return 1 if failed else 0


if __name__ == "__main__":
    given = sys.argv[1:]
    sys.exit(main(*map(float, given[:1]), *map(int, given[1:])))
