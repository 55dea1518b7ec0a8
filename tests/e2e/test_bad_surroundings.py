"""What the caller leaves of a process: streams, limits, rights, folders. One line at most, and the right exit code."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command import CHECKOUT, COMMAND, Done
from tests.support.processes import SLOWER
from tests.support.quota import pids_group
from tests.support.shell import PROGRAM, framed, line, shell

RUN = "run lab/hello --duration 0.3"
COMMANDS = ["list", "doctor", "show lab/hello", pytest.param(RUN, marks=pytest.mark.bpf)]


def sh(script: str, **environment: str) -> Done:
    """A shell's command line, with `$E` for the program."""
    return subprocess.run(
        ["bash", "-c", script],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60 * SLOWER,
        check=False,
        cwd=CHECKOUT,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "E": " ".join(COMMAND), **environment},
    )


# ---------------------------------------------------------------- streams


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("streams", "status", "said"),
    [
        ("0<&- 1>&- 2>&-", 0, ""),
        ("0<&- 2>&-", 0, ""),
        ("1>&-", 0, ""),
        ("0>/dev/null", 0, ""),
        ("2</dev/null", 0, ""),
        ("1</dev/null", 2, "ebpftop: standard output is open for reading only\n"),
        (">/dev/full", 1, "ebpftop: the output can't be written: No space left on device\n"),
        ("2>/dev/full", 0, ""),
        (">/dev/full 2>/dev/full", 1, ""),
    ],
)
def test_streams_that_are_closed_full_or_the_wrong_way(command: str, streams: str, status: int, said: str) -> None:
    done = sh(f"$E {command} {streams}")
    assert (done.returncode, done.stderr) == (status, said)


def test_a_mistake_keeps_its_exit_code_where_nobody_can_be_told() -> None:
    assert sh("$E show no-such-probe 2>/dev/full").returncode == 2
    assert sh("$E no-such-command 2>/dev/full").returncode == 2
    assert sh("$E run 2</dev/full").returncode == 2


def test_a_log_from_a_stream_that_can_not_be_read() -> None:
    done = sh("$E explain - 0>/dev/null")
    assert (done.returncode, done.stderr) == (1, "ebpftop: standard input: Bad file descriptor\n")


@pytest.mark.root
@pytest.mark.parametrize("command", COMMANDS)
def test_a_machine_without_dev_null(command: str) -> None:
    done = sh(f"unshare -m sh -c 'mount -t tmpfs none /dev && exec $E {command} 0<&- 1>&-'")
    assert (done.returncode, done.stderr) == (0, "")


def test_the_dashboard_says_what_its_streams_lack() -> None:
    with shell(100, 30) as term:
        line(term, framed(f"{PROGRAM} </dev/null"))
        assert "ebpftop: the dashboard needs a terminal" in term.wait_for("ended: 2, terminal: same")
    with shell(100, 30) as term:
        line(term, framed(f"{PROGRAM} demo 1<&0 >&-"))
        assert "ebpftop: the dashboard needs a terminal" in term.wait_for("ended: 2, terminal: same")


# ---------------------------------------------------------------- impatience


@pytest.mark.parametrize("command", COMMANDS)
def test_a_control_c_while_it_starts_is_not_answered(tmp_path: Path, command: str) -> None:
    (tmp_path / "argparse.py").write_text("import os; os.kill(os.getpid(), 2)\n")  # what it imports first
    for start in ("$E", str(Path(sys.executable).with_name("ebpftop"))):
        done = sh(f"exec {start} {command}", PYTHONPATH=str(tmp_path))
        assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")


_BLOCK = (
    "import os, signal, sys; signal.pthread_sigmask(0, signal.valid_signals()); os.execv(sys.argv[1], sys.argv[1:])"
)


@pytest.mark.bpf
def test_signals_that_a_caller_blocked_end_it_all_the_same() -> None:
    done = sh(f'{sys.executable} -c "{_BLOCK}" $E {RUN}')
    assert (done.returncode, done.stderr) == (0, "")


