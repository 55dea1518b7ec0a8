"""What the command line decides about the dashboard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ebpftop.ui.feed.reloads import Wanted


@dataclass(frozen=True, slots=True)
class Options:
    """`auto_load` holds probes with their parameters; `playbook` is the name of one; `interval` is in seconds."""

    title: str = ""
    auto_load: Sequence[Wanted] = ()
    playbook: str = ""
    interval: float = 1.0
