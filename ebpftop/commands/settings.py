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
    """Set `arguments.settings`, and what the command line leaves open. Folders and budget are this machine's: with
    `--host` each host has its own. Raises `Cannot` as `privilege.invoker` does.
    """
    arguments.settings = found = _read()
    if getattr(arguments, "interval", None) is None:
        arguments.interval = found.interval or 1.0
    if getattr(arguments, "hosts", None):
        return
    arguments.probes = [*arguments.probes, *(each for each in found.folders if each not in arguments.probes)]
    if arguments.budget is None:
        arguments.budget = found.budget


def tell(arguments: argparse.Namespace) -> None:
    """Say what is wrong in them, a line each; nothing of a command that has none."""
    for line in getattr(arguments, "settings", NONE).problems:
        print(f"ebpftop: {line}", file=sys.stderr)


def playbook(arguments: argparse.Namespace) -> Playbook | None:
    """The one that the dashboard opens by itself, if any; one that there isn't is one more problem."""
    from ebpftop.base.errors import UsageError
    from ebpftop.commands import named

    settings: Settings = arguments.settings
    if settings.playbook in ("", "last"):  # that one is the dashboard's own
        return None
    try:
        return named.playbook(settings.playbook, arguments.probes)
    except UsageError as error:
        line = f"{settings.places['playbook']}: {str(error).partition(chr(10))[0]}; no playbook is opened"
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
            return Settings(file=file)
        return read_settings(file, {0, who.uid if who else os.geteuid()})