# ---------------------------------------------------------------- limits


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("umask", ["0", "0177", "0777"])
def test_a_umask_that_keeps_ourselves_from_what_we_make(command: str, umask: str) -> None:
    done = sh(f"umask {umask}; $E {command}")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_umask_keeps_others_only_from_a_new_probe(tmp_path: Path) -> None:
    assert sh(f"umask 0777; $E new {tmp_path}/a/b").returncode == 0
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("a", "a/b", "a/b/probe.toml")] == [
        0o700,
        0o700,
        0o600,
    ]


@pytest.mark.bpf
@pytest.mark.parametrize("command", [RUN, "record -o /nowhere/x lab/hello"])
def test_too_few_descriptors(command: str) -> None:
    done = sh(f"ulimit -n 8; $E {command}")
    expected = "the limit of open files is 8, and tracing needs 64: raise it with 'ulimit -n'"
    assert (done.returncode, done.stderr) == (3, f"ebpftop: {expected}\n")


def test_commands_that_take_few_descriptors_work_with_few() -> None:
    assert sh("ulimit -n 8; $E list").returncode == 0
    done = sh("ulimit -n 8; $E doctor")
    assert (done.returncode in (0, 3), done.stderr) == (True, "")


def test_a_dashboard_with_too_few_descriptors_says_so() -> None:
    with shell(140, 30) as term:
        line(term, framed(f"(ulimit -n 8; {PROGRAM} demo)"))
        screen = term.wait_for("ended: 3, terminal: same")
    assert "the limit of open files is 8, and the dashboard needs 32: raise it with 'ulimit -n'" in screen
    assert "Traceback" not in screen


def test_a_dashboard_with_just_enough_descriptors_shows_itself() -> None:
    with shell(140, 30) as term:
        line(term, framed(f"(ulimit -n 32; {PROGRAM} demo)"))
        term.wait_for("Catalog", "shop-01")
        term.keys("q")
        assert "Traceback" not in term.wait_for("ended: 0, terminal: same")


NO_PROCESS = "no more processes or threads can be started (see 'ulimit -u' and pids.max of the cgroup)"


@pytest.mark.bpf
@pytest.mark.parametrize("command", [RUN, "list", "doctor", "threads", f"check {CHECKOUT}/probes/lab/hello"])
def test_too_few_processes(command: str) -> None:
    with pids_group(1) as group:
        done = sh(f"echo $$ > {group.folder}/cgroup.procs; exec $E {command}")
    before = "the loader could not be started: " if command.startswith("check") else ""
    assert (done.returncode, done.stderr) == (1, f"ebpftop: {before}{NO_PROCESS}\n")


@pytest.mark.bpf
def test_too_few_threads_for_a_loader() -> None:
    with pids_group(2) as group:
        done = sh(f"echo $$ > {group.folder}/cgroup.procs; exec $E check {CHECKOUT}/probes/lab/hello")
    assert done.returncode == 1
    assert f": the loader ended: {NO_PROCESS}\n" in done.stdout


# ---------------------------------------------------------------- who it is


@pytest.mark.bpf
@pytest.mark.parametrize(
    ("uid", "gid", "shown"),
    [
        ("abc", "0", "SUDO_UID='abc' SUDO_GID='0'"),
        ("-1", "-1", "SUDO_UID='-1' SUDO_GID='-1'"),
        ("", "", "SUDO_UID='' SUDO_GID=''"),
        ("9" * 40, "1", f"SUDO_UID='{'9' * 39} SUDO_GID='1'"),
        ("4294967295", "100", "SUDO_UID=4294967295 SUDO_GID=100"),
        ("١", "1", r"SUDO_UID='\u0661' SUDO_GID='1'"),
    ],
)
def test_a_sudo_that_names_nobody(uid: str, gid: str, shown: str) -> None:
    done = sh(f"$E {RUN}", SUDO_UID=uid, SUDO_GID=gid)
    expected = f"ebpftop: {shown} is not a valid user: run ebpftop through sudo, or unset SUDO_UID and SUDO_GID\n"
    assert (done.returncode, done.stderr) == (3, expected)


