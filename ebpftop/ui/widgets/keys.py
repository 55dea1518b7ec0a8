"""The last line: the keys that work here, as many as fit; clicking one presses it."""

from __future__ import annotations

from textual import events
from textual.binding import Binding
from textual.content import Content
from textual.screen import Screen
from textual.style import Style

from ebpftop.ui.widgets.kept import Words

AT_80 = 5  # keys shown below 100 columns
LAST = ("tiles", "let_go", "app.pop_screen", "help", "quit")  # actions always shown, at the end


class KeyLine(Words):
    DEFAULT_CSS = """
    KeyLine {
        dock: bottom;
        height: 1;
        padding: 0 1;
        background: $panel;
        color: $quiet;
    }
    """

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._bindings_changed)

    def _bindings_changed(self, _screen: Screen[object]) -> None:
        self.update_lines()

    def words(self) -> Content:
        width = self.content_size.width
        shown = self._shown()
        last = [binding for binding in shown if binding.action in LAST]
        first = [binding for binding in shown if binding.action not in LAST]
        if self.app.size.width < 100:
            first = first[: AT_80 - len(last)]
        gap = Content("   ")
        while True:
            line = gap.join(self._key(binding) for binding in (*first, *last))
            if line.cell_length <= width or not first:
                return line
            first.pop()

    def _shown(self) -> list[Binding]:
        """Bindings of the focused widget first, then the screen's, then the app's; one per action, with its shortest
        key that works now: `q`, but `Ctrl-Q` while typing.
        """
        by_action: dict[str, Binding] = {}
        for active in self.screen.active_bindings.values():
            if active.enabled and active.binding.show:
                other = by_action.setdefault(active.binding.action, active.binding)
                if len(self.app.get_key_display(active.binding)) < len(self.app.get_key_display(other)):
                    by_action[active.binding.action] = active.binding
        return list(by_action.values())

    def on_click(self, event: events.Click) -> None:
        if key := event.style.meta.get("key"):
            self.app.simulate_key(key)

    def _key(self, binding: Binding) -> Content:
        press = Style.from_meta({"key": binding.key})
        key = Content.styled(self.app.get_key_display(binding), "bold $foreground").stylize(press)
        return Content.assemble(key, " ", Content(binding.description).stylize(press))
