"""`--host`: other machines, and this one as `local`, as the source of a tracing command."""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING

from ebpftop.base.errors import Cannot, UsageError, UserError
from ebpftop.base.hangup import ending_signals
from ebpftop.base.inert import inert
from ebpftop.hosts.names import LOCAL, checked, labels
from ebpftop.kernel import capabilities
from ebpftop.supervisor import privilege

if TYPE_CHECKING:
    from ebpftop.frames.source import Source

    Consumer = Callable[[Source], int]


def named(arguments: argparse.Namespace) -> list[str]:
    """The hosts given on the command line; empty without `--host`. Raises `UsageError`."""
    names = checked(arguments.hosts)
    if names and arguments.probes:
        raise UsageError("--probes applies to this machine only: for --host, put probes into /etc/ebpftop/probes there")
    if names and arguments.budget is not None:
        raise UsageError("--budget applies to this machine only: with --host, each host keeps its own")
    return names


def has_local(names: Sequence[str]) -> bool:
    """Whether this machine is among them."""
    return LOCAL in names


def watch(names: Sequence[str], ssh: str, consumer: Consumer) -> int:
    """Run a consumer on other machines only, which requires no root here: under sudo as the invoker, and otherwise
    without capabilities. Nothing changes for a user who has none: their ssh may need sudo or a setuid helper.
    """
    if os.geteuid() == 0 or capabilities.held():
        privilege.drop(privilege.invoker())
    return consumer(connected(names, ssh, None))


def connected(names: Sequence[str], ssh: str, local: Source | None) -> Source:
    """All hosts as one source. Reports unreachable hosts, a line each. Raises `Cannot` if none can be reached."""
    from ebpftop.frames.source import unwatched
    from ebpftop.hosts.merged import MergedSource
    from ebpftop.hosts.opening import open_all
    from ebpftop.hosts.remote import RemoteSource
    from ebpftop.hosts.ssh import Ssh

    try:
        command = shlex.split(ssh) or ["ssh"]
    except ValueError as error:
        raise UsageError(f"--ssh {ssh!a}: {error}") from None
    try:
        with _unwinding():
            opened = open_all([name for name in names if name != LOCAL], command, sys.stderr, alone=local is None)
    except OSError as error:
        raise UserError(str(error.strerror)) from None
    sources: dict[str, Source] = {}
    problems = {}
    for name, label in zip(names, labels(names), strict=True):
        if name == LOCAL:
            assert local is not None
            sources[label] = local
            continue
        found = opened[name]
        if found.problem:
            problems[label] = found.problem
            print(f"ebpftop: {label}: {inert(found.problem)}", file=sys.stderr)
        ready = None if found.problem else (found.ssh, found.greeted)
        sources[label] = RemoteSource(partial(Ssh, name, command), ready)
    if len(problems) == len(sources):
        raise Cannot(unwatched(len(sources)))
    return MergedSource(sources, here=LOCAL if local is not None else "", problems=problems)


@contextlib.contextmanager
def _unwinding() -> Iterator[None]:
    """In this context, signals that end the command raise an exception, so that started processes are ended as with
    Ctrl-C.
    """

    def leave(number: int, _: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, leave) for number in ending_signals() if number != signal.SIGINT}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
