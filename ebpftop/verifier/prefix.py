"""Learns the prefix that a file adds to every line of a log from the lines that show an instruction.

All text before `N: (opcode) ` is the prefix, be it a container's name, a time stamp, a level or the beginning of a line
of JSON. Its numbers and its level may differ from line to line; the rest is constant.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain

SAMPLED = 400  # lines at each end
LONGEST = 400  # characters: a longer one isn't a prefix
_MOST_SHAPES = 4

INSTRUCTION = re.compile(r"(?<!\w)\d{1,9}: (?:\([0-9a-f]{2}\) |(?=<invalid ))")
_COUNT = re.compile(r"(?<!\S)processed \d+ insns \(limit ")
# The kernel's own lines, and those of loaders that `wrapping` takes apart: the text before them isn't a prefix.
_OWN = re.compile(
    r"""\s*(?:$|;|from\ \d|R\d+_?\w*=|\d+:\ (?:R\d|\())
    |.*(?:\bbefore\ $|\bload\ program:\ |[vV]erifier\ output:\ |\bR10=fp)""",
    re.VERBOSE,
)
_TOKEN = re.compile(r"\d+|\s+|\w+|.", re.DOTALL)
_LEVEL = re.compile(
    r"trace|trac?|debug?|dbg|info?|inf|notice|warn(?:ing)?|wrn|err(?:o|or)?|crit(?:ical)?|fatal?|ftl|panic", re.I
)
_LIBBPF = "libbpf: "  # not removed: libbpf's own messages have it too
_STRING = re.compile(r'(?<!\\)(?:\\\\)*"')


class Prefix:
    """The prefix that was learned; removes it from lines."""

    def __init__(self, heads: Sequence[str]) -> None:
        shapes = Counter(map(_shape, heads)).most_common(_MOST_SHAPES)
        self._form = re.compile("|".join(shape for shape, _ in shapes))

    def off(self, line: str) -> tuple[str, int] | None:
        """The line without its prefix, and how many quotes enclose it; None if the line has no such prefix."""
        match = self._form.match(line)
        return (line[match.end() :], quoted(match[0])) if match else None


def learn(lines: Sequence[str]) -> Prefix | None:
    """The prefix of most lines, learned from a sample; None if most have none."""
    heads = [head_of(line) for line in _sample(lines)]
    found = [head for head in heads if head]
    if found or "" in heads:
        return Prefix(found) if found and len(found) * 2 >= len(heads) - heads.count(None) else None
    return _from_count(lines)


def _from_count(lines: Sequence[str]) -> Prefix | None:
    """The prefix of a log without instructions: from the line that counts them, if another line begins like it."""
    for line in lines[-SAMPLED:]:
        counts = _COUNT.search(line, 0, LONGEST) if "processed " in line else None
        if counts and line[: counts.start()].strip():
            learned = Prefix([line[: counts.start()]])
            return learned if sum(learned.off(other) is not None for other in lines[-SAMPLED:]) > 1 else None
    return None


def plain(lines: Sequence[str]) -> bool:
    """Whether each sampled line that shows an instruction begins with it, and contains no other line."""
    return all(
        not head_of(line) and " processed " not in line and len(INSTRUCTION.findall(line)) < 2
        for line in _sample(lines)
    )


def head_of(line: str) -> str | None:
    """The text before the instruction in a line; None if the line shows none, or if that isn't a prefix."""
    match = INSTRUCTION.search(line, 0, LONGEST)
    head = line[: match.start()] if match else None
    if head is None or (head.strip() and _OWN.match(head)):
        return None
    return head.removesuffix(_LIBBPF) if head.strip() else ""


def quoted(head: str) -> int:
    """How many double quotes enclose what follows: 0, 1, or 2 for a string in a string."""
    if len(_STRING.findall(head)) % 2 == 0:
        return 0
    return 2 if head.endswith('\\"') else 1


def _sample(lines: Sequence[str]) -> Iterator[str]:
    ends = chain(lines[:SAMPLED], lines[max(SAMPLED, len(lines) - SAMPLED) :])
    return (line for line in ends if ": (" in line[:LONGEST] or ": <invalid " in line[:LONGEST])


def _shape(head: str) -> str:
    """A pattern for prefixes like this one."""
    tokens = _TOKEN.findall(head)
    shape = ""
    for place, token in enumerate(tokens):
        if token.isspace():
            last = place == len(tokens) - 1
            shape += rf"\s{{0,{len(token)}}}" if last else r"\s*" if place == 0 else r"\s+"
        elif token.isdigit():
            shape += r"\d+"
        elif any(map(str.isdigit, token)):
            shape += r"\w+"
        else:
            shape += "[A-Za-z]+" if _LEVEL.fullmatch(token) else re.escape(token)
    return shape
