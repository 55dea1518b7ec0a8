"""A session under sudo from an ordinary user: each process's user and imports, and that root stays dropped.

The program is installed in a folder of that user, the least trusted place there is. The launcher beside it lets a test
read what a running process has imported, and make it try to become root again.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

import ebpftop
from tests.support.dashboard import capabilities, load, mapped, no_new_privileges, supervisor_below, uids
from tests.support.processes import children, eventually, held_by, in_kernel
from tests.support.terminal import Terminal, terminal

pytestmark = pytest.mark.bpf

USER = "ebpftop-tester"
PROBES = ("runqlat", "syscount", "softirqs")
PROGRAMS = 9  # theirs and the census's

LAUNCHER = """#!{python} -I
import json, os, signal, sys
sys.path += {paths!r}

def attempt(work):
    try:
        work()
    except (OSError, SystemError) as error:
        return type(error).__name__
    return "succeeded"

def tell(*_):
    parent = os.getppid()
    told = {{
        "modules": sorted(sys.modules),
        "setuid": attempt(lambda: os.setresuid(0, 0, 0)),
        "shadow": attempt(lambda: open("/etc/shadow").read()),
        "memory": attempt(lambda: open(f"/proc/{{parent}}/mem", "rb")),
        "sudo": os.spawnlp(os.P_WAIT, "sudo", "sudo", "-n", "true"),
    }}
    with open(f"{{os.environ['HOME']}}/told.{{os.getpid()}}.part", "w") as file:
        json.dump(told, file)
    os.rename(file.name, file.name.removesuffix(".part"))

signal.signal(signal.SIGUSR2, tell)
from ebpftop.cli import main
main()
"""

PLANTED = "import os\nopen('/tmp/ebpftop-planted', 'a').write(f'{os.geteuid()} {__name__}\\n')\n"
PLANTED_NAMES = ("bcc", "json", "ctypes", "platform", "fcntl", "textwrap", "multiprocessing")


@pytest.fixture
def user() -> Iterator[pwd.struct_passwd]:
    """An ordinary user who may use sudo without a password, until `lock` is called."""
    subprocess.run(["useradd", "--create-home", "--shell", "/bin/sh", USER], check=True)
    sudoers = Path("/etc/sudoers.d", USER)
    sudoers.write_text(f"{USER} ALL=(ALL) NOPASSWD: ALL\n")
    sudoers.chmod(0o440)
    try:
        yield pwd.getpwnam(USER)
    finally:
        sudoers.unlink(missing_ok=True)
        subprocess.run(["pkill", "-KILL", "-u", USER], check=False)
        eventually(
            lambda: subprocess.run(["pgrep", "-u", USER], stdout=subprocess.DEVNULL).returncode == 1, "all ended"
        )
        subprocess.run(["userdel", "--remove", "--force", USER], check=True, capture_output=True)


@pytest.fixture
def program(user: pwd.struct_passwd) -> Path:
    """The program in the user's own folder, everything in it the user's."""
    home = Path(user.pw_dir)
    site, package = home / "site", Path(ebpftop.__file__).parent
    shutil.copytree(sysconfig.get_path("platlib"), site, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(package, home / "app" / "ebpftop")
    shutil.copytree(package.parent / "probes", home / "app" / "probes")
    launcher = home / "bin" / "ebpftop"
    launcher.parent.mkdir()
    python = Path(sys.executable).resolve()
    launcher.write_text(LAUNCHER.format(python=python, paths=[str(home / "app"), str(site)]))
    launcher.chmod(0o755)
    subprocess.run(["chown", "-R", f"{USER}:", str(home)], check=True)
    readable = subprocess.run(["runuser", "-u", USER, "--", str(launcher), "--version"], capture_output=True, text=True)
    assert readable.returncode == 0, f"{USER} can't run {python}: {readable.stderr}"
    return launcher


@pytest.fixture
def session(user: pwd.struct_passwd, program: Path) -> Iterator[Terminal]:
    """The dashboard, started by the user, which asked sudo itself; three probes are running."""
    Path("/tmp/ebpftop-planted").unlink(missing_ok=True)
    command = f"cd {user.pw_dir} && exec runuser -u {USER} -- {program}"
    with terminal(["sh", "-c", command], 120, 40) as term:
        term.wait_for("Catalog", "funccount", "─ ○ ")
        plant(program)
        for name in PROBES:
            load(term, name)
            term.wait_for(f"● {name}")
        eventually(lambda: holds_probes(term.pid()), "three probes and the census are attached", 60)
        yield term


def holds_probes(top: int) -> bool:
    ours = children(top)
    return "collect" in ours and len(held_by(ours["collect"].pid)[0]) >= PROGRAMS


def plant(program: Path) -> None:
    """Modules of names that root's processes import, in every folder the user can write to."""
    home = program.parent.parent
    for folder in (home, home / "site", home / "app", home / "app" / "ebpftop", program.parent):
        for name in PLANTED_NAMES:
            planted = folder / f"{name}.py"
            if not planted.exists():
                planted.write_text(PLANTED)
                shutil.chown(planted, USER)


