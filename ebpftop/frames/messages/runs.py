"""A run from its load to its end.

Each answer to a `Load` begins with the same four fields. `request` is the request's number, 0 on a tape from an older
version. `run` is the number of the load itself, which every later frame uses. Two equal requests are two runs.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from ebpftop.frames.messages.base import FEW, MANY, SOME, Frame, Measure, Whole
from ebpftop.frames.messages.probes import ViewInfo

Stage = Literal["queued", "types", "compile", "verify", "attach"]
FailedStage = Literal["compile", "fit", "limit", "verify", "attach", "load"]


class Loading(Frame, frozen=True, kw_only=True):
    """A load makes progress. `stages`: (stage, milliseconds) of the completed stages."""

    request: Whole = 0
    run: int
    probe: str
    params: Annotated[dict[str, str], FEW]
    stage: Stage
    stages: Annotated[list[tuple[str, Measure]], FEW] = []


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """A variant that was passed over, and why."""

    variant: str
    reason: str


class Attached(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of a load that succeeded."""

    variant: str
    meaning: str
    views: Annotated[list[ViewInfo], SOME]
    attached: Annotated[list[str], FEW]  # "raw_tracepoint:sched_switch", …
    points: Annotated[list[str], FEW] = []  # names of the numbers that bpf_get_attach_cookie() gives the programs
    tried: Annotated[list[Tried], FEW] = []
    stages: Annotated[list[tuple[str, Measure]], FEW] = []
    instructions: Whole = 0  # of all programs, after rewriting
    map_bytes: Whole = 0  # stated upper bound of the memory the maps may take
    notes: Annotated[list[str], FEW] = []


class Failed(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of a load that failed: only facts. The side that shows them explains them (`model.failure`).

    stage: "compile", "fit" (the C compiles, but doesn't fit the manifest), "limit" (it needs too much), "verify",
    "attach", or "load" if the loader itself ended early. error: one line. text: the author's C. log: the verifier's log
    or the compiler's output, unprocessed. function: the C function whose program was rejected. places: the start of
    each new line, as (instruction, file, line) in ascending order; file 0 is the author's C, file n the nth of
    `headers`, which holds the shared C by name.
    """

    stage: FailedStage
    error: str
    variant: str | None = None
    function: str | None = None
    text: str = ""
    log: str = ""
    places: Annotated[list[tuple[Whole, Whole, Whole]], MANY] = []
    headers: Annotated[dict[str, str], FEW] = {}
    tried: Annotated[list[Tried], FEW] = []


class Loaded(Frame, Attached, frozen=True, kw_only=True):
    """A probe is attached; its first snapshot follows at once."""

    request: Whole = 0
    run: int
    probe: str
    params: Annotated[dict[str, str], FEW]


class Rejected(Frame, Failed, frozen=True, kw_only=True):
    """A load failed."""

    request: Whole = 0
    run: int
    probe: str
    params: Annotated[dict[str, str], FEW]


Answer = Loading | Loaded | Rejected


class Refused(Frame, frozen=True, kw_only=True):
    """A `Load` that could not be granted (unknown probe, wrong parameter), with one clear line."""

    request: Whole = 0
    error: str


class Detaching(Frame, frozen=True, kw_only=True):
    run: int
    done: Whole
    total: Whole


class Detached(Frame, frozen=True, kw_only=True):
    """reason: one line for the user, if nobody requested it."""

    run: int
    reason: str = ""
