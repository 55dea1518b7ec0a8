"""`ebpftop explain` as a person uses it: files, pipes, colours, exit codes; no root anywhere."""

from __future__ import annotations

import json
import os
import pty
import pwd
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.command import AS_NOBODY, CHECKOUT, COMMAND, Done, complaint, ebpftop
from tests.support.processes import SLOWER, eventually

LOGS = CHECKOUT / "tests/unit/verifier/logs/6.18"
WRITTEN = CHECKOUT / "tests/unit/verifier/written"
NULL = LOGS / "null-map-value.txt"
BRANCHES = WRITTEN / "branches-level-2.txt"
HEAVY = ("numpy", "textual", "rich", "plotext", "psutil", "bcc", "asyncio")


def piped(log: bytes, *arguments: str) -> Done:
    """The log on standard input."""
    done = subprocess.run(
        [*COMMAND, "explain", *arguments],
        input=log,
        capture_output=True,
        timeout=60 * SLOWER,
        cwd=CHECKOUT,
        check=False,
    )
    return Done(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def on_a_terminal(environment: Mapping[str, str], *arguments: object) -> str:
    """What it writes where standard output is a terminal."""
    master, slave = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", **environment}
    command = [*COMMAND, "explain", *map(str, arguments)]
    with subprocess.Popen(command, stdout=slave, stdin=subprocess.DEVNULL, cwd=CHECKOUT, env=environment) as running:
        os.close(slave)
        shown = b""
        while piece := _read(master):
            shown += piece
    os.close(master)
    assert running.returncode == 0
    return shown.decode()


def _read(master: int) -> bytes:
    try:
        return os.read(master, 65_536)
    except OSError:  # the other end is closed
        return b""


def test_a_failure_is_explained() -> None:
    done = ebpftop("explain", NULL)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.split("\n")
    assert lines[0] == "✗ R0 invalid mem access 'map_value_or_null'"
    assert lines[1].startswith("  instruction 8 · ")
    assert "     7  call bpf_map_lookup_elem#1" in lines
    assert "     8  r1 = *(u64 *)(r0 +0)" in lines
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize("arguments", [[], ["-"]])
def test_standard_input_is_read(arguments: list[str]) -> None:
    done = piped(NULL.read_bytes(), *arguments)
    assert (done.returncode, done.stdout, done.stderr) == (0, ebpftop("explain", NULL).stdout, "")


def test_a_failure_is_told_as_soon_as_its_log_ends() -> None:
    with subprocess.Popen(
        [*COMMAND, "explain", "--json"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=CHECKOUT
    ) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        for insn in (8, 15):
            log = NULL if insn == 8 else LOGS / "unbounded-size.txt"
            running.stdin.write(log.read_bytes())
            running.stdin.flush()
            assert json.loads(running.stdout.readline())["insn"] == insn  # while standard input stays open
        running.stdin.close()
    assert running.returncode == 0


def test_json_is_one_object_and_nothing_else() -> None:
    done = ebpftop("explain", "--json", BRANCHES)
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert list(told) == [
        "kind", "message", "program", "insn", "source", "explanation", "fix", "registers", "chain", "kernel_report",
        "fault", "kernel",
    ]  # fmt: skip
    assert (told["insn"], told["kernel_report"]) == (6, None)
    assert told["source"] == {"file": "a.bpf.c", "line": 12, "text": "return *kept;"}
    assert told["registers"] == {"r6": "the number 0 (0)"}
    assert [step["insn"] for step in told["chain"]] == [0, 3, 6]


def test_of_several_failures_each_is_a_line() -> None:
    done = piped(NULL.read_bytes() + (LOGS / "unbounded-size.txt").read_bytes(), "--json")
    assert done.returncode == 0
    assert [json.loads(line)["insn"] for line in done.stdout.splitlines()] == [8, 15]
    assert piped(NULL.read_bytes() * 2).stdout.count("✗ R0 invalid mem access") == 2


def test_the_authors_file_is_quoted(tmp_path: Path) -> None:
    c = tmp_path / "a.bpf.c"
    c.write_text("\n" * 11 + "\treturn *kept; // there\n" + "\treturn *kept;\n")
    told = json.loads(ebpftop("explain", "--json", BRANCHES, "--source", c).stdout)
    assert told["source"] == {"file": str(c), "line": 13, "text": "\treturn *kept;"}


def test_colour_on_a_terminal_and_not_with_no_color() -> None:
    assert on_a_terminal({"NO_COLOR": ""}, NULL).startswith("\x1b[1;31m✗ R0 invalid mem access")
    assert "\x1b" not in on_a_terminal({"NO_COLOR": "1"}, NULL)
    assert json.loads(on_a_terminal({"NO_COLOR": ""}, "--json", NULL))["insn"] == 8


@pytest.mark.parametrize(
    ("log", "said"),
    [
        (b"", "No verifier log was found here."),
        (b"hello\n", "No verifier log was found here."),
        (os.urandom(64) * 200, "No verifier log was found here."),
        (b"0: R1=ctx() R10=fp0\n0: (95) exit\nprocessed 1 insns (limit 1000000)\n", "accepted"),
        (b"0: R1=ctx() R10=fp0\n0: (95) ex", "without an error message"),
    ],
)
def test_without_a_failure_it_says_so_and_ends_with_1(log: bytes, said: str) -> None:
    done = piped(log)
    assert (done.returncode, done.stderr) == (1, "")
    assert said in done.stdout
    told = piped(log, "--json")
    assert told.returncode == 1
    assert json.loads(told.stdout)["kind"] == "none"


def test_a_failure_it_does_not_know_is_shown_and_ends_with_1() -> None:
    done = piped(NULL.read_bytes().replace(b"R0 invalid mem access", b"R0 is odd:"))
    assert done.returncode == 1
    assert done.stdout.startswith("✗ R0 is odd: 'map_value_or_null'\n  instruction 8")
    assert "     7  call bpf_map_lookup_elem#1" in done.stdout


def test_what_can_not_be_read_is_told_in_one_line(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    assert complaint(ebpftop("explain", missing), 1) == f"{missing}: No such file or directory"
    assert complaint(ebpftop("explain", tmp_path), 1) == f"{tmp_path}: Is a directory"
    assert complaint(ebpftop("explain", "a\x1bb"), 1) == "a\\x1bb: No such file or directory"
    assert complaint(ebpftop("explain", "/proc/self/mem"), 1) == "/proc/self/mem: Input/output error"
    assert complaint(ebpftop("explain", NULL, "--source", missing), 1) == f"{missing}: No such file or directory"


@pytest.mark.root
def test_no_root_is_needed_and_what_is_forbidden_is_told(tmp_path: Path) -> None:
    assert ebpftop("explain", NULL, before=AS_NOBODY).returncode == 0
    secret = tmp_path / "secret"
    secret.write_bytes(NULL.read_bytes())
    secret.chmod(0o600)
    assert complaint(ebpftop("explain", secret, before=AS_NOBODY), 1) == f"{secret}: Permission denied"


@pytest.mark.root
def test_under_sudo_a_log_is_parsed_as_the_user_who_typed_it() -> None:
    nobody = pwd.getpwnam("nobody")
    environment = {**os.environ, "SUDO_UID": str(nobody.pw_uid), "SUDO_GID": str(nobody.pw_gid)}
    with subprocess.Popen([*COMMAND, "explain"], stdin=subprocess.PIPE, cwd=CHECKOUT, env=environment) as running:
        status = Path(f"/proc/{running.pid}/status")
        eventually(lambda: f"Uid:\t{nobody.pw_uid}\t{nobody.pw_uid}" in status.read_text(), "gives root up")


def test_hostile_logs_are_inert() -> None:
    done = piped(NULL.read_bytes().replace(b"map_value_or_null'", b"\x9b31m\x1b]0;evil\x07\xe2\x80\xae'"))
    assert all(c.isprintable() or c == "\n" for c in done.stdout)


def test_a_reader_that_has_had_enough_ends_it_quietly() -> None:
    logs = " ".join([str(NULL)] * 400)
    done = subprocess.run(
        f"cat {logs} | {' '.join(COMMAND)} explain | head -1",
        shell=True,
        capture_output=True,
        text=True,
        timeout=60 * SLOWER,
        cwd=CHECKOUT,
        check=False,
    )
    assert done.stdout == "✗ R0 invalid mem access 'map_value_or_null'\n"
    assert done.stderr == ""


def test_output_without_room_is_told_in_one_line() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*COMMAND, "explain", NULL], stdout=full, stderr=subprocess.PIPE, text=True, cwd=CHECKOUT, check=False
        )
    assert complaint(done, 1) == "the output can't be written: No space left on device"


def test_it_imports_nothing_heavy() -> None:
    code = (
        "import sys; from ebpftop import cli; cli.run(['explain', sys.argv[1]]); "
        f"print(*(name for name in {HEAVY} if name in sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, NULL], capture_output=True, text=True, cwd=CHECKOUT, check=False)
    assert (done.returncode, done.stderr) == (0, "\n")
