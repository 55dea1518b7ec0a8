"""Pressure is read from files that stay open; a cgroup's only where a process is in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ebpftop.collector.pressure import MACHINE, RESOURCES, Pressures, parse
from ebpftop.frames.messages import Pressure

TEXT = "some avg10=77.29 avg60=67.70 avg300=28.95 total=112777072\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=13\n"


def write(folder: Path, suffix: str, text: str = TEXT) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in RESOURCES:
        (folder / f"{name}{suffix}").write_text(text)


def test_totals_are_in_nanoseconds() -> None:
    assert parse(TEXT.encode()) == Pressure(some_ns=112_777_072_000, full_ns=13_000)
    assert parse(TEXT.splitlines()[0].encode()) == Pressure(some_ns=112_777_072_000, full_ns=0)


@pytest.mark.parametrize("text", ["", "some", "some total=x", "full avg10=0.00 total=1"])
def test_what_is_no_pressure_is_none(text: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"some|invalid"):
        parse(text.encode())
    write(tmp_path, "", text)
    assert Pressures(lambda path: True, None, tmp_path).read() == {}


def test_a_machine_without_it_has_none(tmp_path: Path) -> None:
    pressures = Pressures(lambda path: True, None, tmp_path / "missing")
    assert (pressures.read(), pressures.read_cgroup(), pressures.cgroup) == ({}, {}, "")


def test_a_cgroup_is_looked_at_until_another_one_is(tmp_path: Path) -> None:
    write(tmp_path / "a.slice/b.service", ".pressure")
    pressures = Pressures(lambda path: path != "/c.slice", tmp_path, tmp_path / "missing")
    pressures.watch("/a.slice/b.service")
    assert pressures.cgroup == "/a.slice/b.service"
    assert pressures.read_cgroup() == dict.fromkeys(RESOURCES, Pressure(some_ns=112_777_072_000, full_ns=13_000))
    write(tmp_path / "c.slice", ".pressure")
    for unknown in ("/c.slice", "/gone.slice", "/a.slice/../a.slice/b.service", "/", ""):
        pressures.watch(unknown)
        assert (pressures.cgroup, pressures.read_cgroup()) == ("", {})


@pytest.mark.skipif(not MACHINE.exists(), reason="this kernel accounts no pressure")
def test_the_machines_own_is_what_the_kernel_says() -> None:
    pressures = Pressures(lambda path: False, None)
    for _ in range(2):
        before = {name: parse((MACHINE / name).read_bytes()) for name in RESOURCES}
        found = pressures.read()
        after = {name: parse((MACHINE / name).read_bytes()) for name in RESOURCES}
        assert all(before[name].some_ns <= found[name].some_ns <= after[name].some_ns for name in RESOURCES)
