"""The facts about one frame of call stacks besides its name: its symbol, its module, and its source lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from ebpftop.base.gaps import explained
from ebpftop.frames.columns import Array
from ebpftop.frames.messages import Function
from ebpftop.model.stacks import Profile, StackFrame
from ebpftop.stats import formatting

MOST = 12  # lines, and addresses, that are listed

Facts = list[tuple[str, str]]
Places = Counter[int]  # numbers of a profile's functions, each with the value of the stacks through it


def places_at(profile: Profile, rows: Iterable[int], depth: int) -> Places:
    """The places at one depth of some rows; 0 is the outermost."""
    found: Places = Counter()
    for row in rows:
        found[int(profile.stacks[row][depth])] += int(profile.counts[row])
    return found


def places_of(profile: Profile, frame: StackFrame) -> Places:
    """All places of that function."""
    same = {at for at, each in enumerate(profile.functions) if StackFrame.of(each) == frame}
    found: Places = Counter()
    for stack, count in zip(profile.stacks, profile.counts.tolist(), strict=True):
        for place in same.intersection(_numbers(stack)):
            found[place] += count
    return found


def _numbers(stack: Array) -> list[int]:
    numbers: list[int] = stack.tolist()
    return numbers


def source(function: Function) -> str:
    """`main.c:17`, or "" if unknown."""
    return f"{function.file}:{function.line}" if function.line else ""


def whereabouts(frame: StackFrame, profile: Profile, places: Places) -> tuple[str, str]:
    """A short form of the places in the source, `main.c:17` or `main.c:17 and 3 more lines`, and in the module,
    `app+0x12` or `app, 4 addresses`.
    """
    if not places:
        return "", ""
    functions = [profile.functions[place] for place, _ in places.most_common()]
    found = list(dict.fromkeys(text for each in functions if (text := source(each).rpartition("/")[2])))
    more = f" and {len(found) - 1} more line{'s' if len(found) > 2 else ''}" if len(found) > 1 else ""
    lines = found[0] + more if found else ""
    if frame.side == "python":
        return lines, frame.origin
    if len(functions) != 1:
        return lines, f"{frame.origin}, {formatting.count(len(functions))} addresses".lstrip(", ")
    return lines, f"{frame.origin}+{functions[0].offset:#x}"


def why(frame: StackFrame) -> Facts:
    """Why its name, or the rest of the stack, is missing."""
    told = explained(frame.gap)
    return [("why", told)] if told else []


def facts(profile: Profile, places: Places, unit: str) -> Facts:
    """The facts besides name and module. Lines and addresses come with their values, the greatest first."""
    functions = [(profile.functions[place], value) for place, value in places.most_common()]
    symbols = dict.fromkeys(each.symbol for each, _ in functions if each.symbol)
    found: Facts = [("symbol", symbol) for symbol in list(symbols)[:MOST]]
    found += _listed("source", functions, source, unit)
    functions = [(each, value) for each, value in functions if each.side != "python"]  # whose code has no address
    found += _listed("address", functions, lambda each: f"+{each.offset:#x}", unit)
    return found


def _listed(title: str, functions: list[tuple[Function, int]], text: Callable[[Function], str], unit: str) -> Facts:
    values: Counter[str] = Counter()
    for function, value in functions:
        values[text(function)] += value
    if not any(values):
        return []
    lines = [f"{each or 'unknown'}   {formatting.value(value, unit)}" for each, value in values.most_common(MOST)]
    if len(values) > MOST:
        lines.append(f"and {formatting.count(len(values) - MOST)} more")
    return [(title if at == 0 else "", line) for at, line in enumerate(lines)]
