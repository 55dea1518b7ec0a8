"""Help, generated from the bindings, so that it lists exactly the keys that exist."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby, zip_longest
from textwrap import wrap
from typing import ClassVar

from rich.cells import cell_len
from textual.app import App
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from ebpftop.base import bounds
from ebpftop.ui.drawing.theme import HERE, NOT_HERE, PLAYBOOK, RUNNABLE, RUNNING, UNKNOWN, WARNING
from ebpftop.ui.screens.leaving import Dialog
from ebpftop.ui.widgets.header import AMBER, RED

COLUMN = 57  # cells
Group = tuple[str, Sequence[BindingType]]
RIM = 2  # lines
KEYS = 13  # of those, for the keys
SIGNS = (
    ((RUNNING, "$success", "running"), (RUNNABLE, "", "runnable here"), (PLAYBOOK, "", "playbook")),
    ((NOT_HERE, "$error", "unavailable, rejected"), (UNKNOWN, "$quiet", "not known")),
    ((WARNING, "$warning", "a number is incomplete"), (HERE, "$error", "the failing line")),
)
MEMORY = f"At most {bounds.KEPT >> 20} MiB of the past; see README"
PERCENTAGES = (
    ("% probes", "The probes' programs"),
    ("% ebpftop", f"Itself. Both: amber from {AMBER:g}%, red from {RED:g}%"),
)


class HelpScreen(Dialog[None]):
    DEFAULT_CSS = """
    HelpScreen {
        align: center middle;
        background: $background 70%;
        & > VerticalScroll {
            width: auto;
            max-width: 100%;
            height: auto;
            max-height: 100%;
            border: round $primary;
            border-title-color: $primary;
            border-subtitle-color: $quiet;
            background: $surface;
            padding: 0 1 0 1;
            scrollbar-size: 1 1;
        }
        & Horizontal { width: auto; height: auto; }
        & Static { width: 57; height: auto; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,f1,q", "dismiss", "close", key_display="Esc")
    ]

    def __init__(self, groups: Sequence[Group], keymap: Mapping[str, str]) -> None:
        """keymap: keys from the settings, by action."""
        super().__init__()
        self.groups = [(title, _in_force(bindings, keymap)) for title, bindings in groups]

    def compose(self) -> Iterable[Widget]:
        with VerticalScroll() as box:
            box.border_title = "Keys"
            box.border_subtitle = "Esc closes"
            with Horizontal():
                columns = _columns([*_groups(self.groups, self.app), _signs()], self.app.size.width)
                roomy = max(map(_height, columns)) <= self.app.size.height - RIM
                for column in columns:
                    yield Static(Content("\n\n" if roomy else "\n").join(column), markup=False)


def _in_force(bindings: Sequence[BindingType], keymap: Mapping[str, str]) -> list[BindingType]:
    return [
        each.with_key(keymap[each.id]) if isinstance(each, Binding) and each.id and each.id in keymap else each
        for each in bindings
    ]


def _columns(blocks: list[Content], width: int) -> list[list[Content]]:
    """The blocks in one column, or in two of about the same height if there is room."""
    if width < 2 * COLUMN + 5:
        return [blocks]
    at = min(range(1, len(blocks)), key=lambda at: abs(_height(blocks[:at]) - _height(blocks[at:])))
    return [blocks[:at], blocks[at:]]


def _height(blocks: list[Content]) -> int:
    """The number of lines of blocks on top of each other, with a blank line between them."""
    return sum(block.plain.count("\n") + 2 for block in blocks) - 1


def _groups(groups: Sequence[Group], app: App[object]) -> Iterator[Content]:
    """A block for each group. Bindings of one action share a line."""
    for title, bindings in groups:
        lines = [Content.styled(title, "bold $primary")]
        known = [binding for binding in bindings if isinstance(binding, Binding)]
        for _, alike in groupby(known, lambda binding: binding.action.partition("(")[0]):
            same = list(alike)
            tip = next((binding.tooltip for binding in same if binding.tooltip), same[0].description)
            if tip:  # else the same keys stand elsewhere, with what they do
                lines += _line(keys_of(same, app), f"{tip[:1].upper()}{tip[1:]}")
        yield Content("\n").join(lines)


def _line(keys: str, words: str) -> Iterator[Content]:
    """Keys and what they do; continuation lines are indented to the first word."""
    beside = " " * (max(KEYS, cell_len(keys)) - KEYS)
    first, *others = wrap(words, COLUMN - KEYS - 2, initial_indent=beside)
    yield Content.assemble((f"{keys:>{KEYS}}", "bold"), f"  {first.strip()}")
    for line in others:
        yield Content(f"{'':{KEYS}}  {line}")


def _signs() -> Content:
    lines = [Content.styled("Signs, and the header's percentages of one CPU", "bold $primary")]
    for signs in SIGNS:
        parts = [Content.assemble((sign, style), f"  {meaning}") for sign, style, meaning in signs]
        lines.append(Content.assemble(" " * (KEYS - 5), Content("   ").join(parts)))
    lines += [Content.assemble((f"{number:>{KEYS}}", "bold"), f"  {meaning}") for number, meaning in PERCENTAGES]
    lines.append(Content.assemble((f"{'Memory':>{KEYS}}", "bold"), f"  {MEMORY}"))
    return Content("\n").join(lines)


def keys_of(bindings: Sequence[Binding], app: App[object]) -> str:
    """All keys of some bindings, the first key of each binding first: `↑ ↓ k j`."""
    keys = zip_longest(*(binding.key.split(",") for binding in bindings))
    return " ".join(app.get_key_display(Binding(key.strip(), "")) for each in keys for key in each if key)
