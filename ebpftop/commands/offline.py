"""Commands that trace nothing: the catalog, documentation, tapes, and what this machine can."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from ebpftop.base.errors import Cannot, UserError
from ebpftop.base.inert import inert
from ebpftop.catalog import folders, info, scaffold
from ebpftop.catalog.manifest import SOURCE
from ebpftop.commands import named
from ebpftop.frames.messages import PlaybookInfo, ProbeInfo


def list_probes(extra: list[Path], *, as_json: bool) -> int:
    """The catalog; with root, tried against this kernel."""
    from ebpftop.loader import survey

    catalog = folders.read_catalog(extra)
    verdicts = {verdict.probe: verdict for verdict in survey.survey(catalog.probes.values())}
    entries = [
        info.info(
            probe,
            available=verdicts[probe.id].available,
            variant=verdicts[probe.id].variant,
            meaning=verdicts[probe.id].meaning,
            reason=verdicts[probe.id].reason,
        )
        for probe in catalog.probes.values()
    ]
    for problem in catalog.problems:
        print(f"ebpftop: {problem}", file=sys.stderr)
    if as_json:
        print(json.dumps([info.as_json(entry) for entry in entries], indent=2))
    else:
        _print_catalog(entries)
        _print_playbooks([playbook.info for playbook in catalog.playbooks.values()])
    return 1 if catalog.problems else 0


def _print_catalog(entries: list[ProbeInfo]) -> None:
    width = max((len(entry.id) for entry in entries), default=0)
    signs = {True: "○", False: "✗", None: "?"}
    for entry in entries:
        note = f"not here: {entry.reason}" if entry.available is False else entry.question
        print(f"{signs[entry.available]} {entry.id:{width}}  {inert(entry.title)} — {inert(note or '')}")
    if any(entry.available is None for entry in entries):
        print("\n? only root can tell whether it runs here: sudo ebpftop list")


def _print_playbooks(playbooks: list[PlaybookInfo]) -> None:
    width = max((len(playbook.name) for playbook in playbooks), default=0)
    print("\nplaybooks, several probes side by side: sudo ebpftop play NAME")
    for playbook in playbooks:
        print(f"  {playbook.name:{width}}  {inert(playbook.title)} — {inert(playbook.summary)}")


def show(name: str, extra: list[Path]) -> int:
    """Everything there is to know of a probe before running it as root, the shared C it uses included."""
    from ebpftop.loader import compose

    probe = named.probe(name, extra)
    print(f"{probe.id}: {inert(probe.title)}\n\n{inert(probe.summary)}\n\nquestion  {inert(probe.question)}")
    print(f"overhead  {inert(probe.overhead)}\n\nvariants, the first that this kernel can attach wins")
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
    for header, text in compose.used_headers(folders.includes(), probe.source).items():
        _print_c(folders.bundled() / "include" / header, text)
    return 0


def _print_c(path: Path, text: str) -> None:
    print(f"\n{inert(str(path))}\n")
    print("\n".join(inert(line.expandtabs(8)) for line in text.splitlines()))


def new(folder: Path, origin: str | None) -> int:
    """A probe folder to start from."""
    try:
        written = scaffold.new(folder, named.probe(origin, []) if origin else None)
    except (scaffold.FolderInUse, OSError) as error:
        raise UserError(str(error)) from None
    for path in written:
        print(path)
    print(f"next: edit it, then 'ebpftop check {folder}'", file=sys.stderr)
    return 0


def doctor(*, as_json: bool) -> int:
    """What this machine can trace, tried for real."""
    from ebpftop.kernel import doctor as examination

    checks = examination.checks()
    if as_json:
        print(json.dumps([check._asdict() for check in checks], indent=2))
    else:
        width = max(len(check.check) for check in checks)
        for check in checks:
            print(f"{'✓' if check.ok else '✗'} {check.check:{width}}  {inert(check.detail)}")
            if not check.ok and check.remedy:
                print(f"  {'':{width}}  → {inert(check.remedy)}")
    return 0


def replay(tape: Path) -> int:
    """The dashboard on a tape, as the invoker."""
    from ebpftop.commands import screen
    from ebpftop.frames.tape import BadTape
    from ebpftop.frames.tape_source import TapeSource
    from ebpftop.supervisor import privilege
    from ebpftop.ui import run_dashboard

    screen.require()
    who = privilege.invoker()
    if os.geteuid() == 0 and who is not None:
        privilege.drop(who)
    try:
        source = TapeSource(tape)
    except BadTape as error:
        raise UserError(str(error)) from None
    except OSError as error:
        raise UserError(f"{inert(str(tape))}: {error.strerror}") from None
    return run_dashboard(source)


def demo() -> int:
    """The dashboard on the bundled tape."""
    tape = Path(__file__).parent / "demo.tape"
    if not tape.is_file():
        raise Cannot("this installation has no demo tape")
    return replay(tape)
