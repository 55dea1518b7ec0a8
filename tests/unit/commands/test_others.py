"""`others` as text: a table on a terminal, a record per program in a pipe, hostile names inert."""

from __future__ import annotations

from ebpftop.base.look import Look
from ebpftop.commands.others import lines
from ebpftop.frames.messages import Holder, Program, Programs
from ebpftop.model.programs import rated

EVIL = "a\x1b[2Jb\nc\td"


def program(number: int, name: str, runs: int, ns: int, *holders: Holder, own: bool = False) -> Program:
    return Program(
        id=number,
        name=name,
        type="kprobe",
        tag=f"{number:016x}",
        loaded_ns=4_000_000_000,
        run_time_ns=ns,
        run_count=runs,
        jited=543,
        translated=880,
        holders=list(holders),
        own=own,
    )


OURS, THEIRS = Holder(pid=7, comm="ebpftop:collect"), Holder(pid=8, comm=EVIL)


def shown(look: Look, *, since: int | None = 0) -> list[str]:
    before = [program(3, "on_exit", 0, 0, OURS, own=True), program(4, EVIL, 0, 0, THEIRS), program(5, "", 0, 0)]
    after = [
        program(3, "on_exit", 20, 10_000, OURS, own=True),
        program(4, EVIL, 2000, 20_000_000, THEIRS),
        program(5, "", 0, 0),
    ]
    first = Programs(monotonic_ns=0, boottime_ns=5_000_000_000, accounted_since_ns=since, programs=before)
    now = Programs(monotonic_ns=1_000_000_000, boottime_ns=7_000_000_000, accounted_since_ns=since, programs=after)
    return "\n".join(lines(rated(first, now), now, look)).split("\n")


def test_a_terminal_gets_a_table_with_the_costliest_first() -> None:
    assert shown(Look(120, colour=False, terminal=True)) == [
        "   CPU  events/s  per event  id  type    name             age  owner",
        "    2%     2 k/s      10 µs   4  kprobe  a\\x1b[2Jb\\nc\\td  3 s  a\\x1b[2Jb\\nc\\td (8)",
        "0.001%      20/s     500 ns   3  kprobe  on_exit          3 s  ours: ebpftop:collect (7)",
        "    0%       0/s          –   5  kprobe  –                3 s  pinned or attached, no process",
        "",
        "3 programs, 2% of a CPU; 1 of them ours, 0.001% of a CPU",
    ]


def test_costs_are_empty_where_run_times_are_not_accounted() -> None:
    table = shown(Look(120, colour=False, terminal=True), since=None)
    assert table[1].split()[:4] == ["–", "–", "–", "3"]
    assert table[-1] == "3 programs; 1 of them ours"
    fields = shown(Look(100, colour=False), since=None)[0].split("\t")
    assert fields[7:12] == [""] * 5


def test_a_pipe_gets_a_record_per_program() -> None:
    records = [line.split("\t") for line in shown(Look(100, colour=False))]
    assert {len(fields) for fields in records} == {14}
    assert records[0][:6] == ["4", "a\\x1b[2Jb\\nc\\td", "kprobe", f"{4:016x}", "foreign", "a\\x1b[2Jb\\nc\\td (8)"]
    assert records[0][7:] == ["2000", "20000000", "2.0", "2000.0", "10000.0", "543", "880"]
    assert records[1][4] == "ours"
    assert records[2][11] == ""  # no event, no average
