"""What hangs or takes long holds up neither the supervisor nor the end of the program."""

from __future__ import annotations

import os
import shlex
import signal
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.bare_pty import BarePty, bare_pty
from tests.support.command import COMMAND, ebpftop
from tests.support.hanging import hanging
from tests.support.processes import children, eventually
from tests.support.shell import patched

pytestmark = [
    pytest.mark.bpf,
    pytest.mark.skipif(not os.path.exists("/dev/fuse"), reason="this kernel has no FUSE"),
]


@pytest.fixture
def hung(tmp_path: Path) -> Iterator[Path]:
    with hanging(tmp_path / "hung") as folder:
        yield folder


def with_patch(folder: Path, patch: str, *arguments: str) -> list[str]:
    return ["env", *shlex.split(patched(folder, patch)), *arguments]


def is_reading(term: BarePty) -> bool:
    return "folders" in children(term.process.pid)


@pytest.mark.parametrize("name", ["device", "cgroup"])
def test_a_parameter_that_can_not_be_looked_up_does_not_hold_up_the_end(hung: Path, tmp_path: Path, name: str) -> None:
    patch = (
        f"from ebpftop.kernel import mounts; from pathlib import Path; mounts.cgroups = lambda: Path({str(hung)!r})\n"
        "from ebpftop.export import headless; headless._QUIETLY = 0.5"
    )
    probe, value = {"device": ("biolatency", f"{hung}/disk"), "cgroup": ("runqlat", "one")}[name]
    with bare_pty(with_patch(tmp_path, patch, "run", probe, "--param", f"{name}={value}")) as term:
        eventually(lambda: {"loader", "run"} <= children(term.process.pid).keys(), "the look-up and the consumer began")
        term.wait_for(f"{probe} is still loading (queued); Ctrl-C stops")
        processes = children(term.process.pid)
        term.process.terminate()
        assert term.process.wait(20) in (1, 128 + signal.SIGTERM)
        eventually(lambda: not any(process.is_running() for process in processes.values()), "nothing is left")


def test_a_folder_that_hangs_costs_its_own_probes(hung: Path, tmp_path: Path) -> None:
    patch = "from ebpftop.supervisor import folders; folders.LONGEST = 1"
    with bare_pty(with_patch(tmp_path, patch, "--probes", str(hung))) as term:
        term.wait_for("first-minute")
        assert not is_reading(term)
        term.type("/syscount\r")
        term.wait_for("System calls by")
        term.type("q")
        term.wait_until(lambda: term.process.poll() is not None, "it has ended")
        assert term.process.returncode == 0


def test_a_folder_that_hangs_later_does_not_hold_up_the_end(tmp_path: Path) -> None:
    (tmp_path / "probes").mkdir()
    with bare_pty([*COMMAND, "--probes", str(tmp_path / "probes")]) as term:
        term.wait_for("first-minute")
        eventually(lambda: is_reading(term), "the folders are watched")
        reader = children(term.process.pid)["folders"]
        with hanging(tmp_path / "probes" / "hung"):
            eventually(lambda: reader.status() in ("disk-sleep", "sleeping") and waits(reader.pid), "the reader hangs")
            term.type("/syscount\r")
            term.wait_for("System calls by")
            term.process.terminate()
            term.wait_until(lambda: term.process.poll() is not None, "it has ended")
            assert term.process.returncode == 128 + signal.SIGTERM
            eventually(lambda: not reader.is_running(), "the reader is gone")


def waits(pid: int) -> bool:
    """Whether it waits for a FUSE file system."""
    return "fuse" in Path(f"/proc/{pid}/stack").read_text()


def test_sigterm_ends_everything_while_the_supervisor_hangs(tmp_path: Path) -> None:
    mark = tmp_path / "hangs"
    patch = (
        "import time; from pathlib import Path; from ebpftop.supervisor.supervisor import Supervisor\n"
        f"Supervisor._load = lambda *_: (Path({str(mark)!r}).touch(), time.sleep(1e6))"
    )
    with bare_pty(with_patch(tmp_path, patch)) as term:
        term.wait_for("first-minute")
        term.type("/syscount\r")
        term.wait_until(mark.exists, "the supervisor hangs")
        processes = children(term.process.pid)
        term.process.terminate()
        term.wait_until(lambda: term.process.poll() is not None, "it has ended")
        assert term.process.returncode == 128 + signal.SIGTERM
        eventually(lambda: not any(process.is_running() for process in processes.values()), "nothing is left")
        assert {"collect", "dashboa"} <= processes.keys()
        assert termios.tcgetattr(term.terminal) == term.settings


@pytest.mark.parametrize("command", ["replay", "tape info", "report -o -", "explain"])
def test_control_c_ends_what_waits_for_a_file_that_never_comes(hung: Path, command: str) -> None:
    with bare_pty([*COMMAND, *command.split(), str(hung / "tape")]) as term:
        eventually(lambda: waits(term.process.pid), "it waits")
        term.process.send_signal(signal.SIGINT)
        assert term.process.wait(20) == -signal.SIGINT


@pytest.mark.parametrize("name", ["XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR"])
def test_a_folder_of_the_user_that_hangs_holds_up_nothing(hung: Path, name: str) -> None:
    with bare_pty(["env", f"{name}={hung / 'mine'}", *COMMAND], size=(36, 200)) as term:
        term.wait_for("first-minute")
        if name == "XDG_CONFIG_HOME":
            term.wait_for("mine/ebpftop/config.toml: the file system doesn't answer; the defaults are used")
        term.type("/syscount\r")
        term.wait_for("System calls by")
        term.type("q")
        term.wait_until(lambda: term.process.poll() is not None, "it has ended")
        assert term.process.returncode == 0


@pytest.mark.parametrize("command", ["list", "show cpu/runqlat", "run lab/hello --duration 0.3"])
def test_a_command_without_its_settings_says_so(hung: Path, command: str) -> None:
    done = ebpftop(*command.split(), environment={"XDG_CONFIG_HOME": str(hung)})
    assert done.returncode == 0
    told = f"ebpftop: {hung}/ebpftop/config.toml: the file system doesn't answer; the defaults are used"
    assert told in done.stderr.splitlines()


def test_a_second_control_c_ends_a_recording_whose_file_hangs(hung: Path) -> None:
    with bare_pty([*COMMAND, "record", "-o", str(hung / "tape"), "syscount"]) as term:
        eventually(lambda: "run" in children(term.process.pid), "the consumer began")
        consumer = children(term.process.pid)["run"]
        eventually(lambda: waits(consumer.pid) and "collect" in children(term.process.pid), "it waits")
        for _ in range(2):
            term.process.send_signal(signal.SIGINT)
            time.sleep(0.5)
        term.wait_until(lambda: term.process.poll() is not None, "it has ended")
        assert term.process.returncode >= 128
        eventually(lambda: not consumer.is_running(), "nothing is left")
