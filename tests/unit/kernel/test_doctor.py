"""The doctor, run as the user of the tests; its findings on a known kernel are live tests."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable

import pytest

from ebpftop.kernel import capabilities, doctor

EXPECTED = [
    "kernel",
    "architecture",
    "privilege",
    "proc",
    "pid namespace",
    "time namespace",
    "cgroup namespace",
    "lockdown",
    "libbpf",
    "BTF",
    "BCC",
    "BCC's owner",
    "tracefs",
    "tracepoint",
    "raw tracepoint",
    "kprobe",
    "fentry",
    "uprobe",
    "perf event",
    "ring buffer",
    "statistics",
    "installation",
]


def test_every_check_is_made_once_and_what_fails_has_a_remedy() -> None:
    found = doctor.checks()
    assert [check.check for check in found if check.check != "BCC's owner"] == [
        name for name in EXPECTED if name != "BCC's owner"
    ]
    assert all(check.detail for check in found)
    assert [check.check for check in found if not check.ok and not check.remedy] == []
    assert {check.check: check for check in found}["kernel"].detail == f"Linux {os.uname().release}"


def test_without_root_the_remedy_is_root() -> None:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        if os.geteuid() == 0:
            os.setgroups([])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
        found = {check.check: check for check in doctor.checks()}
        asked = ("privilege", "raw tracepoint", "perf event", "ring buffer", "statistics")
        os.write(writing, json.dumps([(found[name].ok, found[name].remedy) for name in asked]).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = json.load(pipe)
    os.waitpid(child, 0)
    assert said == [[False, doctor.AS_ROOT]] * 5


@pytest.mark.parametrize(
    ("lacking", "ok", "detail", "remedy"),
    [
        ({}, True, "with all capabilities that matter", ""),
        ({"CAP_SYSLOG": "no names"}, False, "with capabilities, but no names (CAP_SYSLOG)", "give it CAP_SYSLOG"),
    ],
)
def test_capabilities_that_are_missing_are_told_with_what_they_cost(
    monkeypatch: pytest.MonkeyPatch, lacking: dict[str, str], ok: bool, detail: str, remedy: str
) -> None:
    monkeypatch.setattr(capabilities, "may_trace", lambda: True)
    monkeypatch.setattr(capabilities, "lacking", lambda: lacking)
    found = doctor._capabilities()
    assert (found.ok, found.detail, found.remedy) == (ok, f"uid {os.geteuid()} {detail}", remedy)


@pytest.mark.parametrize(
    ("end", "detail"),
    [
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "the test was killed by signal 9"),
        (lambda: os._exit(3), "the test exited with status 3"),
    ],
)
def test_a_library_that_ends_the_process_is_a_finding(end: Callable[[], None], detail: str) -> None:
    (found,) = doctor._in_child("BCC", end)
    assert (found.check, found.ok, found.detail) == ("BCC", False, detail)
    assert found.remedy.startswith("install ")


def test_an_exception_in_a_trial_is_a_finding() -> None:
    def fail() -> list[doctor.Check]:
        raise ValueError("odd")

    assert doctor._in_child("tracefs", fail) == [doctor.Check("tracefs", False, "ValueError: odd", "")]
