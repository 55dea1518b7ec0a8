"""The invoker's settings: defaults of a command's options."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ebpftop.base.answering import path_answers
from ebpftop.base.home import home
from ebpftop.catalog.settings import Settings, read_settings
from ebpftop.kernel import capabilities
from ebpftop.supervisor import privilege

if TYPE_CHECKING:
    from ebpftop.catalog.playbook import Playbook


NONE = Settings()


def apply(arguments: argparse.Namespace) -> None:
    """Set `arguments.settings`, and the options that the command line doesn't give. Folders and budget belong to this
    machine: with `--host` each host has its own. Raises `Cannot` as `privilege.invoker` does.
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
    """Report the problems in the settings, a line each; does nothing for a command without settings."""
    for line in getattr(arguments, "settings", NONE).problems:
        print(f"ebpftop: {line}", file=sys.stderr)


def playbook(arguments: argparse.Namespace) -> Playbook | None:
    """The playbook that the dashboard opens by itself, if any; an unknown one is added to the problems."""
    from ebpftop.base.errors import UsageError
    from ebpftop.commands import named

    settings: Settings = arguments.settings
    if settings.playbook in ("", "last"):  # "last" is handled by the dashboard
        return None
    try:
        return named.playbook(settings.playbook, arguments.probes)
    except UsageError as error:
        line = f"{settings.places['playbook']}: {str(error).partition(chr(10))[0]}; no playbook is opened"
        arguments.settings = msgspec.structs.replace(settings, problems=(*settings.problems, line))
        return None


def _read() -> Settings:
    """The settings of the invoker, read with the invoker's rights. A user who traces by capabilities has none: the
    user's other processes lack these capabilities but could write to the file.
    """
    who = privilege.invoker()
    if os.geteuid() != 0 and capabilities.may_trace():
        return NONE
    own = Path(who.home) if who else home()
    named = os.environ.get("XDG_CONFIG_HOME", "")
    folder = Path(named) if os.path.isabs(named) else own / ".config" if own else None
    if folder is None:
        return NONE
    file = folder / "ebpftop" / "config.toml"
    with privilege.rights_of(who):
        if not path_answers(file):
            return Settings(problems=(f"{file}: the file system doesn't answer; the defaults are used",))
        if not os.path.lexists(file):
            return Settings(file=file)
        return read_settings(file, {0, who.uid if who else os.geteuid()})