@pytest.mark.bpf
@pytest.mark.parametrize("capability", ["setuid", "setgid"])
@pytest.mark.parametrize("command", [RUN, "record -o /nowhere/x lab/hello"])
def test_a_root_that_can_not_become_the_invoker(capability: str, command: str) -> None:
    before = f"setpriv --bounding-set -{capability} --inh-caps -{capability}"
    done = sh(f"{before} $E {command}", SUDO_UID="65534", SUDO_GID="65534")
    remedy = "give CAP_SETUID and CAP_SETGID, or unset SUDO_UID and SUDO_GID"
    expected = f"ebpftop: root can't become nobody here (Operation not permitted): {remedy}\n"
    assert (done.returncode, done.stderr) == (3, expected)


@pytest.mark.bpf
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_root_that_may_not_signal_the_invoker_still_ends(number: int) -> None:
    with subprocess.Popen(
        ["setpriv", "--bounding-set", "-kill", "--inh-caps", "-kill", *COMMAND, "run", "lab/hello", "--duration", "60"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=CHECKOUT,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "SUDO_UID": "65534", "SUDO_GID": "65534"},
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.readline()  # it is attached
        running.send_signal(number)
        running.stdout.read()
        assert (running.wait(), running.stderr.read()) == (0, "")


# ---------------------------------------------------------------- where it is


@pytest.mark.parametrize(
    "command", ["check .", "check x.toml", pytest.param(f"{RUN} --probes x", marks=pytest.mark.bpf)]
)
def test_a_current_folder_that_has_been_deleted(tmp_path: Path, command: str) -> None:
    gone = tmp_path / "gone"
    done = sh(f"mkdir {gone} && cd {gone} && rmdir {gone} && exec $E {command}", PYTHONPATH=str(CHECKOUT))
    expected = "ebpftop: the current folder has been deleted: change to another one\n"
    assert (done.returncode, done.stderr) == (1, expected)


@pytest.mark.parametrize("command", COMMANDS)
def test_what_needs_no_current_folder_works_without_one(tmp_path: Path, command: str) -> None:
    gone = tmp_path / "gone"
    done = sh(f"mkdir {gone} && cd {gone} && rmdir {gone} && exec $E {command}", PYTHONPATH=str(CHECKOUT))
    assert (done.returncode, done.stderr) == (0, "")


# What lies there stays visible: this very checkout may.
UNWRITABLE = " && ".join(
    f"mount --bind {folder} {folder} && mount -o remount,bind,ro {folder}" for folder in ("/tmp", "/var/tmp")
)


@pytest.mark.root
@pytest.mark.parametrize("command", COMMANDS)
def test_folders_that_can_not_be_written(command: str) -> None:
    done = sh(
        f"unshare -m sh -c '{UNWRITABLE} && exec $E {command}'",
        HOME="/nonexistent",
        TMPDIR="/nonexistent",
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.root
def test_a_fault_of_ours_is_one_line_where_no_report_can_be_written(tmp_path: Path) -> None:
    script = tmp_path / "faulty.py"
    script.write_text(
        "from ebpftop import cli\ndef fault(*_): raise ZeroDivisionError('x')\ncli._run = fault\ncli.main(['list'])\n"
    )
    full = f"{UNWRITABLE} && cd / && mount -t tmpfs -o ro none /mnt"
    python = COMMAND[0]
    done = sh(
        f"cp {script} /dev/shm/faulty.py; "
        f"PYTHONPATH={CHECKOUT} unshare -m sh -c '{full} && cd /mnt && exec {python} /dev/shm/faulty.py'"
    )
    assert done.returncode == 1
    (said,) = done.stderr.splitlines()
    assert said.startswith(
        "ebpftop: internal error in the command (ZeroDivisionError: x, faulty.py:2); no crash report: "
    )


@pytest.mark.root
@pytest.mark.parametrize("command", COMMANDS)
def test_a_machine_without_sysctls(command: str) -> None:
    done = sh(f"unshare -m sh -c 'mount -t tmpfs none /proc/sys && exec $E {command}'")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.root
def test_the_doctor_of_a_machine_without_sysfs() -> None:
    done = sh("unshare -m sh -c 'mount -t tmpfs none /sys && exec $E doctor'")
    assert (done.returncode, done.stderr) == (0, "")
    assert "mount -t sysfs sysfs /sys" in done.stdout


NO_PROC = "umount -l /proc"


@pytest.mark.root
@pytest.mark.parametrize("command", ["threads", "threads --json", "threads --pid 1"])
def test_threads_of_a_machine_without_proc(command: str) -> None:
    done = sh(f"unshare -m sh -c '{NO_PROC} && exec $E {command}'")
    expected = "ebpftop: threads can't be listed: /proc is not mounted\n"
    assert (done.returncode, done.stdout, done.stderr) == (3, "", expected)


@pytest.mark.root
@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("doctor", "proc\tfailed\t/proc is not mounted\tmount it: mount -t proc proc /proc\n"),
        ("list", "tracing would give wrong results in an unknown pid namespace (no /proc)\n"),
    ],
)
def test_what_can_be_told_without_proc(command: str, said: str) -> None:
    done = sh(f"unshare -m sh -c '{NO_PROC} && exec $E {command}'")
    assert (done.returncode, done.stderr) == (0, "")
    assert said in done.stdout


