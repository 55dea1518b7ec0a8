"""Tapes as files: what is on one, a part of one, several as one, and one without names."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec
import numpy as np
import pytest

from ebpftop import arguments as command_line
from ebpftop.base.errors import UserError
from ebpftop.commands import tapes
from ebpftop.export.tapes import output as outputs
from ebpftop.export.tapes import scrub
from ebpftop.frames import tape_format
from ebpftop.frames.columns import Labels, unpack
from ebpftop.frames.messages import (
    GREATEST,
    Ancestor,
    AnyFrame,
    Attached,
    ColumnInfo,
    Detached,
    FileFacts,
    Function,
    Hello,
    Holder,
    Host,
    Hosts,
    HostState,
    LimitFacts,
    Loaded,
    Loading,
    Mark,
    Notice,
    ParamInfo,
    PlaybookInfo,
    Pong,
    Process,
    Processes,
    ProcessFacts,
    Program,
    ProgramCost,
    Programs,
    Refused,
    RingUse,
    Snapshot,
    SocketFacts,
    Stack,
    Stacks,
    StepInfo,
    ThreadFacts,
    ThreadPlace,
    Threads,
    Tried,
    ViewInfo,
    Without,
)
from ebpftop.frames.tape import TapeReader, TapeWriter
from ebpftop.hosts.joining import with_host
from ebpftop.model.session import Session
from tests.support import plain_tape
from tests.support.frames import (
    CALLS,
    EPOCH,
    EXECS,
    SAMPLES,
    SECOND,
    catalog,
    columns,
    cost,
    detached,
    events,
    hello,
    loaded,
    mark,
    probe,
    process,
    processes,
    rejected,
    samples,
    snapshot,
    stacks,
)
from tests.support.schemas import check as check_shape

Story = list[tuple[float, AnyFrame]]


def calls(run: int, seq: int, counts: dict[int, int]) -> Snapshot:
    """Rows of `CALLS`, by process."""
    names = ["read"] * len(counts)
    rows = columns(tgid=[*counts], nr=names, count=[*counts.values()], last_ns=[0] * len(counts))
    return snapshot(run, seq, {"calls": rows})


def story(seconds: int = 20, run: int = 1, **changes: object) -> Story:
    told: Story = [
        (0, hello(**changes)),
        (0, catalog(probe("cpu/syscount", [CALLS]))),
        (0, processes(process(1, "postgres", command=""), process(2, "node", command=""))),
        (0, loaded(run, "cpu/syscount", CALLS, params={"pid": "7"})),
    ]
    for second in range(seconds):
        told.append((second, calls(run, second, {1: 10 * second, 2: second})))
        if second == 5:
            told.append((second, mark("deploy 42", second)))
        told.append((second, Host(realtime_ns=EPOCH + second * SECOND, cpu_percent=1, memory_percent=2, load=3)))
    return told


def write(path: Path, told: Iterable[tuple[float, AnyFrame]], *, ends: bool = True) -> Path:
    now = [0.0]
    writer = TapeWriter(path, args=True, clock=lambda: round(now[0] * 1e9))
    for now[0], frame in told:
        writer.write(frame)
    if ends:
        writer.close()
    else:
        writer.flush()
        left = path.read_bytes()
        path.unlink()  # the writer holds its lock
        path.write_bytes(left)
    return path


def run(*arguments: object) -> int:
    """The command as the command line runs it; its exit code."""
    try:
        return tapes.tape(command_line.parser().parse_args(["tape", *map(str, arguments)]))
    except UserError as error:
        print(f"ebpftop: {error}", file=sys.stderr)
        return error.status
    except SystemExit as leaving:
        return int(leaving.code or 0)


def read(path: Path) -> list[tuple[float, AnyFrame]]:
    return [(at / 1e9, frame) for at, frame in TapeReader(path)]


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    return write(tmp_path / "a.tape", story())


# ---------------------------------------------------------------- info


def test_info_tells_what_is_on_a_tape(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = [*story(), (19, snapshot(1, 20, {}, lost=3)), (19.5, rejected(2, "lab/null-deref")), (20, detached(1))]
    path = write(tmp_path / "a.tape", told)
    assert run("info", path, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    check_shape("tape-info", found)
    facts = {key: found[key] for key in ("host", "kernel", "format", "index", "complete", "seconds", "began_ns")}
    assert facts == {
        "host": "web-03",
        "kernel": "6.12.0",
        "format": 2,
        "index": True,
        "complete": True,
        "seconds": 20.0,
        "began_ns": EPOCH,
    }
    first, second = found["probes"]
    assert (first["probe"], first["params"], first["loaded_s"], first["ended_s"]) == (
        "cpu/syscount",
        {"pid": "7"},
        0,
        20,
    )
    assert (first["snapshots"], first["losses"]["lost"]) == (21, 3)
    assert (second["probe"], second["loaded_s"], "Permission denied" in second["failed"]) == (
        "lab/null-deref",
        None,
        True,
    )
    assert found["marks"] == [{"at_s": 5.0, "text": "deploy 42"}]
    changes = [frame["rows"]["calls"] for _, frame in plain_tape.frames(path) if frame.get("rows")]
    assert first["views"] == [
        {"views": ["calls"], "map": "calls", "bytes": sum(len(msgspec.msgpack.encode(each)) for each in changes)}
    ]
    assert run("info", path) == 0
    shown = capsys.readouterr().out
    for text in (
        "web-03 · Linux 6.12.0",
        "for 0:20.0",
        "format 2 · index",
        "cpu/syscount pid=7",
        "3 lost",
        "deploy 42",
    ):
        assert text in shown


def test_a_tape_that_is_not_whole_is_told_and_the_others_shown(
    tmp_path: Path, tape: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cut = write(tmp_path / "cut.tape", story(), ends=False)
    (tmp_path / "none").write_text("text")
    assert run("info", tmp_path / "none", cut, tape, "--json") == 1
    out, err = capsys.readouterr()
    first, second = map(json.loads, out.splitlines())
    check_shape("tape-info", first)
    check_shape("tape-info", second)
    assert (first["complete"], first["index"], "is truncated after 19.0 s" in first["problem"]) == (False, False, True)
    assert second["complete"]
    assert err == f"ebpftop: {tmp_path}/none is not an ebpftop tape\n"


def test_hostile_text_is_shown_inert(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = "\x1b[31m\n"
    told = [*story(host=bad, kernel=bad), (21, mark(bad, 21)), (21, loaded(3, f"a/{bad}", CALLS, params={bad: bad}))]
    assert run("info", write(tmp_path / "a.tape", told)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(map(str.isprintable, lines))
    shown = r"\x1b[31m\n"
    for line in (
        f"host     {shown} · Linux {shown} · ",
        f"probe    a/{shown} {shown}={shown}",
        f"mark     0:21.0  {shown}",
    ):
        assert any(each.strip().startswith(line.strip()) for each in lines), line


def test_a_hostile_mark_is_suggested_inert(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tape = write(tmp_path / "a.tape", [*story(), (21, mark("deploy 43\x1b[31m\n\u202e", 21))])
    assert run("cut", tape, "--from", "deploy [31m", "-o", tmp_path / "out") == 2
    assert r"; did you mean deploy 43\x1b[31m\n\u202e?" in capsys.readouterr().err


# ---------------------------------------------------------------- output


OUTPUTS = pytest.mark.parametrize(
    "action", [("cut",), ("merge",), ("scrub",), ("export", "--format", "json")], ids=" ".join
)


@OUTPUTS
def test_the_input_is_never_overwritten_and_another_file_only_if_forced(
    tmp_path: Path, tape: Path, action: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    before = tape.read_bytes()
    (tmp_path / "link").hardlink_to(tape)
    inputs = [tape, write(tmp_path / "b.tape", story())] if action == ("merge",) else [tape]
    for output in (tape, tmp_path / "link"):
        assert run(*action, *inputs, "-o", output, "--force") == 2
        assert "is also an input" in capsys.readouterr().err
    other = tmp_path / "other"
    other.write_text("mine")
    assert run(*action, *inputs, "-o", other) == 1
    assert capsys.readouterr().err == f"ebpftop: {other} exists; --force overwrites it\n"
    assert (other.read_text(), tape.read_bytes()) == ("mine", before)
    assert run(*action, *inputs, "-o", other, "--force") == 0
    assert other.read_bytes() != b"mine"
    assert other.stat().st_mode & 0o777 == 0o600
    assert sorted(each.name for each in tmp_path.iterdir() if each.name.startswith(".")) == []


@OUTPUTS
def test_a_tape_that_is_being_recorded_is_never_overwritten(
    tmp_path: Path, tape: Path, action: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    inputs = [tape] * 2 if action == ("merge",) else [tape]
    with TapeWriter(tmp_path / "b.tape") as writer:
        writer.write(hello())
        assert run(*action, *inputs, "-o", tmp_path / "b.tape", "--force") == 1
        assert capsys.readouterr().err == f"ebpftop: {tmp_path}/b.tape is being recorded by another ebpftop\n"
    assert [frame for _, frame in read(tmp_path / "b.tape")] == [hello()]
    assert run(*action, *inputs, "-o", tmp_path / "b.tape", "--force") == 0


def test_an_output_that_fails_leaves_nothing(tmp_path: Path, tape: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write

    def full(fd: int, data: bytes) -> int:
        if len(data) > 28:
            raise OSError(28, "No space left on device")
        return real(fd, data)

    monkeypatch.setattr(os, "write", full)
    assert run("cut", tape, "-o", tmp_path / "out") == 1
    assert [each.name for each in tmp_path.iterdir()] == ["a.tape"]
    assert run("cut", tape, "-o", tmp_path / "none" / "out") == 1


@OUTPUTS
@pytest.mark.parametrize("force", [(), ("--force",)], ids=["", "force"])
def test_an_output_that_cannot_be_made_is_one_line(
    tmp_path: Path, tape: Path, action: tuple[str, ...], force: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    inputs = [tape] * 2 if action == ("merge",) else [tape]
    for output, why in ((tmp_path / ("y" * 256), "File name too long"), (tape / "out", "Not a directory")):
        assert run(*action, *inputs, "-o", output, *force) == 1
        assert capsys.readouterr().err == f"ebpftop: {output}: {why}\n"
    assert os.listdir(tmp_path) == ["a.tape"]


@OUTPUTS
@pytest.mark.parametrize("name", ["z" * 255, "字" * 85], ids=["ascii", "multi-byte"])
def test_a_name_may_be_as_long_as_names_get(tmp_path: Path, tape: Path, action: tuple[str, ...], name: str) -> None:
    inputs = [tape] * 2 if action == ("merge",) else [tape]
    assert run(*action, *inputs, "-o", tmp_path / name) == 0
    assert sorted(os.listdir(tmp_path)) == sorted(["a.tape", name])


def test_nothing_is_left_of_a_tape_whose_writer_was_killed(tmp_path: Path) -> None:
    child = os.fork()
    if child == 0:
        with outputs.output(tmp_path / "out.tape", [], force=False) as written:
            written.write(0, hello())
            os._exit(9)
    os.waitpid(child, 0)
    assert os.listdir(tmp_path) == []


# ---------------------------------------------------------------- cut


@pytest.mark.parametrize(("begin", "end"), [("7", "0:12"), ("deploy 42", "0:00:12s"), ("depl", "12")])
def test_a_part_begins_with_the_state_and_has_all_that_follows(
    tmp_path: Path, tape: Path, begin: str, end: str
) -> None:
    out = tmp_path / "out.tape"
    assert run("cut", tape, "--from", begin, "--to", end, "-o", out) == 0
    start = 5 if begin.startswith("d") else 7
    frames = read(out)
    assert [type(frame) for at, frame in frames[:4]] == [type(frame) for _, frame in story()[:4]]
    numbers = [(at, frame.seq, _counts(frame)) for at, frame in frames if isinstance(frame, Snapshot)]
    assert numbers == [(seq - start, seq, {1: 10 * seq, 2: seq}) for seq in range(start, 13)]  # the first is a base
    assert [frame.text for _, frame in frames if isinstance(frame, Mark)] == (["deploy 42"] if start == 5 else [])


def _counts(frame: Snapshot) -> dict[int, int]:
    rows = unpack(frame.maps["calls"])
    return dict(zip(rows["tgid"].tolist(), rows["count"].tolist(), strict=True))


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("--from", "30"), 1, "ends after 19.0 s"),
        (("--from", "9", "--to", "9"), 2, "ends before it starts"),
        (("--from", "deplay 42"), 2, "'deplay 42' is neither a time nor a mark; did you mean deploy 42?"),
        (("--to", "-5"), 2, "is neither a time nor a mark"),
        (("--to", "1e9"), 2, "is neither a time nor a mark"),
    ],
)
def test_what_cannot_be_cut_is_one_line(
    tmp_path: Path, tape: Path, arguments: tuple[str, ...], status: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("cut", tape, *arguments, "-o", tmp_path / "out") == status
    assert says in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_part_with_the_greatest_number_of_a_snapshot_can_be_read(tmp_path: Path) -> None:
    told = story(0)
    for at, seq in enumerate((1, 2, GREATEST, GREATEST)):
        told.append((at, msgspec.structs.replace(calls(1, at, {1: at}), seq=seq)))
    tape = write(tmp_path / "a.tape", told)
    assert run("cut", tape, "--from", "0.5", "-o", tmp_path / "out") == 0
    assert [frame.seq for _, frame in read(tmp_path / "out") if isinstance(frame, Snapshot)][-1] == GREATEST


def test_what_can_be_read_of_a_cut_tape_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torn = write(tmp_path / "a.tape", story(), ends=False)
    assert run("cut", torn, "--from", "10", "-o", tmp_path / "out") == 1
    assert "is truncated after 19.0 s; the readable part was written" in capsys.readouterr().err
    assert [frame.seq for _, frame in read(tmp_path / "out") if isinstance(frame, Snapshot)] == list(range(10, 20))
    assert TapeReader(tmp_path / "out").problem == ""


# ---------------------------------------------------------------- merge


def later(told: Story, seconds: float) -> Story:
    """The same on the wall's clock and the monotonic one, later; the tape's own times stay."""
    by = round(seconds * SECOND)

    def moved(frame: AnyFrame) -> AnyFrame:
        names = ("realtime_ns", "monotonic_ns", "boottime_ns")
        fields = [name for name in names if hasattr(frame, name)]
        return msgspec.structs.replace(frame, **{name: getattr(frame, name) + by for name in fields})

    return [(at, moved(frame)) for at, frame in told]


def sums(frames: Iterable[AnyFrame]) -> dict[tuple[str, str], int]:
    """Of each run's last snapshot, by run and the name of the process."""
    session = Session()
    for frame in frames:
        session.feed(frame)
    found = {}
    for number, one in session.runs.items():
        ledger = one.ledgers["calls"]
        for tgid, count in zip(ledger.values("tgid").tolist(), ledger.totals["count"].tolist(), strict=True):
            found[str(number), session.processes[tgid].comm] = count
    return found


