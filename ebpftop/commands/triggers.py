"""The triggers of a command line, read before anything is started, so that a mistake costs no password."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ebpftop.base.errors import UsageError
from ebpftop.base.inert import quoted

if TYPE_CHECKING:
    from ebpftop.catalog.model import Probe
    from ebpftop.model.trigger import Trigger


def read(arguments: argparse.Namespace) -> list[tuple[Trigger, Probe]]:
    """Each trigger with the probe that it names, whose full id it has then. Raises `UsageError`."""
    if arguments.save is not None and not arguments.when:
        raise UsageError("--save needs --when: it writes a tape of what a trigger finds")
    return [_read(text, arguments.probes) for text in arguments.when]


def _read(text: str, extra: list[Path]) -> tuple[Trigger, Probe]:
    from ebpftop.commands import named  # without a trigger none of this is imported
    from ebpftop.model.trigger import BadTrigger, bind, parse

    try:
        trigger = parse(text)
        probe = named.probe(trigger.probe, extra)
        bind(trigger, probe.default_views)
    except BadTrigger as error:
        raise UsageError(f"--when {quoted(text)}: {error}") from None
    return replace(trigger, probe=probe.id), probe


def others(found: Sequence[tuple[Trigger, Probe]], probes: Sequence[str]) -> list[Probe]:
    """The probes that triggers name, each once, besides those with these ids."""
    return list({probe.id: probe for _, probe in found if probe.id not in probes}.values())
