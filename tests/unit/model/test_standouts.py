"""What stands out in a region of a run's view, and in other runs."""

from __future__ import annotations

from typing import Any

import msgspec

from ebpftop.frames.messages import ColumnInfo, Process, Processes, ViewInfo
from ebpftop.model.past.span import ALL, Span
from ebpftop.model.session import Session
from ebpftop.model.standouts import Finding, elsewhere, in_region
from tests.support.frames import CALLS, LATENCY, SECOND, columns, hello, loaded, snapshot

BEGIN = 1000 * SECOND  # monotonic time of the first sample
SLOW = range(80, 200)
BACKUP, READERS, OURS = 4, (1, 2, 3), 9
DISKS = msgspec.structs.replace(
    LATENCY, by=["tgid", "disk"], columns=[*LATENCY.columns, ColumnInfo(field="disk", title="Disk")]
)


def _process(number: int, comm: str, **more: Any) -> Process:
    return Process(id=number, tgid=number, start_ns=number, comm=comm, **more)


def session(view: ViewInfo = DISKS, *, steps: int = 60, params: dict[str, str] | None = None) -> Session:
    """Three readers are fast on two disks; from the 30th to the 40th second `backup` is slow on the second one, and
    so is ebpftop itself.
    """
    session = Session()
    session.feed(hello())
    people = [_process(number, "reader", user="web") for number in READERS]
    session.feed(Processes(processes=[*people, _process(BACKUP, "backup"), _process(OURS, "ebpftop", own=True)]))
    session.feed(loaded(1, "disk/biolatency", view, params=params or {}))
    session.feed(loaded(2, "cpu/syscount", CALLS))
    slow = 0
    for seq in range(steps):
        slow += 10 if 30 < seq <= 40 else 0
        rows = [
            (number, disk, slot, (seq + 1) * (10 + number)) for number in READERS for disk in "ab" for slot in (30, 33)
        ]
        rows += [(1, "a", 90, seq), (BACKUP, "b", 90, slow), (BACKUP, "b", 95, slow), (OURS, "b", 90, 3 * slow)]
        fields = {name: [row[at] for row in rows] for at, name in enumerate(("tgid", "disk", "slot", "count"))}
        session.feed(snapshot(1, seq, {"latency": columns(**fields)}))
        calls = [(number, "read", (seq + 1) * 50, 0) for number in READERS] + [(BACKUP, "write", slow * 90 + 1, 0)]
        fields = {name: [row[at] for row in calls] for at, name in enumerate(("tgid", "nr", "count", "last_ns"))}
        session.feed(snapshot(2, seq, {"calls": columns(**fields)}))
    return session


PATCH = Span(BEGIN + 30 * SECOND, BEGIN + 40 * SECOND)


def told(findings: list[Finding]) -> list[tuple[str, str, int | str]]:
    return [(finding.column.field, finding.trait, finding.value) for finding in findings]


def test_a_patch_is_explained_by_every_key_field() -> None:
    known = session()
    found = in_region(known.runs[1], DISKS, known.processes, PATCH, SLOW)
    assert told(found) == [("tgid", "", BACKUP), ("disk", "", "b")]
    backup = found[0]
    # Ten slow ones of reader 1 beside 200 of backup; the others: readers' 59 steps, and reader 1's other 49.
    others = sum(59 * 4 * (10 + number) for number in READERS) + 49
    assert (backup.count, backup.inside, backup.outside) == (200, 200 / 210, 0)
    assert found[1].outside == sum(59 * 2 * (10 + number) for number in READERS) / others
    assert backup.gain > found[1].gain > 0


def test_what_processes_have_in_common_is_searched_too() -> None:
    known = session()
    known.processes |= {number: _process(number, "backup", cgroup="/backup") for number in (BACKUP, OURS)}
    found = in_region(known.runs[1], DISKS, known.processes, PATCH, SLOW)
    assert told(found)[:2] == [("tgid", "name", "backup"), ("tgid", "cgroup", "/backup")]
    assert told(found)[2:] == [("tgid", "", OURS), ("tgid", "", BACKUP), ("disk", "", "b")]


def test_own_processes_are_left_out_unless_one_process_was_chosen() -> None:
    known = session(params={"pid": "9"})
    found = in_region(known.runs[1], DISKS, known.processes, PATCH, SLOW)
    assert ("tgid", "", OURS) in told(found)


def test_only_chosen_rows_are_looked_at() -> None:
    known = session()
    run = known.runs[1]
    reader = run.pasts["latency"].roster.where({"tgid": 1})
    (row,) = in_region(run, DISKS, known.processes, PATCH, SLOW, only=reader)
    assert (row.value, row.inside) == ("a", 1)


def test_a_span_outside_the_past_or_without_values_holds_nothing() -> None:
    known = session()
    run = known.runs[1]
    assert in_region(run, DISKS, known.processes, Span(0, BEGIN - SECOND), SLOW) == []
    assert in_region(run, DISKS, known.processes, PATCH, range(200, 300)) == []
    assert in_region(run, DISKS, known.processes, ALL) == []
    assert in_region(run, CALLS, known.processes, PATCH) == []


def test_other_runs_say_what_was_special_in_that_span() -> None:
    known = session()
    found = elsewhere(known.runs.values(), known.processes, PATCH, but=(1, "latency"))
    assert [(row.probe, *told([row])[0]) for row in found] == [
        ("cpu/syscount", "tgid", "", BACKUP),
        ("cpu/syscount", "nr", "", "write"),
    ]
    calm = Span(BEGIN + 5 * SECOND, BEGIN + 15 * SECOND)
    assert elsewhere(known.runs.values(), known.processes, calm) == []


def test_what_the_past_folded_is_no_answer() -> None:
    """All processes are one now, on no disk: nobody stands out, though slow ones are there in the patch only."""
    known = session()
    past = known.runs[1].pasts["latency"]
    while not past.roster.others.all():
        assert past.shrink()
    patch = past.about(PATCH)
    assert past.sums("count", patch)[0] > 400
    assert in_region(known.runs[1], DISKS, known.processes, patch, SLOW) == []
