"""Playbooks: named sets of probes, each with the question it answers. A playbook is a file, playbooks/NAME.toml, next
to the categories of a folder of probes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ebpftop.base.inert import quoted
from ebpftop.base.nearest import nearest
from ebpftop.catalog import find, params
from ebpftop.catalog.files import Unreadable, read_text
from ebpftop.catalog.model import Probe
from ebpftop.frames.messages import PlaybookInfo, StepInfo

if TYPE_CHECKING:
    from ebpftop.catalog.document import TomlTable
    from ebpftop.catalog.positions import KeyPath

FOLDER = "playbooks"
SUFFIX = ".toml"
MOST = 16  # probes in one playbook

_TOP = ("title", "summary", "priority", "about", "opens", "probes")
_ABOUT = ("machine", "process")
_OPENS = ("threads",)
_STEP = ("id", "question", "view", "params")


class Playbook(msgspec.Struct, frozen=True, kw_only=True):
    """A playbook's file, checked by itself: probes that it names may be missing (`faults`).

    priority: -9 to 9; the highest is listed first, and is chosen when the dashboard starts.
    """

    file: Path
    text: str
    info: PlaybookInfo
    priority: int = 0


def read_playbook(file: Path) -> Playbook:
    """The playbook in this file. Raises BadManifest; its text is the first problem, `problems` has all."""
    from ebpftop.catalog.document import BadManifest, Document, TomlTable  # cached results don't need it

    try:
        text = read_text(file)
    except Unreadable as error:
        raise BadManifest([str(error)]) from None
    document = Document(str(file), text)
    top = TomlTable(document, (), document.values, _TOP)
    title, summary = top.text("title"), top.text("summary")
    priority = top.integer("priority", -9, 9) or 0
    of_process = top.choice("about", _ABOUT, "machine") == "process"
    opens = top.choice("opens", _OPENS, "") if "opens" in top else ""
    steps = [_step(table) for table in top.tables("probes", _STEP, required=True)]
    if len(steps) > MOST:
        top.problem("probes", f"expected at most {MOST}, not {len(steps)}")
    for at, step in enumerate(steps):
        if any((step.probe, step.params) == (other.probe, other.params) for other in steps[:at]):
            document.problem(("probes", at, "id"), "the same probe with the same parameters is used twice")
    document.finish()
    info = PlaybookInfo(name=file.stem, title=title, summary=summary, steps=steps, of_process=of_process, opens=opens)
    return Playbook(file=file, text=text, info=info, priority=priority)


def _step(table: TomlTable) -> StepInfo:
    return StepInfo(
        probe=table.text("id", pattern=r"[a-z0-9][a-z0-9_-]*/[a-z0-9][a-z0-9_-]*", what="a probe's CATEGORY/NAME"),
        question=table.text("question"),
        view=table.text("view", "") if "view" in table else "",
        params=table.assignments("params"),
    )


def faults(playbook: Playbook, probes: Mapping[str, Probe]) -> list[str]:
    """Lines `FILE:LINE: KEY: what is wrong` for everything that the playbook names but the catalog lacks, in order."""
    found: list[tuple[KeyPath, str]] = []
    for at, step in enumerate(playbook.info.steps):
        try:
            probe = find.find(probes, step.probe)
        except find.UnknownProbe as error:
            found.append((("probes", at, "id"), str(error)))
            continue
        if playbook.info.of_process and not any(param.type == "pid" for param in probe.params):
            what = f"{probe.id} has no parameter of type pid, so it can't be about one process"
            found.append((("probes", at, "id"), what))
        views = [view.name for view in probe.views]
        if step.view and step.view not in views:
            what = f"{probe.id} has no view {quoted(step.view)}, only {', '.join(views)}{nearest(step.view, views)}"
            found.append((("probes", at, "view"), what))
        try:
            params.canonical(probe, step.params)
        except params.BadParam as error:
            found.append((("probes", at, "params"), str(error)))
    if not found:
        return []
    from ebpftop.catalog.document import Document

    return Document(str(playbook.file), playbook.text).lines_of(found)
