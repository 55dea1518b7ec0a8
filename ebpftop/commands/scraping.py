"""Generates configuration for Prometheus and Grafana. No root, no BPF."""

from __future__ import annotations

import argparse

from ebpftop.catalog import folders
from ebpftop.catalog.info import info
from ebpftop.commands import exporting
from ebpftop.export.exporter.generated import dashboard, rules
from ebpftop.supervisor import caches, privilege


def generated(arguments: argparse.Namespace) -> int:
    """Print rules or a dashboard for the named probes, or for all probes."""
    probes = [probe for probe, _ in exporting.probes(arguments)[0]]
    if not probes:
        catalog = folders.read_catalog(arguments.probes, rights=privilege.invokers_rights, cache=caches.folder())
        probes = [probe for probe in catalog.probes.values() if not probe.id.startswith("lab/")]
    found = [info(probe) for probe in probes]
    print(rules(found) if arguments.rules else dashboard(found), end="")
    return 0
