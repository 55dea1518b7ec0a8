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

    `role`: `key` names what a row is about, `counter` only grows (a consumer shows its rate and its total), `gauge` is
    a value of the moment. `decode` says what the column holds already decoded: `process` columns hold identity numbers
    that `Processes` frames explain, every other decoded column is a dictionary column of labels. Where columns don't
    fit the screen, those with the lowest `priority` yield first, and of those the last one. given: the parameter and
    value, `by=thread`, with which alone the column exists; "" if it always does. A `thread` column holds numbers of
    threads of the row's process, 0 for those that have ended.
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
    describe the `by` fields. table: one row a key, `columns` in display order. events: one row an event, oldest first.
    stacks: the map's rows are (`by` fields…, `stack`, count), `stack` holds numbers that `Stacks` frames explain and
    `unit` is the unit of the count; in the kernel the fields `kernel` and `user` of the key (either may be missing, "")
    are numbers in the map `stacks`; with `gauge` the count is a value of the moment, else it only grows; where the
    view names a ring buffer `moments`, `Events` of it say of each sample its `time` (monotonic ns), `cpu`, process and
    `stack`. `sort` names the column a table starts sorted by. tells: what it means where there is much of it. wait: the
    ns are time for which somebody waited in vain; idle: the same, but of threads that may also have had nothing to do;
    trouble: each one went wrong; fatal: each one by itself is worth telling; "": it may be good or bad.
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
        """The field of numbers of threads."""
        return next((column.field for column in self.columns if column.decode == "thread"), None)

    @property
    def counters(self) -> list[str]:
        """The fields that only grow."""
        return [column.field for column in self.columns if column.role == "counter"]

    @property
    def by_columns(self) -> list[ColumnInfo]:
        """The columns of the `by` fields, in their order; a field that no column describes is shown as it is."""
        described = {column.field: column for column in self.columns}
        return [described.get(name) or ColumnInfo(field=name, title=name) for name in self.by]


class ProbeInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the catalog. `available` is None if only root could tell; `reason` says why not, or why unknown.

    file: the absolute path of the author's C where saving it loads the probe again, "" elsewhere and on a tape.
    revision: another one there, whenever what is loaded of the probe is another. next: probes that tell more of what
    this one finds.
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
    """A named set of probes. A step may name a probe that the catalog hasn't. of_process: it is about one process.
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
