"""The exporter's settings: from the command line, else from its file, else the defaults."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import NamedTuple

from ebpftop.base.errors import UsageError
from ebpftop.catalog import folders
from ebpftop.catalog.document import BadManifest
from ebpftop.catalog.exporter_file import ExporterFile, read_exporter_file
from ebpftop.catalog.model import Probe
from ebpftop.commands import named
from ebpftop.supervisor import caches, privilege

LISTEN, INTERVAL, TOP = ("127.0.0.1", 9435), 5.0, 20


Chosen = tuple[Probe, dict[str, str]]


class Wanted(NamedTuple):
    """probes: with their parameters. folders: additional folders of probes. interval: seconds. top: series. budget:
    percent of a CPU, or None.
    """

    probes: list[Chosen]
    folders: list[Path]
    listen: tuple[str, int]
    interval: float
    top: int
    budget: float | None


def wanted(arguments: argparse.Namespace) -> Wanted:
    """The settings for these arguments. Raises as `probes` does, and `UserError` without Prometheus' library."""
    named.prometheus_client()
    chosen, extra, file = probes(arguments)
    if not chosen:
        raise UsageError("the exporter needs the name of a probe, such as runqlat, or --config FILE")
    return Wanted(
        chosen,
        extra,
        arguments.listen or (file and file.listen) or LISTEN,
        arguments.interval or (file and file.interval) or INTERVAL,
        arguments.top or (file and file.top) or TOP,
        file.budget if file and arguments.budget is None else arguments.budget,
    )


def probes(arguments: argparse.Namespace) -> tuple[list[Chosen], list[Path], ExporterFile | None]:
    """The named probes, the folders they may be in, and the exporter's file. Raises `UsageError`, with a line for each
    mistake in the file.
    """
    extra = list(arguments.probes)
    if arguments.config is None:
        return [(named.probe(name, extra), {}) for name in dict.fromkeys(arguments.names)], extra, None
    if arguments.names or arguments.param:
        raise UsageError("give probes and parameters in the file or on the command line, not in both")
    try:
        file = _read(arguments.config)
        extra += file.folders
        catalog = folders.read_catalog(extra, rights=privilege.invokers_rights, cache=caches.folder())
        return file.chosen(catalog.probes, catalog.lacks), extra, file
    except BadManifest as error:
        raise UsageError("\n".join(error.problems)) from None


def _read(path: Path) -> ExporterFile:
    """Read the file with the invoker's rights, if only root and the invoker can have written it."""
    who = privilege.invoker()
    with privilege.rights_of(who):
        return read_exporter_file(path, {0, who.uid if who else os.geteuid()})
