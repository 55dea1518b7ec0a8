"""The memory that ebpftop states is the sum of what its parts may take."""

import re
from pathlib import Path

from ebpftop.base import bounds
from ebpftop.frames.identities import Identities
from ebpftop.frames.stacks import KnownStacks
from ebpftop.model.session import Session
from ebpftop.ui.screens.help import MEMORY

README = Path(__file__).resolve().parents[3] / "README.md"


def test_what_is_stated_is_what_the_parts_may_take() -> None:
    parts = (Session().past_bytes, Identities().limit, KnownStacks().limit)
    assert sum(parts) == bounds.KEPT
    line = re.search(r"keeps at most (\d+) MiB of history: (\d+) MiB\D*(\d+) MiB\D*(\d+) MiB", README.read_text())
    assert line is not None
    stated = [int(number) << 20 for number in line.groups()]
    assert stated == [bounds.KEPT, *parts]
    assert f" {bounds.KEPT >> 20} MiB " in MEMORY
