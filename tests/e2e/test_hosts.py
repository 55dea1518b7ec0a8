"""Other hosts over a real ssh: each an sshd in a network namespace of its own."""

from __future__ import annotations

import csv
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.command import CHECKOUT, COMMAND, complaint, ebpftop
from tests.support.far_sshd import FarSshd, ssh_to
from tests.support.processes import alive, eventually, held_by, in_kernel
from tests.support.terminal import terminal

pytestmark = [
    pytest.mark.root,
    pytest.mark.installed("sshd", "ssh", "ip"),
]

USUAL = "/usr/bin:/bin:/usr/sbin:/sbin"
Far = Callable[..., FarSshd]


@pytest.fixture
def far() -> Iterator[Far]:
    """`far("#!/bin/sh\\n…")` is a host on which that is the program `ebpftop`."""
    hosts: list[FarSshd] = []
    folder = Path(tempfile.mkdtemp(prefix="ebpftop-far-"))
    folder.chmod(0o755)  # who logs in there reads its program

    def made(script: str = "", **environment: str) -> FarSshd:
        number = len(hosts) + 1
        programs = folder / f"bin{number}"
        programs.mkdir()
        if script:
            (programs / "ebpftop").write_text(script)
            (programs / "ebpftop").chmod(0o755)
        path = f"{programs}:{USUAL}"
        hosts.append(FarSshd(folder / f"far{number}", number, path, environment))
        return hosts[-1]

    yield made
    for host in hosts:
        host.close()
    shutil.rmtree(folder)


def counting(name: str, count: int) -> str:
    return f"#!/bin/sh\ncd {CHECKOUT} && exec {sys.executable} -B -m tests.support.far_serve {name} {count}\n"


REAL = f'#!/bin/sh\ncd {CHECKOUT} && exec {sys.executable} -B -m ebpftop "$@"\n'


def served() -> list[psutil.Process]:
    """What runs on far hosts, of this test or whoever."""
    found = []
    for process in psutil.process_iter():
        try:
            words = " ".join(process.cmdline())
        except psutil.Error:
            continue
        if "tests.support.far_serve" in words or "serve --stdio" in words:
            found.append(process)
    return found


def mine(before: set[int]) -> list[psutil.Process]:
    return [process for process in served() if process.pid not in before]


def test_two_hosts_are_one_table(far: Far, tmp_path: Path) -> None:
    one, two = far(counting("nginx", 23)), far(counting("redis", 101), NOISE="Welcome!")
    names = ["--host", one.name, "--host", two.name]
    done = ebpftop("run", "syscount", *names, "--duration", 3, "--format", "csv", "--ssh", ssh_to(tmp_path, one, two))
    assert done.returncode == 0, done.stderr
    assert "far-2: 8 bytes of other output came before the data: Welcome!" in done.stderr
    rows = list(csv.DictReader(line for line in done.stdout.splitlines() if not line.startswith("#")))
    assert {(row["host"], row["comm"]) for row in rows} == {("far-1", "nginx"), ("far-2", "redis")}
    for row in rows:
        assert int(row["count"]) % {"nginx": 23, "redis": 101}[row["comm"]] == 0


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("", "ebpftop is not on the PATH there: install ebpftop"),
        ("#!/bin/sh\nprintf '\\0ebpftop frames 9 7.0\\n'\n", "ebpftop 7.0 there speaks protocol 9, and this one"),
        ("#!/bin/sh\necho 'ebpftop: this kernel has no BTF' >&2\nexit 3\n", "this kernel has no BTF"),
        ("#!/bin/sh\nyes | head -c 100000\n", "64 KiB of other output came, and no frame"),
    ],
)
def test_a_host_that_lacks_something_is_told_and_the_others_go_on(
    far: Far, tmp_path: Path, script: str, why: str
) -> None:
    one, two = far(counting("nginx", 23)), far(script)
    ssh = ssh_to(tmp_path, one, two)
    done = ebpftop("run", "syscount", "--host", one.name, "--host", two.name, "--duration", 1, "--ssh", ssh)
    assert done.returncode == 0, done.stderr
    assert f"ebpftop: far-2: {why}" in done.stderr
    assert "nginx" in done.stdout


def test_a_host_alone_that_can_not_be_watched_is_an_error(far: Far, tmp_path: Path) -> None:
    host = far(counting("nginx", 23))
    ssh = ssh_to(tmp_path, host)
    (tmp_path / "known").write_text("")
    done = ebpftop("run", "syscount", "--host", host.name, "--ssh", ssh)
    assert done.returncode == 3
    assert "ebpftop: far-1: Host key verification failed." in done.stderr
    assert done.stderr.splitlines()[-1] == "ebpftop: this host can't be watched"


