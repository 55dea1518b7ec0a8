"""The catalog as a table of Markdown, for the README."""

from __future__ import annotations

from collections.abc import Iterable

from ebpftop.catalog.model import Probe


def markdown(probes: Iterable[Probe]) -> str:
    """One row a probe: id, question, its variants with their meaning, its parameters. Ends without a newline."""
    rows = ["| Probe | Question | Mechanisms | Parameters |", "| --- | --- | --- | --- |"]
    for probe in probes:
        variants = ", ".join(f"{variant.name} ({variant.meaning})" for variant in probe.variants)
        params = ", ".join(f"`{param.name}`" for param in probe.params)
        rows.append(f"| `{probe.id}` | {_cell(probe.question)} | {_cell(variants)} | {params or '–'} |")
    return "\n".join(rows)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
