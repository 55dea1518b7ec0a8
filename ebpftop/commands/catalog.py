"""The catalog's commands, which trace nothing: list it, show a probe, create a new one."""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import ExitStack

import msgspec

from ebpftop.base import streams
from ebpftop.base.errors import Cannot, UserError
from ebpftop.base.inert import inert
from ebpftop.base.look import look_of
from ebpftop.catalog import folders, info
from ebpftop.catalog.model import Probe
from ebpftop.commands import catalog_text, named, settings
from ebpftop.handover import protocol
from ebpftop.supervisor import caches, privilege, process


def list_probes(arguments: argparse.Namespace) -> int:
    """List the catalog; as root, with trials on this kernel."""
    settings.tell(arguments)
    catalog = folders.read_catalog(arguments.probes, rights=privilege.invokers_rights, cache=caches.folder())
    found = {one.probe: one for one in _surveyed(list(catalog.probes.values()))}
    entries = [
        info.info(
            probe,
            available=found[probe.id].available,
            variant=found[probe.id].variant,
            meaning=found[probe.id].meaning,
            reason=found[probe.id].reason,
        )
        for probe in catalog.probes.values()
    ]
    for problem in catalog.problems:
        print(f"ebpftop: {problem}", file=sys.stderr)
    if arguments.json:
        import json

        print(json.dumps([info.as_json(entry) for entry in entries], indent=2))
    else:
        playbooks = [playbook.info for playbook in catalog.playbooks.values()]
        print("\n".join(catalog_text.listed(entries, playbooks, look_of(sys.stdout))))
    return 1 if catalog.problems else 0


def _surveyed(probes: list[Probe]) -> list[protocol.Availability]:
    """Which of them can run here, tested by a child process that detaches its trial programs while the list is
    printed.
    """
    from ebpftop.loader import survey

    ours, theirs = os.pipe()

    def child() -> int:
        with ExitStack() as held:
            data = msgspec.msgpack.encode(survey.survey(probes, held))
            with open(theirs, "wb") as file:
                file.write(data)
        return 0

    null = streams.null()
    process.spawn("survey", child, keep=[theirs], session=True, stderr=null)
    os.close(theirs)
    os.close(null)
    with open(ours, "rb") as file:
        data = file.read()
    if not data:
        raise Cannot("can't tell what runs here: the survey ended early")
    return msgspec.msgpack.decode(data, type=list[protocol.Availability])


def show(arguments: argparse.Namespace) -> int:
    """Show everything about a probe, including the shared C it uses, so that it can be read before it runs as root."""
    settings.tell(arguments)
    from ebpftop.loader import compose

    probe = named.probe(arguments.probe, arguments.probes)
    used = compose.used_headers(folders.includes(), probe.written)
    headers = {probe.folder / name: text for name, text in probe.headers.items()}
    headers |= {folders.bundled() / "include" / name: text for name, text in used.items()}
    print("\n".join(catalog_text.shown(probe, headers, look_of(sys.stdout))))
    return 0


def new(arguments: argparse.Namespace) -> int:
    """Create a new probe folder that belongs to the invoker."""
    from ebpftop.catalog import scaffold

    if who := privilege.invoker():
        privilege.drop(who)
    try:
        written = scaffold.new(arguments.folder, named.probe(arguments.origin, []) if arguments.origin else None)
    except (scaffold.FolderInUse, OSError) as error:
        raise UserError(str(error)) from None
    for path in written:
        print(inert(str(path)))
    print(f"next: edit it, then run 'ebpftop check {inert(str(arguments.folder))}'", file=sys.stderr)
    return 0
