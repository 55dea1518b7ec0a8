"""What /proc says of processes, also beside one that hangs."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator

import pytest

from ebpftop.collector import proc_facts
from ebpftop.collector.proc_facts import Facts, Reader, facts, has_ended, stat, ticks

NOBODY = 1 << 22  # above the highest pid there can be


@pytest.fixture
def hangs(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[int]]:
    """Processes whose `stat` is never read to its end."""
    found: set[int] = set()
    go_on = threading.Event()

    def waits(tgid: int) -> Facts | None:
        if tgid in found:
            go_on.wait()
        return facts(tgid)

    monkeypatch.setattr(proc_facts, "facts", waits)
    monkeypatch.setattr(proc_facts, "_PATIENCE", 0.2)
    yield found
    go_on.set()


def test_of_ourselves_it_says_what_the_kernel_says() -> None:
    (found,) = Reader().of([os.getpid()])
    assert found is not None
    assert (found.ppid, found.uid) == (os.getppid(), os.geteuid())
    assert "pytest" in found.command
    assert stat(os.getpid()) == (found.comm, found.start)
    assert ticks(found.start) == found.start > 0


def test_what_is_gone_is_none_and_in_its_place() -> None:
    found = Reader().of([os.getpid(), NOBODY, os.getppid()])
    assert [each is None for each in found] == [False, True, False]
    assert Reader().of([]) == []


def test_more_than_are_read_at_once_are_in_order() -> None:
    wanted = [os.getpid(), NOBODY, os.getppid()] * 67
    starts = {os.getpid(): facts(os.getpid()), NOBODY: None, os.getppid(): facts(os.getppid())}
    assert Reader().of(wanted) == [starts[tgid] for tgid in wanted]


def test_one_that_hangs_has_its_name_only_and_the_others_all(hangs: set[int]) -> None:
    with subprocess.Popen(["sleep", "1000"]) as one, subprocess.Popen(["sleep", "1000"]) as other:
        hangs |= {one.pid, other.pid}
        reader = Reader()
        found = reader.of([os.getpid(), one.pid, os.getppid(), other.pid, os.getpid()])
        assert [each and each.start for each in found[1::2]] == [0, 0]
        assert all(each is not None and each.start for each in found[::2])
        (again,) = reader.of([one.pid])
        assert again is not None
        assert again.comm in ("sleep", "python", "python3", "pytest")  # it may not have executed yet
        assert not has_ended(one.pid, 0)
        one.kill()
        other.kill()
    assert has_ended(one.pid, 0)


def test_a_start_tells_one_process_from_the_next() -> None:
    found = stat(os.getpid())
    assert found is not None
    assert not has_ended(os.getpid(), found[1])
    assert has_ended(os.getpid(), found[1] + 10_000_000)
    assert has_ended(NOBODY, 1)
