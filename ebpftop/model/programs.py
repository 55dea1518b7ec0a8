"""The costs of the machine's BPF programs between two readings, and their owners."""

from __future__ import annotations

from dataclasses import dataclass

from ebpftop.frames.messages import Program, Programs

NOBODY = "pinned or attached, no process"
UNSEEN = "unknown: not all processes could be read"
OFF = "run time accounting is off"
_NAMED = 2  # holders


@dataclass(frozen=True, slots=True)
class Rated:
    """A program, and its activity in the interval; None if unknown. percent: of one CPU. average_ns: of an event, None
    without any.
    """

    program: Program
    percent: float | None = None
    rate: float | None = None
    average_ns: float | None = None


def rated(before: Programs | None, now: Programs) -> list[Rated]:
    """The programs of `now`, the most expensive first; without costs unless the whole interval was accounted."""
    earlier, seconds = dict[int, Program](), 0.0
    if before is not None and is_accounted(before, now):
        earlier = {each.id: each for each in before.programs}
        seconds = (now.monotonic_ns - before.monotonic_ns) / 1e9
    found = [_rated(earlier.get(each.id), each, seconds) for each in now.programs]
    return sorted(found, key=lambda each: (-(each.percent or 0.0), each.program.id))


def is_accounted(before: Programs, now: Programs) -> bool:
    """Whether the kernel accounted run times throughout the interval."""
    return now.accounted_since_ns is not None and now.accounted_since_ns <= before.monotonic_ns


def _rated(before: Program | None, now: Program, seconds: float) -> Rated:
    if before is None or seconds <= 0:
        return Rated(now)
    runs, spent = now.run_count - before.run_count, now.run_time_ns - before.run_time_ns
    if runs < 0 or spent < 0:
        return Rated(now)
    return Rated(now, spent / seconds / 1e7, runs / seconds, spent / runs if runs else None)


def owner(program: Program, *, whole: bool) -> str:
    """The processes that hold a program: `collector (4121), bpftool (77), 3 more`. Hostile text.

    whole: as in `Programs`.
    """
    if not program.holders:
        return NOBODY if whole else UNSEEN
    named = [f"{holder.comm} ({holder.pid})" for holder in program.holders[:_NAMED]]
    more = len(program.holders) - _NAMED
    return ", ".join([*named, *([f"{more} more"] if more > 0 else [])])
