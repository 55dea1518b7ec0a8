"""Probes and playbooks as a consumer sees them."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from ebpftop.frames.messages.base import FEW, SOME, Frame, Text

Show = Literal["histogram", "table", "events", "stacks"]
Tells = Literal["", "wait", "idle", "trouble", "fatal"]


class ParamInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One parameter of a probe. `default` is text as a person would type it, None when unset means "no filter"."""

    name: str
    type: str
    default: str | None = None
    help: str = ""
    choices: Annotated[list[str], FEW] = []


class ColumnInfo(msgspec.Struct, frozen=True, kw_only=True):
    """How one field of a map's key or value, or of an event, is shown.

    `role`: `key` names the subject of a row, `counter` only grows (a consumer shows its rate and its total), `gauge` is
    a current value. `decode` says how the column is decoded already: `process` columns hold identity numbers that
    `Processes` frames explain; every other decoded column is a dictionary column of labels. If columns don't fit the
    screen, those with the lowest `priority` are hidden first, starting with the last. given: the parameter and value,
    such as `by=thread`, that the column requires; "" if it always exists. A `thread` column holds numbers of threads of
    the row's process, 0 for those that have ended.
    """

    field: str
    title: str
    unit: str = ""
    role: Literal["key", "counter", "gauge"] = "key"
    decode: str | None = None
    hidden: bool = False
    priority: int = 0
    given: str = ""

    @property
    def is_process(self) -> bool:
        return self.decode == "process"


class ViewInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One way a map is drawn.

    histogram: the map's rows are (`by` fields…, `slot`, count); `unit` is the unit of the slot's value; `columns`
    describe the `by` fields. table: one row per key, `columns` in display order. events: one row per event, oldest
    first. stacks: the map's rows are (`by` fields…, `stack`, count); `stack` holds numbers that `Stacks` frames
    explain, and `unit` is the unit of the count. In the kernel the key's fields `kernel` and `user` (either may be
    missing, "") are numbers in the map `stacks`. With `gauge` the count is a current value, otherwise it only grows. If
    the view names a ring buffer `moments`, its `Events` give each sample's `time` (monotonic ns), `cpu`, process and
    `stack`. `sort` names the column that a table is first sorted by. tells: the meaning of large values. wait: the ns
    are time lost to waiting; idle: the same, but the threads may just have had nothing to do; trouble: each event is a
    failure; fatal: a single event is worth reporting; "": they may be good or bad.
    """

    name: str
    map: str
    show: Show
    title: str
    unit: str = ""
    by: Annotated[list[str], FEW] = []
    slot: str = "slot"
    count: str = "count"
    columns: Annotated[list[ColumnInfo], SOME] = []
    sort: str | None = None
    stacks: str = ""
    kernel: str = ""
    user: str = ""
    gauge: bool = False
    moments: str = ""
    tells: Tells = ""

    @property
    def process_field(self) -> str | None:
        """The field of the first process column."""
        return next((column.field for column in self.columns if column.is_process), None)

    @property
    def thread_field(self) -> str | None:
        """The field with numbers of threads."""
        return next((column.field for column in self.columns if column.decode == "thread"), None)

    @property
    def counters(self) -> list[str]:
        """The fields that only grow."""
        return [column.field for column in self.columns if column.role == "counter"]

    @property
    def by_columns(self) -> list[ColumnInfo]:
        """The columns of the `by` fields, in order; a field that no column describes is shown unchanged."""
        described = {column.field: column for column in self.columns}
        return [described.get(name) or ColumnInfo(field=name, title=name) for name in self.by]


class ProbeInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the catalog. `available` is None if only root can tell; `reason` says why it isn't available, or why
    that is unknown.

    file: the absolute path of the author's C if saving it reloads the probe, otherwise and on a tape "". revision:
    there, changes whenever any loaded file of the probe changes. next: probes that investigate further.
    """

    id: str  # category/name
    title: str
    summary: str
    category: str
    question: str
    overhead: str
    params: Annotated[list[ParamInfo], FEW]
    views: Annotated[list[ViewInfo], SOME]
    source: str  # the author's C
    asks: bool = False  # it can't be loaded without parameters, which name what to trace
    readme: str = ""  # Markdown: when to use it, how to read it, caveats
    available: bool | None = None
    variant: str | None = None
    meaning: str | None = None
    reason: str | None = None
    file: Text = ""
    revision: Text = ""
    next: Annotated[list[Text], SOME] = []


class StepInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One probe of a playbook: its parameters, the view to show ("": the first), and the question it answers there."""

    probe: str
    question: str
    view: str = ""
    params: Annotated[dict[str, str], FEW] = {}


class PlaybookInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A named set of probes. A step may name a probe that isn't in the catalog. of_process: it is about one process.
    opens: the view of the machine that it begins with, before its probes: "threads", or "".
    """

    name: str
    title: str
    summary: str
    steps: Annotated[list[StepInfo], FEW]
    of_process: bool = False
    opens: str = ""


class Catalog(Frame, frozen=True, kw_only=True):
    probes: Annotated[list[ProbeInfo], FEW]
    problems: Annotated[list[str], FEW] = []  # folders that could not be read and names that don't exist, one line each
    playbooks: Annotated[list[PlaybookInfo], FEW] = []
