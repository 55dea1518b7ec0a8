"""What an event costs under one workload, ours and the peers', measured twice.

program: the time of a program's run by the kernel's own accounting, less what a run of an empty program seems to take.
in all: CPU time the workload takes longer while the tool runs as a user runs it: ours with the accounting that its
budget needs, which is on for a part of each second once it has run for some; the peers' without.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from ebpftop.kernel import libbpf
from ebpftop.kernel.program_info import info
from tests.bench import workload
from tests.bench.peers import Peer, environment, peers
from tests.bench.table import Row, ns
from tests.bench.tool import ToolFailed, running
from tests.support.processes import children, held_by

ROUNDS = 2
_PERIOD = 1.0  # seconds of work that are one measurement
_SETTLED = 6.0  # seconds of work after which run times are accounted as they are later
_BUDGET = "90"  # percent: a storm that doesn't end would have the probe detached
_TARGET = 3 / 4
_RAW_TRACEPOINT = 17  # BPF_PROG_TYPE_RAW_TRACEPOINT
_EMPTY = bytes.fromhex("b700000000000000 9500000000000000")  # r0 = 0; exit


class Spent(NamedTuple):
    """Of some programs together, so far."""

    time_ns: int
    runs: int


class Cost(NamedTuple):
    """Nanoseconds of a program's run, and of an event of the workload."""

    program: float
    in_all: float


class Match(NamedTuple):
    """Ours with arguments, and what answers the same question. The targets are for a program's run and for an event in
    all, beside the first peer; the latter is a difference of two large times, and shows large things only.
    """

    tool: str
    ours: list[str]
    peers: list[Peer]
    work: Callable[[float], float]
    targets: tuple[float | None, float | None] = (None, None)


def rows() -> list[Row]:
    """Ours and each peer's, in turn."""
    return [row for match in _matches() for row in _compared(match)]


def _matches() -> list[Match]:
    """BCC's syscount counts by system call or, with -P, by process, which costs a lookup in a hash whoever does it;
    ours by both at once unless told otherwise.
    """
    calls, calls_bt = peers("syscount")
    waits, waits_bt = peers("runqlat")
    work = workload.system_calls
    return [
        Match("syscount by call", ["cpu/syscount", "-p", "by=syscall"], [calls], work, (_TARGET, None)),
        Match("syscount by process", ["cpu/syscount", "-p", "by=process"], [_option(calls, "-P")], work, (None, 1.0)),
        Match("syscount by both", ["cpu/syscount"], [calls_bt], work),
        Match(
            "runqlat by process", ["cpu/runqlat"], [_option(waits, "-P"), waits_bt], workload.switches, (_TARGET, None)
        ),
    ]


def _option(peer: Peer, option: str) -> Peer:
    return Peer(f"{peer.name} {option}", peer.command and [*peer.command, option], peer.missing)


def _compared(match: Match) -> list[Row]:
    notes = {peer.name: peer.missing for peer in match.peers}
    ours: list[Cost] = []
    theirs: dict[str, list[Cost]] = {peer.name: [] for peer in match.peers}
    for turn in range(ROUNDS):
        base = _base(match.work)
        ours.append(_ours(match.ours, match.work))
        for peer in match.peers:
            if peer.command and not notes[peer.name]:
                try:
                    theirs[peer.name].append(_theirs(peer.command, match.work))
                except ToolFailed as failure:
                    notes[peer.name] = str(failure)
        base = base._replace(in_all=min(base.in_all, match.work(_PERIOD)))  # the machine may have been slower before
        for costs in (ours, *theirs.values()):
            costs[turn:] = [_less(cost, base) for cost in costs[turn:]]
    return [
        Row(
            f"cost of an event, {match.tool}, {what}",
            [cost[at] for cost in ours],
            name,
            [] if note else [cost[at] for cost in theirs[name]],
            ns,
            match.targets[at] if number == 0 else None,
            note,
        )
        for number, (name, note) in enumerate(notes.items())
        for at, what in enumerate(("program", "in all"))
    ]


def _less(cost: Cost, base: Cost) -> Cost:
    return Cost(cost.program - base.program, cost.in_all - base.in_all)


def _ours(probe: list[str], work: Callable[[float], float]) -> Cost:
    """Of this probe's programs, and not of the census's, which don't run in the workload."""
    command = [sys.executable, "-m", "ebpftop", "run", *probe, "--format", "json", "--budget", _BUDGET]
    with running(command) as tool:
        collector = children(tool.process.pid)["collect"].pid
        with _programs(held_by(collector)[0]) as programs:
            until = time.monotonic() + _SETTLED
            while time.monotonic() < until:
                work(0.0)
            return _cost(lambda: _sum(programs), work)


def _theirs(command: list[str], work: Callable[[float], float]) -> Cost:
    with running(command, environment()) as tool, _programs(held_by(tool.process.pid)[0]) as programs:
        time.sleep(0.5)
        return _cost(lambda: _sum(programs), work)


def _base(work: Callable[[float], float]) -> Cost:
    """What is no tool's: a run of a program of no instructions, and the workload itself.

    The empty program runs as often in the workload as the tools' programs do.
    """
    alone = work(_PERIOD)
    library = libbpf.library()
    load = library.bpf_prog_load(_RAW_TRACEPOINT, b"empty", b"GPL", _EMPTY, len(_EMPTY) // 8, None)
    program = libbpf.checked(load, "loading an empty program")
    attached = libbpf.checked(library.bpf_raw_tracepoint_open(b"sys_enter", program), "attaching an empty program")
    try:
        return Cost(_cost(lambda: _sum([program]), work).program, alone)
    finally:
        os.close(attached)
        os.close(program)


def _cost(spent: Callable[[], Spent], work: Callable[[float], float]) -> Cost:
    in_all = work(_PERIOD)
    statistics = libbpf.enable_stats()
    try:
        before = spent()
        work(0.0)
        after = spent()
    finally:
        os.close(statistics)
    return Cost((after.time_ns - before.time_ns) / (after.runs - before.runs), in_all)


@contextlib.contextmanager
def _programs(ids: set[int]) -> Iterator[list[int]]:
    """Descriptors of programs by id."""
    fds = [libbpf.checked(libbpf.library().bpf_prog_get_fd_by_id(number), "opening a program") for number in ids]
    try:
        yield fds
    finally:
        for fd in fds:
            os.close(fd)


def _sum(programs: list[int]) -> Spent:
    each = [info(program) for program in programs]
    return Spent(sum(one.run_time_ns for one in each), sum(one.run_count for one in each))