def test_tapes_of_one_host_follow_each_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    second = [
        (at, processes(process(1, "nginx", tgid=77, command=""), process(2, "node", command="")))
        if isinstance(f, Processes)
        else (at, f)
        for at, f in later(story(10), 100)
    ]
    a, b, out = write(tmp_path / "a", story()), write(tmp_path / "b", second), tmp_path / "out"
    assert run("merge", b, a, "-o", out) == 0  # in any order
    assert capsys.readouterr().err == ""
    frames = read(out)
    assert [at for at, _ in frames] == sorted(at for at, _ in frames)
    assert TapeReader(out).duration == 109
    assert sums(frame for _, frame in frames) == {
        ("1", "postgres"): 190,
        ("1", "node"): 19,
        ("2", "nginx"): 90,
        ("2", "node"): 9,
    }
    assert [type(frame) for _, frame in frames].count(Hello) == 1
    assert [(at, frame.run) for at, frame in frames if isinstance(frame, Detached)] == [(19, 1), (109, 2)]
    known = {each.id: each for _, frame in frames if isinstance(frame, Processes) for each in frame.processes}
    assert sorted((each.tgid, each.comm) for each in known.values()) == [
        (77, "nginx"),
        (1001, "postgres"),
        (1002, "node"),
    ]


def test_how_tapes_were_merged_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    boot = hello().boot_realtime_ns + 50 * SECOND
    again = [
        (at, msgspec.structs.replace(f, monotonic_ns=f.monotonic_ns - 1000 * SECOND) if isinstance(f, Snapshot) else f)
        for at, f in later(story(10, boot_realtime_ns=boot, kernel="6.13.0"), 15)
    ]
    a, b, out = write(tmp_path / "a", story()), write(tmp_path / "b", again), tmp_path / "out"
    assert run("merge", a, b, "-o", out) == 0
    lines = capsys.readouterr().err.splitlines()
    assert "starts 4.0 s before another ends" in lines[0]
    assert "is from another boot" in lines[1]
    assert "is from another kernel: 6.13.0" in lines[2]
    shots = [(at, frame) for at, frame in read(out) if isinstance(frame, Snapshot)]
    assert {round(at * SECOND) - frame.monotonic_ns for at, frame in shots} == {-1000 * SECOND}


