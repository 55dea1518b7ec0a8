"""The probes of several hosts as one catalog."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import structs

from ebpftop.frames.messages import Catalog, PlaybookInfo, ProbeInfo


def merged(catalogs: Mapping[str, Catalog]) -> Catalog:
    """Each probe as described by the first host that has it. A probe that runs anywhere can be loaded. Its files are on
    other machines, so saving them reloads nothing.
    """
    first: dict[str, ProbeInfo] = {}
    playbooks: dict[str, PlaybookInfo] = {}
    for catalog in catalogs.values():
        for probe in catalog.probes:
            first.setdefault(probe.id, probe)
        for playbook in catalog.playbooks:
            playbooks.setdefault(playbook.name, playbook)
    several = len(catalogs) > 1
    problems = [
        f"{host}: {line}" if several else line for host, catalog in catalogs.items() for line in catalog.problems
    ]
    return Catalog(
        probes=[_one(probe, catalogs) for probe in first.values()],
        problems=problems[:64],
        playbooks=[*playbooks.values()],
    )


def _one(probe: ProbeInfo, catalogs: Mapping[str, Catalog]) -> ProbeInfo:
    found = {
        host: next((each for each in catalog.probes if each.id == probe.id), None) for host, catalog in catalogs.items()
    }
    known = [each for each in found.values() if each is not None]
    available = (
        True
        if any(each.available for each in known)
        else None
        if any(each.available is None for each in known)
        else False
    )
    several = len(catalogs) > 1
    reasons = []
    for host, each in found.items():
        reason = "not in the catalog there" if each is None else each.reason
        if reason:
            reasons.append(f"{host}: {reason}" if several else reason)
    runs = next((each for each in known if each.available), probe)
    return structs.replace(runs, available=available, reason="; ".join(reasons) or None, file="", revision="")
