"""Starting the two long-lived children, which give up root: the collector and the consumer."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable, Collection
from typing import NamedTuple

from ebpftop.base import priority
from ebpftop.handover import mailbox
from ebpftop.handover.mailbox import Control
from ebpftop.supervisor import oom, privilege, process
from ebpftop.supervisor.terminal import Terminal

_LARGEST = 4096  # bytes of a message from the consumer, which asks for nothing but a restart

Consumer = Callable[[Control, socket.socket], int]
"""Runs in the consumer's process, as the invoker: (control, stream) → exit status of the command."""


class Child(NamedTuple):
    """control: our end, for a `Link`."""

    pid: int
    control: Control


class Started(NamedTuple):
    """A command whose consumer is running. stream: the collector's end of its connection with the consumer. terminal:
    its state before the start. path: the consumer's `sys.path`.
    """

    consumer: Child
    stream: socket.socket
    terminal: Terminal
    path: list[str]
    invoker: privilege.Invoker | None
    screen: bool


def start(consumer: Consumer, *, screen: bool, keep: Collection[int] = ()) -> Started:
    """Start a command's consumer: its imports take longer than everything that the root side does before it needs the
    consumer.

    screen: it uses the whole terminal. keep: descriptors that it needs. Raises `Cannot`.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    who, terminal, path = privilege.invoker(), Terminal(), list(sys.path)
    oom.killed()
    stream, theirs = socket.socketpair()
    name = "dashboard" if screen else "run"
    child = spawn(name, consumer, theirs, who, path, orphaned=signal.SIGTERM, largest=_LARGEST, keep=keep, ahead=screen)
    return Started(consumer=child, stream=stream, terminal=terminal, path=path, invoker=who, screen=screen)


def end(started: Started) -> None:
    """Make sure that the consumer has ended, after a failure on the root side."""
    with contextlib.suppress(ProcessLookupError, ChildProcessError):  # it has
        privilege.kill(started.consumer.pid, signal.SIGKILL)
        os.waitpid(started.consumer.pid, 0)
    started.terminal.restore(screen_too=started.screen)


def spawn(
    name: str,
    work: Consumer,
    stream: socket.socket,
    who: privilege.Invoker | None,
    path: list[str],
    *,
    orphaned: int,
    largest: int,
    output: int | None = None,
    keep: Collection[int] = (),
    ahead: bool = False,
) -> Child:
    """Fork a child that becomes the invoker; it gets the stream, which is closed here, and `sys.path`.

    orphaned: the signal that it gets when we end. largest: the most bytes of a message that it sends. output: a
    descriptor for its output, without a terminal. keep: more descriptors that it gets. ahead: whether it gets a higher
    priority on busy CPUs.
    """
    control, theirs = mailbox.pair(largest)
    parent = os.getpid()

    def child() -> int:
        if ahead:
            priority.answer_ahead()
        privilege.drop(who)
        process.die_with(parent, orphaned)
        if orphaned != signal.SIGKILL:
            process.continue_without(parent)
        sys.path[:] = path
        return work(theirs, stream)

    kept = [theirs.socket.fileno(), *theirs.mailbox.descriptors, stream.fileno(), *keep]
    pid = process.spawn(name, child, keep=kept, session=output is not None, stderr=output)
    theirs.socket.close()
    stream.close()
    return Child(pid, control)
