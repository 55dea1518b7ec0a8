"""A parser of command lines that is quick to make."""

from __future__ import annotations

import argparse
import os
import sys

TYPE_CHECKING = False  # `typing` would take a tenth of the time of --help
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn


class _Help(argparse.RawDescriptionHelpFormatter):
    """As wide as argparse makes it, which would import what packs archives to learn that."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_columns() - 2)


class Parser(argparse.ArgumentParser):
    def __init__(self, **given: Any) -> None:
        super().__init__(**given, formatter_class=_Help)

    def error(self, message: str) -> NoReturn:
        """The message quotes words of the command line."""
        from ebpftop.base.inert import inert

        super().error(inert(message))


class Later:
    """A parser that is made when it is used. fill: adds its arguments. Making those of all commands, of which one is
    used, would take as long as --help.
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
