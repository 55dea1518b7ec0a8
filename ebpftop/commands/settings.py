"""The settings of whoever types a command: defaults of its options."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ebpftop.catalog.settings import Settings, read_settings
from ebpftop.kernel import capabilities
from ebpftop.supervisor import privilege

if TYPE_CHECKING:
    from ebpftop.catalog.playbook import Playbook


NONE = Settings()


def apply(arguments: argparse.Namespace) -> None:
    """Set `arguments.settings`, and what the command line leaves open. Folders and a budget are for this machine alone,
    so not for `--host`. Raises `Cannot` as `privilege.invoker` does.
    """
    arguments.settings = found = _read()
    if not arguments.hosts:
        arguments.probes = [*arguments.probes, *(each for each in found.folders if each not in arguments.probes)]
        if arguments.budget is None:
            arguments.budget = found.budget
    if getattr(arguments, "interval", None) is None:
        arguments.interval = found.interval or 1.0


def tell(settings: Settings) -> None:
    """Mistakes, one a line."""
    for line in settings.problems:
        print(f"ebpftop: {line}", file=sys.stderr)


def playbook(arguments: argparse.Namespace) -> Playbook | None:
    """The one that the dashboard opens by itself, if any; one that there isn't is one more problem."""
    from ebpftop.base.errors import UsageError
    from ebpftop.commands import named

    settings: Settings = arguments.settings
    if not settings.playbook:
        return None
    try:
        return named.playbook(settings.playbook, arguments.probes)
    except UsageError as error:
        line = f"{settings.playbook_at}: {str(error).partition(chr(10))[0]}; none is opened"
        arguments.settings = msgspec.structs.replace(settings, problems=(*settings.problems, line))
        return None


def _read() -> Settings:
    """Those of the person behind sudo, with that person's rights. Who traces by capabilities has none: other processes
    of the same user hold none, and could write to the file.
    """
    who = privilege.invoker()
    if os.geteuid() != 0 and capabilities.may_trace():
        return NONE
    home = Path(who.home) if who else Path(os.path.expanduser("~"))
    named = os.environ.get("XDG_CONFIG_HOME", "")
    file = (Path(named) if os.path.isabs(named) else home / ".config") / "ebpftop" / "config.toml"
    with privilege.rights_of(who):
        if not os.path.lexists(file):
            return NONE
        return read_settings(file, {0, who.uid if who else os.geteuid()})
