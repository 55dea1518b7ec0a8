"""The catalog as text: grouped and wrapped on a terminal; one record per line in a pipe."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path

from ebpftop.base.inert import inert
from ebpftop.base.look import BOLD, DIM, GREEN, RED, YELLOW, Look, record
from ebpftop.catalog.files import SOURCE
from ebpftop.catalog.model import Probe
from ebpftop.frames.messages import PlaybookInfo, ProbeInfo

_SIGNS = {True: ("○", GREEN, "runnable"), False: ("✗", RED, "unavailable"), None: ("?", YELLOW, "unknown")}
_PLAYBOOK = "≡"


def listed(probes: Sequence[ProbeInfo], playbooks: Sequence[PlaybookInfo], look: Look) -> Iterator[str]:
    """The lines of `list`."""
    return _for_people(probes, playbooks, look) if look.terminal else _for_programs(probes, playbooks)


def _for_programs(probes: Sequence[ProbeInfo], playbooks: Sequence[PlaybookInfo]) -> Iterator[str]:
    """Id, status, title, question, and the reason for the status."""
    for probe in probes:
        why = probe.meaning if probe.available else probe.reason
        yield record([probe.id, _SIGNS[probe.available][2], probe.title, probe.question, why or ""])
    for playbook in playbooks:
        yield record([playbook.name, "playbook", playbook.title, playbook.summary, ""])


def _for_people(probes: Sequence[ProbeInfo], playbooks: Sequence[PlaybookInfo], look: Look) -> Iterator[str]:
    names = [probe.id.partition("/")[2] for probe in probes] + [playbook.name for playbook in playbooks]
    width = 6 + max((len(inert(name)) for name in names), default=0)

    def entry(sign: str, style: str, name: str, text: str, dim: bool = False) -> str:
        head = f"  {look.styled(sign, style)} {look.styled(name, DIM if dim else '')}{' ' * (width - 4 - len(name))}"
        return look.beside(head, width, text, DIM if dim else "")

    for category, members in groupby(probes, key=lambda probe: probe.category):
        yield look.styled(inert(category), BOLD)
        for probe in members:
            sign, style, _ = _SIGNS[probe.available]
            gone = probe.available is False
            text = probe.reason or "unavailable" if gone else probe.question
            yield entry(sign, style, inert(probe.id.partition("/")[2]), text, dim=gone)
        yield ""
    if playbooks:
        yield f"{look.styled('playbooks', BOLD)}, several probes side by side: sudo ebpftop play NAME"
        yield from (entry(_PLAYBOOK, "", inert(each.name), f"{each.title} — {each.summary}") for each in playbooks)
        yield ""
    yield "   ".join(
        f"{look.styled(sign, style)} {number} {word}"
        for status, (sign, style, word) in _SIGNS.items()
        if (number := sum(probe.available is status for probe in probes))
    )
    if any(probe.available is None for probe in probes):
        yield "? unknown without root: sudo ebpftop list"


def shown(probe: Probe, headers: Mapping[Path, str], look: Look) -> Iterator[str]:
    """The lines of `show`: what a probe is, its documentation, its C and the shared C it uses."""
    yield look.styled(f"{probe.id}: {inert(probe.title)}", BOLD)
    yield ""
    yield _prose(probe.summary, look)
    yield ""
    for name, text in (("question", probe.question), ("overhead", probe.overhead)):
        yield look.beside(look.styled(f"{name}  ", DIM), 10, text) if look.terminal else f"{name}  {inert(text)}"
    yield ""
    yield look.styled("variants", BOLD) + " (the first one this kernel can attach is used)"
    for variant in probe.variants:
        yield (
            look.beside("  ", 2, f"{variant.name} ({variant.meaning})")
            if look.terminal
            else f"  {variant.name} ({inert(variant.meaning)})"
        )
        yield from (f"    {point} → {point.run}" for point in variant.attach)
    if probe.params:
        yield ""
        yield look.styled("parameters", BOLD) + " (ebpftop run PROBE -p NAME=VALUE)"
    width = 4 + max((len(param.name) for param in probe.params), default=0)
    for param in probe.params:
        choices = f" ({', '.join(param.choices)})" if param.choices else ""
        default = f", default {param.default}" if param.default is not None else ""
        text = f"{param.type}{choices}{default}: {param.help}"
        head = f"  {look.styled(param.name, BOLD)}{' ' * (width - 2 - len(param.name))}"
        yield look.beside(head, width, text) if look.terminal else f"{head}{inert(text)}"
    if any(param.type == "pid" for param in probe.params):
        text = "For a pid as seen inside a container, give pid=CONTAINER:PID."
        yield look.beside("  ", 2, text) if look.terminal else f"  {text}"
    if probe.readme:
        yield ""
        yield from _markdown(probe.readme, look)
    for path, text in {probe.folder / SOURCE: probe.source, **headers}.items():
        yield ""
        yield look.styled(inert(str(path)), BOLD)
        yield ""
        yield from (inert(line.expandtabs(8)) for line in text.splitlines())


def _prose(text: str, look: Look) -> str:
    return look.wrapped(text) if look.terminal else inert(text)


def _markdown(text: str, look: Look) -> Iterator[str]:
    """Markdown unchanged; on a terminal its paragraphs are wrapped, and headings and bold words stand out."""
    if not look.terminal:
        yield from map(inert, text.splitlines())
        return
    fenced, paragraph = False, ""
    for line in [*text.splitlines(), ""]:
        mark = re.match(r"\s*(?:[-*]|\d+\.)\s+", line)
        fence = line.startswith("```")
        whole = fenced or fence or not line.strip() or line.startswith(("#", "    ", "|"))
        if paragraph and (whole or mark):
            yield _paragraph(paragraph, look)
            paragraph = ""
        if whole:
            fenced ^= fence
            yield look.styled(inert(line), BOLD) if line.startswith("#") and not fenced else inert(line)
        else:
            paragraph = f"{paragraph} {line.strip()}" if paragraph else line.rstrip()


def _paragraph(text: str, look: Look) -> str:
    mark = re.match(r"\s*(?:[-*]|\d+\.)\s+", text)
    indent = len(mark[0]) if mark else 0
    lines = look.beside(text[:indent], indent, text[indent:])
    return re.sub(r"\*\*(.+?)\*\*", lambda found: look.styled(found[1], BOLD), lines, flags=re.DOTALL)
