"""The README's table of commands lists each command there is, with options that exist, and no other."""

from __future__ import annotations

import argparse
import re

import pytest

from ebpftop.cli import parser
from tests.support.command import CHECKOUT

ROWS = re.findall(r"^\| `ebpftop ?([^`]*)` \|", (CHECKOUT / "README.md").read_text(), re.MULTILINE)


def commands(
    of: argparse.ArgumentParser, before: tuple[str, ...] = ()
) -> dict[tuple[str, ...], argparse.ArgumentParser]:
    """Those that the help lists and that have no commands of their own, by their words."""
    found = {}
    for action in of._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name in (each.dest for each in action._choices_actions):
                one = action.choices[name]
                found |= commands(one, (*before, name)) or {(*before, name): one}
    return found


COMMANDS = commands(parser())


def words(row: str) -> tuple[str, ...]:
    """The command that a row is about."""
    named = row.split()
    return next((tuple(named[:count]) for count in (2, 1) if tuple(named[:count]) in COMMANDS), ())


def test_there_are_commands() -> None:
    assert ("threads",) in COMMANDS
    assert ("tape", "cut") in COMMANDS
    assert len(ROWS) > len(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_command_is_in_the_table(command: tuple[str, ...]) -> None:
    assert command in {words(row) for row in ROWS}
    description = COMMANDS[command].description
    assert description
    assert description in " ".join(COMMANDS[command].format_help().split())


@pytest.mark.parametrize("row", [row for row in ROWS if row])
def test_what_the_table_lists_exists(row: str) -> None:
    command = words(row)
    assert command, f"there is no command {row}"
    known = {option for action in COMMANDS[command]._actions for option in action.option_strings}
    options = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", row)) - {"-"}
    assert options <= known
