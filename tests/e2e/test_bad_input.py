"""Mistakes on the command line: each gets one line and an exit code."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from ebpftop.frames.messages import Snapshot
from ebpftop.frames.tape import TapeReader
from tests.support.command import AS_NOBODY, CHECKOUT, COMMAND, complaint, ebpftop
from tests.support.processes import SLOWER

HELLO = CHECKOUT / "probes/lab/hello"


def copy(folder: Path, change: tuple[str, str] = ("", "")) -> Path:
    """A copy of the smallest probe, with one change in its manifest."""
    shutil.copytree(HELLO, folder)
    manifest = folder / "probe.toml"
    manifest.write_text(manifest.read_text().replace(*change, 1))
    return folder


# ---------------------------------------------------------------- probes


@pytest.mark.parametrize("command", [["run"], ["show"], ["record", "-o", "/nowhere/tape"]])
def test_an_unknown_probe_is_answered_with_the_nearest(command: list[str]) -> None:
    assert complaint(ebpftop(*command, "runqlta"), 2).startswith("unknown probe 'runqlta'; did you mean cpu/runqlat")


def test_a_bare_name_of_two_probes_is_ambiguous(tmp_path: Path) -> None:
    copy(tmp_path / "mine/hello")
    assert complaint(ebpftop("run", "hello", "--probes", tmp_path), 2) == "hello is ambiguous: lab/hello, mine/hello"


def test_a_malformed_manifest_leaves_the_rest_of_the_catalog(tmp_path: Path) -> None:
    broken = copy(tmp_path / "mine/broken", ("summary", "sumary"))
    copy(tmp_path / "mine/whole")
    done = ebpftop("list", "--json", "--probes", tmp_path)
    expected = f"{broken}/probe.toml:2: sumary: unknown key; did you mean summary?"
    assert complaint(done, 1) == expected
    listed = {entry["id"] for entry in json.loads(done.stdout)}
    assert {"mine/whole", "lab/hello", "cpu/runqlat"} < listed
    assert "mine/broken" not in listed
    for name in ("mine/broken", "broken"):
        assert complaint(ebpftop("run", name, "--probes", tmp_path), 2) == expected


def test_a_playbook_that_can_not_be_used_is_answered_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "playbooks").mkdir()
    (tmp_path / "playbooks/mine.toml").write_text("x = [")
    done = ebpftop("triage", "mine", "--probes", tmp_path)
    assert complaint(done, 2) == f"{tmp_path}/playbooks/mine.toml:1: Invalid value"


@pytest.mark.parametrize(("name", "why"), [("missing", "no such folder"), ("file", "not a folder")])
def test_a_folder_of_probes_that_is_none_is_told_beside_the_rest(tmp_path: Path, name: str, why: str) -> None:
    (tmp_path / "file").touch()
    done = ebpftop("list", "--probes", tmp_path / name)
    assert complaint(done, 1) == f"{tmp_path / name}: {why}"
    assert "cpu/runqlat" in done.stdout


def test_a_folder_that_is_no_probe_is_told_with_all_that_is_wrong(tmp_path: Path) -> None:
    folder = copy(tmp_path / "broken", ("medium", "\x1b[31mmedium"))
    assert "probe.toml:4: Illegal character '\\x1b'" in complaint(ebpftop("check", folder), 1)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("", "{} has no probe.toml: give the folder of one probe, such as {}/broken"),
        ("empty", "{}/empty has no probe.toml: give the folder of one probe"),
        ("missing", "{}/missing: No such file or directory"),
        ("file", "{}/file: Not a directory"),
    ],
)
def test_what_has_no_probe_is_not_checked(tmp_path: Path, path: str, expected: str) -> None:
    copy(tmp_path / "broken")
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    assert complaint(ebpftop("check", tmp_path / path), 1) == expected.replace("{}", str(tmp_path))


def test_a_path_does_nothing_to_the_terminal(tmp_path: Path) -> None:
    odd = tmp_path / "a\x1b[31mb"
    made = ebpftop("new", odd)
    assert made.returncode == 0
    (odd / "c\x9bd.h").write_bytes(b"\xff")
    for said in (made.stdout, made.stderr, ebpftop("new", odd).stderr, ebpftop("check", odd).stderr):
        assert said.replace("\n", "").isprintable()
        assert "a\\x1b[31mb" in said


# ---------------------------------------------------------------- parameters and options


KNOWN = "pid, comm, cgroup, container, pod, unit, by"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("pid=1x", "cpu/syscount: pid: expected a process id from 1 to 4194304, not '1x'"),
        ("pid=0", "cpu/syscount: pid: expected a process id from 1 to 4194304, not '0'"),
        ("comm=", "cpu/syscount: comm: expected a process name of 1 to 15 bytes of UTF-8 without NUL, not ''"),
        ("by=usr", "cpu/syscount: by: expected one of both, process, syscall, not 'usr'"),
        ("pido=1", f"cpu/syscount: pido: no such parameter (it has {KNOWN}); did you mean pid?"),
    ],
)
def test_a_wrong_parameter_is_told_with_what_was_expected(given: str, expected: str) -> None:
    assert complaint(ebpftop("run", "syscount", "-p", given), 2).startswith(expected)


@pytest.mark.bpf
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("cgroup=/no/such", "cpu/syscount: cgroup: '/no/such': can't open cgroup "),
        ("pid=4194304", "cpu/syscount: pid: '4194304': no such process"),
        ("cgroup=../../etc", "cpu/syscount: cgroup: '../../etc': "),
    ],
)
def test_a_parameter_that_this_machine_does_not_have_is_told(given: str, expected: str) -> None:
    assert complaint(ebpftop("run", "syscount", "-p", given), 2).startswith(expected)


@pytest.mark.root
def test_a_wrong_parameter_costs_no_password() -> None:
    assert "a process id" in complaint(ebpftop("run", "syscount", "-p", "pid=x", before=AS_NOBODY), 2)


def test_a_parameter_none_of_several_probes_has() -> None:
    done = ebpftop("record", "-o", "/nowhere/tape", "-p", "nonsense=1", "runqlat", "syscount")
    assert complaint(done, 2) == "none of these probes has a parameter 'nonsense'"


def test_a_tape_is_a_file_with_a_name() -> None:
    done = ebpftop("record", "-o", "-", "cpu/runqlat", "--no-sudo")
    assert complaint(done, 2).startswith("a tape can't be written to standard output")
    done = ebpftop("record", "-o", "", "cpu/runqlat", "--no-sudo")
    assert (done.returncode, "the path is empty" in done.stderr) == (2, True)


def test_a_parameter_is_given_once() -> None:
    done = ebpftop("run", "cpu/runqlat", "--no-sudo", "-p", "pid=1", "-p", "pid=2")
    assert complaint(done, 2) == "parameter 'pid' is given more than once"


@pytest.mark.parametrize(
    "arguments",
    [
        ["run"],
        ["run", "syscount", "-p", "pid"],
        ["run", "syscount", "--interval", "nan"],
        ["run", "x", "--duration=-1"],
    ],
)
def test_wrong_usage_ends_with_2(arguments: list[str]) -> None:
    done = ebpftop(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: ")


# ---------------------------------------------------------------- output


@pytest.mark.bpf
def test_a_tape_that_is_there_stays_unless_force_is_used(tmp_path: Path) -> None:
    tape = tmp_path / "there"
    tape.write_text("mine")
    record = ["record", "-o", tape, "syscount", "--duration", "0.2"]
    assert complaint(ebpftop(*record), 1) == f"{tape} exists; --force overwrites it"
    assert tape.read_text() == "mine"
    done = ebpftop(*record, "--force")
    assert done.returncode == 0, done.stderr
    assert tape.read_bytes().startswith(b"ebpftop")


@pytest.mark.bpf
@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("{}/missing/tape", "{}/missing/tape: No such file or directory"),
        ("{}", "{} exists; --force overwrites it"),
        ("/dev/full", "/dev/full exists; --force overwrites it"),
    ],
)
def test_a_tape_that_cannot_be_written_is_told(tmp_path: Path, place: str, expected: str) -> None:
    done = ebpftop("record", "-o", place.format(tmp_path), "syscount", "--duration", "0.2")
    assert complaint(done, 1) == expected.format(tmp_path)


@pytest.mark.bpf
@pytest.mark.parametrize("command", ["list", "show runqlat", "doctor", "run syscount", "run syscount --format json"])
def test_a_reader_that_has_had_enough_ends_it_quietly(command: str) -> None:
    line = f"{' '.join(COMMAND)} {command} --interval 0.1" if "run " in command else f"{' '.join(COMMAND)} {command}"
    done = subprocess.run(
        f"{line} | head -1", shell=True, capture_output=True, text=True, timeout=60 * SLOWER, cwd=CHECKOUT, check=False
    )
    assert done.stdout
    assert done.stderr == ""


@pytest.mark.bpf
@pytest.mark.parametrize("command", ["list", "show runqlat", "--help", "run syscount --duration 1"])
def test_output_without_room_is_told_in_one_line(command: str) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*COMMAND, *command.split()],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60 * SLOWER,
            cwd=CHECKOUT,
            check=False,
        )
    assert complaint(done, 1) == "the output can't be written: No space left on device"


@pytest.mark.bpf
def test_it_runs_with_no_standard_streams_at_all(tmp_path: Path) -> None:
    tape = tmp_path / "tape"
    line = f"{' '.join(COMMAND)} record -o {tape} syscount --duration 0.2 <&- >&- 2>&-"
    done = subprocess.run(line, shell=True, timeout=60 * SLOWER, cwd=CHECKOUT, check=False)
    assert done.returncode == 0
    assert tape.read_bytes().startswith(b"ebpftop")


# ---------------------------------------------------------------- without a terminal, without root


@pytest.mark.parametrize("command", [[], ["replay", "/etc/passwd"], ["demo"]])
def test_the_dashboard_needs_a_terminal(command: list[str]) -> None:
    assert "needs a terminal" in complaint(ebpftop(*command), 2)


@pytest.mark.root
def test_without_root_the_catalog_is_told_as_far_as_it_can_be() -> None:
    done = ebpftop("list", "--json", before=AS_NOBODY)
    assert (done.returncode, done.stderr) == (0, "")
    known = {entry["id"]: entry for entry in json.loads(done.stdout)}
    for probe in ("cpu/runqlat", "cpu/execsnoop", "disk/opensnoop", "lab/hello"):
        assert (known[probe]["available"], known[probe]["reason"]) == (None, "unknown without root")
    rows = [line.split("\t") for line in ebpftop("list", before=AS_NOBODY).stdout.splitlines()]
    assert ["cpu/runqlat", "unknown", "unknown without root"] in [[row[0], row[1], row[4]] for row in rows]


def test_the_shared_c_that_a_probe_uses_is_shown_with_it() -> None:
    shown = ebpftop("show", "disk/biosnoop").stdout
    for file in ("disk/biosnoop/probe.bpf.c", "include/ebpftop.h", "include/ebpftop_requests_maps.h"):
        assert (CHECKOUT / "probes" / file).read_text().expandtabs(8) in shown
    assert "ebpftop_sockets.h" not in shown


@pytest.mark.root
def test_without_root_everything_that_traces_nothing_works(public: Path) -> None:
    public.chmod(0o777)
    assert "bpf_get_current_pid_tgid" in ebpftop("show", "hello", before=AS_NOBODY).stdout
    examined = json.loads(ebpftop("doctor", "--json", before=AS_NOBODY).stdout)
    assert [check["remedy"] for check in examined if check["check"] == "privilege"] == [
        "run as root: sudo ebpftop doctor"
    ]
    made = ebpftop("new", public / "mine", before=AS_NOBODY)
    assert made.returncode == 0, made.stderr
    assert (public / "mine/probe.toml").exists()


@pytest.mark.root
@pytest.mark.parametrize("command", [["run", "syscount"], ["record", "-o", "/tmp/never", "syscount"], ["check", HELLO]])
def test_without_root_the_remedy_is_named(command: list[str]) -> None:
    assert "sudo" in complaint(ebpftop(*command, "--no-sudo", before=AS_NOBODY), 3)
    no_sudo = (*AS_NOBODY, "env", "PATH=/nonexistent")
    assert "sudo is not installed" in complaint(ebpftop(*command, before=no_sudo), 3)
    assert not Path("/tmp/never").exists()


@pytest.mark.root
def test_a_folder_of_probes_that_may_not_be_read_is_told(tmp_path: Path) -> None:
    done = ebpftop("list", "--probes", "/root", before=AS_NOBODY)
    assert done.returncode == 1
    assert done.stderr.startswith("ebpftop: /root: ")
    assert "cpu/runqlat" in done.stdout


@pytest.mark.bpf
def test_a_disk_that_is_full_ends_the_tape_where_it_can_still_be_read(tmp_path: Path) -> None:
    """On a file system of 288 KiB in a mount namespace of its own."""
    disk, tape = tmp_path / "disk", tmp_path / "copy.tape"
    disk.mkdir()
    record = f"{' '.join(COMMAND)} record -o {disk}/tape syscount runqlat --interval 0.05 --duration 60"
    script = f"mount -t tmpfs -o size=288k none {disk} && {record}; status=$?; cp {disk}/tape {tape}; exit $status"
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script],
        capture_output=True,
        text=True,
        timeout=120 * SLOWER,
        cwd=CHECKOUT,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[0] == "ebpftop: recording stopped: No space left on device"
    assert sum(isinstance(frame, Snapshot) for _, frame in TapeReader(tape)) > 0
