"""A tape that is cut in two: what each part gained adds up to what the whole gained, by our reader and by another."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebpftop.export.gathered import gather
from ebpftop.export.taped import Taped, read
from ebpftop.export.tapes.merging import merge
from ebpftop.export.tapes.output import Output
from ebpftop.export.tapes.parts import cut
from ebpftop.frames.columns import Labels
from ebpftop.frames.messages import AnyFrame, Column, Cost, Loaded, Mark, Snapshot
from ebpftop.frames.tape import TapeReader, TapeWriter
from ebpftop.model.past.span import ALL
from ebpftop.model.readings import histogram
from tests.support import tape_sums
from tests.support.frames import (
    CALLS,
    EXECS,
    LATENCY,
    SAMPLES,
    SECOND,
    columns,
    cost,
    detached,
    events,
    hello,
    loaded,
    mark,
    process,
    processes,
    snapshot,
    stacks,
)

Story = list[tuple[int, AnyFrame]]
Sums = Counter[tuple[object, ...]]  # (view, counter, key fields…) → gain
VIEWS = (CALLS, LATENCY, SAMPLES, EXECS)
NOTHING = Column(dtype="<u4", data=b"", labels=[])


def told(seconds: list[dict[int, int]], attached: int) -> Story:
    """A probe that is attached so many seconds before the tape begins (negative: after); each second the counts of some
    processes. What isn't named leaves its maps.
    """
    story: Story = [
        (0, hello()),
        (0, processes(*(process(each, f"p{each}", command="") for each in (1, 2, 3)))),
        (0, stacks({1: ["main", "f"], 2: ["main", "g"], 3: ["main"]})),
    ]
    begin = max(0, -attached)
    for second, counts in enumerate(seconds):
        at = second * SECOND + 7
        if second == begin:
            story.append((at, loaded(1, "cpu/some", *VIEWS)))
        if second < begin:
            continue
        keys, values = [*counts], [*counts.values()]
        names = columns(nr=[f"call {key % 2}" for key in keys])["nr"] if keys else NOTHING
        maps = {
            "calls": {**columns(tgid=keys, count=values, last_ns=[second] * len(keys)), "nr": names},
            "latency": columns(tgid=keys, slot=[8 * key for key in keys], count=values),
            "counts": columns(tgid=keys, stack=keys, count=values),
        }
        seq = second - begin + 1 + max(0, attached)
        row = columns(tgid=[1], args=[f"{second}"], errno=["x"])
        story += [
            (at, events(1, "events", row, lost=second)),
            (at + 2, snapshot(1, seq, maps, at=second, lost=second, evicted=3)),
            (at + 3, cost(1, second, 10 * second, 1000 * second)),
        ]
        if second % 3 == 0:
            story.append((at + 4, mark(f"mark {second}", second)))
    if len(seconds) % 2:
        story.append((len(seconds) * SECOND, detached(1)))
    return story


def write(path: Path, story: Iterable[tuple[int, AnyFrame]]) -> Path:
    now = [0]
    with TapeWriter(path, clock=lambda: now[0]) as writer:
        for now[0], frame in story:
            writer.write(frame)
    return path


def part(path: Path, start: int, end: int | None, into: Path) -> Path:
    output = Output(into)
    with closing(TapeReader(path)) as reader:
        assert cut(reader, output, start, end) == []
    output.close()
    return into


def gains(taped: Taped) -> Sums:
    """Of all pasts and events."""
    found: Sums = Counter()
    for chapter in taped.chapters:
        for run in chapter.runs():
            for view in run.views:
                if (log := run.events.get(view.map)) is not None:
                    found[view.name, ""] += log.total
                if (past := run.pasts.get(view.name)) is None:
                    continue
                all_of_it = past.gained(ALL)
                keys = [each.texts() if isinstance(each, Labels) else each.tolist() for each in all_of_it.keys.values()]
                for counter, column in all_of_it.gains.items():
                    for *key, gain in zip(*keys, column.tolist(), strict=True):
                        found[view.name, counter, *key] += gain
    return +found


def independent(path: Path) -> Sums:
    """The same by the other reader."""
    found: Sums = Counter()
    for run in tape_sums.read(path).runs.values():
        for name, rows in run.events.items():
            found[next(view.name for view in VIEWS if view.map == name), ""] += len(rows)
        for view in run.views.values():
            for key, counts in view.gained().items():
                for counter, gain in counts.items():
                    found[view.info["name"], counter, *key] += gain
    return +found


def traced(taped: Taped) -> Counter[str]:
    """Losses, and what the programs cost."""
    found: Counter[str] = Counter()
    for each in (one for chapter in taped.chapters for one in gather(chapter).runs):
        losses = each.losses
        found.update({"lost": losses.lost, "evicted": losses.evicted})
        if each.cost is not None:
            found.update({"runs": each.cost.run_count, "time": each.cost.run_time_ns})
    return +found


def in_index(path: Path) -> Counter[tuple[str, str]]:
    """What the index says of it."""
    found: Counter[tuple[str, str]] = Counter()
    with closing(TapeReader(path)) as reader:
        outline = reader.outline
    for line in outline.lines if outline else []:
        found[line.view, line.counter] += int(line.gains.sum())
    return +found


def whole_of(path: Path) -> Taped:
    with closing(TapeReader(path)) as reader:
        return read(reader)


def has_outline(path: Path) -> bool:
    with closing(TapeReader(path)) as reader:
        return reader.outline is not None


COUNTS = st.dictionaries(st.sampled_from([1, 2, 3]), st.integers(0, 1 << 40), max_size=3)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(COUNTS, min_size=2, max_size=7),
    st.integers(-1, 3),
    st.data(),
)
def test_the_gains_of_both_parts_add_up_to_those_of_the_whole(
    seconds: list[dict[int, int]], attached: int, data: st.DataObject
) -> None:
    story = told(seconds, attached)
    times = sorted({at for at, _ in story if at})
    at = data.draw(st.sampled_from(times) | st.integers(1, times[-1]))
    with tempfile.TemporaryDirectory() as folder:
        whole = write(Path(folder) / "whole", story)
        parts = [part(whole, 0, at, Path(folder) / "a"), part(whole, at, None, Path(folder) / "b")]
        read_ = [whole_of(each) for each in (whole, *parts)]
        assert gains(read_[0]) == gains(read_[1]) + gains(read_[2])
        attaching = [at for at, frame in story if isinstance(frame, Loaded | Cost)][:2]
        if not attaching[0] <= at < attaching[-1]:  # nothing says what a first cost is measured from
            assert traced(read_[0]) == traced(read_[1]) + traced(read_[2])
        assert [gains(each) for each in read_] == [independent(each) for each in (whole, *parts)]
        sums: Counter[tuple[str, str]] = Counter()
        for (view, counter, *_), gain in gains(read_[0]).items():
            sums[str(view), str(counter)] += gain
        if all(has_outline(each) for each in parts):  # both hold a sample
            assert in_index(whole) == sums == in_index(parts[0]) + in_index(parts[1])
        assert _marks(parts[0]) | _marks(parts[1]) == _marks(whole)
        if all(tape.chapters[0].began_ns for tape in read_):
            output = Output(Path(folder) / "both")
            with ExitStack() as opened:
                merge([opened.enter_context(closing(TapeReader(each))) for each in parts], output)
            output.close()
            assert sum(gains(whole_of(Path(folder) / "both")).values()) == sum(gains(read_[0]).values())


def _marks(path: Path) -> set[str]:
    with closing(TapeReader(path)) as reader:
        return {frame.text for _, frame in reader if isinstance(frame, Mark)}


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """A probe that counted for an hour before; ten a second since then."""
    return write(tmp_path / "whole", told([{1: 36_000 + 10 * second, 2: 5} for second in range(10)], 3600))


def test_a_part_does_not_begin_with_what_was_counted_before(whole: Path, tmp_path: Path) -> None:
    path = part(whole, 4 * SECOND, None, tmp_path / "part")
    for tape, seconds in ((whole, 9), (path, 6)):
        (run,) = read(TapeReader(tape)).chapters[0].runs()
        assert histogram(run, LATENCY, wanted=ALL).count == 10 * seconds
        assert run.pasts["calls"].sums("count").tolist() == [0] + [10] * seconds
        assert run.pasts["calls"].gained(ALL).totals["count"].tolist() == [10 * seconds, 0]
        last = run.pasts["calls"].gained(ALL).last["last_ns"]
        assert not isinstance(last, Labels)
        assert last.tolist() == [9, 9]
    first = next(frame for _, frame in TapeReader(path) if isinstance(frame, Snapshot))
    assert first.seq == 3604
