"""The probe that a command line names."""

from __future__ import annotations

from pathlib import Path

from ebpftop.catalog import find, folders
from ebpftop.catalog.model import Probe
from ebpftop.errors import UsageError


def probe(name: str, extra: list[Path]) -> Probe:
    """The probe of this id or bare name. Raises `UsageError`, with a line for each folder that could not be read: it
    may have been one of those.
    """
    catalog = folders.read_catalog(extra)
    try:
        return find.find(catalog.probes, name)
    except find.UnknownProbe as error:
        raise UsageError("\n".join((str(error), *catalog.problems))) from None
