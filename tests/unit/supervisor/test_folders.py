"""The process that reads the folders of --probes: what it reports, and what becomes of one that hangs."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ebpftop.catalog.current import CurrentCatalog
from ebpftop.supervisor import folders
from ebpftop.supervisor.folders import Folders
from ebpftop.supervisor.privilege import Invoker
from tests.support.probes import SOURCE, write_probe

NOWHERE = Path("/nonexistent")
NOBODY = Invoker(uid=65534, gid=65534, name="65534", home="/")


def watched(folder: Path) -> CurrentCatalog:
    return CurrentCatalog([folder], again=True, system=NOWHERE)


def end(made: Folders) -> None:
    made.end()
    os.waitpid(made.pid, 0)


def test_what_is_read_is_the_same_as_without_the_process(tmp_path: Path) -> None:
    write_probe(tmp_path)
    (tmp_path / "playbooks").mkdir()
    (tmp_path / "playbooks/bad.toml").write_text("title = 1\n")
    here = watched(tmp_path)
    made = Folders(watched(tmp_path), None)
    assert here.look()
    assert made.catalog == here.catalog
    end(made)


def test_a_save_is_reported(tmp_path: Path) -> None:
    folder = write_probe(tmp_path)
    made = Folders(watched(tmp_path), None)
    assert made.catalog.probes["cpu/calls"].source == SOURCE
    (folder / "probe.bpf.c").write_text(f"{SOURCE}\n")
    assert made.reports is not None
    select.select([made.reports], [], [])
    assert made.receive()
    assert made.catalog.probes["cpu/calls"].source == f"{SOURCE}\n"
    end(made)


def test_a_name_that_is_not_utf_8_costs_one_probe_only(tmp_path: Path) -> None:
    write_probe(tmp_path)
    Path(os.fsdecode(os.fsencode(write_probe(tmp_path, "cpu/odd")) + b"/\xff.h")).touch()
    made = Folders(CurrentCatalog([tmp_path], again=False, system=NOWHERE), None)
    assert "cpu/calls" in made.catalog.probes
    (problem,) = made.catalog.problems
    assert problem.endswith(r"cpu/odd/\udcff.h: the name contains unprintable characters")


def test_without_a_watch_no_process_stays(tmp_path: Path) -> None:
    write_probe(tmp_path)
    made = Folders(CurrentCatalog([tmp_path], again=False, system=NOWHERE), None)
    assert "cpu/calls" in made.catalog.probes
    assert (made.pid, made.reports, made.next_start) == (0, None, None)


@pytest.mark.root
def test_the_reader_has_given_up_root(tmp_path: Path) -> None:
    write_probe(tmp_path)
    tmp_path.chmod(0o700)
    made = Folders(watched(tmp_path), NOBODY)
    status = Path(f"/proc/{made.pid}/status").read_text()
    assert "Uid:\t65534\t65534\t65534\t65534\n" in status
    assert "CapPrm:\t0000000000000000\n" in status
    assert made.catalog.problems == [f"{tmp_path}: Permission denied"]
    end(made)


def hang() -> None:
    while True:
        signal.pause()


def take_all() -> None:
    bytearray(4 << 30)


@pytest.mark.parametrize(
    ("happens", "told"),
    [
        (hang, "took longer than 1 s and was stopped"),
        (take_all, "ran out of memory: limit 1,536 MiB"),
        (os.abort, "was killed by SIGABRT"),
    ],
)
def test_a_reader_that_fails_is_one_line_and_another_one_starts_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, happens: Callable[[], None], told: str
) -> None:
    class Fails(CurrentCatalog):
        def look(self) -> bool:
            happens()
            return True

    monkeypatch.setattr(folders, "LONGEST", 1)
    made = Folders(Fails([tmp_path], again=True, system=NOWHERE), None)
    end_of = "keeping what was read before, trying again in 60 s"
    assert made.catalog.problems == [f"{tmp_path}: reading {told}; {end_of}"]
    assert "cpu/runqlat" in made.catalog.probes
    assert made.reports is None
    assert made.next_start is not None
    assert time.monotonic() < made.next_start
    assert not made.is_due()
    monkeypatch.setattr(made, "next_start", time.monotonic())
    assert made.is_due()