def test_a_host_name_that_is_an_option_starts_nothing(tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    done = ebpftop("run", "syscount", f"--host=-oProxyCommand=touch {touched}")
    assert "is not a host name" in complaint(done, 2)
    assert not touched.exists()


@pytest.mark.parametrize(
    ("arguments", "complaint_"),
    [
        (["others"], "--host works with the dashboard, play, run and record, not with others"),
        (["run", "syscount", "--budget", 3], "--budget applies to this machine only"),
        (["run", "syscount", "--probes", "mine"], "--probes applies to this machine only"),
    ],
)
def test_what_only_concerns_this_machine_is_refused(arguments: list[object], complaint_: str) -> None:
    assert complaint(ebpftop("--host", "web-1", *arguments), 2).startswith(complaint_)


ENDS = {
    "the dashboard is killed": lambda ours, host: ours.send_signal(signal.SIGKILL),
    "the dashboard is stopped by Ctrl-C": lambda ours, host: ours.send_signal(signal.SIGINT),
    "ssh is killed": lambda ours, host: [each.kill() for each in ours.children() if each.name() == "ssh"],
    "sshd is killed": lambda ours, host: host.kill_sessions(),
}


@pytest.mark.parametrize("how", ENDS)
def test_nothing_stays_there_however_a_connection_ends(far: Far, tmp_path: Path, how: str) -> None:
    before = {process.pid for process in served()}
    host = far(counting("nginx", 23))
    command = [*COMMAND, "run", "syscount", "--host", host.name, "--ssh", ssh_to(tmp_path, host)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=CHECKOUT, text=True) as run:
        assert run.stdout
        assert any("nginx" in line for line in run.stdout)
        ours = psutil.Process(run.pid)
        (there, *_) = [each for each in mine(before) if "far_serve" in " ".join(each.cmdline())]
        ENDS[how](ours, host)
        eventually(lambda: not there.is_running(), "it has ended there")
        run.kill()
    eventually(lambda: not mine(before), "nothing runs there")


def test_roots_own_shell_gives_up_every_capability_for_other_hosts(far: Far, tmp_path: Path) -> None:
    host = far(counting("nginx", 23))
    command = [*COMMAND, "run", "syscount", "--host", host.name, "--ssh", ssh_to(tmp_path, host)]
    own = {name: value for name, value in os.environ.items() if not name.startswith("SUDO_")}
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=CHECKOUT, text=True, env=own) as run:
        assert run.stdout
        assert any("nginx" in line for line in run.stdout)
        ours = psutil.Process(run.pid)
        (ssh,) = [each for each in ours.children() if each.name() == "ssh"]
        for process in (ours, ssh):
            status = Path(f"/proc/{process.pid}/status").read_text()
            fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
            assert {fields[name].strip("0") for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {""}
            assert fields["NoNewPrivs"] == "1"
        run.send_signal(signal.SIGINT)
        run.stdout.read()
    assert run.returncode == 0


def test_a_host_that_is_cut_off_comes_back(far: Far, tmp_path: Path) -> None:
    one, two = far(counting("nginx", 23)), far(counting("redis", 101))
    command = f"--host {one.name} --host {two.name}"
    ssh = ssh_to(tmp_path, one, two)
    with terminal([*COMMAND, *command.split(), "--ssh", ssh], 130, 36) as term:
        term.wait_for("Catalog", "syscount")
        term.keys("/")
        term.type("syscount")
        term.keys("Enter")
        term.wait_for("nginx", "redis", "far-1 cpu", "far-2 cpu")
        two.cut()
        term.wait_for("nginx", "✗ far-2")
        two.mend()
        term.wait_for("redis", "far-2 cpu")
        term.keys("q")
        term.wait_for_end()
        assert term.status() == 0


def test_ssh_asks_about_a_new_key_and_for_a_passphrase_before_the_dashboard(far: Far, tmp_path: Path) -> None:
    one, two = far(counting("nginx", 23)), far(counting("redis", 101))
    ssh = ssh_to(tmp_path, one, two)
    (tmp_path / "known").write_text(two.known)
    asking = (tmp_path / "config").read_text().replace("StrictHostKeyChecking yes", "StrictHostKeyChecking ask")
    (tmp_path / "config").write_text(asking)
    subprocess.run(["ssh-keygen", "-q", "-p", "-N", "open sesame", "-f", two.folder / "me"], check=True)
    hosts = ["--host", one.name, "--host", two.name, "--ssh", ssh]
    with terminal(["env", "-u", "SSH_AUTH_SOCK", "-u", "DISPLAY", *COMMAND, *hosts], 130, 36) as term:
        shown = term.wait_for(
            "far-1: Host key verification failed; trying again, ssh may ask a question",
            "Are you sure you want to continue",
        )
        assert "Catalog" not in shown
        term.type("yes")
        term.keys("Enter")
        shown = term.wait_for("far-2: ", "ssh may ask a question", "Enter passphrase for key")
        assert "Catalog" not in shown
        term.type("open sesame")
        term.keys("Enter")
        term.wait_for("Catalog", "far-1 cpu", "far-2 cpu")
        assert "open sesame" not in term.text()
        term.keys("q")
        term.wait_for_end()
        assert term.status() == 0


def test_without_an_answer_that_host_is_left_out(far: Far, tmp_path: Path) -> None:
    one, two = far(counting("nginx", 23)), far(counting("redis", 101))
    ssh = ssh_to(tmp_path, one, two)
    subprocess.run(["ssh-keygen", "-q", "-p", "-N", "open sesame", "-f", two.folder / "me"], check=True)
    hosts = ["--host", one.name, "--host", two.name, "--ssh", ssh]
    with terminal(["env", "-u", "SSH_AUTH_SOCK", "-u", "DISPLAY", *COMMAND, *hosts], 130, 36) as term:
        term.wait_for("Enter passphrase for key")
        term.keys("Enter")
        term.wait_for("Catalog", "far-1 cpu", "✗ far-2")
        term.keys("q")
        term.wait_for_end()


@pytest.mark.bpf
def test_nothing_stays_where_packets_are_dropped(far: Far, tmp_path: Path) -> None:
    """Neither end is told: the other side ends as it hears nothing any more."""
    before = {process.pid for process in served()}
    host = far(REAL)
    command = [*COMMAND, "run", "syscount", "--host", host.name, "--ssh", ssh_to(tmp_path, host)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=CHECKOUT, text=True) as run:
        assert run.stdout
        assert any("syscount" in line for line in run.stdout)
        there = mine(before)
        held = [held_by(each.pid) for each in there]
        assert any(programs for programs, _ in held)
        host.cut()
        eventually(lambda: not any(alive(each) for each in there), "all of it has ended there", 60.0)
        eventually(lambda: not any(in_kernel(each) for each in held), "nothing is loaded")
        run.kill()


@pytest.mark.bpf
def test_real_probes_count_on_both_hosts(far: Far, tmp_path: Path) -> None:
    """Both hosts have this kernel: each counts all of it."""
    one, two = far(REAL), far(REAL)
    for name in ("begun", "counted", "over"):
        shutil.copy("/bin/true", tmp_path / name)
    hosts = ["--host", one.name, "--host", two.name, "--ssh", ssh_to(tmp_path, one, two)]
    command = [*COMMAND, "run", "execsnoop", *hosts, "--format", "csv", "--interval", "0.2"]
    seen: Counter[tuple[str, str]] = Counter()

    def until_both_have(name: str) -> None:
        """Start a program until both hosts have said so."""
        assert run.stdout
        while not all((host.name, name) in seen for host in (one, two)):
            subprocess.run([tmp_path / name], check=True)
            for row in csv.reader([run.stdout.readline()]):
                host = next((each for each in row if each in (one.name, two.name)), "")
                seen.update((host, each) for each in ("begun", "counted", "over") if str(tmp_path / each) in row)

    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=CHECKOUT, text=True) as run:
        until_both_have("begun")
        for _ in range(23):
            subprocess.run([tmp_path / "counted"], check=True)
        until_both_have("over")
        run.send_signal(signal.SIGINT)
        run.communicate()
    assert run.returncode == 0
    assert [seen[host.name, "counted"] for host in (one, two)] == [23, 23]


