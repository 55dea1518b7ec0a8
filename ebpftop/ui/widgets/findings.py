"""The rows of the tables of findings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ebpftop.model.standouts import Finding
from ebpftop.stats import formatting
from ebpftop.ui.drawing import names
from ebpftop.ui.drawing.inert import cell
from ebpftop.ui.drawing.names import Processes
from ebpftop.ui.widgets.columns import BAR, GridColumn
from ebpftop.ui.widgets.plain_columns import number, text
from ebpftop.ui.widgets.rows import Rows, TableColumn

EXPLAINS = "explains"  # the column that orders them at first


def finding_rows(found: Sequence[Finding], processes: Processes, *, inside: str, outside: str, probes: bool) -> Rows:
    """Rows in the order of `found`; the position is their key. inside, outside: titles of the shares. probes: whether
    the probe is a column.
    """

    def numbers(*values: float) -> list[float | None]:
        return list(values)

    columns = [
        text("what", "what", 9, [_dimension(each) for each in found], most=20, priority=4),
        text("value", "value", 12, [value(each, processes) for each in found], most=80, stretch=True, priority=5),
        number("inside", inside, percent, numbers(*(100 * each.inside for each in found)), 7, 4),
        number("outside", outside, percent, numbers(*(100 * each.outside for each in found)), 7, 4),
        number("count", "count", formatting.count, numbers(*(each.count for each in found)), 8, 1),
        number(EXPLAINS, "explains", percent, numbers(*(100 * each.gain for each in found)), 8, 2),
        TableColumn(GridColumn(BAR, "", least=6, most=6), lambda row: "", lambda: np.zeros(0)),
    ]
    if probes:
        columns.insert(0, text("probe", "probe", 12, [_bare(each.probe) for each in found], priority=3))
    return Rows(
        count=len(found),
        keys={"finding": np.arange(len(found))},
        columns=columns,
        about=lambda row: _about(found[row], processes),
    )


_NEARLY_ALL = 0.9  # of the values: too few are left to compare with


def sentence(here: Sequence[Finding], elsewhere: Sequence[Finding], processes: Processes, held: float = 0.0) -> str:
    """`93% of these, 4% of the others: process backup 4711`. held: how much of all values the region holds, 0 to 1."""
    if here:
        first = here[0]
        shares = f"{percent(100 * first.inside)} of these, {percent(100 * first.outside)} of the others"
        return f"{shares}: {what(first)} {value(first, processes)}"
    if elsewhere:
        first = elsewhere[0]
        shares = f"{percent(100 * first.inside)} then, {percent(100 * first.outside)} otherwise"
        return f"Nothing stands out here. In {where(first)}, {shares}: {what(first)} {value(first, processes)}"
    if held > _NEARLY_ALL:
        return (
            f"The region holds {percent(100 * held)} of all values, so nothing can stand out: choose a smaller region"
        )
    return "Nothing stands out"


def where(found: Finding) -> str:
    """The probe's own name and the view's title."""
    return f"{_bare(found.probe)}: {cell(found.view.title)}"


def _bare(probe: str) -> str:
    return cell(probe.rpartition("/")[2])


def what(found: Finding) -> str:
    """The dimension: the column's title, or the property that processes have in common."""
    title = cell(found.column.title).lower()
    return f"{title} {found.trait}" if found.trait else title


def _dimension(found: Finding) -> str:
    """The same in a column, without saying that it is the processes'."""
    return found.trait or what(found) if cell(found.column.title).lower() == "process" else what(found)


def value(found: Finding, processes: Processes) -> str:
    if found.column.is_process and not found.trait and isinstance(found.value, int):
        return f"{names.name(found.value, processes)} {names.pid(found.value, processes)}"
    return cell(str(found.value))


def text_of(found: Finding, processes: Processes) -> str:
    """The text that a filter searches: for a process, its name."""
    process = processes.get(found.value) if isinstance(found.value, int) and found.column.is_process else None
    return process.comm if process else str(found.value)


def percent(share: float | None) -> str:
    """Two digits: a share of counts isn't known more precisely."""
    return formatting.percent(share if share is None else float(f"{share:.2g}"))


def _about(found: Finding, processes: Processes) -> str:
    if found.column.is_process and not found.trait and isinstance(found.value, int):
        return f"{where(found)} · {names.described(found.value, processes)}"
    return where(found)
