"""The remote side of `--host`: the root side and a collector, whose frames go to standard output."""

from __future__ import annotations

import argparse
import getpass
import os
import shutil
import socket
import sys
from typing import NoReturn

from ebpftop.base.errors import Cannot, UsageError
from ebpftop.commands import tracing
from ebpftop.handover.mailbox import Control
from ebpftop.kernel import capabilities
from ebpftop.supervisor import elevate

ARGUMENTS = ("serve", "--stdio")  # exactly these: a line in sudoers names them


def serve(arguments: argparse.Namespace, argv: list[str]) -> int:
    """Serve until standard input ends, or nothing has arrived from there for a while."""
    if sys.stdout.isatty():
        raise UsageError("serve speaks a binary protocol: 'ebpftop --host NAME' starts it over ssh")
    if os.geteuid() != 0 and not capabilities.may_trace() and not arguments.no_sudo:
        _through_sudo()
    arguments.no_sudo = True
    tracing.become_root(arguments, argv)

    def consumer(_control: Control, stream: socket.socket) -> int:
        from ebpftop.hosts.relay import relay

        return relay(stream)

    return tracing.supervise(
        [], consumer, screen=False, survey=True, idle=True, budget=arguments.budget, tied_to=tracing.ends_with()
    )


def _through_sudo() -> NoReturn:
    """Restart under `sudo -n`, because nobody can type a password here. First send the line for sudoers that makes a
    password unnecessary; the other side shows it.
    """
    from ebpftop.hosts.ssh import SUDOERS

    command = [*elevate.ourselves(), *ARGUMENTS]
    print(f"{SUDOERS}{getpass.getuser()} ALL=(root) NOPASSWD: {' '.join(command)}", file=sys.stderr, flush=True)
    sudo = shutil.which("sudo")
    if sudo is None:
        raise Cannot("tracing needs root, and sudo is not installed: log in as root, or install sudo")
    os.execv(sudo, [sudo, "-n", "--", *command])