@pytest.fixture
def user() -> Iterator[str]:
    """Somebody who can log in there, and may use sudo for nothing."""
    name = "ebpftop-far"
    subprocess.run(["useradd", "--create-home", "--shell", "/bin/sh", "--password", "*", name], check=True)
    try:
        yield name
    finally:
        Path("/etc/sudoers.d", name).unlink(missing_ok=True)
        subprocess.run(["pkill", "-KILL", "-u", name], check=False)
        eventually(lambda: subprocess.run(["pgrep", "-u", name], capture_output=True).returncode != 0, "it has ended")
        subprocess.run(["userdel", "--remove", "--force", name], check=True, capture_output=True)


@pytest.mark.bpf
def test_who_is_not_root_there_is_told_the_line_that_is_enough(far: Far, tmp_path: Path, user: str) -> None:
    reading = ["runuser", "-u", user, "--", sys.executable, "-c", "import ebpftop"]
    if subprocess.run(reading, capture_output=True, cwd=CHECKOUT).returncode:
        pytest.skip(f"{user} can't read this checkout, so nothing is installed there for others than root")
    host = far(REAL)
    command = ["run", "syscount", "--duration", 1, "--host", host.name, "--ssh", ssh_to(tmp_path, host, user=user)]
    done = ebpftop(*command)
    assert done.returncode == 3
    (line,) = re.findall(r"no root there \(.*\): /etc/sudoers.d/ebpftop there needs the line '(.*)'", done.stderr)
    assert line.startswith(f"{user} ALL=(root) NOPASSWD: /")
    assert line.endswith(" serve --stdio")
    sudoers = Path("/etc/sudoers.d", user)
    sudoers.write_text(f"{line}\n")
    sudoers.chmod(0o440)
    done = ebpftop(*command)
    assert done.returncode == 0, done.stderr
    assert "program time" in done.stdout
