"""The catalog's commands, which trace nothing: list it, show a probe, create a new one."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from ebpftop.base.errors import UserError
from ebpftop.base.inert import inert
from ebpftop.catalog import folders, info, scaffold
from ebpftop.catalog.manifest import SOURCE
from ebpftop.commands import named
from ebpftop.frames.messages import PlaybookInfo, ProbeInfo
from ebpftop.supervisor import privilege


def list_probes(arguments: argparse.Namespace) -> int:
    """List the catalog; as root, with trials on this kernel."""
    from ebpftop.loader import survey

    catalog = folders.read_catalog(arguments.probes, rights=privilege.invokers_rights)
    found = {one.probe: one for one in survey.survey(catalog.probes.values())}
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
        print(json.dumps([info.as_json(entry) for entry in entries], indent=2))
    else:
        _print_catalog(entries)
        _print_playbooks([playbook.info for playbook in catalog.playbooks.values()])
    return 1 if catalog.problems else 0


def _print_catalog(entries: list[ProbeInfo]) -> None:
    width = max((len(entry.id) for entry in entries), default=0)
    signs = {True: "○", False: "✗", None: "?"}
    for entry in entries:
        note = f"unavailable: {entry.reason}" if entry.available is False else entry.question
        print(f"{signs[entry.available]} {entry.id:{width}}  {inert(entry.title)} — {inert(note or '')}")
    if any(entry.available is None for entry in entries):
        print("\n? only root can tell whether it runs here: sudo ebpftop list")


def _print_playbooks(playbooks: list[PlaybookInfo]) -> None:
    width = max((len(playbook.name) for playbook in playbooks), default=0)
    print("\nplaybooks, several probes side by side: sudo ebpftop play NAME")
    for playbook in playbooks:
        print(f"  {playbook.name:{width}}  {inert(playbook.title)} — {inert(playbook.summary)}")


def show(arguments: argparse.Namespace) -> int:
    """Show everything about a probe, including the shared C it uses, to read before running it as root."""
    from ebpftop.loader import compose

    probe = named.probe(arguments.probe, arguments.probes)
    print(f"{probe.id}: {inert(probe.title)}\n\n{inert(probe.summary)}\n\nquestion  {inert(probe.question)}")
    print(f"overhead  {inert(probe.overhead)}\n\nvariants (the first one this kernel can attach is used)")
    for variant in probe.variants:
        print(f"  {variant.name} ({inert(variant.meaning)})")
        for point in variant.attach:
            print(f"    {point} → {point.run}")
    if probe.params:
        print("\nparameters")
    for param in probe.params:
        choices = f" ({', '.join(param.choices)})" if param.choices else ""
        default = f", default {param.default}" if param.default is not None else ""
        print(f"  {param.name}  {param.type}{choices}{default}: {inert(param.help)}")
    if probe.readme:
        print("\n" + "\n".join(inert(line) for line in probe.readme.splitlines()))
    _print_c(probe.folder / SOURCE, probe.source)
    for header, text in probe.headers.items():
        _print_c(probe.folder / header, text)
    for header, text in compose.used_headers(folders.includes(), probe.written).items():
        _print_c(folders.bundled() / "include" / header, text)
    return 0


def _print_c(path: Path, text: str) -> None:
    print(f"\n{inert(str(path))}\n")
    print("\n".join(inert(line.expandtabs(8)) for line in text.splitlines()))


def new(arguments: argparse.Namespace) -> int:
    """Create a new probe folder, which belongs to the invoker."""
    if who := privilege.invoker():
        privilege.drop(who)
    try:
        written = scaffold.new(arguments.folder, named.probe(arguments.origin, []) if arguments.origin else None)
    except (scaffold.FolderInUse, OSError) as error:
        raise UserError(str(error)) from None
    for path in written:
        print(path)
    print(f"next: edit it, then run 'ebpftop check {arguments.folder}'", file=sys.stderr)
    return 0
