"""The kernel's own lines out of what loaders, journals and terminals wrap around them.

Known: dmesg's and journald's prefixes, time stamps of Go's log package, logfmt (`level=warning msg="…"`), libbpf's
`libbpf: ` before each line (until 0.4), quotes of mails, ANSI colours, Windows' line ends; and, of cilium/ebpf
(internal/errors.go), the whole log or its last lines in one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

LONGEST = 8_192  # characters of a line that are looked at: eight times the kernel's own limit of a message

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
_LOGFMT = re.compile(r'(?:time=|level=|ts=).{0,200}?\bmsg="((?:[^"\\]|\\.)*)"')
_KERNELS = re.compile(r"(?:\d+: |from \d+ to \d+|R\d+ |;|processed \d+ insns|-- (?:BEGIN|END) )")
_ESCAPED = re.compile(r"\\n(?:\\t)?\s*(?:\d+: (?:\(|R)|processed \d)")
_QUOTE = re.compile(r'(?<!\\)"')
_ESCAPE = re.compile(r"\\(.)")
_UNESCAPED = {"n": "\n", "t": "\t", "r": ""}
_SUMMARY = re.compile(
    r"(?P<head>.*\bload program: [^:]{1,60}): (?P<said>.*?)"
    r"(?: \((?:truncated|(?:truncated, )?\d+ line(?:s|\(s\))? omitted)\))?$"
)
_JOINED = re.compile(r": (?=R\d+ |[a-z]+ )")
_RUST = re.compile(r"(?P<head>.*\bVerifier output: )(?P<said>.*)")


def unwrap(lines: list[str]) -> list[str]:
    """The lines without what was put around them; one that holds several of the kernel's becomes several."""
    return lines if _is_plain(lines) else list(_unwrapped(lines))


def _is_plain(lines: list[str]) -> bool:
    """Whether there is surely nothing to take off: told in a tenth of the time, of the log as the kernel gave it."""
    text = "\n".join(lines)
    return (
        not any(sign in text for sign in _SIGNS)
        and max(map(len, lines), default=0) <= LONGEST
        and all(line[:1] in _KERNELS_FIRST and line[4:5] not in ("-", "/") for line in lines)
    )


def _unwrapped(lines: list[str]) -> Iterator[str]:
    for line in lines:
        line = line[:LONGEST].rstrip("\r\n")
        if "\x1b" in line:
            line = _ANSI.sub("", line)
        line = _unprefixed(line.replace("\0", ""))
        if "\\n" in line and (begins := _ESCAPED.search(line)):
            ends = _QUOTE.search(line, begins.end())
            for part in _plain(line[: ends.start()] if ends else line).split("\n"):
                yield from _apart(part)
        else:
            yield from _apart(line)


def _unprefixed(line: str) -> str:
    if line[:1] == ">" and line[:3] != ">>>":
        line = line[_QUOTED.match(line).end() :]  # type: ignore[union-attr]  # it begins with one
    first = line[:1]
    dated = line[4:5] in ("-", "/") if first.isdigit() else first in "<[ADFJMNOS"
    if dated and (match := _PREFIX.match(line)):
        line = line[match.end() :]
    if line[:2] in ("ti", "le", "ts") and (match := _LOGFMT.match(line)):
        line = _plain(match[1])
    if line.startswith("libbpf: ") and _KERNELS.match(line, 8):
        line = line[8:]
    return line


def _plain(text: str) -> str:
    """Escapes of Go's and JSON's strings undone."""
    return _ESCAPE.sub(lambda match: _UNESCAPED.get(match[1], match[1]), text)


def _apart(line: str) -> Iterator[str]:
    """Go's summary `load program: permission denied: 8: (79) r1 = …: R1 invalid …`, line by line as it was."""
    if "oad program: " in line and (match := _SUMMARY.match(line)):
        yield match["head"] + ":"
        yield from _JOINED.split(match["said"], maxsplit=1)
    elif "Verifier output: " in line and (match := _RUST.match(line)):
        yield match["head"]
        yield match["said"]
    else:
        yield line
