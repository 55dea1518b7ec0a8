"""What a run's parameters name, when it goes, comes back and is replaced."""

from __future__ import annotations

import os

import pytest

from ebpftop.collector import subjects as module
from ebpftop.collector.census import Census
from ebpftop.collector.subjects import Subject, subjects
from ebpftop.frames.messages import ParamInfo, ProbeInfo
from tests.unit.collector.test_census import BORN, ENDED, NOBODY, NOTHING, record

PID = NOBODY - 1  # no process of this machine has it


def given(census: Census, **params: str) -> list[Subject]:
    """What these parameters name, of a probe that has one of each type, with the type's name."""
    infos = [ParamInfo(name=kind, type=kind) for kind in ("comm", "pid", "cgroup", "device")]
    probe = ProbeInfo(
        id="cpu/x", title="", summary="", category="", question="", overhead="", params=infos, source="", views=[]
    )
    return [*subjects(probe, params, census)]


@pytest.fixture
def census() -> Census:
    """It knows one process, PID, which lives."""
    census = Census(lambda number, hierarchy: "")
    census.attached = True
    census.take(record(BORN, PID, 1_000_000_000, 1_000_000_000, b"first"), NOTHING)
    return census


def test_a_process_ends_and_its_pid_is_given_away_twice(census: Census) -> None:
    (it,) = given(census, pid=str(PID), comm="first")
    assert it.look() == ""
    census.take(record(ENDED, PID, 1_000_000_000, 2_000_000_000, b"first"), NOTHING)
    assert [it.look(), it.look()] == [f"pid={PID}: first has ended", ""]
    census.take(record(BORN, PID, 3_000_000_000, 3_000_000_000, b"\x1b[2J"), NOTHING)
    said = it.look()
    assert said.startswith(f"pid={PID}: another process has this pid now, ")
    assert "\x1b" not in said
    assert it.look() == ""
    census.take(record(ENDED, PID, 3_000_000_000, 4_000_000_000, b"second"), NOTHING)
    census.take(record(BORN, PID, 5_000_000_000, 5_000_000_000, b"third"), NOTHING)
    assert it.look() == f"pid={PID}: another process has this pid now, third"


def test_a_process_that_ended_while_its_probe_was_loaded(census: Census) -> None:
    (it,) = given(census, pid=hex(NOBODY))
    assert [it.look(), it.look()] == [f"pid={NOBODY}: the process has ended", ""]


def test_nothing_is_said_of_a_process_that_is_hidden(census: Census, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(census._facts, "of", lambda pids: [None for _ in pids])
    (it,) = given(census, pid=str(os.getppid()))
    assert it.look() == ""


class Numbers:
    """The kernel's numbers of a kind of thing."""

    def __init__(self) -> None:
        self.known: dict[str, int] = {}

    def of(self, text: str) -> int:
        try:
            return self.known[text]
        except KeyError:
            raise OSError(0, "no such thing") from None


@pytest.mark.parametrize(("kind", "text", "asked"), [("cgroup", "a/b", "a/b"), ("device", "/dev/sdb", "sdb")])
def test_a_cgroup_or_device_goes_and_comes_back(
    census: Census, monkeypatch: pytest.MonkeyPatch, kind: str, text: str, asked: str
) -> None:
    numbers = Numbers()
    numbers.known[asked] = 7
    finder: tuple[object, str] = (module.cgroups, "identifier") if kind == "cgroup" else (module.devices, "number")
    monkeypatch.setattr(*finder, numbers.of)
    (it,) = given(census, **{kind: text})

    def then(number: int | None) -> str:
        numbers.known = {} if number is None else {asked: number}
        return it.look()

    name = f"{kind}={asked}"
    assert then(7) == ""
    assert [then(None), then(None)] == [f"{name} is gone", ""]
    assert then(7) == f"{name} is back"
    assert then(8) == f"{name} is a different one now and isn't counted: load the probe again"
    numbers.known = {}
    (never,) = given(census, **{kind: "elsewhere"})
    assert never.look() == ""
