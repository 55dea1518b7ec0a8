"""Help, made from the bindings themselves: no key is told that doesn't exist, none exists untold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.app import App
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Static

from ebpftop.ui.theme import HERE, NOT_HERE, RUNNABLE, RUNNING, UNKNOWN, WARNING

COLUMN = 56  # cells
Group = tuple[str, Sequence[BindingType]]
SIGNS = (
    (RUNNING, "$success", "running"),
    (RUNNABLE, "", "runnable here"),
    (NOT_HERE, "$error", "not here, or rejected"),
    (UNKNOWN, "$quiet", "only root can tell"),
    (WARNING, "$warning", "a number that misses something"),
    (HERE, "$error", "the line, the instruction that failed"),
)


class HelpScreen(ModalScreen[None]):
    DEFAULT_CSS = """
    HelpScreen {
        align: center middle;
        background: $background 70%;
        & > VerticalScroll {
            width: auto;
            max-width: 100%;
            height: auto;
            max-height: 96%;
            border: round $primary;
            border-title-color: $primary;
            border-subtitle-color: $quiet;
            background: $surface;
            padding: 1 1 0 2;
            scrollbar-size: 1 1;
        }
        & Horizontal { width: auto; height: auto; }
        & Static { width: 56; height: auto; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,f1,q", "dismiss", "close", key_display="Esc")
    ]

    def __init__(self, groups: Sequence[Group]) -> None:
        super().__init__()
        self.groups = groups

    def compose(self) -> Iterable[Widget]:
        with VerticalScroll() as box:
            box.border_title = "Keys"
            box.border_subtitle = "Esc closes"
            with Horizontal():
                for column in _columns(
                    [*(_group(group, self.app) for group in self.groups), _signs()], self.app.size.width
                ):
                    yield Static(Content("\n\n").join(column), markup=False)


def _columns(blocks: list[Content], width: int) -> list[list[Content]]:
    """The blocks in one column, or in two of about the same height where there is room."""
    if width < 2 * COLUMN + 5:
        return [blocks]
    heights = [block.plain.count("\n") + 2 for block in blocks]
    at = min(range(1, len(blocks)), key=lambda at: abs(sum(heights[:at]) - sum(heights[at:])))
    return [blocks[:at], blocks[at:]]


def _group(group: Group, app: App[object]) -> Content:
    title, bindings = group
    lines = [Content.styled(title, "bold $primary")]
    for binding in (each if isinstance(each, Binding) else Binding(*each) for each in bindings):
        told = binding.tooltip or binding.description
        lines.append(Content.assemble((f"{keys_of(binding, app):>12}", "bold"), f"  {told[:1].upper()}{told[1:]}"))
    return Content("\n").join(lines)


def _signs() -> Content:
    lines = [Content.styled("Signs", "bold $primary")]
    lines += [Content.assemble((f"{sign:>12}", style), f"  {meaning}") for sign, style, meaning in SIGNS]
    return Content("\n").join(lines)


def keys_of(binding: Binding, app: App[object]) -> str:
    """All keys of a binding as it was written: `up,k`."""
    if binding.key_display:
        return binding.key_display
    return " ".join(app.get_key_display(Binding(key.strip(), "")) for key in binding.key.split(","))
