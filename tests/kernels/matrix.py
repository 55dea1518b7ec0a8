"""Probe by kernel: the variant that won and whether its values held, beside the recorded matrix.

The record (`matrix.json`: KERNEL → PROBE → variant, "" where it can't run) is what every later run must reach.
`python -m tests.kernels.matrix` adds what the last runs saw to it, and writes the catalog page, probes/README.md, from
it and the manifests.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from ebpftop.catalog.folders import read_catalog
from ebpftop.catalog.model import Probe
from tests.support import held

PAGE = held.CHECKOUT / "probes" / "README.md"
RECORD = Path(__file__).with_name("matrix.json")
_HEAD = """\
<!-- Made by `make catalog`; change the manifests, not this page. -->

# The catalog

Each probe answers one question. Its folder says when to use it, how to read it, what it costs and where it misleads;
`ebpftop show PROBE` prints the same.

Every probe is tested by value on each of these kernels. A cell names the variant that ran: the first in the manifest
that this kernel could attach. `rejected` means that the probe is rejected, as it should be in the lab; – means
that no variant can attach; ? means that it was not tested there yet. `ebpftop list` tells you about your own kernel."""

Record = dict[str, dict[str, str]]


class Seen(NamedTuple):
    """One probe on one kernel. variant: "" if none ran. held: None if no test looked. reason: why it can't run."""

    variant: str = ""
    held: bool | None = None
    reason: str = ""

    def __str__(self) -> str:
        if self.variant:
            return self.variant if self.held else f"{self.variant}: its values are wrong"
        return f"no: {self.reason}" if self.reason else "no test looked at it"


def seen(file: Path, probes: Mapping[str, Probe]) -> tuple[str, dict[str, Seen]]:
    """(kernel series, what was seen of each probe) of what a session kept."""
    kept = json.loads(file.read_text())
    found: dict[str, Seen] = {}
    for probe_id, probe in probes.items():
        looks = [
            (variant, test["held"])
            for test in kept["tests"].values()
            for name, variant in test["traced"]
            if name == probe_id
        ]
        order = [*(variant.name for variant in probe.variants), "rejected"]  # the lab's
        available, reason = kept["probes"].get(probe_id, (None, None))
        ran = sorted({variant for variant, _ in looks}, key=order.index)
        if ran:
            best = ran[0]
            found[probe_id] = Seen(best, all(right for variant, right in looks if variant == best))
        else:
            found[probe_id] = Seen(reason="" if available else reason or "unknown")
    return series(kept["release"]), found


def series(release: str) -> str:
    """ "6.12" of "6.12.117+deb12-amd64", "6.12 arm64" of one for that architecture."""
    return ".".join(release.split(".")[:2]) + (" arm64" if release.endswith("-arm64") else "")


def table(kernels: Mapping[str, Mapping[str, Seen]]) -> str:
    """One line a probe, and how many run on each kernel."""
    names = sorted({probe for column in kernels.values() for probe in column})
    lines = [f"{'probe':28}" + "".join(f" {kernel:16}" for kernel in kernels)]
    for name in names:
        cells = [column.get(name, Seen()) for column in kernels.values()]
        lines.append(f"{name:28}" + "".join(f" {_short(cell):16}" for cell in cells))
    totals = (sum(bool(cell.held) for cell in column.values()) for column in kernels.values())
    lines.append(f"{'values held':28}" + "".join(f" {total:<16}" for total in totals))
    return "\n".join(line.rstrip() for line in lines)


def _short(cell: Seen) -> str:
    if cell.variant:
        return f"{'✓' if cell.held else '✗'} {cell.variant}"
    return "–" if cell.reason else "?"


def fallen(record: Record, kernels: Mapping[str, Mapping[str, Seen]]) -> list[str]:
    """A line for each probe that does not do what the record of its kernel says of it, or that no test looked at."""
    lines = []
    for kernel, column in kernels.items():
        for probe, cell in column.items() if record.get(kernel) else ():
            wanted = record[kernel].get(probe)
            if cell.variant and not cell.held:
                lines.append(f"{kernel}: {probe}: {cell}")
            elif wanted is None:
                lines.append(f"{kernel}: {probe}: not on record; `make catalog` puts it there")
            elif wanted and wanted != cell.variant:
                lines.append(f"{kernel}: {probe}: {wanted} on record, now {cell}")
            elif str(cell) == str(Seen()):
                lines.append(f"{kernel}: {probe}: {cell}")
    return lines


def read_record() -> Record:
    record: Record = json.loads(RECORD.read_text())
    return record


def page(probes: Iterable[Probe], record: Record) -> str:
    """The catalog page in Markdown: a table a category, a row a probe, a column a kernel on record."""
    record = {kernel: column for kernel, column in record.items() if column}
    parts = [_HEAD]
    for category, group in groupby(probes, key=lambda probe: probe.category):
        parts.append(f"\n## {category}\n")
        parts.append(f"| Probe | Question | {' | '.join(record)} |\n| --- | --- |" + " --- |" * len(record))
        parts += [_row(probe, record) for probe in group]
    return "\n".join(parts) + "\n"


def _row(probe: Probe, record: Record) -> str:
    variants = [column.get(probe.id, "?") or "–" for column in record.values()]
    cells = " | ".join(_cell(text) for text in (probe.question, *variants))
    return f"| [{probe.name}]({probe.id}) | {cells} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main() -> int:
    """Add what the last runs saw to the record, and write the page."""
    probes = read_catalog(system=Path("/nonexistent")).probes
    record = read_record()
    for file in sorted(held.place("x").parent.glob("*.json")):
        kernel, column = seen(file, probes)
        if kernel in record:
            told = {name: cell.variant for name, cell in column.items() if cell.held or cell.reason}
            known = {**record[kernel], **told}
            record[kernel] = {name: known[name] for name in probes if name in known}
    RECORD.write_text(json.dumps(record, indent=1) + "\n")
    PAGE.write_text(page(probes.values(), record))
    return 0


if __name__ == "__main__":
    sys.exit(main())
