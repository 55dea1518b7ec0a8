"""The past of a view of a probe, from the ledger that accounts its samples."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ebpftop.frames.columns import Array, Values, take
from ebpftop.frames.messages import ViewInfo
from ebpftop.model.ledger import Ledger
from ebpftop.model.past.past import Past


def past_of(view: ViewInfo, ledger: Ledger) -> Past:
    """An empty past. Counters of a ledger with `moment` are gauges here."""
    gauges = ledger.counters if ledger.moment else ledger.gauges
    counters = () if ledger.moment else ledger.counters
    process = view.process_field if view.process_field in ledger.keys else None
    kept = [view.slot] if view.show == "histogram" else []
    return Past(ledger.keys, counters, gauges, process=process, kept=kept)


def record(past: Past, ledger: Ledger, monotonic_ns: int, realtime_ns: int) -> None:
    """Add the changes of the ledger's last sample as a step since the previous one. The first step counts from
    attaching, or is a base without gains.
    """
    rows = ledger.touched
    if past.whole:
        held = ledger.present.copy()
        held[rows] = True
        rows = np.flatnonzero(held)

    def keys(new: Array) -> Mapping[str, Values]:
        return {name: take(ledger.values(name), rows[new]) for name in ledger.keys}

    gauges = {name: take(_gauge(ledger, name), rows) for name in past.gauges}
    ledger.tags[rows] = past.add(
        (monotonic_ns if past.end is None else past.end, monotonic_ns, realtime_ns),
        ledger.tags[rows],
        keys,
        {name: ledger.deltas[name][rows] for name in past.counters},
        gauges,
        returning=ledger.dropped > 0,
    )


def _gauge(ledger: Ledger, name: str) -> Values:
    return ledger.totals[name] if ledger.moment else ledger.values(name)
