"""Recorded incidents, and calm days, of a small shop (`tests.incidents`): what is said to stand out in them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

import ebpftop
from ebpftop.export.triaged import LIMIT, Triage, _fitted, as_text, encoded, triaged
from ebpftop.frames.messages import AnyFrame, Catalog, Detached, Events, Hello, Loaded, Losses, Processes, Snapshot
from ebpftop.frames.tape import TapeReader
from ebpftop.model.session import Session
from ebpftop.model.triage.verdict import verdict
from tests.incidents.__main__ import CALM, INCIDENTS, TROUBLE
from tests.support.command import AS_NOBODY, complaint
from tests.support.command import ebpftop as run
from tests.support.schemas import check

TAPES = Path(__file__).parents[2] / "incidents"
# What each was: the probe that shows the cause, and who is behind it.
CAUSES = {
    "cpu-hog": ("cpu/cputop", "report"),
    "fork-storm": ("cpu/pidpersec", "healthcheck"),
    "missing-file": ("disk/opensnoop", "plugins"),
    "busy-disk": ("disk/biolatency", "backup"),
    "lock-convoy": ("cpu/futexlat", "ledger"),
    "dead-service": ("network/tcpconnlat", "visitors"),
    "fsync-storm": ("disk/fsynclat", "journal"),
    "memory-leak": ("memory/heapgrowth", "cached"),
    "disk-full": ("disk/opensnoop", "uploads"),
}
LOST = {"memory-leak": {"memory/heapgrowth"}}  # where something was, confidence is less
DAYS = ("calm", "calm-and-busy")


def frames(name: str) -> Iterator[AnyFrame]:
    with closing(TapeReader(TAPES / f"{name}.tape")) as reader:
        yield from (frame for _, frame in reader)


def found(given: Iterator[AnyFrame], name: str = "some") -> Triage:
    session = Session(history=10_000, event_rows=None)
    for frame in given:
        session.feed(frame)
    seen = verdict(session)
    assert seen is not None
    return triaged(seen, session.hello, name)


def test_each_tape_has_a_verdict_that_is_known() -> None:
    assert set(CAUSES) | set(DAYS) == set(INCIDENTS)
    assert {path.stem for path in TAPES.glob("*.tape")} == set(INCIDENTS)


@pytest.mark.parametrize("name", CAUSES)
def test_the_cause_is_named_first(name: str) -> None:
    done = run("triage", TAPES / f"{name}.tape", "--json")
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    probe, who = CAUSES[name]
    cause = said["findings"][0]["evidence"][0]
    assert (said["verdict"], cause["probe"], cause["who"]["name"]) == ("trouble", probe, who)
    assert cause["who"]["share"] > 0.5
    assert cause["now"] > 2 * cause["before"]
    assert said["findings"][0]["confidence"] == ("medium" if name in LOST else "high")
    assert set(said["lost"]) == LOST.get(name, set())
    assert said["missing"] == {}


@pytest.mark.parametrize("name", CAUSES)
def test_since_when_it_is_so(name: str) -> None:
    said = found(frames(name))
    after = (said.findings[0].since_ns - said.from_ns) / 1e9
    assert after == pytest.approx(CALM, abs=2)
    assert said.findings[0].until_ns is None
    assert (said.to_ns - said.from_ns) / 1e9 == pytest.approx(CALM + TROUBLE, abs=2)


@pytest.mark.parametrize("name", CAUSES)
def test_probes_that_tell_more_are_others_and_narrowed(name: str) -> None:
    first = found(frames(name)).findings[0]
    assert first.more
    for each in first.more:
        assert each.probe not in {evidence.probe for evidence in first.evidence}
        assert each.command.startswith(f"sudo ebpftop run {each.probe}")
    who = first.evidence[0].who
    assert who is not None
    assert who.pid is None or any(f"={who.pid}" in each.command for each in first.more)
    assert (who.pid is None) == (who.processes > 1)


@pytest.mark.parametrize("name", DAYS)
def test_on_a_calm_day_nothing_stands_out(name: str) -> None:
    said = found(frames(name))
    assert (said.verdict, said.findings, said.confidence) == ("nothing stands out", [], "high")
    assert "nothing stands out (confidence high)" in as_text(said)


@pytest.mark.parametrize("name", INCIDENTS)
def test_both_forms_are_short_and_of_the_same(name: str) -> None:
    tape = TAPES / f"{name}.tape"
    text = run("triage", tape).stdout
    said = msgspec.json.decode(run("triage", tape, "--json").stdout, type=Triage)
    assert as_text(said) == text
    assert len(text.encode()) <= LIMIT
    assert len(encoded(said)) <= LIMIT
    check("triage", json.loads(encoded(said)))
    assert all(each.cause in text for each in said.findings)


def test_what_lost_something_is_less_sure() -> None:
    def lossy() -> Iterator[AnyFrame]:
        for frame in frames("missing-file"):
            lost = isinstance(frame, Snapshot | Events)
            yield replace(frame, losses=Losses(lost=7)) if lost else frame

    whole, said = found(frames("missing-file")), found(lossy())
    assert whole.findings[0].confidence == "high"
    assert said.findings[0].confidence == "medium"
    assert said.findings[0].doubts == ["disk/opensnoop: lost 7"]
    assert said.lost["disk/opensnoop"]["lost"] == 7
    assert "disk/opensnoop lost 7" in as_text(said)


def test_what_is_short_is_less_sure_and_says_so() -> None:
    def begun() -> Iterator[AnyFrame]:
        last = 0
        for frame in frames("calm"):
            if isinstance(frame, Snapshot):
                last = last or frame.monotonic_ns
                if frame.monotonic_ns > last + 4_000_000_000:
                    return
            yield frame

    said = found(begun())
    assert (said.verdict, said.confidence) == ("nothing stands out", "low")
    assert "are short" in said.doubts[0]
    assert "? " + said.doubts[0] in as_text(said)


def test_a_probe_that_ended_early_is_told() -> None:
    def ended() -> Iterator[AnyFrame]:
        for frame in frames("calm"):
            yield replace(frame, reason="over its budget") if isinstance(frame, Detached) else frame

    said = found(ended())
    assert set(said.missing) == set(said.probes)
    assert said.confidence == "low"


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user, which needs root")
def test_an_ordinary_user_is_told_the_same() -> None:
    tape = TAPES / "lock-convoy.tape"
    done = run("triage", tape, before=AS_NOBODY)
    assert (done.returncode, done.stdout) == (0, run("triage", tape).stdout)


def test_what_is_said_of_the_demo_fits() -> None:
    done = run("triage", Path(ebpftop.__file__).parent / "demo.tape", "--json")
    assert done.returncode == 0
    assert len(done.stdout.encode()) <= LIMIT + 1


def test_bad_input_is_one_line(tmp_path: Path) -> None:
    cut = tmp_path / "cut.tape"
    cut.write_bytes((TAPES / "calm.tape").read_bytes()[:30_000])
    assert "no.tape" in complaint(run("triage", "./no.tape"), 1)
    assert complaint(run("triage", "no-such-playbook"), 2).startswith("unknown playbook 'no-such-playbook'")
    (tmp_path / "none.tape").write_bytes(b"")
    assert complaint(run("triage", tmp_path / "none.tape"), 1)
    assert "what comes before is looked at" in complaint(run("triage", cut), 1)


EVIL = '\x1b[31m"\\\n$(reboot)\u202e' * 60


def hostile(name: str) -> Iterator[AnyFrame]:
    """An incident whose every name is long, and means harm to a terminal, a shell and JSON."""
    for frame in frames(name):
        match frame:
            case Hello():
                yield replace(frame, host=EVIL, kernel=EVIL)
            case Processes():
                yield replace(frame, processes=[replace(each, comm=EVIL, parent=EVIL) for each in frame.processes])
            case Catalog():
                probes = [replace(each, next=[EVIL, "$(reboot)", "-x"], question=EVIL) for each in frame.probes]
                yield replace(frame, probes=[*probes, replace(probes[0], id=EVIL), replace(probes[0], id="$(reboot)")])
            case Loaded():
                views = [replace(each, title=EVIL) for each in frame.views]
                yield replace(frame, probe=f"{frame.probe}{EVIL}", views=views)
            case _:
                yield frame


@pytest.mark.parametrize("name", CAUSES)
def test_hostile_names_stay_names_and_it_fits(name: str) -> None:
    said = found(hostile(name), EVIL)
    assert said.verdict == "trouble"
    assert max(len(encoded(said)), len(as_text(said).encode())) <= LIMIT
    assert all(line.isprintable() for line in as_text(said).splitlines())
    assert not any(each.more for each in said.findings)
    check("triage", json.loads(encoded(said)))


def test_what_is_left_out_is_said() -> None:
    whole = found(frames("cpu-hog"))
    many = replace(whole, findings=[whole.findings[0]] * 9)
    cut = _fitted(many)
    assert 0 < len(cut.findings) < 9
    assert cut.findings[0].evidence == whole.findings[0].evidence[: len(cut.findings[0].evidence)]
    assert len(cut.findings[0].evidence) >= 2
    assert f"{cut.cut} more lines of evidence left out" in as_text(cut)
    assert _fitted(whole) is whole
