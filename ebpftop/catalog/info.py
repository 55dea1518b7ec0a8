"""The catalog's entries for consumers: the ProbeInfo of a frame, and its JSON."""

from __future__ import annotations

import zlib
from typing import Any

import msgspec

from ebpftop.catalog.files import SOURCE
from ebpftop.catalog.folders import CatalogRead
from ebpftop.catalog.model import Probe
from ebpftop.frames.messages import Catalog, ParamInfo, ProbeInfo


def info(
    probe: Probe,
    available: bool | None = None,
    variant: str | None = None,
    meaning: str | None = None,
    reason: str | None = None,
) -> ProbeInfo:
    """A probe's entry, with its availability on this machine."""
    return ProbeInfo(
        id=probe.id,
        title=probe.title,
        summary=probe.summary,
        category=probe.category,
        question=probe.question,
        overhead=probe.overhead,
        params=[
            ParamInfo(name=p.name, type=p.type, default=p.default, help=p.help, choices=list(p.choices))
            for p in probe.params
        ],
        views=list(probe.default_views),
        source=probe.source,
        asks=probe.asks,
        readme=probe.readme,
        available=available,
        variant=variant,
        meaning=meaning,
        reason=reason,
        file=str(probe.folder / SOURCE) if probe.reloads else "",
        revision=_revision(probe) if probe.reloads else "",
        next=list(probe.next),
    )


def _revision(probe: Probe) -> str:
    """A checksum of what a load depends on: the manifest and the C."""
    text = "\0".join((probe.manifest, probe.source, *probe.headers, *probe.headers.values())).encode()
    # hashlib would load OpenSSL into root's process
    return f"{zlib.crc32(text):08x}-{len(text)}"


def catalog(found: CatalogRead) -> Catalog:
    """The whole catalog as a frame; the probes' availability isn't known yet."""
    return Catalog(
        probes=[info(probe) for probe in found.probes.values()],
        problems=found.problems,
        playbooks=[playbook.info for playbook in found.playbooks.values()],
    )


def as_json(entry: ProbeInfo) -> dict[str, Any]:
    """The object that `ebpftop list --json` prints for one probe; views have the fields of ViewInfo."""
    return {
        "id": entry.id,
        "title": entry.title,
        "summary": entry.summary,
        "category": entry.category,
        "question": entry.question,
        "overhead": entry.overhead,
        "params": [{"name": p.name, "type": p.type, "default": p.default, "help": p.help} for p in entry.params],
        "views": [msgspec.to_builtins(view) for view in entry.views],
        "available": entry.available,
        "variant": entry.variant,
        "reason": entry.reason,
        "next": entry.next,
    }
