"""The keys of actions: those from the settings, where possible.

An action that settings can name has an id in its binding. Different screens show different keys; the groups of the help
tell which ones share a screen, and so can collide.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from string import punctuation

from textual.binding import Binding, BindingType
from textual.keys import Keys

from ebpftop.base.inert import quoted
from ebpftop.base.nearest import nearest
from ebpftop.ui.app.guide import OWN, groups, groups_for
from ebpftop.ui.screens.dashboard import Dashboard

SAME = {"ctrl+h": "backspace", "ctrl+i": "tab", "ctrl+m": "enter"}  # to a terminal
NAMED = frozenset(key.value for key in Keys if not key.value.startswith("<"))
HELD = {"ctrl+c": "the terminal's interrupt key"}


def actions(everywhere: Sequence[BindingType]) -> dict[str, Binding]:
    """The actions with a configurable key, with their first binding, in the order of the help."""
    found: dict[str, Binding] = {}
    for _, bindings in groups(everywhere):
        for binding in bindings:
            if isinstance(binding, Binding) and binding.id and binding.tooltip + binding.description:
                found.setdefault(binding.id, binding)
    return found


def listed(everywhere: Sequence[BindingType]) -> Iterator[str]:
    """Lines for a settings file that change nothing: each action with its key, as a comment."""
    for name, binding in actions(everywhere).items():
        key = next(iter(Binding.make_bindings([binding]))).key
        line = f'# {name} = "{CHARACTERS.get(key, key)}"'
        yield f"{line:<32}# {binding.tooltip or binding.description}\n"


def checked(
    wanted: Mapping[str, str], everywhere: Sequence[BindingType]
) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """The valid keys as Textual names them, by action; and what is wrong with the others, by action. Of two that
    collide, the later one keeps its default.
    """
    known, taken, wrong = actions(everywhere), dict[str, str](), list[tuple[str, str]]()
    for name, text in wanted.items():
        key = _key(text)
        if name not in known:
            wrong.append((name, f"no such action{nearest(name, known)}"))
        elif not key:
            wrong.append((name, f"{quoted(text)} is not a key such as D, ctrl+d or f5"))
        elif key in HELD:
            wrong.append((name, f"{text} is {HELD[key]}"))
        elif all(key != each.key for each in Binding.make_bindings([known[name]])):
            taken[name] = key
    while clash := next(_clashes(taken, everywhere), None):
        name, other = clash
        wrong.append((name, f"{quoted(wanted[name])} is already the key of {other}"))
        del taken[name]
    return taken, wrong


def _named(character: str) -> str:
    return next(iter(Binding.make_bindings([Binding("comma" if character == "," else character, "")]))).key


def _key(text: str) -> str:
    """The key as Textual names it; "" if there is none."""
    if len(text) == 1 and text.isprintable() and not text.isspace():
        return _named(text)
    text = text.strip().lower().replace("-", "+")
    modifier, _, rest = text.rpartition("+")
    one = len(rest) == 1 and rest.isascii() and rest.isalnum()
    if text in NAMED or (one and modifier in ("ctrl", "alt")):
        return SAME.get(text, text)
    return ""


def _clashes(taken: Mapping[str, str], everywhere: Sequence[BindingType]) -> Iterator[tuple[str, str]]:
    """Actions, the last first, whose key on one of the screens also belongs to another action, and
    that action's name.
    """
    screens = [list(_held(taken, kind, everywhere)) for kind in (Dashboard, *OWN)]
    for name in reversed([*taken]):
        for held in screens:
            mine = {key for key, other, _ in held if other == name}
            for key, other, words in held:
                if other != name and key in mine:
                    yield name, words


def _held(
    taken: Mapping[str, str], kind: type, everywhere: Sequence[BindingType]
) -> Iterator[tuple[str, str | None, str]]:
    """(key, id, name) of each key on a kind of screen."""
    for _, bindings in groups_for(kind, everywhere):
        for binding in Binding.make_bindings(bindings):
            key = taken.get(binding.id or "", binding.key)
            yield key, binding.id, binding.id or binding.description or binding.action.partition("(")[0]


CHARACTERS = {_named(character): character for character in punctuation}
