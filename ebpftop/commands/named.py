"""The probe or the playbook that a command line names, and whether what is asked of it makes sense."""

from __future__ import annotations

from pathlib import Path

from ebpftop.base.errors import UsageError
from ebpftop.base.inert import quoted
from ebpftop.base.nearest import closest
from ebpftop.catalog import find, folders
from ebpftop.catalog.model import Probe
from ebpftop.catalog.playbook import Playbook

STACKS_ONLY = ("folded", "speedscope")  # formats


def probe(name: str, extra: list[Path]) -> Probe:
    """The probe of this id or bare name. Raises `UsageError`, with a line for each folder that could not be read: it
    may have been one of those.
    """
    catalog = folders.read_catalog(extra)
    try:
        return find.find(catalog.probes, name)
    except find.UnknownProbe as error:
        raise UsageError("\n".join((str(error), *catalog.problems))) from None


def playbook(name: str, extra: list[Path]) -> Playbook:
    """The playbook of this name. Raises `UsageError`, as `probe` does."""
    catalog = folders.read_catalog(extra)
    if found := catalog.playbooks.get(name):
        return found
    near = closest(name, catalog.playbooks)
    hint = f"did you mean {near}?" if near else f"there are {', '.join(catalog.playbooks)}"
    raise UsageError("\n".join((f"unknown playbook {quoted(name)}; {hint}", *catalog.problems)))


def check_format(probe: Probe, format: str) -> None:  # noqa: A002
    """Raises `UsageError` for a format that can't tell what the probe shows."""
    if format in STACKS_ONLY and not any(view.show == "stacks" for view in probe.views):
        raise UsageError(f"{probe.id} shows no call stacks, which --format {format} is for: use text, json or csv")
