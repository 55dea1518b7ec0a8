"""A tracing command's requirements: a supported machine, root or capabilities, and BCC."""

from __future__ import annotations

import argparse
import os
import resource
import sys
from pathlib import Path

from ebpftop.base.errors import Cannot
from ebpftop.kernel import bcc_home, capabilities, support, trial
from ebpftop.kernel.libbpf import KernelLacks
from ebpftop.supervisor import elevate

_FILES = 64  # descriptors: a probe may have this many maps, programs and attachments
_FILE_SIZE = 1 << 20  # bytes: messages to root lie in files in memory


def become(arguments: argparse.Namespace, argv: list[str]) -> None:
    """Return only if this process may trace: otherwise restart under sudo, or raise `Cannot`.

    Without root, two capabilities suffice; stderr states what additional ones would enable.
    """
    for check in support.essentials():
        if not check.ok:
            raise Cannot(f"{check.detail} is not supported: {check.remedy}")
    _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files < _FILES:
        raise Cannot(f"the limit of open files is {files}, and tracing needs {_FILES}: raise it with 'ulimit -n'")
    size, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    if 0 <= size < _FILE_SIZE:
        raise Cannot(
            f"the limit of file sizes is {size:,} bytes, and tracing needs {_FILE_SIZE:,}: raise it with 'ulimit -f'"
        )
    if os.geteuid() == 0 or capabilities.may_trace():
        attached = trial.trial("raw_tracepoint")  # the one mechanism that every supported kernel has
        if not attached.ok:
            raise Cannot(f"nothing can be traced here: {attached.detail}; {attached.remedy}")
        if os.geteuid() != 0 and (lacking := capabilities.lacking()):
            costs = "; ".join(f"{cost} ({name})" for name, cost in lacking.items())
            print(f"ebpftop: limited by missing capabilities: {costs}", file=sys.stderr)
        return
    if arguments.no_sudo:
        raise Cannot(
            "tracing needs root, or CAP_BPF and CAP_PERFMON: run it with sudo "
            "('list', 'show', 'replay' and 'demo' work without)"
        )
    elevate.through_sudo(argv)


def bcc() -> Path:
    """BCC's package folder. Raises `Cannot`."""
    try:
        return bcc_home.find()
    except KernelLacks as lack:
        raise Cannot(f"{lack}: {lack.remedy}") from None
