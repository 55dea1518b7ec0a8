"""Single samples on tapes that are scrubbed and merged: their times, CPUs and stacks stay theirs."""

from __future__ import annotations

from pathlib import Path

from ebpftop.export.taped import read
from ebpftop.frames.messages import AnyFrame
from ebpftop.frames.tape import TapeReader
from ebpftop.model.past.span import Span
from ebpftop.model.run import Run
from ebpftop.model.stacks import sampled
from tests.support.frames import SECOND, TIMED, hello, loaded, moments, process, processes, samples, stacks
from tests.unit.commands.test_tapes import run, write

BEGIN = 1000 * SECOND


def story(functions: dict[int, list[str]], *taken: tuple[int, int, int, int]) -> list[tuple[float, AnyFrame]]:
    start = hello()
    people = processes(process(1, "web"), process(2, "node"))
    counts = {(who, stack): 1 for _, _, who, stack in taken}
    frames = [
        start,
        loaded(1, "cpu/profile", TIMED),
        people,
        stacks(functions),
        moments(1, *taken),
        samples(1, 1, counts),
    ]
    return [(float(at), frame) for at, frame in enumerate(frames)]


def runs(path: Path) -> list[Run]:
    taped = read(TapeReader(path))
    return [each for chapter in taped.chapters for each in chapter.session.runs.values()]


def names(found: Run, span: Span) -> list[list[str]]:
    part = sampled(found, TIMED, span)
    return sorted([part.functions[place].name for place in stack] for stack in part.stacks)


def test_a_scrubbed_tape_has_the_samples_without_the_names(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tape", story({1: ["main", "secret"]}, (BEGIN + 5, 3, 1, 1), (BEGIN + 9, 0, 2, 1)))
    assert run("scrub", path, "-o", tmp_path / "out") == 0
    (found,) = runs(tmp_path / "out")
    (kept,) = found.moments.values()
    assert kept.all[["time", "cpu"]].tolist() == [(BEGIN + 5, 3), (BEGIN + 9, 0)]
    (view,) = found.views
    (stack, other) = sampled(found, view, Span()).stacks
    assert len(stack) == len(other) == 2
    assert "secret" not in {each.name for each in found.stacks.functions}


def test_merged_tapes_keep_each_sample_with_its_stack(tmp_path: Path) -> None:
    one = write(tmp_path / "a.tape", story({1: ["main", "parse"]}, (BEGIN + 5, 3, 1, 1)))
    other = write(tmp_path / "b.tape", story({1: ["main", "hash"]}, (BEGIN + 7, 2, 2, 1)))
    assert run("merge", one, other, "-o", tmp_path / "out") == 0
    found = runs(tmp_path / "out")
    assert sorted(names(each, Span()) for each in found) == [[["main", "hash"]], [["main", "parse"]]]
    assert sorted(each.moments["samples"].all["cpu"].tolist() for each in found) == [[2], [3]]
