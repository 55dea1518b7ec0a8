"""Completion in the shell: commands, options, probes, parameters and their values. No root, no BPF."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path

from ebpftop.base.errors import UserError
from ebpftop.base.inert import inert
from ebpftop.catalog import find, folders
from ebpftop.catalog.model import Param

FILES, FOLDERS = ":files", ":folders"  # lines that ask the shell to complete paths itself
_PATHS = {"TAPE": FILES, "FILE": FILES, "LOG": FILES, "DIR": FOLDERS}  # by metavar
_BOOL = ("true", "false")

_SCRIPTS = {"bash": "ebpftop.bash", "zsh": "_ebpftop", "fish": "ebpftop.fish"}  # named as the shells expect


def script(arguments: argparse.Namespace) -> int:
    """Print the completion script for a shell."""
    print((resources.files("ebpftop") / "completion" / _SCRIPTS[arguments.shell]).read_text(), end="")
    return 0


def complete(parser: argparse.ArgumentParser, words: Sequence[str]) -> int:
    """Print a line for each completion: the word, a tab, its description; or `FILES` or `FOLDERS`."""
    for word, what in offers(parser, list(words) or [""]):
        print(f"{word}\t{inert(what)}" if what else word)
    return 0


def offers(parser: argparse.ArgumentParser, words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The completions of the last word, with descriptions."""
    *before, current = words
    place = _Place(parser)
    for word in before:
        place.take(word)
    if place.wanted is None and current.startswith("-"):
        found = place.options()
        name, equals, _ = current.partition("=")
        option = place.option(name) if equals else None
        if option is not None:
            found = ((f"{name}={value}", what) for value, what in place.values(option))
    elif (action := place.wanted or place.positional()) is not None:
        found = place.values(action, current)
    else:
        found = iter(())
    for word, what in found:
        if word.startswith(current) or word in (FILES, FOLDERS):
            yield word, what


class _Place:
    """The position in a command line. wanted: the option whose value comes next."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self._parser = parser
        self._taken = 0
        self._folders: list[Path] = []
        self._probes: list[str] = []
        self.wanted: argparse.Action | None = None

    def take(self, word: str) -> None:
        """Consume a word."""
        if self.wanted is not None:
            if self.wanted.metavar == "DIR" and "--probes" in self.wanted.option_strings:
                self._folders.append(Path(word))
            self.wanted = None
        elif word.startswith("-") and word != "-":
            name, equals, _ = word.partition("=")
            option = self.option(name)
            if option is not None and option.nargs is None and not equals:
                self.wanted = option
        elif (action := self.positional()) is not None:
            if isinstance(action, argparse._SubParsersAction):
                self._parser, self._taken = action.choices.get(word, _NOTHING), 0
                return
            if action.metavar == "PROBE":
                self._probes.append(word)
            self._taken += action.nargs not in ("*", "+")

    def option(self, name: str) -> argparse.Action | None:
        return next((each for each in self._parser._actions if name in each.option_strings), None)

    def positional(self) -> argparse.Action | None:
        """The argument that a word without a dash belongs to."""
        actions = [each for each in self._parser._actions if not each.option_strings]
        return actions[self._taken] if self._taken < len(actions) else None

    def options(self) -> Iterator[tuple[str, str]]:
        for action in self._parser._actions:
            if action.help != argparse.SUPPRESS:
                yield from ((each, _first(action.help)) for each in action.option_strings if each.startswith("--"))

    def values(self, action: argparse.Action, current: str = "") -> Iterator[tuple[str, str]]:
        """The possible values of an argument or an option, with descriptions."""
        if isinstance(action, argparse._SubParsersAction):
            yield from ((each.dest, _first(each.help)) for each in action._choices_actions)
        elif action.choices is not None:
            yield from ((str(each), "") for each in action.choices)
        elif action.metavar in ("PROBE", "PLAYBOOK", "PLAYBOOK|TAPE"):
            yield from self._catalog(probes=action.metavar == "PROBE")
            if action.metavar == "PLAYBOOK|TAPE":
                yield FILES, ""
        elif action.dest == "param":
            yield from self._parameters(current)
        elif action.metavar in _PATHS:
            yield _PATHS[str(action.metavar)], ""

    def _catalog(self, *, probes: bool) -> Iterator[tuple[str, str]]:
        catalog = folders.read_catalog(self._folders)
        if not probes:
            yield from ((each.info.name, each.info.title) for each in catalog.playbooks.values())
            return
        for probe in catalog.probes.values():
            yield probe.id.partition("/")[2], probe.title
        for probe in catalog.probes.values():
            yield probe.id, probe.title

    def _parameters(self, current: str) -> Iterator[tuple[str, str]]:
        name, equals, _ = current.partition("=")
        for each in self._params():
            if not equals:
                yield f"{each.name}=", each.help
            elif each.name == name:
                values = each.choices or (_BOOL if each.type == "bool" else ())
                yield from ((f"{name}={value}", "") for value in values)

    def _params(self) -> list[Param]:
        found: dict[str, Param] = {}
        for name in self._probes:
            try:
                probe = find.find(folders.read_catalog(self._folders, only=name).probes, name)
            except (find.UnknownProbe, UserError):
                continue
            found.update((each.name, each) for each in probe.params)
        return list(found.values())


_NOTHING = argparse.ArgumentParser(add_help=False)


def _first(text: str | None) -> str:
    """The first part of a help text, before the details."""
    return (text or "").partition(";")[0].partition(" (default")[0]
