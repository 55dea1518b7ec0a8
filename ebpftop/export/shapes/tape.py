"""What 'ebpftop tape info' prints."""

from __future__ import annotations

from ebpftop.export.shapes.base import Shape, Whole
from ebpftop.frames.messages import Losses


class TapeView(Shape):
    """Bytes of a map or a ring buffer, before compression."""

    views: list[str]
    map: str
    bytes: Whole


class TapeProbe(Shape):
    """A run. failed: why it was not loaded, or ended."""

    run: int
    probe: str
    params: dict[str, str]
    variant: str
    loaded_s: float | None
    ended_s: float | None
    failed: str | None
    snapshots: Whole
    events: Whole
    losses: Losses
    views: list[TapeView]


class TapeMark(Shape):
    """at_s: seconds after the tape's beginning."""

    at_s: float
    text: str


class Tape(Shape):
    """What is on a tape. complete: whether it is whole; problem: why it isn't."""

    file: str
    bytes: Whole
    format: Whole
    index: bool
    keys: Whole
    complete: bool
    problem: str | None
    host: str | None
    kernel: str | None
    machine: str | None
    cpus: Whole | None
    version: str | None
    began_ns: Whole | None
    seconds: float
    probes: list[TapeProbe]
    marks: list[TapeMark]
    sizes: dict[str, Whole]