def test_tapes_of_two_hosts_are_not_merged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = write(tmp_path / "a", story()), write(tmp_path / "b", story(host="db\x1b-01"))
    assert run("merge", a, b, "-o", tmp_path / "out") == 1
    assert capsys.readouterr().err == "ebpftop: tapes of different hosts can't be merged: 'db\\x1b-01', 'web-03'\n"
    assert run("merge", a, "-o", tmp_path / "out") == 2
    assert not (tmp_path / "out").exists()


def test_times_at_their_limit_are_merged_into_a_tape_that_can_be_read(tmp_path: Path) -> None:
    late = processes(process(1, "late", start_ns=GREATEST, ended_ns=GREATEST))
    times = snapshot(1, 0, {"calls": columns(tgid=[1], nr=["read"], count=[5], last_ns=[0])}, at=30)
    times = msgspec.structs.replace(times, monotonic_ns=GREATEST, boottime_ns=GREATEST)
    told = [(0, hello(boot_realtime_ns=GREATEST)), (0, late), (0, loaded(1, "cpu/syscount", CALLS)), (0, times)]
    a, b, out = write(tmp_path / "a", story()), write(tmp_path / "b", told), tmp_path / "out"
    assert run("merge", a, b, "-o", out) == 0
    ends = [each.start_ns for _, frame in read(out) if isinstance(frame, Processes) for each in frame.processes]
    assert GREATEST in ends


