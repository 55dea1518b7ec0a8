"""The catalog's lines: playbooks, the categories with their probes, and last the unusable files and folders."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from msgspec import Struct

from ebpftop.base.query import holds, words_of
from ebpftop.frames.messages import Catalog, PlaybookInfo, ProbeInfo
from ebpftop.ui.drawing.theme import NOT_HERE, PLAYBOOK, RUNNABLE, RUNNING, UNKNOWN

PLAYBOOKS, BROKEN = "playbooks", "unusable"  # categories besides those of the probes


class RunState(Struct, frozen=True):
    """The state of a loaded probe: `loading`, `running` or `rejected`, and a note for the right end of the line."""

    state: str
    note: str = ""


class Problem(Struct, frozen=True):
    """A folder or a file of the catalog that can't be used, as far as the line names it."""

    where: str
    what: str

    @classmethod
    def of(cls, line: str) -> Problem:
        """From `PATH:LINE: what is wrong`."""
        where, colon, what = line.partition(": ")
        return cls(where, what) if colon else cls("", line)

    @property
    def name(self) -> str:
        """The last two parts of the path, without a probe's file name: `mine/calls`, `playbooks/x.toml`."""
        parts = [part for part in self.where.rstrip("0123456789").rstrip(":").split("/") if part]
        kept = parts[:-1] if parts and parts[-1].startswith("probe.") else parts
        return "/".join(kept[-2:])


Entry = ProbeInfo | PlaybookInfo | Problem


class Line(Struct, frozen=True):
    """A category (no entry) or an entry in it."""

    category: str
    entry: Entry | None = None

    @property
    def name(self) -> str:
        match self.entry:
            case ProbeInfo(id=name):
                return name.partition("/")[2] or name
            case PlaybookInfo(name=name) | Problem(name=name):
                return name
        return self.category

    def is_same(self, other: Line) -> bool:
        """Whether both lines are about the same category or entry; its details may differ."""
        return (type(self.entry), self.category, self.name) == (type(other.entry), other.category, other.name)


def entries(catalog: Catalog | None) -> list[Line]:
    """Everything there is, in order."""
    if catalog is None:
        return []
    probes = sorted(catalog.probes, key=lambda probe: (probe.category, probe.id))
    return [
        *(Line(PLAYBOOKS, playbook) for playbook in catalog.playbooks),
        *(Line(probe.category, probe) for probe in probes),
        *(Line(BROKEN, Problem.of(text)) for text in catalog.problems),
    ]


def arranged(lines: list[Line], wanted: str, folded: Collection[str]) -> Iterator[Line]:
    """The lines that match the search, each category before its entries, the best match and its category first.

    A search expands collapsed categories.
    """
    category = None
    for line in _best_first([line for line in lines if _matches(line, wanted)], wanted):
        if line.category != category:
            category = line.category
            yield Line(category)
        if wanted or category not in folded:
            yield line


def first(lines: list[Line]) -> int:
    """Where the cursor starts: at the first entry, which in a search is the best match."""
    return next((at for at, line in enumerate(lines) if line.entry), 0)


def _best_first(found: list[Line], wanted: str) -> list[Line]:
    """Ordered by how well the name matches, keeping categories together; probes precede equally good matches of other
    kinds.
    """
    if not wanted:
        return found
    ranks = {id(line): _rank(line, wanted) for line in found}
    best: dict[str, tuple[int, bool]] = {}
    for line in found:
        best[line.category] = min(best.get(line.category, ranks[id(line)]), ranks[id(line)])
    return sorted(found, key=lambda line: (best[line.category], line.category, ranks[id(line)]))


def _rank(line: Line, wanted: str) -> tuple[int, bool]:
    name, query = line.name.casefold(), wanted.casefold().strip()
    ways = (name == query, name.startswith(query), holds(name, words_of(query)), True)
    return ways.index(True), not isinstance(line.entry, ProbeInfo)


def _matches(line: Line, query: str) -> bool:
    match line.entry:
        case ProbeInfo() as probe:
            text = " ".join((probe.id, probe.title, probe.summary, probe.question))
        case PlaybookInfo() as playbook:
            text = " ".join((PLAYBOOKS, playbook.name, playbook.title, playbook.summary))
        case Problem() as problem:
            text = f"{problem.where} {problem.what}"
        case _:
            text = ""
    return holds(text, words_of(query))


def sign(entry: Entry, state: RunState | None) -> tuple[str, str, str]:
    """The line's sign, the name of its style, and the note after the name."""
    if isinstance(entry, PlaybookInfo):
        return PLAYBOOK, "", entry.title
    if isinstance(entry, Problem):
        return NOT_HERE, "rejected", entry.what
    if state and state.state in ("running", "loading"):
        return RUNNING, "running", state.note
    if state:
        return NOT_HERE, "rejected", state.note
    if entry.available is False:
        return NOT_HERE, "quiet", entry.reason or "unavailable"
    if entry.available is None:
        return UNKNOWN, "quiet", entry.reason or "not known yet"  # what runs here is found out after the start
    return RUNNABLE, "", ""
