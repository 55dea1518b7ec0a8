"""Of a host from which nothing comes the numbers say nothing: each output says so beside them."""

from __future__ import annotations

import csv
from collections.abc import Sequence

import numpy as np

from ebpftop.frames.messages import AnyFrame, Hosts, HostState
from ebpftop.hosts.joining import with_host
from tests.support.frames import CALLS, EPOCH, SECOND, columns, loaded, snapshot
from tests.support.headless import PEOPLE, ran

VIEW = with_host(CALLS, "host")


def hosts(second: int, heard: int) -> Hosts:
    """web-2 is late where it was heard long ago."""
    now = EPOCH + second * SECOND
    other = HostState(name="web-2", state="live" if heard == second else "late", heard_ns=EPOCH + heard * SECOND)
    return Hosts(realtime_ns=now, hosts=[HostState(name="web-1", state="live", heard_ns=now), other])


def counted(seq: int, *counts: int) -> AnyFrame:
    """Calls of a process on each host, so far."""
    rows = columns(
        tgid=np.array([1, 2], "<u4"), nr=np.array([0, 0], "<u4"), count=np.array(counts, "<u8"),
        last_ns=np.zeros(2, "<u8"), host=["web-1", "web-2"],
    )  # fmt: skip
    return snapshot(1, seq, {"calls": rows})


# Nothing comes from web-2 after the second interval, and it is back before the last one.
STORY: Sequence[AnyFrame] = (
    PEOPLE,
    loaded(1, "cpu/some", VIEW),
    hosts(0, 0),
    *(counted(seq, 10 * seq, 7 * min(seq, 2)) for seq in (0, 1, 2)),
    *(frame for seq in (3, 4, 5, 6) for frame in (hosts(seq, 2), counted(seq, 10 * seq, 14))),
    hosts(7, 7),
    counted(8, 80, 28),
    counted(9, 90, 35),
)


async def test_json_lines_have_the_gap_while_it_lasts() -> None:
    result = await ran(STORY)
    with_gaps = [each["seq"] for each in result.objects if "gaps" in each]
    assert with_gaps == [3, 4, 5, 6, 7]
    gap = result.objects[3]["gaps"][0]
    assert gap == {"host": "web-2", "since_ns": EPOCH + 2 * SECOND, "until_ns": None, "why": ""}
    assert result.objects[7]["gaps"][0]["until_ns"] == EPOCH + 7 * SECOND


async def test_comma_separated_values_have_a_line_when_it_begins_and_when_it_is_over() -> None:
    result = await ran(STORY, format="csv")
    said = [line for line in result.out.splitlines() if line.startswith("#")]
    assert said[0].startswith("# nothing from web-2 since ")
    assert " to " in said[1]
    assert said[2] == "# data from all hosts again"
    lines = result.out.splitlines()
    for each in said:
        assert lines[lines.index(each) + 1].startswith("time,probe,view,")
    rows = list(csv.reader(line for line in lines if line and not line.startswith("#")))
    assert len({len(row) for row in rows}) == 1


async def test_text_says_so_below_the_heading() -> None:
    result = await ran(STORY, format="text")
    lines = result.out.splitlines()
    told = [at for at, line in enumerate(lines) if line.startswith("nothing from web-2 ")]
    assert all("cpu/some" in lines[at - 1] for at in told)
    assert len(told) >= 5
    assert " to " in lines[told[-1]]  # the summary is of all the time
