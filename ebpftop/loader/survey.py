"""Root task: what of the catalog can run here. One real trial a mechanism, and the existence of each attach point."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterable

from ebpftop import handover
from ebpftop.catalog.model import Attach, Probe
from ebpftop.kernel import points, trial
from ebpftop.loader.sandbox import sandbox
from ebpftop.loader.targets import absent_file


def run(channel: socket.socket, probes: Iterable[Probe]) -> None:
    handover.send(channel, handover.Surveyed(verdicts=survey(probes)))


def survey(probes: Iterable[Probe]) -> list[handover.Verdict]:
    """A verdict a probe. Without root only what is surely missing is False, the rest stays unknown."""
    outcomes: dict[str, str | None] = {}
    root = os.geteuid() == 0
    with sandbox() if root else contextlib.nullcontext():
        return [_verdict(probe, outcomes, root) for probe in probes]


def _verdict(probe: Probe, outcomes: dict[str, str | None], root: bool) -> handover.Verdict:
    reasons: dict[str, None] = {}
    for variant in probe.variants:
        reason = next((r for point in variant.attach if (r := _obstacle(point, outcomes, root))), None)
        reason = reason or absent_file(probe, variant)
        if reason is not None:
            reasons[reason] = None
            continue
        if not root:
            return handover.Verdict(probe=probe.id, available=None, reason="needs root to tell")
        return handover.Verdict(probe=probe.id, available=True, variant=variant.name, meaning=variant.meaning)
    return handover.Verdict(probe=probe.id, available=False, reason="; ".join(reasons))


def _obstacle(point: Attach, outcomes: dict[str, str | None], root: bool) -> str | None:
    """Why this attachment can't be had here, or None."""
    mechanism = trial.SAME_AS.get(point.mechanism, point.mechanism)
    if root:
        if mechanism not in outcomes:
            outcome = trial.trial(mechanism)
            outcomes[mechanism] = None if outcome.ok else outcome.detail
        if outcomes[mechanism] is not None:
            return outcomes[mechanism]
    if point.params:  # whatever a person will name
        return points.unsupported(point.mechanism)
    return points.missing(point.mechanism, point.target, point.args)