def test_tapes_too_far_apart_are_not_merged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a = write(tmp_path / "a", [(0, hello()), (0, mark("then", 0, realtime_ns=0))])
    b = write(tmp_path / "b", [(0, hello()), (0, mark("now", 0, realtime_ns=GREATEST)), (5, mark("later", 5))])
    assert run("merge", a, b, "-o", tmp_path / "out") == 1
    assert capsys.readouterr().err.endswith("the times of these tapes are further apart than one tape can hold\n")
    assert not (tmp_path / "out").exists()


def test_stacks_of_two_tapes_keep_their_names(tmp_path: Path) -> None:
    def profile(stack: list[str], at: float) -> Path:
        told: Story = [(0, hello()), (0, processes(process(1, "a"))), (0, loaded(1, "cpu/profile", SAMPLES))]
        told += [(1, stacks({7: stack})), (1, samples(1, 1, {(1, 7): 5}))]
        return write(tmp_path / f"{at}", later(told, at))

    assert run("merge", profile(["main", "f"], 0), profile(["main", "g"], 60), "-o", tmp_path / "out") == 0
    session = Session()
    for _, frame in read(tmp_path / "out"):
        session.feed(frame)
    names = []
    for one in session.runs.values():
        numbers = one.ledgers["samples"].values("stack").tolist()
        names += [[session.stacks.functions[at].name for at in stack] for stack in session.stacks.lookup(numbers)]
    assert names == [["main", "f"], ["main", "g"]]


