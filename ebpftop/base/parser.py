"""A command-line parser that is quick to create."""

from __future__ import annotations

import argparse
import os
import sys

TYPE_CHECKING = False  # `typing` would take a tenth of the time of --help
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn


class _Help(argparse.RawDescriptionHelpFormatter):
    """Help with argparse's width. Without this class, argparse imports archive modules to learn that width."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_columns() - 2)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        """A text's lines, the long ones wrapped."""
        import textwrap  # which argparse itself has imported by now

        return "\n".join(textwrap.fill(line, width) for line in text.splitlines())


class Parser(argparse.ArgumentParser):
    def __init__(self, **given: Any) -> None:
        super().__init__(**given, formatter_class=_Help)

    def error(self, message: str) -> NoReturn:
        """Fail with a message, made inert because it quotes words of the command line."""
        from ebpftop.base.inert import inert

        super().error(inert(message))


class Later:
    """A parser that is created when it is used. fill: adds its arguments. Creating the parsers of all commands would
    take as long as --help, and only one is used.
    """

    def __init__(self, *, fill: Callable[[argparse.ArgumentParser], None] | None, **given: Any) -> None:
        self._fill, self._given = fill, given
        self._made: Parser | None = None

    def __getattr__(self, name: str) -> Any:
        if self._made is None:
            self._made = Parser(**self._given)
            if self._fill is not None:
                self._fill(self._made)
        return getattr(self._made, name)


def _columns() -> int:
    try:
        return int(os.environ["COLUMNS"]) or 80
    except (KeyError, ValueError):
        pass
    try:
        return os.get_terminal_size(sys.__stdout__.fileno()).columns or 80 if sys.__stdout__ else 80
    except (OSError, ValueError):
        return 80
