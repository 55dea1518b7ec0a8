"""Finding the probe a person means."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches

from ebpftop.base.inert import quoted
from ebpftop.catalog.model import Probe


class UnknownProbe(LookupError):
    """No probe of that name, or several; its text is one line."""


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
    hint = f"; did you mean {' or '.join(near)}?" if near else "; 'ebpftop list' names them all"
    raise UnknownProbe(f"unknown probe {quoted(text)}{hint}")


def _nearest(catalog: Mapping[str, Probe], text: str) -> list[str]:
    """Up to three ids whose bare name looks like that of the text, whatever the categories."""
    by_name: dict[str, list[str]] = {}
    for probe in catalog.values():
        by_name.setdefault(probe.name, []).append(probe.id)
    names = get_close_matches(text.rpartition("/")[2], list(by_name), n=3, cutoff=0.5)
    return [probe_id for name in names for probe_id in by_name[name]][:3]