# ---------------------------------------------------------------- scrub


class Canaries:
    """Texts that nobody may see; each is another one."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, before: str = "", after: str = "") -> str:
        self.count += 1
        return f"{before}canary{self.count}zz{after}"


def everywhere(new: Callable[..., str]) -> list[AnyFrame]:
    """Frames of all kinds with canaries wherever there is a text."""
    column = ColumnInfo(field=new(), title=new(), unit=new(), decode=new(), role="gauge")
    text_columns = [
        ColumnInfo(field=decode, title=decode, decode=decode)
        for decode in (
            "comm",
            "string",
            "address",
            "user",
            "cgroup",
            "device",
            "errno",
            "syscall",
            "port",
            "hex",
            "signal",
        )
    ]
    table = ViewInfo(
        name=new(),
        map=new(),
        show="table",
        title=new(),
        unit=new(),
        sort=new(),
        columns=[*CALLS.columns, *text_columns, column],
    )
    exec_view = msgspec.structs.replace(EXECS, columns=[*EXECS.columns, *text_columns])
    views = [table, exec_view, SAMPLES]
    rows = columns(tgid=[1], nr=[new()], count=[4], last_ns=[5], raw=np.array([new().encode()], "S30"))
    texts = {info.field: [new("/")] for info in text_columns}
    rows |= columns(**texts, **{column.field: [new()]}, hidden=[new()])
    own = probe(
        new("x/"), views, title=new(), source=new(), readme=new(), summary=new(), question=new(), overhead=new()
    )
    own = msgspec.structs.replace(own, reason=new(), file=new(), revision=new(), variant=new(), meaning=new())
    own = msgspec.structs.replace(
        own, params=[ParamInfo(name=new(), type=new(), default=new(), help=new(), choices=[new()])]
    )
    bundled = msgspec.structs.replace(own, id="cpu/syscount", category=new())
    attached = dict(
        variant=new(),
        meaning=new(),
        views=views,
        attached=[new("uprobe:/bin/"), new()],
        points=[new()],
        tried=[Tried(variant=new(), reason=new())],
        notes=[new()],
    )
    assert attached.keys() < set(Attached.__struct_fields__)
    playbook = PlaybookInfo(
        name=new(),
        title=new(),
        summary=new(),
        steps=[StepInfo(probe=new(), question=new(), view=new(), params={new(): new()})],
    )
    functions = [
        Function(id=1, side="user", name=new(), module=new("/opt/")),
        Function(id=2, side="kernel", name=new("bpf_prog_"), module=""),
        Function(id=3, side="kernel", name="f", module=new()),
        Function(id=4, side="kernel", name=new("-"), module=""),
        Function(id=5, side="missing", name=new()),
        Function(id=6, side="user", name=new("[stripped] "), module=""),
    ]
    program = Program(
        id=1, name=new(), type=new(), tag=new(), loaded_ns=1, run_time_ns=1, run_count=1, jited=1, translated=1,
        holders=[Holder(pid=1, comm=new())],
    )  # fmt: skip
    moment = {"realtime_ns": EPOCH, "monotonic_ns": 1, "boottime_ns": 1}
    failure = rejected(2, new("x/"), params={new(): new()}, error=new(), text=new(), log=new(), headers={new(): new()})
    failure = msgspec.structs.replace(
        failure, variant=new(), function=new(), tried=[Tried(variant=new(), reason=new())]
    )
    who = Process(
        id=1, tgid=5, start_ns=1, parent=new(), comm=new(), command=new(), user=new(), cgroup=new("/system.slice/")
    )
    facts = ProcessFacts(
        tgid=5, start_ns=1, boottime_ns=1, unread=[new()], comm=new(), command=new(), state=new(), user=new(),
        cgroup=new("/"), ancestors=[Ancestor(tgid=1, start_ns=1, comm=new())],
        limits=[LimitFacts(name=new(), soft=1, hard=1)],
        threads=[ThreadFacts(tid=5, comm=new(), state=new(), cpu_ns=1, waits=new())],
        files=[FileFacts(fd=1, target=new("/"))],
        sockets=[SocketFacts(fd=2, protocol=new(), local=new(), remote=new(), state=new())],
    )  # fmt: skip
    place = ThreadPlace(
        tid=5, tgid=5, start_ns=1, comm=new(), process=new(), state=new(), cpu_ns=1, waits=new(), target=new("/")
    )
    threads = Threads(
        monotonic_ns=1, boottime_ns=1, threads=[place], stacks=[[new()]], unread=[new()], error=new(), host=new()
    )
    return [
        hello(host=new(), kernel=new("6.1.0-"), version=new("1.0+"), machine=new(), user=new()),
        msgspec.structs.replace(catalog(own, bundled), problems=[new()], playbooks=[playbook]),
        Loading(run=1, probe=new("x/"), params={new(): new()}, stage="compile"),
        Loaded(run=1, probe=new("x/"), params={new(): new()}, **attached),
        failure,
        Refused(error=new()),
        processes(who),
        Stacks(functions=functions, stacks=[Stack(id=1, functions=[1, 2, 3, 4, 5, 6])]),
        snapshot(1, 1, {table.map: rows, new(): columns(name=[new()])}),
        events(
            1,
            "events",
            columns(tgid=[1], args=[new()], **{info.field: [new()] for info in text_columns}),
        ),
        msgspec.structs.replace(
            cost(1, 1, 1, 1),
            programs=[ProgramCost(name=new(), run_count=1, run_time_ns=1)],
            rings=[RingUse(map=new(), size=1, most=1)],
        ),
        Programs(monotonic_ns=1, boottime_ns=1, programs=[program], error=new(), host=new()),
        facts,
        threads,
        Hosts(
            realtime_ns=EPOCH,
            hosts=[
                HostState(
                    name=new(),
                    state="lost",
                    heard_ns=1,
                    problem=new(),
                    host=new(),
                    kernel=new(),
                    without=[Without(probe=new("x/"), params={new(): new()}, why=new())],
                    load=Host(realtime_ns=EPOCH, cpu_percent=1, memory_percent=1, load=1, cgroup=new("/")),
                )
            ],
        ),
        Pong(number=1, **moment),
        Notice(level="info", text=new()),
        Mark(**moment, text=new()),
        Detached(run=1, reason=new()),
    ]


def test_no_text_of_the_machine_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In no block of any kind, and so not in the index or in a key."""
    monkeypatch.setattr(tape_format, "KEY_SECONDS", 1.0)
    new = Canaries()
    planted = everywhere(new)
    kinds = {type(each).__name__ for each in planted} | {"Hello", "Host", "Detaching"}
    assert kinds == {each.__name__ for each in AnyFrame.__args__}
    told: Story = [*enumerate(planted), *((20.0 + at, frame) for at, frame in enumerate(planted[5:]))]
    path = write(tmp_path / "a.tape", told)
    unpacked = b"".join(block.data for block in plain_tape.blocks(path))
    missing = [number for number in range(1, new.count + 1) if b"canary%dzz" % number not in unpacked]
    assert len(missing) <= 2  # what no tape keeps: a catalog's problems and its probes' files
    assert run("scrub", path, "-o", tmp_path / "out") == 0
    found = plain_tape.blocks(tmp_path / "out")
    assert {"frames", "catalog", "key", "index"} <= {block.kind for block in found}
    for block in found:
        assert b"canary" not in block.data, (block.kind, block.data[max(0, block.data.find(b"canary") - 200) :][:300])
    assert b"canary" not in (tmp_path / "out").read_bytes()


