"""The counts of the running probes for one process in a span, and other probes that can tell more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ebpftop.frames.columns import Array, Labels, Values, take
from ebpftop.frames.messages import Catalog, ProbeInfo, ViewInfo
from ebpftop.model import readings
from ebpftop.model.past.span import Recent, Wanted
from ebpftop.model.run import Run
from ebpftop.stats import formatting
from ebpftop.stats.histogram import PERCENTILES

PID = "pid"  # the type of parameters that name a process
MOST_NUMBERS = 8  # of one view
QUANTILES = ("p50", "p99", "max")

Number = tuple[str, str]  # what, and how much, as written


@dataclass(frozen=True, slots=True)
class Said:
    """The numbers of a view for a process; empty if it counted nothing, None if it doesn't count by process."""

    run: Run
    view: ViewInfo
    numbers: Sequence[Number] | None


@dataclass(frozen=True, slots=True)
class More:
    """A probe that can be loaded for one process. param: the parameter that names the process. params: other parameters
    to set. question: the one that it answers.
    """

    probe: ProbeInfo
    param: str
    question: str
    params: Mapping[str, str] = field(default_factory=dict)

    def of(self, tgid: int) -> dict[str, str]:
        """The parameters for a process."""
        return {**self.params, self.param: str(tgid)}


def said(runs: Iterable[Run], identity: int, wanted: Wanted) -> list[Said]:
    """The counts of all views of all loaded runs, in order."""
    return [Said(run, view, _numbers(run, view, identity, wanted)) for run in runs for view in run.views]


def _numbers(run: Run, view: ViewInfo, identity: int, wanted: Wanted) -> list[Number] | None:
    fields = [column.field for column in view.columns if column.is_process]
    if view.show == "events":
        return list(_of_events(run, view, fields, identity, wanted)) if fields else None
    if view.show == "table":
        keys = [column.field for column in view.columns if column.is_process and column.role == "key"]
        return list(_of_table(run, view, keys[0], identity, wanted))[:MOST_NUMBERS] if keys else None
    keys = [field for field in fields if field in view.by]
    if not keys:
        return None
    of = _of_histogram if view.show == "histogram" else _of_stacks
    return list(of(run, view, keys[0], identity, wanted))


def _of_histogram(run: Run, view: ViewInfo, key: str, identity: int, wanted: Wanted) -> Iterator[Number]:
    found = readings.histogram(run, view, {key: identity}, wanted)
    if not found.count:
        return
    seconds = readings.extent(run, view, wanted).seconds
    yield "", formatting.rate(found.count / seconds) if seconds else formatting.count(found.count)
    for title in QUANTILES:
        bounds = found.quantile(PERCENTILES.get(title, 1.0))
        if bounds is not None:
            yield title, formatting.bounds(*bounds, view.unit)


def _of_table(run: Run, view: ViewInfo, key: str, identity: int, wanted: Wanted) -> Iterator[Number]:
    found = readings.table(run, view, wanted)
    if key not in found.keys:
        return
    rows = np.flatnonzero(_codes(found.keys[key]) == identity)
    whole = isinstance(wanted, Recent) and wanted.seconds >= readings.elapsed(run)
    if not any(found.gains[name][rows].any() for name in found.gains) and not (found.gauges and len(rows)):
        return
    for column in view.columns:
        if column.hidden:
            continue
        if column.role == "counter":
            rates = found.rates[column.field][rows]
            if whole or np.isnan(rates).all():
                written = formatting.value(int(found.gains[column.field][rows].sum()), column.unit)
            else:
                written = formatting.rate(float(np.nansum(rates)), column.unit)
            yield column.title, written
        elif column.role == "gauge" and len(rows) == 1:
            yield column.title, _written(take(found.gauges[column.field], rows), column.unit)


def _written(values: Values, unit: str) -> str:
    return values.at(0) if isinstance(values, Labels) else formatting.value(values[0].item(), unit)


def _of_stacks(run: Run, view: ViewInfo, key: str, identity: int, wanted: Wanted) -> Iterator[Number]:
    keys, _, counts = readings.stacks(run, view, wanted)
    count = counts[_codes(keys[key]) == identity].sum()
    if count:
        yield view.title, formatting.value(int(count), view.unit)


def _of_events(run: Run, view: ViewInfo, fields: Sequence[str], identity: int, wanted: Wanted) -> Iterator[Number]:
    log, covered = run.events.get(view.map), readings.extent(run, view, wanted).span
    if log is None or covered is None:
        return
    numbers, oldest, count = log.within(covered), log.total - log.kept, 0
    at = max(numbers.start, oldest)
    for chunk in log.since(at):
        mine = np.zeros(len(chunk[fields[0]]), bool)
        for name in fields:
            mine |= _codes(chunk[name]) == identity
        count += int(mine[: max(0, numbers.stop - at)].sum())
        at += len(mine)
    if count:
        yield "", formatting.plural(count, "event")
    if numbers.start < oldest:
        yield "", f"{formatting.count(min(oldest, numbers.stop) - numbers.start)} older ones dropped"


def _codes(values: Values) -> Array:
    return values.codes if isinstance(values, Labels) else values


def more(catalog: Catalog) -> list[More]:
    """The probes that can be loaded for one process and may run here: first those of playbooks about a process, in
    their order and with their questions; then all others, in the order of other playbooks and of the catalog.
    """
    probes = {probe.id: probe for probe in catalog.probes if _param(probe) and probe.available is not False}
    found: dict[str, More] = {}
    for playbook in sorted(catalog.playbooks, key=lambda each: not each.of_process):
        for step in playbook.steps:
            if (probe := probes.get(step.probe)) is not None and probe.id not in found:
                own = playbook.of_process
                question = step.question if own else probe.question
                found[probe.id] = More(probe, _param(probe), question, step.params if own else {})
    for probe in probes.values():
        found.setdefault(probe.id, More(probe, _param(probe), probe.question))
    return [*found.values()]


def _param(probe: ProbeInfo) -> str:
    return next((param.name for param in probe.params if param.type == PID), "")
