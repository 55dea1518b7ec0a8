"""What the command line decides about the dashboard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ebpftop.ui.feed import Request


@dataclass(frozen=True, slots=True)
class Options:
    """`auto_load` holds probes with their parameters; `interval` is in seconds."""

    title: str = ""
    auto_load: Sequence[Request] = ()
    interval: float = 1.0
