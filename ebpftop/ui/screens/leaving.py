"""Screens that are left only once: a second key before the first was handled does nothing."""

from __future__ import annotations

from typing import ClassVar, TypeVar

from textual.await_complete import AwaitComplete
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen, Screen

T = TypeVar("T")


class Leaving(Screen[T]):
    """A screen in front of another."""

    @property
    def is_in_front(self) -> bool:
        return self.app.screen_stack[-1:] == [self]

    @property
    def is_seen(self) -> bool:
        """Whether no other screen covers it, and the terminal has room for it."""
        return self.is_in_front and getattr(self.app, "lacking", None) is None

    async def look(self) -> None:
        """Draw what has changed, if it isn't drawn anyway."""

    def dismiss(self, result: T | None = None) -> AwaitComplete:
        """Leave it, unless another screen has come in front: Textual would close that one."""
        return super().dismiss(result) if self.is_in_front else AwaitComplete()


class Dialog(Leaving[T], ModalScreen[T]):
    """The same in front of a screen that stays visible. Textual keeps the application's keys from it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+q", "app.quit", "quit", show=False)]
    DEFAULT_CSS = """
    Dialog {
        & OptionList:nocolor:focus > .option-list--option-highlighted { text-style: bold underline; }
    }
    """
