"""One iteration of the loop that the verifier was in: the jump back, and the branches that did not leave the loop."""

from __future__ import annotations

from collections.abc import Sequence

from ebpftop.verifier.instruction import SHOWN, decode
from ebpftop.verifier.path import Visit, back
from ebpftop.verifier.source import Quotes
from ebpftop.verifier.step import Step

MOST = 12  # steps


def turn(lines: Sequence[str], at: int, quotes: Quotes) -> list[Step]:
    """The jumps and branches of the iteration before the instruction in line `at`, oldest first, and that instruction;
    only the instruction if the log doesn't show a whole iteration.
    """
    shown = SHOWN.match(lines[at])
    if shown is None:
        return []
    end = int(shown[1])
    steps: list[Step] = []
    after = end
    for visit in back(lines, at):
        if why := _why(visit, after):
            steps.append(Step(visit.insn, visit.does.text, why, quotes.at(visit.line)))
        after = visit.insn
        if visit.insn == end:
            break
        if len(steps) >= MOST:
            break
    else:
        steps = []
    why = "here the verifier gave up"
    if steps and steps[-1].insn == end:
        why = f"{steps.pop().why}; {why}"
    return [*steps[::-1], Step(end, decode(shown[2]).text, why, quotes.at(at))]


def _why(visit: Visit, after: int) -> str:
    if visit.does.op in ("branch", "jump") and after <= visit.insn:
        return f"comes back to instruction {after}"
    if visit.does.op == "branch":
        return "this branch is taken" if visit.taken else "this branch is not taken"
    return ""
