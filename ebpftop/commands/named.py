"""Finds the probe or playbook that a command line names, and checks the options for it."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from pathlib import Path

from ebpftop.base.errors import UsageError, UserError
from ebpftop.base.inert import quoted
from ebpftop.base.nearest import closest
from ebpftop.catalog import find, folders
from ebpftop.catalog.model import Probe
from ebpftop.catalog.playbook import FOLDER as PLAYBOOKS
from ebpftop.catalog.playbook import Playbook
from ebpftop.supervisor import caches, privilege

STACKS_ONLY = ("folded", "speedscope", "pprof")  # formats
BINARY = ("pprof", "perfetto")


def probe(name: str, extra: list[Path]) -> Probe:
    """The probe with this id or bare name. Raises `UsageError`: why it can't be used, or with a line for each folder
    that could not be read, because the probe may be in one of them.
    """
    meant = folders.read_catalog(extra, rights=privilege.invokers_rights, only=name)
    with contextlib.suppress(find.UnknownProbe):
        return find.find(meant.probes, name)
    if meant.refused:
        raise UsageError("\n".join(meant.refused.values()))
    catalog = folders.read_catalog(extra, rights=privilege.invokers_rights)  # for the list in the message
    try:
        return find.find(catalog.probes, name)
    except find.UnknownProbe as error:
        raise UsageError("\n".join(catalog.lacks(str(error)))) from None


def playbook(name: str, extra: list[Path]) -> Playbook:
    """The playbook with this name. Raises `UsageError`, as `probe` does."""
    catalog = folders.read_catalog(extra, rights=privilege.invokers_rights, cache=caches.folder())
    if found := catalog.playbooks.get(name):
        return found
    if why := catalog.refused.get(f"{PLAYBOOKS}/{name}"):
        raise UsageError(why)
    near = closest(name, catalog.playbooks)
    hint = f"did you mean {near}?" if near else f"known: {', '.join(catalog.playbooks)}"
    raise UsageError("\n".join(catalog.lacks(f"unknown playbook {quoted(name)}; {hint}")))


def check_format(probe: Probe, format: str, raw: bool = False) -> None:
    """Raises `UsageError` for a format that can't represent the probe's data, or that has no raw form."""
    if raw and format != "csv":
        raise UsageError(f"--raw is for --format csv, not {format}")
    if format in STACKS_ONLY and not any(view.show == "stacks" for view in probe.views):
        raise UsageError(f"--format {format} is for call stacks, but {probe.id} shows none: use text, json or csv")
    refuse_on_terminal(format)


def prometheus_client() -> None:
    """Raises `UserError` if Prometheus' library is not installed."""
    if importlib.util.find_spec("prometheus_client") is None:
        raise UserError("metrics need prometheus-client: pip install 'ebpftop[exporter]'")


def refuse_on_terminal(format: str) -> None:
    """Raises `UsageError` if a binary format would be written to a terminal."""
    if format in BINARY and sys.stdout.isatty():
        raise UsageError(f"{format} is a binary format: write it to a file with > FILE")
