"""Recorded incidents, and calm days, of a small shop (`tests.incidents`): what is said to stand out in them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

import ebpftop
from ebpftop.base.syscalls import NUMBERS
from ebpftop.export.triaged import LIMIT, Triage, _fitted, as_text, encoded, triaged
from ebpftop.frames.columns import pack, unpack
from ebpftop.frames.messages import (
    AnyFrame,
    Catalog,
    Detached,
    Events,
    Hello,
    Host,
    Hosts,
    HostState,
    Loaded,
    Losses,
    OpenWait,
    Pressure,
    Processes,
    Snapshot,
    ThreadPlace,
    Threads,
)
from ebpftop.frames.tape import TapeReader
from ebpftop.hosts.joining import with_column, with_host
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


def on_two_hosts(given: Iterator[AnyFrame], away: range = range(0)) -> Iterator[AnyFrame]:
    """The same, on web-2 of two hosts; web-1 has nothing to do. away: when nothing comes from it, of the loads."""
    number = 0
    for frame in given:
        match frame:
            case Loaded():
                yield replace(frame, views=[with_host(view, "host") for view in frame.views])
            case Snapshot():
                maps = {name: pack(with_column(unpack(each), "host", "web-2")) for name, each in frame.maps.items()}
                yield replace(frame, maps=maps)
            case Events():
                yield replace(frame, columns=pack(with_column(unpack(frame.columns), "host", "web-2")))
            case Host():
                number += 1
                now = frame.realtime_ns
                calm = HostState(
                    name="web-1",
                    state="late" if number in away else "live",
                    heard_ns=now,
                    load=replace(frame, pressure={name: Pressure(some_ns=0, full_ns=0) for name in frame.pressure}),
                )
                yield Hosts(
                    realtime_ns=now, hosts=[calm, HostState(name="web-2", state="live", heard_ns=now, load=frame)]
                )
            case _:
                yield frame


def test_of_several_hosts_it_says_which() -> None:
    said = found(on_two_hosts(frames("cpu-hog")))
    first = said.findings[0]
    assert first.evidence[0].who is not None
    assert "host web-2" in first.evidence[0].text
    assert [each.text for each in first.evidence if each.text.startswith("web-2 cpu pressure")]
    assert not [each for each in first.evidence if each.text.startswith("web-1")]
    pid = first.evidence[0].who.pid
    assert first.more[0].command == f"ebpftop run --host web-2 cpu/profile -p pid={pid}"
    assert first.confidence == "high"


def test_when_nothing_came_from_a_host_is_a_doubt() -> None:
    said = found(on_two_hosts(frames("cpu-hog"), range(4, 9)))
    (doubt,) = [each for each in said.findings[0].doubts if "nothing from web-1 from" in each]
    assert " to " in doubt
    assert said.findings[0].confidence == "medium"


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
    assert "is short" in said.doubts[0]
    assert "? " + said.doubts[0] in as_text(said)


def test_a_probe_that_ended_early_is_told() -> None:
    def ended() -> Iterator[AnyFrame]:
        for frame in frames("calm"):
            yield replace(frame, reason="over its budget") if isinstance(frame, Detached) else frame

    said = found(ended())
    assert set(said.missing) == set(said.probes)
    assert said.confidence == "low"


@pytest.mark.root
def test_an_ordinary_user_is_told_the_same() -> None:
    tape = TAPES / "lock-convoy.tape"
    done = run("triage", tape, before=AS_NOBODY)
    assert (done.returncode, done.stdout) == (0, run("triage", tape).stdout)


def test_both_troubles_of_the_demo_are_named() -> None:
    done = run("triage", Path(ebpftop.__file__).parent / "demo.tape", "--json")
    assert done.returncode == 0
    assert len(done.stdout.encode()) <= LIMIT + 1
    findings = json.loads(done.stdout)["findings"]
    named = [{each["who"]["name"] for each in finding["evidence"] if each["who"]} for finding in findings]
    assert named == [{"backup"}, {"thumbnails"}]


def test_bad_input_is_one_line(tmp_path: Path) -> None:
    cut = tmp_path / "cut.tape"
    cut.write_bytes((TAPES / "calm.tape").read_bytes()[:30_000])
    assert "no.tape" in complaint(run("triage", "./no.tape"), 1)
    assert complaint(run("triage", "no-such-playbook"), 2).startswith("unknown playbook 'no-such-playbook'")
    (tmp_path / "none.tape").write_bytes(b"")
    assert complaint(run("triage", tmp_path / "none.tape"), 1)
    assert "only what comes before is examined" in complaint(run("triage", cut), 1)


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


# ---------------------------------------------------------------- threads that don't go on

S = 1_000_000_000


def thread(tid: int, state: str, **known: Any) -> ThreadPlace:
    facts = {
        "tgid": tid // 10,
        "start_ns": S,
        "comm": f"t{tid}",
        "process": f"p{tid // 10}",
        "cpu_ns": 0,
    }
    return ThreadPlace(tid=tid, state=state, switches=5, **(facts | known))


def told(*threads: ThreadPlace, tape: str = "calm", **known: Any) -> Triage:
    session = Session(history=10_000, event_rows=None)
    for frame in frames(tape):
        session.feed(frame)
    seen = verdict(session)
    assert seen is not None
    read = Threads(monotonic_ns=60 * S, boottime_ns=60 * S, threads=[*threads], count=len(threads), **known)
    return triaged(seen, session.hello, tape, threads=read)


def test_threads_that_do_not_go_on_are_told_though_no_probe_counts_them() -> None:
    futex = {"call": NUMBERS["futex"], "arguments": [0xF0]}
    threads = [
        thread(10, "D", call=NUMBERS["openat"], target="/srv/x", still_ns=9 * S),
        thread(20, "D", call=NUMBERS["openat"], target="/srv/y", still_ns=S // 2),
        thread(30, "D", kernel=True, still_ns=9 * S),
        thread(40, "T", still_ns=3 * S),
        *(thread(tid, "S", tgid=5, process="p5", **futex) for tid in (50, 51)),
        thread(55, "S", tgid=5, process="p5", call=NUMBERS["ppoll"]),
        thread(60, "S", call=NUMBERS["read"], target="pipe:[7]", still_ns=50 * S),
    ]
    said = told(*threads, waits=[OpenWait(tid=tid, since_ns=20 * S, holder=55) for tid in (50, 51)])
    assert said.hung is not None
    assert [each.text for each in said.hung] == [
        "1 thread of p1 (1), uninterruptible in openat, for ≥ 9 s: /srv/x",
        "1 thread of p4 (4), stopped, for ≥ 3 s",
        "2 threads of p5 (5), sleeping in futex, for 40 s: futex 0xf0, held by t55 55",
    ]
    assert (said.hung[2].holder, said.hung[2].for_ns, said.hung[2].threads) == ("t55 55", 40 * S, 2)
    assert said.verdict == "trouble"
    lines = as_text(said).splitlines()
    assert lines[2:5] == [
        "threads that make no progress (no probe counts a wait that hasn't ended):",
        *(f"   · {each.text}" for each in said.hung[:2]),
    ]
    assert "nothing else stands out in what the probes count (confidence high)" in lines[6:]
    check("triage", json.loads(encoded(said)))


def test_who_is_stopped_is_told_but_is_no_trouble_by_itself() -> None:
    said = told(thread(40, "T"))
    assert said.hung is not None
    assert [each.text for each in said.hung] == ["1 thread of p4 (4), stopped"]
    assert said.verdict == "nothing stands out"
    assert "nothing stands out in what the probes count (confidence" in as_text(said)


@pytest.mark.parametrize(("seconds", "first"), [(20, "threads that make no progress"), (2, "1. cpu: report")])
def test_threads_that_wait_as_long_as_was_looked_come_before_what_is_busy(seconds: int, first: str) -> None:
    said = told(thread(10, "D", target="/srv/x", still_ns=seconds * S), tape="cpu-hog")
    assert as_text(said).splitlines()[2].startswith(first)


def test_where_nobody_looked_that_is_told_apart_from_none() -> None:
    assert found(frames("calm")).hung is None
    assert told(thread(1, "S")).hung == []
    assert told(error="there are none").hung is None


def test_hostile_names_of_threads_fit_too() -> None:
    name = "\x1b[2J" * 300
    threads = [thread(tid, "D", process=name, target=name, still_ns=9 * S) for tid in range(10, 200, 10)]
    said = told(*threads)
    assert max(len(encoded(said)), len(as_text(said).encode())) <= LIMIT
    assert said.hung
    assert "\x1b" not in as_text(said)
