"""`python -m tests.monkeys [SECONDS [SEED]]`: random keys and sizes of the terminal, on the demo and on the dashboard
in turn, until the time is over. Afterwards Ctrl-Q must end it in order. Prints the seed and the keys of each failure,
and the screen. 1 if there is one, else 0.
"""

from __future__ import annotations

import random
import shlex
import sys
import tempfile
import time

from tests.support.command import CHECKOUT, COMMAND
from tests.support.processes import SLOWER
from tests.support.terminal import Terminal, terminal

SECONDS = 3600.0
PATIENCE = 20.0  # seconds in which Ctrl-Q ends it, pressed again and again: what is typed ahead may be lost
SIZE = (120, 36)
KEYS = [
    *"PWPW?jkxoBA.nN/abm:0(){}yEuFfHTivl][Ggt@MzSX",
    *("Space", "Escape", "Enter", "Tab", "Up", "Down", "PPage", "NPage", "Home", "End", "C-p", "C-v", "F1"),
    *("S-Right", "S-Left", "S-Up", "S-Down", "BSpace", "Left", "Right"),
]  # not those that open an editor, record or detach


def typed(term: Terminal, choice: random.Random) -> list[str]:
    """Type keys at random, in bursts, and resize the terminal now and then. Returns what was done."""
    done: list[str] = []
    for _ in range(choice.randint(3, 60)):
        if choice.random() < 0.1:
            size = choice.randint(1, 200), choice.randint(1, 60)
            term.resize(*size)
            done.append("×".join(map(str, size)))
        else:
            keys = choice.choices(KEYS, k=choice.randint(1, 6))
            term.send(*keys)
            done += keys
        if choice.random() < 0.5:
            time.sleep(choice.random() / 10)
    return done


def trouble(what: list[str], seed: int) -> str:
    """What went wrong with this seed; "" if nothing did. what: the arguments of the command."""
    with tempfile.TemporaryDirectory() as folder, terminal(_within(folder, what), *SIZE) as term:
        term.wait_for("Catalog")
        done = typed(term, random.Random(seed))
        term.resize(*SIZE)
        deadline = time.monotonic() + PATIENCE * SLOWER
        while not term.ended() and time.monotonic() < deadline:
            term.send("C-q")
            time.sleep(0.5)
        how = "it doesn't end" if not term.ended() else f"it ended with {status}" if (status := term.status()) else ""
        return how and f"{' '.join(what) or 'dashboard'}, seed {seed}: {how}\n{' '.join(done)}\n{term.text()}"


def _within(folder: str, what: list[str]) -> str:
    """The command in this folder, where it may write files."""
    return f"cd {shlex.quote(folder)}; PYTHONPATH={shlex.quote(str(CHECKOUT))} exec {shlex.join([*COMMAND, *what])}"


def main(seconds: float = SECONDS, seed: int | None = None) -> int:
    first = random.SystemRandom().randrange(1 << 32) if seed is None else seed
    print(f"from seed {first}", flush=True)
    until, failures, made = time.monotonic() + seconds, 0, 0
    while time.monotonic() < until:
        if said := trouble(["demo"] if made % 2 == 0 else [], first + made):
            failures += 1
            print(said, flush=True)
        made += 1
    print(f"{made} runs, {failures} failed")
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main(*map(float, sys.argv[1:2]), *map(int, sys.argv[2:3])))