@pytest.mark.bpf
@pytest.mark.parametrize(
    "before", ["mount -t proc -o subset=pid none /proc", "mount --bind /dev/null /proc/stat"], ids=["subset", "empty"]
)
def test_a_proc_that_does_not_show_the_machine(before: str) -> None:
    done = sh(f"unshare -m sh -c '{before} && exec $E {RUN}'")
    expected = "the machine's load is unknown: /proc/stat, /proc/meminfo or /proc/loadavg can't be read"
    assert (done.returncode, done.stderr) == (0, f"ebpftop: {expected}\n")
    doctor = sh(f"unshare -m sh -c '{before} && exec $E doctor'")
    assert (doctor.returncode, doctor.stderr) == (0, "")
    assert "proc\tfailed\tnothing can be read from /proc/" in doctor.stdout


@pytest.mark.bpf
def test_a_machine_that_does_not_say_how_many_cpus_it_may_have() -> None:
    done = sh(f"unshare -m sh -c 'mount -t tmpfs none /sys/devices/system && exec $E {RUN}'")
    lack = "a machine without /sys/devices/system/cpu is not supported"
    assert (done.returncode, done.stderr) == (3, f"ebpftop: {lack}: mount sysfs: mount -t sysfs sysfs /sys\n")


@pytest.mark.bpf
def test_a_damaged_btf_is_not_called_missing(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    before = f"mount --bind {tmp_path}/empty /sys/kernel/btf/vmlinux"
    done = sh(f"unshare -m sh -c '{before} && exec $E run cpu/syscount --duration 0.3'")
    assert done.returncode == 1
    assert "the BTF in /sys/kernel/btf/vmlinux is damaged" in done.stderr
    assert "without BTF" not in done.stderr


@pytest.mark.bpf
def test_a_limit_of_file_sizes_is_named() -> None:
    done = sh(f"ulimit -f 0; $E {RUN}")
    expected = "the limit of file sizes is 0 bytes, and tracing needs 1,048,576: raise it with 'ulimit -f'"
    assert (done.returncode, done.stderr) == (3, f"ebpftop: {expected}\n")
