"""Parses the verifier's log: the rejected instruction, where the log shows it, and the kernel's error message.

Formats of kernels 5.15 to 7.3 (kernel/bpf/verifier.c, log.c and, from 7.3, diagnostics.c): register states, `; source`
comments, instructions as `N: (opcode) text`, the error message, from 7.3 a report, `processed N insns …`. Loaders add
lines of their own, such as libbpf's BEGIN and END, BCC's hints and cilium/ebpf's omissions. `wrapping` removes prefixes
of the kernel's lines.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice

from ebpftop.verifier import report

MOST_REMARKS = 8
# It follows the message about the argument that doesn't match the function's prototype.
OF_GLOBAL_CALL = "Caller passes invalid args into func#"
_INSTRUCTION = re.compile(r"\s*(\d{1,9}): (?:\([0-9a-f]{2}\) |(?=<invalid ))")
_REPLACED = re.compile(r"\s*\d+: (<invalid [\w -]+>)")  # by libbpf, for something that this kernel lacks
# After a jump, the kernel may continue the line: with a state, or with the error message.
_BEHIND_JUMP = re.compile(r"\s*\d+: \([0-9a-f]{2}\) (?:if .+? )?goto\w* pc[+-]\d+ +(\S.*)")
_PROCESSED = re.compile(
    r"\s*(?:(?P<before>\S.*[\w.)])(?=processed \d+ insns \(limit ))?processed (?P<count>\d{1,12}) insns"
)
# unreachable insn 3, back-edge from insn 7 to 2; not alloc_insn=3
_NAMED = re.compile(r"(?<![\w])insn (\d{1,9})(?!\d)")
_BEGINS = re.compile(r"-- BEGIN (?:PROG LOAD|DUMP) LOG --")
_ENDS = re.compile(r"-- END (?:PROG LOAD )?LOG --")
# The line above a log, for logs that show no instruction.
_HEADING = re.compile(r".*\b(?:verifier (?:log|output|analysis)|kernel error log)\b.{0,40}:\s*$", re.IGNORECASE)
# Messages about the types of functions, before the first instruction. They count only if nothing follows.
_PREAMBLE = re.compile(
    r"\s*(?:R\d type=ctx expected=fp$|reg type unsupported for arg#\d|arg#\d+ type\b.* not supported)"
)
_TRACEBACK = "Traceback (most recent call last)"
_CALL = re.compile(r"\s*\d+: \(85\) call pc[+-]")
_ARGUMENT = re.compile(rf"{_PREAMBLE.pattern}|\s*R\d type=\w+ expected=fp$")

# The verifier's other lines: states, backtracking, type information, other functions, accounting.
_NOT_AN_ERROR = re.compile(
    r"""\s*+(?:$ | ; | \d+:\ (?!\() | R\d+(?:_\w+)?= | fp-?\d+ | from\ \d+\ to\ \d+ | \d+\.+\d*:
    | func\#\d | arg\#\d+\ (?:reference\ )?type | Func\#\d | Validating\ | Live\ regs\ before | \d+:\ [.\d]+\ \(
    | last_idx | regs= | parent\ | mark_precise | propagating | frame\s?\d | caller: | callee: | to\ caller
    | returning\ from\ callee | cur\ state: | old\ state: | stack\ depth | verification\ time | processed\ \d
    | HINT: | BPF\ program\ load\ failed | (?:libbpf|bpf):(?:\ |$) | =+ | -{2,} | insns\ processed
    | .*\bload\ program:[^:]*:$ | \((?:truncated|\d+\ line(?:s|\(s\))?\ omitted)\)$
    | Prog\ section\ ' | -\ [A-Z][\w\ ]+: | .*(?<!\w)\d+:\ \([0-9a-f]{2}\)\  | Program\ ID: | Attaching\  | \[\.\.\.\]
    | Skipped\ \d+\ bytes | Error\ fetching\ | (?:load\ bpf\ program\ failed|failed\ to\ load\b.*|prog\ '[^']*'):
    | (?:Verifier\ (?:analysis|log|output)|Kernel\ error\ log|Caused\ by):\s*$ | PROCESSING\ | .*\bVerifier\ output:\s*$
    | ERROR:\ Error\ loading | Error:\ )""",
    re.VERBOSE,
)


@dataclass(frozen=True)
class Parsed:
    """The contents of a log. Its lines are counted from 0.

    error: the kernel's error message, in line error_line; "" if there is none (accepted program, empty log). remarks:
    the message and further lines below it, at most eight: the first isn't always the most important. insn: the
    instruction that the message is about, counted from 0 over the whole program. log_line: where the log last shows
    that instruction, or the line of the message if it never does. last: the instruction shown last. processed: how many
    instructions the verifier followed.
    """

    lines: list[str]
    error: str
    error_line: int | None
    insn: int | None
    log_line: int | None
    last: int | None
    processed: int | None
    report: report.Report | None
    remarks: tuple[str, ...] = ()

    @property
    def insn_text(self) -> str:
        """The rejected instruction as the log shows it, "" if it doesn't."""
        line = self.lines[self.log_line] if self.log_line is not None else ""
        return line.strip() if _INSTRUCTION.match(line) else ""


def parse(log: str) -> Parsed:
    """Read a log of any length. Works from its end, so it takes little longer than splitting the log into lines."""
    return read(log.replace("\r\n", "\n").split("\n"))


def begins(line: str) -> bool:
    """Whether a line is libbpf's mark for the beginning of a log."""
    return "-- BEGIN " in line and _BEGINS.search(line) is not None


def read(lines: list[str]) -> Parsed:
    """Read a log that is already split into lines."""
    first, last = _extent(lines)
    counted = next((n for n in range(last - 1, first - 1, -1) if _counts(lines[n])), last)
    count = _counts(lines[counted]) if counted < last else None
    end = counted + 1 if count and count["before"] else counted
    shown = _before(lines, first, end, _INSTRUCTION)
    begin = first if shown is None else shown + 1
    if shown is not None:  # the lines after a traceback are Python's
        end = next((n for n in range(begin, end) if lines[n].lstrip().startswith(_TRACEBACK)), end)
    titled = next((n for n in range(begin, end) if lines[n].lstrip().startswith(report.BEGINS)), end)
    if shown is None:  # a loader's lines above look like the message, which is the last line
        headed = next((n for n in range(end - 1, first - 1, -1) if _HEADING.match(lines[n])), -1)
        begin = max(begin, titled - MOST_REMARKS, headed + 1)
    found = report.read(lines[titled:end])
    insn = found.at.insn if found and found.at else None
    behind = _BEHIND_JUMP.match(lines[shown]) if shown is not None else None
    if behind and not _NOT_AN_ERROR.match(behind[1]):
        complaint, error = shown, behind[1].strip()
    else:
        called = shown is not None and _CALL.match(lines[shown]) is not None
        complaint = _complaint(lines, begin, titled, called=called)
        error = _message(lines[complaint]) if complaint is not None else found.title if found else ""
    if not error and shown is not None and (replaced := _REPLACED.match(lines[shown])):
        complaint, error = shown, replaced[1]
    if error and insn is None:
        insn = named(error) if named(error) is not None else _number(lines, shown, _INSTRUCTION)
    return Parsed(
        lines=lines,
        error=error,
        error_line=complaint,
        insn=insn if error else None,
        log_line=_last_shown(lines, first, end, insn, complaint) if error else None,
        last=_number(lines, shown, _INSTRUCTION),
        processed=int(count["count"]) if count else None,
        report=found,
        remarks=_remarks(lines, error, complaint, titled),
    )


def _extent(lines: list[str]) -> tuple[int, int]:
    """The lines that libbpf marks as the log, or all."""
    begin = next((n for n in range(len(lines) - 1, -1, -1) if "-- BEGIN " in lines[n] and begins(lines[n])), None)
    if begin is None:
        return 0, len(lines)
    return begin + 1, next(
        (n for n in range(begin, len(lines)) if "-- END " in lines[n] and _ENDS.search(lines[n])), len(lines)
    )


def _complaint(lines: list[str], begin: int, end: int, *, called: bool) -> int | None:
    """The first possible error message. Those about the types of arguments, before the first instruction and at calls
    of the program's own functions, count only if there is no other.
    """
    rows = [n for n in range(begin, end) if not _NOT_AN_ERROR.match(lines[n])]
    if any(OF_GLOBAL_CALL in lines[n] for n in rows):
        return rows[0]
    preamble = _ARGUMENT if called else _PREAMBLE
    return next((n for n in rows if not preamble.match(lines[n])), rows[0] if rows else None)


def _before(lines: list[str], first: int, end: int, pattern: re.Pattern[str]) -> int | None:
    """The last line that matches."""
    return next((n for n in range(end - 1, first - 1, -1) if pattern.match(lines[n])), None)


def _number(lines: list[str], at: int | None, pattern: re.Pattern[str]) -> int | None:
    match = pattern.match(lines[at]) if at is not None else None
    return int(match[1]) if match else None


def _counts(line: str) -> re.Match[str] | None:
    return _PROCESSED.match(line) if "processed " in line else None


def _message(line: str) -> str:
    """The error message in a line: some lack a newline, so that the count of instructions follows on the same line."""
    counts = _counts(line)
    return counts["before"] or "" if counts else line.strip()


def named(error: str) -> int | None:
    """The number of the instruction that an error message names; None if it names none."""
    match = _NAMED.search(error)
    return int(match[1]) if match else None


def _remarks(lines: list[str], error: str, complaint: int | None, end: int) -> tuple[str, ...]:
    if complaint is None:
        return (error,) if error else ()
    below = (_message(line) for line in lines[complaint + 1 : end] if not _NOT_AN_ERROR.match(line))
    return (error, *islice(below, MOST_REMARKS - 1))


def _last_shown(lines: list[str], first: int, end: int, insn: int | None, complaint: int | None) -> int | None:
    if insn is None:
        return complaint
    shown = (f"{insn}: (", f"{insn}: <invalid ")
    return next((n for n in range(end - 1, first - 1, -1) if lines[n].lstrip().startswith(shown)), complaint)
