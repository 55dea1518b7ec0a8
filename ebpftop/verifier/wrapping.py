"""Extracts the kernel's own lines from the additions of loaders, journals and terminals.

The prefix of each line is learned (see `prefix`). If no line shows an instruction to learn from, these are known:
dmesg's and journald's prefixes, time stamps of Go's log package, logfmt (`level=warning msg="…"`), libbpf's `libbpf: `
before each line (until 0.4), quotes of mails, ANSI colours, Windows' line ends; and, of cilium/ebpf
(internal/errors.go), the whole log or its last lines in one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from ebpftop.verifier import oneline, prefix

LONGEST = 8_192  # characters of a line that are read: eight times the kernel's own limit of a message

_SIGNS = ("\x1b", "\r", "\0", "\\n", "oad program: ", "Verifier output: ", "libbpf: ", "msg=")
_KERNELS_FIRST = frozenset(["", " ", "\t", *"0123456789;Rfcrtpiu"])  # R0=, from, caller:, returning, processed, invalid
_ANSI = re.compile(r"\x1b(?:\[[0-9;:?]*[ -/]*[@-~]|\][^\x07\x1b]{0,200}(?:\x07|\x1b\\)|[@-Z\\-_])")
_TIME = r"\d\d:\d\d:\d\d(?:[.,]\d+)?"
_PREFIX = re.compile(
    rf"""(?:<\d>)?(?:
      \[\ *\d+\.\d+\](?:\[\ *[TC]\d+\])?\ ?(?:BPF:\ ?)?                           # dmesg
    | \[[A-Z][a-z]{{2}}\ [A-Z][a-z]{{2}}\ [ \d]\d\ {_TIME}\ \d{{4}}\]\ ?(?:BPF:\ ?)?     # dmesg -T
    | (?:[A-Z][a-z]{{2}}\ [ \d]\d\ {_TIME} | \d{{4}}-\d\d-\d\dT{_TIME}(?:Z|[-+]\d\d:?\d\d)?)
      \ [\w.-]+\ [^\s\[\]:]+(?:\[\d+\])?:\ ?(?:\[\ *\d+\.\d+\]\ ?)?(?:BPF:\ ?)?   # journald, syslog
    | \d{{4}}[-/]\d\d[-/]\d\d[T ]{_TIME}Z?\ ?                                     # Go's log package
    )""",
    re.VERBOSE,
)
_QUOTED = re.compile(r"(?:> ?)+")
_FIELD = re.compile(
    r'(?<![\w.-])(?:"(?:msg|message|err|error|log|cause|reason)": ?|(?:msg|message|err|error|cause|reason)=)'
    r'"((?:[^"\\]|\\.)*)"'
)
_MOST_FIELDS = 8
_LOGFMT = re.compile(r'(?:^|(?<=" ))[a-zA-Z_.]{1,40}=')  # at the start, or after klog's message
_OPEN = re.compile(r"\bload program: [^:]{1,60}: \S")
_OMITTED = re.compile(r"\((?:truncated, )?\d+ line(?:s|\(s\))? omitted\)\s*$")
_MOST_WRAPPED = 8  # lines of one summary
_KERNELS = re.compile(r"(?:\d+: |from \d+ to \d+|R\d+ |;|processed \d+ insns|-- (?:BEGIN|END) )")
_ESCAPED = re.compile(r"\\n(?:\\t)?\s*(?:\d+: (?:\(|R)|processed \d)")
_QUOTE = re.compile(r'(?<!\\)"')
_ESCAPE = re.compile(r"\\(.)")
_UNESCAPED = {"n": "\n", "t": "\t", "r": ""}
_SUMMARY = re.compile(
    r"(?P<head>.*\bload program: [^:]{1,60}): (?P<body>.*?)"
    r"(?: \((?:truncated|(?:truncated, )?\d+ line(?:s|\(s\))? omitted)\))?\s*$"
)
_JOINED = re.compile(r"[:;|] (?=R\d+ |[a-z]+ )")
_RUST = re.compile(r"(?P<head>.*\bVerifier output: )(?P<body>.*)")


def unwrap(lines: list[str]) -> list[str]:
    """The lines without these additions; a line that contains several of the kernel's becomes several."""
    return lines if _is_plain(lines) else list(_unwrapped(lines))