def ask(process: psutil.Process, home: str) -> dict[str, object]:
    """What a process says of itself, see the launcher."""
    answer = Path(home, f"told.{process.pid}")
    process.send_signal(psutil.signal.SIGUSR2)
    eventually(answer.exists, f"{process.name()} answers")
    return dict(json.loads(answer.read_text()))


def test_who_runs_as_whom_and_with_what(session: Terminal, user: pwd.struct_passwd) -> None:
    top = session.pid()
    supervisor = psutil.Process(supervisor_below(top))
    eventually(lambda: set(children(top)) == {"collect", "dashboa"}, "the loaders have ended")
    ours = children(top)
    dashboard, collector = ours["dashboa"], ours["collect"]

    assert uids(supervisor) == {0}
    assert uids(dashboard) == uids(collector) == {user.pw_uid}
    for process in (dashboard, collector):
        assert capabilities(process) == {""}
        assert no_new_privileges(process)
    roots = [child for child in psutil.Process(top).children(recursive=True) if 0 in uids(child)]
    assert [child.pid for child in roots if child.name() != "sudo"] == [supervisor.pid]
    assert not held_by(supervisor.pid)[0]

    for process in (dashboard, collector, supervisor):
        assert "libbcc" not in mapped(process)
        assert "libLLVM" not in mapped(process)
    for process in (dashboard, collector):
        told = ask(process, user.pw_dir)
        assert told["setuid"] == told["shadow"] == told["memory"] == "PermissionError"
        assert told["sudo"] != 0
        assert "bcc" not in told["modules"]
        if process is collector:
            assert not {"textual", "plotext", "rich", "asyncio"} & set(told["modules"])
    assert not Path("/tmp/ebpftop-planted").exists() or "0 " not in Path("/tmp/ebpftop-planted").read_text()


def test_a_collector_that_was_killed_starts_again_without_a_password(session: Terminal) -> None:
    Path("/etc/sudoers.d", USER).unlink()
    top = session.pid()
    held = held_by(children(top)["collect"].pid)
    children(top)["collect"].kill()
    session.wait_for("collector has ended")
    eventually(lambda: not in_kernel(held), "nothing of the old collector is left in the kernel")
    session.keys("R")
    eventually(lambda: holds_probes(top), "a new collector holds the probes again", 60)
    eventually(lambda: "collector has ended" not in session.text(), "the dashboard works again")


def test_a_tape_belongs_to_the_user_and_replays_without_root(user: pwd.struct_passwd, program: Path) -> None:
    tape = Path(user.pw_dir, "incident.tape")
    as_user = ["runuser", "-u", USER, "--", str(program)]
    done = subprocess.run(
        [*as_user, "record", "-o", str(tape), "syscount", "--duration", "2"],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=user.pw_dir,
    )
    assert done.returncode == 0, done.stderr
    assert "restarting under sudo" in done.stderr
    status = tape.stat()
    assert (status.st_uid, status.st_mode & 0o777) == (user.pw_uid, 0o600)
    Path("/etc/sudoers.d", USER).unlink()
    with terminal([*as_user, "replay", str(tape)], 120, 40) as term:
        term.wait_for("System calls by process", "tape")


def test_without_sudo_the_remedy_is_named(user: pwd.struct_passwd, program: Path) -> None:
    command = ["runuser", "-u", USER, "--", str(program), "run", "--no-sudo", "syscount"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=user.pw_dir)
    assert done.returncode == 3
    assert "sudo" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert os.geteuid() == 0
