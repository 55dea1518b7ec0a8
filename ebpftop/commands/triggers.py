"""The triggers of a command line, read before anything is started, so that a mistake costs no password."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ebpftop.base.errors import UsageError
from ebpftop.base.inert import inert, quoted

if TYPE_CHECKING:
    from ebpftop.catalog.model import Probe
    from ebpftop.model.trigger import Trigger
    from ebpftop.model.watching import Watching


def read(arguments: argparse.Namespace) -> list[tuple[Trigger, Probe]]:
    """Each trigger, now with the full id of its probe, and that probe. Raises `UsageError`."""
    if arguments.save is not None and not arguments.when:
        raise UsageError("--save needs --when: it writes a tape when a trigger fires")
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
    """The probes that triggers name, each once, except those with these ids."""
    return list({probe.id: probe for _, probe in found if probe.id not in probes}.values())


def watching(
    arguments: argparse.Namespace, found: Sequence[tuple[Trigger, Probe]], *, screen: bool = False
) -> Watching | None:
    """The watcher for triggers, which runs in the consumer; None without triggers. A dashboard keeps recent data
    anyway.
    """
    if not found:
        return None
    from ebpftop.frames.recent import DASHBOARD, Recent
    from ebpftop.model.tape_folder import TapeFolder
    from ebpftop.model.watching import Watching

    recent = folder = None
    if arguments.save is not None:
        recent = Recent(max(arguments.before, DASHBOARD if screen else 0.0))
        try:
            folder = TapeFolder(
                arguments.save,
                recent,
                before=arguments.before,
                after=arguments.after,
                tapes=arguments.keep_tapes,
                most=arguments.keep_bytes,
                args=getattr(arguments, "args", False),
            )
        except OSError as error:
            print(f"ebpftop: {inert(str(arguments.save))}: {error.strerror}", file=sys.stderr)
            raise SystemExit(1) from None
    return Watching([trigger for trigger, _ in found], recent, folder)
