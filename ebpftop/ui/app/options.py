"""The dashboard's options from the command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ebpftop.ui.feed.reloads import Wanted


@dataclass(frozen=True, slots=True)
class Options:
    """`auto_load`: probes with their parameters. `playbook`: its name. `interval`: seconds between snapshots."""

    title: str = ""
    auto_load: Sequence[Wanted] = ()
    playbook: str = ""
    interval: float = 1.0
