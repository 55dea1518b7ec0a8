"""Manual pages, one per command, generated from the command line's parser, in man(7)'s language."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from datetime import UTC, datetime

SETTINGS = (
    "Settings: theme, interval, budget, keys and others; or in XDG_CONFIG_HOME. ',' in the dashboard opens the file in "
    "your editor. A new file lists every action with its key, as comments. '?' lists the keys in force."
)
REMEMBERED = "The probes of the last session, which the dashboard offers again; or in XDG_STATE_HOME."


def pages(parser: argparse.ArgumentParser, version: str, seconds: int) -> dict[str, str]:
    """Pages by file name. seconds: since 1970, for their date."""
    date = datetime.fromtimestamp(seconds, UTC).date().isoformat()
    commands = list(_commands(parser, "ebpftop"))
    found = {}
    for name, one, what in [
        ("ebpftop", parser, "trace the kernel live, with eBPF, in a terminal dashboard"),
        *commands,
    ]:
        others = [each for each, *_ in [("ebpftop",), *commands] if each != name]
        found[f"{name}.1"] = "\n".join(_page(name, one, what, version, date, others)) + "\n"
    return found


def _commands(parser: argparse.ArgumentParser, above: str) -> Iterator[tuple[str, argparse.ArgumentParser, str]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for each in action._choices_actions:
                one = action.choices[each.dest]
                yield f"{above}-{each.dest}", one, str(each.help)
                yield from _commands(one, f"{above}-{each.dest}")


def _page(
    name: str, parser: argparse.ArgumentParser, what: str, version: str, date: str, others: list[str]
) -> Iterator[str]:
    yield f'.TH "{name.upper()}" "1" "{date}" "ebpftop {version}" "User Commands"'
    yield ".SH NAME"
    yield f"{_text(name)} \\- {_text(what)}"
    yield ".SH SYNOPSIS"
    yield from (".nf", _text(parser.format_usage().removeprefix("usage: ").rstrip()), ".fi")
    if parser.description:
        yield ".SH DESCRIPTION"
        yield _text(parser.description)
    for group in parser._action_groups:
        shown = [each for each in group._group_actions if each.help != argparse.SUPPRESS]
        if shown:
            yield f".SH {_text(str(group.title).upper())}"
            for action in shown:
                yield from _argument(parser, action)
    yield ".SH EXIT STATUS"
    yield "0 success; 1 failure; 2 usage error; 3 impossible on this machine or for this user; the error says why."
    if parser.epilog:
        yield ".SH EXAMPLES"
        examples = [line for line in parser.epilog.splitlines() if line.startswith("  ")]
        yield from (".nf", *map(_text, examples), ".fi")
    if name == "ebpftop":
        yield ".SH FILES"
        yield from (".TP", ".I \\(ti/.config/ebpftop/config.toml", _text(SETTINGS))
        yield from (".TP", ".I \\(ti/.local/state/ebpftop/last.json", _text(REMEMBERED))
    yield ".SH SEE ALSO"
    yield ",\n".join(f".BR {_text(each)} (1)" for each in others).replace(",\n", " ,\n")


def _argument(parser: argparse.ArgumentParser, action: argparse.Action) -> Iterator[str]:
    if isinstance(action, argparse._SubParsersAction):
        for each in action._choices_actions:
            yield from (".TP", f".B {_text(each.dest)}", _text(str(each.help)))
        return
    formatter = parser._get_formatter()
    default = formatter._get_default_metavar_for_optional(action)
    value = "" if action.nargs == 0 else formatter._format_args(action, default)
    words = ", ".join(f"\\fB{_text(each)}\\fR" for each in action.option_strings)
    yield from (".TP", f"{words} \\fI{_text(value)}\\fR".strip() if words else f"\\fI{_text(value)}\\fR")
    yield _text((action.help or "").replace("%%", "%").replace("%(prog)s", parser.prog)) or "\\&"


def _text(text: str) -> str:
    """The text with all characters escaped that could be read as a request, an escape or a hyphen."""
    plain = text.replace("\\", "\\e").replace("-", "\\-")
    plain = "".join(each if each.isascii() else f"\\[u{ord(each):04X}]" for each in plain)
    return "\n".join(f"\\&{line}" if line.startswith((".", "'")) else line for line in plain.splitlines())
