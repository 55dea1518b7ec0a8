"""The dashboard's options from the command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ebpftop.frames.messages import Load
from ebpftop.ui.feed.feed import Wanted


@dataclass(frozen=True, slots=True)
class Options:
    """`auto_load` holds probes with their parameters; `playbook` is the name of one, `loads` the requests for its
    steps that are on their way already; `interval` is in seconds.
    """

    title: str = ""
    auto_load: Sequence[Wanted] = ()
    playbook: str = ""
    loads: Sequence[Load] = ()
    interval: float = 1.0
