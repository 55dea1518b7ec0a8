"""What is shown, and so what is exported: a span, a selection, and how each view is looked at."""

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
    """How one view is looked at. by: the dimension by which its rows are summed. key: fields of the only key of a
    histogram that is shown. slice: single samples of its call stacks, instead of the span's. since: monotonic ns, from
    which the growth of its call stacks is shown. query: what a filter looks for. own: whether ebpftop's own rows are
    shown; None: rankings leave them out, data hold them.
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
    """wanted: the span. aspects: of views that aren't looked at plainly."""

    wanted: Wanted = ALL
    selection: Selection = EVERYTHING
    aspects: Mapping[Place, Aspect] = field(default_factory=dict)

    def of(self, run: Run, view: ViewInfo) -> Aspect:
        return self.aspects.get(place(run, view), PLAIN)

    def among(self, processes: Mapping[int, Process]) -> Scope:
        """The same of another stream of the same machine, with its own numbers for processes."""
        return replace(self, selection=self.selection.among(processes))


WHOLE = Scope()


def place(run: Run, view: ViewInfo) -> Place:
    return run.id, run.probe, view.name
