"""The keys of the selection that all views of a session share."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from ebpftop.model.dimensions import PROCESS
from ebpftop.model.selection import Choice, Selection, choice_of, choice_of_process
from ebpftop.ui.messages import ProcessAsked
from ebpftop.ui.screens.session import SessionScreen
from ebpftop.ui.widgets.keyboard import key_of

if TYPE_CHECKING:
    from ebpftop.frames.messages import Process
    from ebpftop.model.standouts import Finding


class Selecting(SessionScreen):
    """A screen whose views show the selected rows."""

    SELECTING: ClassVar[list[BindingType]] = [
        Binding("full_stop", "select", "select", tooltip="Select this row in all views, or deselect it", id="select"),
        Binding("B", "group", "group", show=False, tooltip="Sum rows by name, user, unit, path, …", id="group"),
        Binding(
            "colon",
            "select_by",
            "select by",
            show=False,
            tooltip="Select by user, unit, name, … of this row",
            id="select-by",
        ),
        Binding("P", "process", "process", show=False, tooltip="Open the page of the row's process", id="process"),
    ]
    WIDENING: ClassVar[list[BindingType]] = [
        Binding(
            "exclamation_mark",
            "invert",
            "all but",
            show=False,
            tooltip="Invert the last choice: select all but it",
            id="invert",
        ),
        Binding("backspace", "widen", "widen", show=False, tooltip="Widen the selection by one step"),
    ]

    async def narrow(self, selection: Selection) -> None:
        self.feed.selection = selection
        await self.redraw()
        self.refresh_bindings()

    async def narrow_to(self, process: Process) -> None:
        """Select a process, if it isn't selected."""
        selection, choice = self.feed.selection, choice_of_process(process)
        await self.narrow(selection if choice in selection.choices else selection.turned(choice))

    def select_found(self, found: Finding) -> bool:
        """Select a finding; False if its column has no dimension."""
        people, selection = self.feed.session.processes, self.feed.selection
        choice = choice_of(found.view, found.column.field, found.trait, found.value, people)
        if choice is not None and choice not in selection.choices:
            self.feed.selection = selection.turned(choice)
        return choice is not None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        match action:
            case "select" | "select_by":
                return self.panel is not None and self.panel.has_focus_within
            case "group":
                return self.panel is not None
            case "invert" | "widen":
                return bool(self.feed.selection)
        return super().check_action(action, parameters)

    async def action_select(self) -> None:
        alone, shared = self._choices()
        if len(alone) == 1:
            await self.narrow(self.feed.selection.turned(alone[0]))
        else:
            self._ask(alone, shared)

    def action_select_by(self) -> None:
        self._ask(*self._choices())

    def _choices(self) -> tuple[list[Choice], list[Choice]]:
        return self.panel.chosen(self.feed.session.processes) if self.panel is not None else ([], [])

    def action_process(self) -> None:
        alone, _ = self._choices()
        process = next((each.value for each in alone if each.dimension == PROCESS), None)
        if isinstance(process, int):
            self.post_message(ProcessAsked(process))
        else:
            key = key_of(self.app, "process", "P")
            self.notify(f"{key} opens the page of a row's process: choose one with ↑ ↓", markup=False)

    def _ask(self, alone: list[Choice], shared: list[Choice]) -> None:
        from ebpftop.ui.screens.choosing import Choosing, Line

        choices, made = [*alone, *shared], self.feed.selection.values
        if not choices:
            self.notify("nothing here to select", markup=False)
            return
        lines = [Line(each.title, each.text, (each.dimension, each.value) in made) for each in choices]

        async def chosen(at: int | None) -> None:
            if at is not None:
                await self.narrow(self.feed.selection.turned(choices[at]))

        self.app.push_screen(Choosing("Select in all views", lines, "full_stop"), chosen)

    def action_group(self) -> None:
        from ebpftop.ui.screens.choosing import Choosing, Line

        panel = self.panel
        if panel is None or not panel.groupings:
            self.notify("nothing here to group by", markup=False)
            return
        kinds = [*([] if panel.always_groups else [None]), *panel.groupings]
        lines = [Line("by " + each.title if each else "each row by itself", "", each == panel.summed) for each in kinds]

        async def chosen(at: int | None) -> None:
            if at is not None:
                panel.group = kinds[at]
                await self.draw_front()

        self.app.push_screen(Choosing("Sum the rows", lines, "B"), chosen)

    async def action_invert(self) -> None:
        await self.narrow(self.feed.selection.inverted())

    async def action_widen(self) -> None:
        await self.narrow(self.feed.selection.widened())
