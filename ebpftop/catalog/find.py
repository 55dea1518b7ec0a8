"""Finds a probe by its full or bare name."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches

from ebpftop.base.inert import quoted
from ebpftop.catalog.model import Probe


class UnknownProbe(LookupError):
    """No probe has that name, or several do; the text is one line."""


def find(catalog: Mapping[str, Probe], text: str) -> Probe:
    """The probe with this id (category/name), or the only one with this bare name. Raises UnknownProbe."""
    if text in catalog:
        return catalog[text]
    same = [probe for probe in catalog.values() if probe.name == text]
    if len(same) == 1:
        return same[0]
    if same:
        raise UnknownProbe(f"{text} is ambiguous: {', '.join(sorted(probe.id for probe in same))}")
    near = _nearest(catalog, text)
    hint = f"; did you mean {' or '.join(near)}?" if near else "; 'ebpftop list' shows them all"
    raise UnknownProbe(f"unknown probe {quoted(text)}{hint}")


def _nearest(catalog: Mapping[str, Probe], text: str) -> list[str]:
    """Up to three ids whose bare names resemble that in the text, in any category."""
    by_name: dict[str, list[str]] = {}
    for probe in catalog.values():
        by_name.setdefault(probe.name, []).append(probe.id)
    names = get_close_matches(text.rpartition("/")[2], list(by_name), n=3, cutoff=0.5)
    return [probe_id for name in names for probe_id in by_name[name]][:3]
