"""Values of dimensions that the user chose one after the other: each narrows every view with its dimension."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ebpftop.frames.messages import Process, ViewInfo
from ebpftop.model.dimensions import CGROUP, FUNCTION, HOST, PROCESS, Source, function_key, is_somebody, sources, trait

NOBODY = -1  # no process's identity


@dataclass(frozen=True, slots=True)
class Choice:
    """A value of a dimension: a number (for a process its identity) or a text. excluded: everything except it is
    selected.

    title, text: the dimension and the value in words. Text is hostile.
    """

    dimension: str
    value: int | str
    title: str = field(compare=False)
    text: str = field(compare=False)
    excluded: bool = False


@dataclass(frozen=True, slots=True)
class Selection:
    """Choices in order. A row is selected if it matches all choices whose dimension its view has. It matches a choice
    if any of its fields of that dimension has the value.

    processes: those of the session, with the traits that several share.
    """

    choices: tuple[Choice, ...] = ()
    processes: Mapping[int, Process] = field(default_factory=dict, compare=False, repr=False)

    def __bool__(self) -> bool:
        return bool(self.choices)

    @property
    def values(self) -> set[tuple[str, int | str]]:
        """The chosen dimensions and values."""
        return {(choice.dimension, choice.value) for choice in self.choices}

    def turned(self, choice: Choice) -> Selection:
        """The selection with a choice added, or removed if it was there already."""
        same = [each for each in self.choices if (each.dimension, each.value) == (choice.dimension, choice.value)]
        kept = tuple(each for each in self.choices if each not in same)
        return replace(self, choices=kept if choice in same else (*kept, choice))

    def inverted(self) -> Selection:
        """The selection with the last choice inverted: everything except its value, or again only that."""
        *before, last = self.choices
        return replace(self, choices=(*before, replace(last, excluded=not last.excluded)))

    def widened(self) -> Selection:
        """The selection without the last choice."""
        return replace(self, choices=self.choices[:-1])

    def within(self, processes: Mapping[int, Process], *, same: bool) -> Selection:
        """The selection for a new stream. same: whether identities keep their meaning; otherwise choices of processes
        are dropped.
        """
        kept = (each for each in self.choices if same or each.dimension != PROCESS)
        return Selection(tuple(kept), processes)

    def among(self, processes: Mapping[int, Process]) -> Selection:
        """The same in another stream of the same machine, with that stream's process numbers, if it knows the
        processes.
        """
        if processes is self.processes or not self.choices:
            return replace(self, processes=processes)
        numbers = {(each.tgid, each.start_ns): number for number, each in processes.items()}

        def found(choice: Choice) -> Choice:
            process = self.processes.get(choice.value) if isinstance(choice.value, int) else None
            if choice.dimension != PROCESS or process is None:
                return choice
            return replace(choice, value=numbers.get((process.tgid, process.start_ns), NOBODY))

        return Selection(tuple(map(found, self.choices)), processes)

    def missing(self, view: ViewInfo) -> list[Choice]:
        """The choices that don't narrow a view, because it lacks their dimension."""
        known = {source.dimension for source in sources(view)}
        return [choice for choice in self.choices if choice.dimension not in known]

    def holds_of_others(self, view: ViewInfo) -> bool:
        """Whether sums over values that were not kept are selected."""
        missing = self.missing(view)
        return all(choice.excluded for choice in self.choices if choice not in missing)


EVERYTHING = Selection()


def chosen_cgroup(selection: Selection) -> str:
    """The path of the cgroup chosen last, or else that of the chosen process; "" for none."""
    for choice in reversed(selection.choices):
        if choice.excluded:
            continue
        if choice.dimension == CGROUP:
            return str(choice.value).rstrip("/")
        if choice.dimension == PROCESS and isinstance(choice.value, int):
            process = selection.processes.get(choice.value)
            return process.cgroup.rstrip("/") if process is not None else ""
    return ""


def chosen_host(selection: Selection) -> str:
    """The host chosen last; "" for none."""
    chosen = (each for each in reversed(selection.choices) if each.dimension == HOST and not each.excluded)
    return next((str(each.value) for each in chosen), "")


def choices_of(
    view: ViewInfo, row: Mapping[str, int | str], processes: Mapping[int, Process]
) -> tuple[list[Choice], list[Choice]]:
    """The values that can select a row with these key fields, its process first, and the traits that this process
    shares with others.
    """
    by_itself: list[Choice] = []
    shared: list[Choice] = []
    for source in sources(view):
        value = row.get(source.field, "")
        if value == "":
            continue
        process = source.dimension == PROCESS or bool(source.trait)
        if process and not (isinstance(value, int) and is_somebody(value)):
            continue
        if source.trait:
            text = trait(source.trait, int(value), processes)
            shared += [Choice(source.dimension, text, source.title, text)] if text else []
        else:
            by_itself.append(Choice(source.dimension, value, source.title, text_of(source, value, processes)))
    by_itself.sort(key=lambda choice: choice.dimension != PROCESS)
    return [*dict.fromkeys(by_itself)], [each for each in dict.fromkeys(shared) if each not in by_itself]


def text_of(source: Source, value: int | str, processes: Mapping[int, Process]) -> str:
    """A value of a dimension in words: a process as `backup 4711`."""
    process = processes.get(value) if source.dimension == PROCESS and isinstance(value, int) else None
    return choice_of_process(process).text if process is not None else str(value)


def choice_of_process(process: Process) -> Choice:
    return Choice(PROCESS, process.id, PROCESS, f"{process.comm} {process.tgid}")


def choice_of(
    view: ViewInfo, column: str, shared: str, value: int | str, processes: Mapping[int, Process]
) -> Choice | None:
    """A choice for a value of a key field, or of a trait that its processes share ("": none); None if it has no
    dimension.
    """
    for source in sources(view):
        if (source.field, source.trait) == (column, shared):
            return Choice(source.dimension, value, source.title, text_of(source, value, processes))
    return None


def function_choice(name: str, module: str, side: str, label: str) -> Choice:
    """A choice of all stacks that contain a function."""
    return Choice(FUNCTION, function_key(name, module, side), FUNCTION, label)
