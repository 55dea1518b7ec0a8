"""Root task: finds out which probes of the catalog can run here, with one trial per mechanism and a check of each
attach point.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from contextlib import ExitStack
from typing import TYPE_CHECKING

from ebpftop.catalog.model import Attach, Probe
from ebpftop.handover import protocol
from ebpftop.kernel import capabilities, points, support, trial
from ebpftop.loader.sandbox import sandbox
from ebpftop.loader.targets import absent_file

if TYPE_CHECKING:
    import socket


_NICE = 10  # nobody waits for it, and a screen is being started


def run(channel: socket.socket, probes: Iterable[Probe]) -> None:
    from ebpftop.handover import transport  # `list` surveys without one

    os.nice(_NICE)
    with ExitStack() as held:
        transport.send(channel, protocol.Surveyed(found=survey(probes, held)))


class Outcomes(dict[str, trial.Outcome]):
    """The outcomes of trials, by mechanism; each trial runs when its outcome is first needed."""

    def __init__(self, held: ExitStack) -> None:
        super().__init__()
        self._held = held

    def __missing__(self, mechanism: str) -> trial.Outcome:
        return self.setdefault(mechanism, trial.trial(mechanism, self._held))


def survey(probes: Iterable[Probe], held: ExitStack) -> list[protocol.Availability]:
    """One outcome per probe. Without root, only what is certainly missing is False; the rest stays unknown.

    Trial attachments are detached with `held`, which takes a fifth of a second.
    """
    if (space := support.misleading()) is not None:
        why = f"tracing would give wrong results in {space.detail}"
        return [protocol.Availability(probe=probe.id, available=False, reason=why) for probe in probes]
    outcomes = Outcomes(held)
    root = capabilities.may_trace()
    with sandbox(contextlib.nullcontext) if root else contextlib.nullcontext():
        return [_availability(probe, outcomes, root) for probe in probes]


def _availability(probe: Probe, outcomes: Outcomes, root: bool) -> protocol.Availability:
    reasons: dict[str, None] = {}
    for variant in probe.variants:
        reason = next((r for point in variant.attach if (r := _obstacle(point, outcomes, root))), None)
        reason = reason or absent_file(probe, variant)
        if reason is not None:
            reasons[reason] = None
            continue
        if not root:
            return protocol.Availability(probe=probe.id, available=None, reason="unknown without root")
        return protocol.Availability(probe=probe.id, available=True, variant=variant.name, meaning=variant.meaning)
    return protocol.Availability(probe=probe.id, available=False, reason="; ".join(reasons))


def _obstacle(point: Attach, outcomes: Outcomes, root: bool) -> str | None:
    """Why this attachment isn't available here, or None."""
    mechanism = trial.SAME_AS.get(point.mechanism, point.mechanism)
    if root:
        outcome = outcomes[mechanism]
        if not outcome.ok:
            return outcome.detail
    if point.params:  # the user names the target later
        return points.unsupported(point.mechanism)
    return points.missing(point.mechanism, point.target, point.args)
