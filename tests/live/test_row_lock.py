"""Sessions of a database that wait for a row: the server's processes wait in epoll_wait, as those do that are idle."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from ebpftop.kernel import proc
from ebpftop.loader import processes, threads
from ebpftop.model.places import SLEEPING, STOPPED, Place, Places
from tests.support.command import ebpftop
from tests.support.processes import eventually
from tests.support.row_lock import WAITING, RowLock, row_lock
from tests.support.scratch import public_folder
from tests.support.tracing import any_kernel

pytestmark = [pytest.mark.bpf, any_kernel]


@pytest.fixture(scope="module")
def lock() -> Iterator[RowLock]:
    with public_folder() as folder, row_lock(folder) as lock:
        yield lock


def place_with(tid: int) -> tuple[Place, int]:
    """The place of a thread, and how many stand above it."""
    places = Places().take(threads.reading())
    at = next(at for at, each in enumerate(places) if any(one.thread.tid == tid for one in each.seen))
    return places[at], at


def test_those_that_wait_are_one_line_apart_from_those_that_are_idle(lock: RowLock) -> None:
    first, *_ = lock.waiting
    found, _ = place_with(first)
    assert {each.thread.tid for each in found.seen} == lock.waiting
    assert (found.state, found.call) == (SLEEPING, "epoll_wait")
    assert found.target.startswith("anon_inode:[eventpoll], fd ")
    assert found.whose == f"postgres ({found.owners[0][0]}) and {WAITING - 1} more"
    assert all(each.age_ns for each in found.seen)
    idle, _ = place_with(lock.idle)
    assert lock.holder.pid in {each.thread.tid for each in idle.seen}
    assert idle.target != found.target


def test_the_command_tells_for_how_long(lock: RowLock) -> None:
    told = json.loads(ebpftop("threads", "--json", "--interval", "0.3").stdout)
    (line,) = [each for each in told if {one["pid"] for one in each["threads"]} == lock.waiting]
    assert line["count"] == WAITING
    assert all(each["age_ns"] >= 300_000_000 for each in line["threads"])
    assert "do_epoll_wait" in line["stacks"][0]["functions"]


def test_the_page_of_a_process_has_the_title_that_it_gives_itself_now(lock: RowLock) -> None:
    """Whose lock it is the kernel doesn't know; the server says who waits and who is idle in a transaction."""
    titles = {pid: title_of(pid) for pid in (*lock.waiting, lock.holder.pid)}
    assert titles.pop(lock.holder.pid).endswith(" idle in transaction")
    assert all(title.endswith(" UPDATE waiting") for title in titles.values())


def title_of(pid: int) -> str:
    with open(f"/proc/{pid}/stat", "rb") as file:
        start_ns = proc.stat(file.read()).start_ns
    *_, (facts, _) = processes.reading(pid, start_ns)
    return (facts.command or "").rstrip()


def test_a_holder_that_is_stopped_is_above_all_that_sleeps(lock: RowLock) -> None:
    lock.holder.suspend()
    try:
        eventually(lambda: lock.holder.status() == "stopped", "the holder has stopped")
        stopped, at = place_with(lock.holder.pid)
        _, below = place_with(next(iter(lock.waiting)))
    finally:
        lock.holder.resume()
    assert (stopped.state, stopped.whose) == (STOPPED, f"postgres ({lock.holder.pid})")
    assert at < below
