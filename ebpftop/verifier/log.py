"""The verifier's log: which instruction it refused, at which line of the log, and the kernel's complaint in one line.

Formats of kernels 5.15 to 7.3 (kernel/bpf/verifier.c, log.c and, from 7.3, diagnostics.c): register states, `; source`
comments, instructions as `N: (opcode) text`, the complaint, from 7.3 a report, `processed N insns …`. Around them
loaders write lines of their own, such as libbpf's BEGIN and END, BCC's hints and cilium/ebpf's omissions; what stands
before each of the kernel's lines is `wrapping`'s.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice

from ebpftop.verifier import report

MOST_REMARKS = 8
# Stands behind what is wrong with an argument, which the function's prototype asks for.
OF_GLOBAL_CALL = "Caller passes invalid args into func#"
_INSTRUCTION = re.compile(r"\s*(\d{1,9}): (?:\([0-9a-f]{2}\) |(?=<invalid ))")
_REPLACED = re.compile(r"\s*\d+: (<invalid [\w -]+>)")  # by libbpf, for what this kernel lacks
# The kernel may write on behind a jump: a state, or the complaint.
_BEHIND_JUMP = re.compile(r"\s*\d+: \([0-9a-f]{2}\) (?:if .+? )?goto\w* pc[+-]\d+ +(\S.*)")
_PROCESSED = re.compile(
    r"\s*(?:(?P<said>\S.*[\w.)])(?=processed \d+ insns \(limit ))?processed (?P<count>\d{1,12}) insns"
)
# unreachable insn 3, back-edge from insn 7 to 2; not alloc_insn=3
_NAMED = re.compile(r"(?<![\w])insn (\d{1,9})(?!\d)")
_BEGINS = re.compile(r"-- BEGIN (?:PROG LOAD|DUMP) LOG --")
_ENDS = re.compile(r"-- END (?:PROG LOAD )?LOG --")
# Above a log, where no instruction shows where it is.
_HEADING = re.compile(r".*\b(?:verifier (?:log|output|analysis)|kernel error log)\b.{0,40}:\s*$", re.IGNORECASE)
# What kernels write while they read the types of functions, before the first instruction. It counts if nothing follows.
_PREAMBLE = re.compile(
    r"\s*(?:R\d type=ctx expected=fp$|reg type unsupported for arg#\d|arg#\d+ type\b.* not supported)"
)

# What the verifier tells besides: states, backtracking, type information, other functions, accounting.
_TALK = re.compile(
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
    """A log, read. Lines of it are counted from 0.

    error: the kernel's complaint, in line error_line; "" if there is none (accepted program, empty log). remarks: the
    complaint and what else is said below it, at most eight lines, where the first isn't what matters most. insn: the
    instruction it is about, counted from 0 over the whole program. log_line: where the log shows that instruction last;
    where it never does, the complaint's own line. last: the instruction shown last. processed: how many instructions
    the verifier looked at.
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
        """The refused instruction as the log shows it, "" where it doesn't."""
        line = self.lines[self.log_line] if self.log_line is not None else ""
        return line.strip() if _INSTRUCTION.match(line) else ""


def parse(log: str) -> Parsed:
    """Read a log of any length; works from its end, so the time is about that of splitting it into lines."""
    return read(log.replace("\r\n", "\n").split("\n"))


def begins(line: str) -> bool:
    """Whether libbpf says in a line that a log begins."""
    return "-- BEGIN " in line and _BEGINS.search(line) is not None


def read(lines: list[str]) -> Parsed:
    """The same of a log that is split already."""
    first, last = _extent(lines)
    counted = next((n for n in range(last - 1, first - 1, -1) if _counts(lines[n])), last)
    count = _counts(lines[counted]) if counted < last else None
    end = counted + 1 if count and count["said"] else counted
    shown = _before(lines, first, end, _INSTRUCTION)
    begin = first if shown is None else shown + 1
    titled = next((n for n in range(begin, end) if lines[n].lstrip().startswith(report.BEGINS)), end)
    if shown is None:  # what a loader said before can't be told from the complaint, which comes last
        headed = next((n for n in range(end - 1, first - 1, -1) if _HEADING.match(lines[n])), -1)
        begin = max(begin, titled - MOST_REMARKS, headed + 1)
    told = report.read(lines[titled:end])
    insn = told.at.insn if told and told.at else None
    behind = _BEHIND_JUMP.match(lines[shown]) if shown is not None else None
    if behind and not _TALK.match(behind[1]):
        complaint, error = shown, behind[1].strip()
    else:
        complaint = _complaint(lines, begin, titled)
        error = _said(lines[complaint]) if complaint is not None else told.title if told else ""
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
        report=told,
        remarks=_remarks(lines, error, complaint, titled),
    )


def _extent(lines: list[str]) -> tuple[int, int]:
    """The lines libbpf marks as the log, or all."""
    begin = next((n for n in range(len(lines) - 1, -1, -1) if "-- BEGIN " in lines[n] and begins(lines[n])), None)
    if begin is None:
        return 0, len(lines)
    return begin + 1, next(
        (n for n in range(begin, len(lines)) if "-- END " in lines[n] and _ENDS.search(lines[n])), len(lines)
    )


def _complaint(lines: list[str], begin: int, end: int) -> int | None:
    """The first line that is no talk, but not what was written before the first instruction if more follows."""
    said = [n for n in range(begin, end) if not _TALK.match(lines[n])]
    if any(OF_GLOBAL_CALL in lines[n] for n in said):
        return said[0]
    return next((n for n in said if not _PREAMBLE.match(lines[n])), said[0] if said else None)


def _before(lines: list[str], first: int, end: int, pattern: re.Pattern[str]) -> int | None:
    """The last line that matches."""
    return next((n for n in range(end - 1, first - 1, -1) if pattern.match(lines[n])), None)


def _number(lines: list[str], at: int | None, pattern: re.Pattern[str]) -> int | None:
    match = pattern.match(lines[at]) if at is not None else None
    return int(match[1]) if match else None


def _counts(line: str) -> re.Match[str] | None:
    return _PROCESSED.match(line) if "processed " in line else None


def _said(line: str) -> str:
    """The complaint in a line: some end without a newline, and the count of instructions follows at once."""
    counts = _counts(line)
    return counts["said"] or "" if counts else line.strip()


def named(error: str) -> int | None:
    """The instruction that a complaint names by its number."""
    match = _NAMED.search(error)
    return int(match[1]) if match else None


def _remarks(lines: list[str], error: str, complaint: int | None, end: int) -> tuple[str, ...]:
    if complaint is None:
        return (error,) if error else ()
    below = (_said(line) for line in lines[complaint + 1 : end] if not _TALK.match(line))
    return (error, *islice(below, MOST_REMARKS - 1))


def _last_shown(lines: list[str], first: int, end: int, insn: int | None, complaint: int | None) -> int | None:
    if insn is None:
        return complaint
    shown = (f"{insn}: (", f"{insn}: <invalid ")
    return next((n for n in range(end - 1, first - 1, -1) if lines[n].lstrip().startswith(shown)), complaint)
