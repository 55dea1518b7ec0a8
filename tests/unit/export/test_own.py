"""`run`'s text leaves out ebpftop's own processes and says so; JSON and CSV hold everything."""

from __future__ import annotations

from ebpftop.frames.messages import AnyFrame
from tests.support.frames import CALLS, LATENCY, SAMPLES, columns, loaded, process, processes, samples, snapshot, stacks
from tests.support.headless import ran

PEOPLE = processes(process(1, "sh"), process(7, "collect", own=True), process(8, "screen", own=True))
TABLE: list[AnyFrame] = [
    PEOPLE,
    snapshot(1, 0, {"calls": columns(tgid=[1, 7, 8], nr=["read"] * 3, count=[5, 61, 8], last_ns=[0] * 3)}),
]
HISTOGRAM: list[AnyFrame] = [
    PEOPLE,
    snapshot(1, 0, {"latency": columns(tgid=[1, 7], slot=[3, 9], count=[5, 69])}),
]


async def test_a_table_leaves_them_out_and_says_how_much_that_is() -> None:
    result = await ran([loaded(1, "cpu/some", CALLS), *TABLE], format="text")
    assert "collect" not in result.out
    lines = result.out.splitlines()
    at = lines.index("System calls: 1 row")
    assert lines[at + 2].split()[:4] == ["1001", "sh", "read", "5"]
    assert lines[at + 3] == "without ebpftop's own 69"


async def test_a_histogram_counts_everybody_and_lists_the_others() -> None:
    result = await ran([loaded(1, "cpu/some", LATENCY), *HISTOGRAM], format="text")
    assert "Run queue latency: 74 values" in result.out
    assert "collect" not in result.out
    assert "without ebpftop's own 69" in result.out.splitlines()


async def test_a_run_of_one_process_shows_it_even_if_it_is_ebpftop() -> None:
    result = await ran([loaded(1, "cpu/some", CALLS, params={"pid": "1007"}), *TABLE], format="text")
    assert "collect" in result.out
    assert "without" not in result.out


async def test_json_holds_everything() -> None:
    result = await ran([loaded(1, "cpu/some", CALLS), *TABLE])
    view = result.objects[0]["views"]["calls"]
    at = [column["name"] for column in view["columns"]].index("comm")
    assert [row[at] for row in view["rows"]] == ["collect", "screen", "sh"]


async def test_stacks_leave_theirs_out() -> None:
    known = stacks({1: ["main", "parse"], 2: ["main", "hash"]})
    frames = [loaded(1, "cpu/some", SAMPLES), PEOPLE, known, samples(1, 0, {(1, 1): 19, (7, 2): 69})]
    result = await ran(frames, format="text")
    assert "CPU samples: 19 in 1 stack" in result.out
    assert "hash" not in result.out
    assert "without ebpftop's own 69" in result.out.splitlines()