def _is_plain(lines: list[str]) -> bool:
    """Whether there is surely nothing to remove: a fast check for logs as the kernel wrote them."""
    text = "\n".join(lines)
    return (
        not any(sign in text for sign in _SIGNS)
        and max(map(len, lines), default=0) <= LONGEST
        and all(line[:1] in _KERNELS_FIRST and line[4:5] not in ("-", "/") for line in lines)
        and prefix.plain(lines)
    )


def _unwrapped(lines: list[str]) -> Iterator[str]:
    bare = _untabled([_bare(line) for line in lines])
    learned = prefix.learn(bare)
    parts = [part for line in bare for part in _parts(line, learned)]
    at = 0
    while at < len(parts):
        ends = _summary_ends(parts, at) if _OPEN.search(parts[at]) else at
        for line in _apart(_joined(parts[at : ends + 1])):
            yield from oneline.split(line) if oneline.is_joined(line) else (line,)
        at = ends + 1


def _untabled(lines: list[str]) -> list[str]:
    """The lines without the bar that ends each row of a table."""
    rows = [line.rstrip() for line in lines if line.strip()]
    return [line.rstrip().removesuffix(" |") for line in lines] if all(row.endswith("|") for row in rows) else lines


def _summary_ends(parts: list[str], at: int) -> int:
    """The line that ends Go's summary, which a terminal may have wrapped; `at` if none does."""
    for number in range(at, min(at + _MOST_WRAPPED, len(parts))):
        if _OMITTED.search(parts[number]):
            return number if parts[number].lstrip()[:1] != "(" or number > at + 1 else at
        if number > at and _KERNELS.match(parts[number].lstrip()):
            break
    return at


def _joined(parts: list[str]) -> str:
    """Wrapped lines as one: the blank at the wrap may be present or dropped."""
    whole = parts[0]
    for part in parts[1:]:
        whole += part if whole[-1:].isspace() or part[:1].isspace() else f" {part}"
    return whole


def _bare(line: str) -> str:
    """A line without line end, colours and zero bytes."""
    line = line[:LONGEST].rstrip("\r\n")
    if "\x1b" in line:
        line = _ANSI.sub("", line)
    return line.replace("\0", "")


def _parts(line: str, learned: prefix.Prefix | None) -> Iterator[str]:
    """A line without its prefix; several if it is a string with line ends in it."""
    found = learned.off(line) if learned else None
    text, inside = found or (_unprefixed(line), 0)
    if text.startswith("libbpf: ") and _KERNELS.match(text, 8):
        text = text[8:]
    if found is None and ": (" in text and (head := prefix.head_of(text)):
        text, inside = text[len(head) :], prefix.quoted(head)
    if inside:
        for _ in range(inside):
            ends = _QUOTE.search(text)
            text = _plain(text[: ends.start()] if ends else text)
        yield from text.rstrip("\n").split("\n")
    elif "\\n" in text and (begins := _ESCAPED.search(text)):
        ends = _QUOTE.search(text, begins.end())
        yield from _plain(text[: ends.start()] if ends else text).split("\n")
    elif text[:1] == "{" or ('="' in text and _LOGFMT.search(text)):
        yield from _fields(text)
    else:
        yield text


def _fields(text: str) -> Iterator[str]:
    """The texts of a structured line's fields that may hold a message."""
    found = [_plain(match[1]) for match in islice(_FIELD.finditer(text), _MOST_FIELDS)]
    for part in found or [text]:
        yield from part.rstrip("\n").split("\n")


def _unprefixed(line: str) -> str:
    if line[:1] == ">" and line[:3] != ">>>":
        line = _QUOTED.sub("", line, count=1)
    first = line[:1]
    dated = line[4:5] in ("-", "/") if first.isdigit() else first in "<[ADFJMNOS"
    if dated and (match := _PREFIX.match(line)):
        line = line[match.end() :]
    return line


def _plain(text: str) -> str:
    """The text with escapes of Go's and JSON's strings undone."""
    return _ESCAPE.sub(lambda match: _UNESCAPED.get(match[1], match[1]), text)


def _apart(line: str) -> Iterator[str]:
    """Go's summary `load program: permission denied: 8: (79) r1 = …: R1 invalid …`, split into the original lines."""
    if "oad program: " in line and (match := _SUMMARY.match(line)):
        yield match["head"] + ":"
        yield from _JOINED.split(match["body"], maxsplit=1)
    elif "Verifier output: " in line and (match := _RUST.match(line)):
        yield match["head"]
        yield match["body"]
    else:
        yield line
