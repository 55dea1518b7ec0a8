"""Trying a door: inputs by structure and by changed bytes, each within bounds of time and memory.

A door may answer whatever it was given with nothing but its own refusals. Inputs that reach code which none before
reached are kept and changed further; an input that failed goes to `CORPUS`, to be committed with what mends it.
"""

from __future__ import annotations

import contextlib
import hashlib
import mmap
import random
import resource
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from hypothesis import HealthCheck, given, seed, settings
from hypothesis.strategies import SearchStrategy

from tests.support.command import CHECKOUT

CORPUS = Path(__file__).parent / "corpus"
SECONDS = 5.0  # of CPU that one input may take
MEMORY = 1 << 30  # bytes that the process may grow by
LONGEST = 1 << 16  # bytes of an input that was changed
KEPT = 400  # inputs of a door in memory
_OURS = str(CHECKOUT / "ebpftop")
_EDGES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 1 << 31, (1 << 32) - 1, 1 << 62, (1 << 63) - 1, (1 << 64) - 1)


@dataclass(frozen=True)
class Door:
    """read: takes an input in, as far as the program does. refusals: all it may raise. made: inputs by structure.

    seeds: whole inputs, whose bytes are changed.
    """

    name: str
    read: Callable[[bytes], object]
    made: SearchStrategy[bytes]
    refusals: tuple[type[Exception], ...] = ()
    seeds: Callable[[], Sequence[bytes]] = tuple


class TooSlow(BaseException):
    """An input took more than `SECONDS` of CPU. No reader catches it."""


class Hole(Exception):
    """Something else than a refusal came of an input."""

    def __init__(self, door: Door, data: bytes) -> None:
        super().__init__(f"{door.name}: {data[:200]!r}{'…' if len(data) > 200 else ''} ({len(data):,} bytes)")
        self.data = data


@contextlib.contextmanager
def bounded() -> Iterator[None]:
    """Of this process: `TooSlow`, and `MemoryError`, where it takes too much. Where addresses are limited already, not
    more than that.
    """

    def too_slow(*_: object) -> None:
        raise TooSlow

    before = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    room = pages * resource.getpagesize() + MEMORY
    limit = room if before[0] == resource.RLIM_INFINITY else min(room, before[0])
    handler = signal.signal(signal.SIGPROF, too_slow)
    resource.setrlimit(resource.RLIMIT_AS, (limit, before[1]))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, handler)
        resource.setrlimit(resource.RLIMIT_AS, before)


_tried = mmap.mmap(-1, 8 + (1 << 20))  # shared with the process that waits for this one


def last() -> bytes:
    """The input that was tried last, here or in a forked process."""
    return _tried[8 : 8 + int.from_bytes(_tried[:8], "little")]


def attempt(door: Door, data: bytes) -> None:
    """Within `bounded`. Raises `Hole` where anything but a refusal comes of it."""
    _tried[: 8 + len(data)] = len(data).to_bytes(8, "little") + data
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        door.read(data)
    except door.refusals:
        pass
    except (Exception, TooSlow) as error:
        raise Hole(door, data) from error
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def by_structure(door: Door, examples: int, number: int | None) -> None:
    """number: a seed; None for always the same inputs. Raises `Hole` with the smallest input that fails."""

    @settings(
        max_examples=examples,
        derandomize=number is None,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )
    @given(door.made)
    def each(data: bytes) -> None:
        attempt(door, data)

    (each if number is None else seed(number)(each))()


# ---------------------------------------------------------------- changed bytes


def changed(choice: random.Random, data: bytes, other: bytes) -> bytes:
    """A few changes: single bytes, numbers, cuts, repetitions, and parts of another input."""
    found = bytearray(data)
    for _ in range(choice.choice((1, 1, 1, 2, 3, 8))):
        at = choice.randrange(len(found) + 1)
        to = min(len(found), at + choice.choice((1, 2, 4, 8, 32, 256)))
        match choice.randrange(8):
            case 0 if at < len(found):
                found[at] ^= 1 << choice.randrange(8)
            case 1 if at < len(found):
                found[at] = choice.randrange(256)
            case 2:
                width = choice.choice((1, 2, 4, 8))
                value = choice.choice(_EDGES) & ((1 << 8 * width) - 1)
                found[at : at + width] = value.to_bytes(width, choice.choice(("little", "big")))
            case 3:
                del found[at:to]
            case 4:
                found[at:at] = found[at:to] * choice.choice((1, 1, 2, 16))
            case 5 if other:
                start = choice.randrange(len(other))
                found[at:to] = other[start : start + choice.choice((1, 4, 16, 64, 512))]
            case 6:
                found[at:at] = choice.choice(
                    (b"\0", b"\xff", b"\n", b"\x1b", b'"', b"[", b"{", b"-", b" ", b"%", b"\xc3")
                )
            case 7:
                del found[at + choice.randrange(64) :]
    return bytes(found[:LONGEST])


class Reached:
    """Lines of ours that were executed while inputs were read."""

    def __init__(self) -> None:
        self.lines: set[tuple[object, int]] = set()
        self._new = False

    def by(self, work: Callable[[], None]) -> bool:
        """Whether this reached a line that none before did."""
        self._new = False
        sys.settrace(self._call)
        try:
            work()
        finally:
            sys.settrace(None)
        return self._new

    def _call(self, frame: FrameType, event: str, argument: Any) -> Any:
        return self._line if frame.f_code.co_filename.startswith(_OURS) else None

    def _line(self, frame: FrameType, event: str, argument: Any) -> Any:
        place = frame.f_code, frame.f_lineno
        if place not in self.lines:
            self.lines.add(place)
            self._new = True
        return self._line


def by_changes(door: Door, inputs: list[bytes], choice: random.Random, reached: Reached, count: int) -> None:
    """Change inputs `count` times; those that reach something new are added to `inputs`. Raises `Hole`."""
    for _ in range(count):
        data = changed(choice, choice.choice(inputs), choice.choice(inputs))
        if reached.by(lambda data=data: attempt(door, data)) and len(inputs) < KEPT:
            inputs.append(data)


# ---------------------------------------------------------------- inputs that are kept


def corpus(door: Door) -> list[bytes]:
    """What failed once, in the order of its names."""
    folder = CORPUS / door.name
    return [file.read_bytes() for file in sorted(folder.iterdir())] if folder.is_dir() else []


def keep(folder: Path, data: bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / hashlib.sha256(data).hexdigest()[:16]
    path.write_bytes(data)
    return path
