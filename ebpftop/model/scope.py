"""The scope of what is shown and exported: a span, a selection, and the aspect of each view."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ebpftop.frames.messages import Process, ViewInfo
from ebpftop.model.dimensions import Source
from ebpftop.model.moments import Slice
from ebpftop.model.past.span import ALL, Wanted
from ebpftop.model.run import Run
from ebpftop.model.selection import EVERYTHING, Selection

Place = tuple[int, str, str]  # run, probe and view


@dataclass(frozen=True, slots=True)
class Aspect:
    """The aspect of one view. by: the dimension that sums its rows. key: fields of the only shown key of a histogram.
    slice: single samples of its call stacks, instead of the span's. since: monotonic ns from which the growth of its
    call stacks is shown. query: the filter's text. own: whether ebpftop's own rows are shown; None: rankings leave them
    out, data keep them.
    """

    by: Source | None = None
    key: Mapping[str, int | str] = field(default_factory=dict)
    slice: Slice | None = None
    since: int | None = None
    query: str = ""
    own: bool | None = None


PLAIN = Aspect()


@dataclass(frozen=True, slots=True)
class Scope:
    """wanted: the span. aspects: of views that aren't shown plainly."""

    wanted: Wanted = ALL
    selection: Selection = EVERYTHING
    aspects: Mapping[Place, Aspect] = field(default_factory=dict)

    def of(self, run: Run, view: ViewInfo) -> Aspect:
        return self.aspects.get(place(run, view), PLAIN)

    def among(self, processes: Mapping[int, Process]) -> Scope:
        """The same in another stream of the same machine, which has its own process numbers."""
        return replace(self, selection=self.selection.among(processes))


WHOLE = Scope()


def place(run: Run, view: ViewInfo) -> Place:
    return run.id, run.probe, view.name
