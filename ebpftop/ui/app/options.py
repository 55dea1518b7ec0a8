"""The dashboard's options from the command line, and those that keys change."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from ebpftop.catalog.settings import Settings
from ebpftop.frames.messages import Load
from ebpftop.ui.feed.feed import Wanted

if TYPE_CHECKING:
    from ebpftop.model.watching import Watching

INTERVALS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)  # seconds, that keys choose


def stepped(interval: float, step: int) -> float:
    """The next longer interval, or with a negative step the next shorter one; the same if there is none."""
    longer = [seconds for seconds in INTERVALS if seconds > interval]
    shorter = [seconds for seconds in INTERVALS if seconds < interval]
    return longer[0] if step > 0 and longer else shorter[-1] if step < 0 and shorter else interval


class Options(Struct, frozen=True):
    """`auto_load`: probes with their parameters. `playbook`: the name of one; `loads`: requests for its steps that have
    been sent already. `interval`: seconds. `watching`: for triggers. `settings`: the user's. `remembers`: the file with
    the last session, if any.
    """

    title: str = ""
    auto_load: Sequence[Wanted] = ()
    playbook: str = ""
    loads: Sequence[Load] = ()
    interval: float = 1.0
    watching: Watching | None = None
    settings: Settings = Settings()
    remembers: Path | None = None