def test_hosts_keep_their_rows_their_loads_and_their_gaps(tmp_path: Path) -> None:
    view = with_host(CALLS, "host")
    load = Host(realtime_ns=EPOCH, cpu_percent=41, memory_percent=1, load=1)
    states = [
        HostState(name="web-1", state="live", heard_ns=EPOCH, load=load),
        HostState(name="web-2", state="lost", heard_ns=EPOCH - SECOND, problem="no route to web-2"),
    ]
    rows = columns(tgid=[1, 2], nr=[1, 1], count=[4, 5], last_ns=[0, 0], host=["web-2", "web-1"])
    told: Story = [
        (0, hello()),
        (0, loaded(1, "cpu/syscount", view)),
        (0, Hosts(realtime_ns=EPOCH, hosts=states)),
        (1, snapshot(1, 1, {"calls": rows})),
    ]
    path = write(tmp_path / "a.tape", told)
    assert run("scrub", path, "-o", tmp_path / "out") == 0
    frames = [frame for _, frame in read(tmp_path / "out")]
    (first, second) = next(frame for frame in frames if isinstance(frame, Hosts)).hosts
    assert (first.load, second.heard_ns, second.problem) == (load, EPOCH - SECOND, scrub.LEFT_OUT)
    found = unpack(next(frame for frame in frames if isinstance(frame, Snapshot)).maps["calls"])["host"]
    assert isinstance(found, Labels)
    assert found.texts() == [second.name, first.name]
    assert "web" not in first.name + second.name


