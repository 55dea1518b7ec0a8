"""Control groups by id, in a folder of directories."""

import os
from pathlib import Path

import pytest

from ebpftop.collector.decode import cgroup
from ebpftop.collector.decode.cgroup import Cgroups


class Clock:
    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(cgroup, "time", made)
    return made


def make(root: Path, name: str) -> int:
    (root / name).mkdir(parents=True)
    return (root / name).stat().st_ino


def test_a_path_is_below_the_root(tmp_path: Path) -> None:
    number = make(tmp_path, "system.slice/nginx.service")
    cgroups = Cgroups({0: tmp_path})
    assert cgroups.path(number) == "/system.slice/nginx.service"
    assert cgroups.path(tmp_path.stat().st_ino) == "/"


def test_a_new_one_is_found_a_second_after_the_last_look(tmp_path: Path, clock: Clock) -> None:
    cgroups = Cgroups({0: tmp_path})
    assert cgroups.path(1) == ""
    number = make(tmp_path, "late")
    clock.now += 0.9
    assert cgroups.path(number) == ""
    clock.now += 0.2
    assert cgroups.path(number) == "/late"


def test_one_that_is_gone_keeps_its_path(tmp_path: Path, clock: Clock) -> None:
    number = make(tmp_path, "short")
    cgroups = Cgroups({0: tmp_path})
    assert cgroups.path(number) == "/short"
    (tmp_path / "short").rmdir()
    clock.now += 5
    assert cgroups.path(1) == ""
    assert cgroups.path(number) == "/short"


def test_those_long_gone_make_room(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroup, "_KEPT", 3)
    cgroups = Cgroups({0: tmp_path})
    first = make(tmp_path, "first")
    assert cgroups.path(first) == "/first"
    (tmp_path / "first").rename(tmp_path.parent / "elsewhere")  # keeps its inode from being used again
    others = [make(tmp_path, name) for name in ("a", "b")]
    clock.now += 5
    assert [cgroups.path(number) for number in others] == ["/a", "/b"]
    assert cgroups.path(first) == ""


def test_a_name_that_is_no_text_is_shown_as_escapes(tmp_path: Path) -> None:
    number = make(tmp_path, os.fsdecode(b"a\xff\nb"))
    assert Cgroups({0: tmp_path}).path(number) == "/a\\xff\nb"


def test_each_hierarchy_has_its_own_numbers(tmp_path: Path) -> None:
    first, second = make(tmp_path, "v2/docker/one"), make(tmp_path, "memory/docker/two")
    cgroups = Cgroups({0: tmp_path / "v2", 4: tmp_path / "memory"})
    assert cgroups.path(first) == "/docker/one"
    assert cgroups.path(second, 4) == "/docker/two"
    assert cgroups.path(second) == cgroups.path(first, 4) == cgroups.path(first, 5) == ""


def test_what_the_kernel_reports_of_a_group_needs_no_look(tmp_path: Path) -> None:
    cgroups = Cgroups({0: tmp_path})
    cgroups.learn(77, 0, "/docker/gone")
    cgroups.learn(77, 3, "/of/a/hierarchy/that/is/not/mounted")
    cgroups.learn(78, 0, "cut")
    assert [cgroups.path(77), cgroups.path(77, 3), cgroups.path(78)] == ["/docker/gone", "", ""]
    cgroups.learn(77, 0, "/docker/renamed")
    assert cgroups.path(77) == "/docker/renamed"
