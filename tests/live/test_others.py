"""Programs that someone else loaded: listed with their owner and their exact counts, and never kept alive."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ebpftop.frames.codec import encode
from ebpftop.frames.messages import Programs, ReadPrograms
from ebpftop.frames.reading import FrameDecoder
from ebpftop.kernel import libbpf
from ebpftop.loader import programs
from ebpftop.model.programs import UNSEEN, is_accounted, rated
from tests.support.command import AS_NOBODY, complaint, ebpftop
from tests.support.foreign_program import Held, foreign
from tests.support.processes import eventually
from tests.support.tracing import any_kernel

pytestmark = pytest.mark.bpf


def listed(number: int) -> dict[str, Any]:
    done = ebpftop("others", "--json", "--interval", "0.05")
    assert done.returncode == 0, done.stderr
    (entry,) = [each for each in json.loads(done.stdout) if each["id"] == number]
    return dict(entry)


@pytest.mark.parametrize("held", ["program", "link"])
def test_a_foreign_program_is_listed_with_its_owner_and_its_count(held: Held) -> None:
    with foreign("theirs", 101, held) as (number, child):
        entry = listed(number)
        comm = Path(f"/proc/{child.pid}/comm").read_text()[:-1]
    assert entry["holders"] == [{"pid": child.pid, "comm": comm}]
    assert (entry["name"], entry["type"], entry["own"]) == ("theirs", "raw_tracepoint", False)
    assert entry["run_count"] == 101
    assert entry["run_time_ns"] > 0
    assert entry["translated_bytes"] == 16
    assert (entry["events_per_second"], entry["average_ns"]) == (0, None)  # all ran before the interval


def test_a_pinned_program_has_no_owner() -> None:
    with foreign("pinned", 7, "pin") as (number, _):
        entry = listed(number)
    assert (entry["holders"], entry["own"], entry["run_count"]) == ([], False, 7)


@any_kernel
def test_where_other_processes_are_out_of_sight_the_owner_is_unknown() -> None:
    with foreign("theirs", 2) as (number, _):
        done = ebpftop("others", "--interval", "0.05", before=["unshare", "--pid", "--fork", "--mount-proc"])
    (record,) = [line.split("\t") for line in done.stdout.splitlines() if line.startswith(f"{number}\t")]
    assert record[4:6] == ["foreign", UNSEEN]
    assert "some owners are missing" in done.stderr


def test_reading_keeps_no_foreign_program_alive() -> None:
    with foreign("brief", 3) as (number, _):
        assert number in [each.id for each in programs.reading().programs]
    eventually(lambda: number not in libbpf.program_ids(), "the program is gone")


def answers(stream: socket.socket) -> Iterator[Programs]:
    """Requests a reading and gives its answer, again and again."""
    decoder = FrameDecoder()
    stream.sendall(encode(ReadPrograms()))
    while data := stream.recv(1 << 20):
        for frame in decoder.feed(data):
            if isinstance(frame, Programs):
                yield frame
                stream.sendall(encode(ReadPrograms()))


@any_kernel
def test_a_dashboard_gets_what_a_foreign_program_ran_between_two_readings(stream: socket.socket) -> None:
    """Run times are accounted because somebody looks; nothing else has them so here."""
    with foreign("theirs", 0) as (number, child):
        assert child.stdin
        assert child.stdout
        readings = answers(stream)
        before = next(readings)
        while not is_accounted(before, now := next(readings)):
            before = now
        child.stdin.write("53\n")
        child.stdin.flush()
        assert child.stdout.readline() == "53\n"
        last = next(readings)
    (earlier,) = [each for each in now.programs if each.id == number]
    (later,) = [each for each in last.programs if each.id == number]
    assert later.run_count - earlier.run_count == 53
    assert [holder.pid for holder in later.holders] == [child.pid]
    (cost,) = [each for each in rated(now, last) if each.program.id == number]
    assert cost.rate == pytest.approx(53 / (last.monotonic_ns - now.monotonic_ns) * 1e9)
    eventually(lambda: number not in libbpf.program_ids(), "the program is gone")


@any_kernel
def test_without_root_one_line_says_what_it_needs() -> None:
    assert "needs root" in complaint(ebpftop("others", "--no-sudo", before=AS_NOBODY), 3)