def test_pseudonyms_are_the_same_everywhere_and_numbers_stay(tmp_path: Path) -> None:
    told: Story = [
        (0, hello()),
        (0, processes(process(1, "postgres", parent="systemd", cgroup="/a/b"), process(2, "systemd", cgroup="/a/c"))),
        (0, loaded(1, "cpu/execsnoop", EXECS, CALLS)),
        (1, events(1, "events", columns(tgid=[1, 2], args=["postgres", "/usr/bin/x"], errno=["ENOENT", ""]))),
        (2, calls(1, 1, {1: 41, 2: 7})),
    ]
    path = write(tmp_path / "a.tape", told)
    assert run("scrub", path, "-o", tmp_path / "out") == 0
    frames = [frame for _, frame in read(tmp_path / "out")]
    (first, second) = next(frame for frame in frames if isinstance(frame, Processes)).processes
    assert (first.comm, first.parent) == ("process1", second.comm)
    assert first.cgroup.rpartition("/")[0] == second.cgroup.rpartition("/")[0] != first.cgroup
    assert (first.tgid, first.command) == (1001, "")
    drained = unpack(next(frame for frame in frames if hasattr(frame, "columns")).columns)
    assert isinstance(drained["args"], Labels)
    assert drained["args"].texts()[0] == "process1"
    assert drained["args"].texts()[1].count("/") == 3
    assert drained["errno"].texts() == ["ENOENT", ""]
    shot = next(frame for frame in frames if isinstance(frame, Snapshot))
    assert _counts(shot) == {1: 41, 2: 7}
    ran = next(frame for frame in frames if isinstance(frame, Loaded))
    call = ran.views[1].columns[1].field  # it may have another name, as everywhere
    assert unpack(shot.maps["calls"])[call].texts() == ["read", "read"]
    assert (ran.probe, ran.views[1].columns[1].decode, ran.attached) == (
        "cpu/execsnoop",
        "syscall",
        ["raw_tracepoint:sched_switch"],
    )
