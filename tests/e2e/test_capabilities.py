"""Tracing as an ordinary user who holds a few capabilities, as under a systemd unit with AmbientCapabilities."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ebpftop.kernel.capabilities import NUMBERS
from tests.support.command import CHECKOUT, COMMAND, Done, ebpftop
from tests.support.holding import NOBODY, holding
from tests.support.lacking import needs_landlock
from tests.support.probes import SOURCE, write_probe
from tests.support.processes import SLOWER, children, eventually

pytestmark = pytest.mark.bpf

THREE = ("CAP_BPF", "CAP_PERFMON", "CAP_DAC_READ_SEARCH")
UNIT = re.search(r"```ini\n(\[Unit\].*?)```", (CHECKOUT / "README.md").read_text(), re.DOTALL)
SECRET = "kept_from_everybody"


@pytest.fixture
def public(public: Path) -> Path:
    """A folder that is everybody's."""
    public.chmod(0o777)
    return public


def traced(done: Done) -> list[dict[str, Any]]:
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def run(probe: str, *options: object, caps: tuple[str, ...] = THREE) -> Done:
    common = ("run", "--no-sudo", probe, "--duration", "1", "--format", "json")
    return ebpftop(*common, *options, before=holding(*caps), environment={"HOME": "/nonexistent"})


@pytest.mark.parametrize("probe", ["cpu/syscount", "disk/opensnoop", "cpu/profile", "disk/statsnoop"])
def test_three_capabilities_suffice_by_each_mechanism(probe: str) -> None:
    """A raw tracepoint, classic ones with and without records that the compiler has to know, and sampling."""
    done = run(probe)
    assert any(part for line in traced(done) for part in line["views"].values()), done.stdout


def test_what_the_records_of_tracepoints_hold_is_right(public: Path) -> None:
    """The compiler can't read tracefs, and gets C for the records from us."""
    opened = public / "opened-once"
    opened.touch()
    command = ("run", "--no-sudo", "disk/opensnoop", "--format", "json")
    process = subprocess.Popen(
        [*holding(*THREE), *COMMAND, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=CHECKOUT
    )
    try:
        assert process.stdout is not None
        first = process.stdout.readline()
        os.close(os.open(opened, os.O_RDONLY | os.O_CLOEXEC))
        with pytest.raises(FileNotFoundError):
            os.open(f"{opened}-not", os.O_RDONLY)
        process.terminate()
        out, err = process.communicate(timeout=60 * SLOWER)
    finally:
        process.kill()
    assert json.loads(first)["probe"] == "disk/opensnoop"
    assert f'"{opened}"' in out, err
    assert f'"{opened}-not"' in out


def test_what_is_missing_is_named_with_what_it_costs() -> None:
    done = run("lab/hello")
    traced(done)
    first = done.stderr.splitlines()[0]
    for name, cost in {
        "CAP_SYS_ADMIN": "no program run times",
        "CAP_SYS_CHROOT": "only Landlock, or else only this user's rights, keep the compiler",
        "CAP_SYSLOG": "no names of kernel functions in call stacks",
        "CAP_SYS_PTRACE": "no names of functions in other users' processes",
    }.items():
        assert cost in first
        assert f"({name})" in first
    assert "CAP_DAC_READ_SEARCH" not in first


def test_without_rights_to_tracefs_raw_tracepoints_are_left() -> None:
    two = THREE[:2]
    done = run("lab/hello", caps=two)
    traced(done)
    assert "no classic tracepoints, no patterns of kernel functions (CAP_DAC_READ_SEARCH)" in done.stderr
    assert run("disk/opensnoop", caps=two).returncode == 1


def test_one_of_them_alone_is_not_enough() -> None:
    done = run("lab/hello", caps=("CAP_BPF", "CAP_DAC_READ_SEARCH"))
    assert done.returncode == 3
    assert "tracing needs root, or CAP_BPF and CAP_PERFMON" in done.stderr


def test_statistics_take_one_more_capability_or_what_root_has_switched_on() -> None:
    def cost(done: Done) -> int:
        return max(line["cost"]["run_count"] for line in traced(done))

    setting = Path("/proc/sys/kernel/bpf_stats_enabled")
    before = setting.read_text()
    without = run("cpu/syscount")
    assert "program statistics are unavailable" in without.stderr
    assert cost(run("cpu/syscount", caps=(*THREE, "CAP_SYS_ADMIN"))) > 0
    try:
        setting.write_text("1")
        done = run("cpu/syscount")
    finally:
        setting.write_text(before)
    assert "program statistics are unavailable" not in done.stderr
    assert cost(done) > 0


def test_a_probe_can_not_name_what_the_capabilities_alone_can_read(public: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(f"{SECRET} is a line;\n")
    secret.chmod(0o600)
    write_probe(public, "cpu/named", source=f'#include "{secret}"\n{SOURCE}')
    write_probe(public, "cpu/linked")
    (public / "cpu/linked/README.md").symlink_to(secret)
    for name in ("cpu/named", "cpu/linked"):
        done = run(name, "--probes", public)
        assert done.returncode in (1, 2)
        assert SECRET not in done.stdout + done.stderr


@needs_landlock
@pytest.mark.parametrize(
    "file", ["/etc/passwd", "/proc/self/environ", "/dev/zero", "{public}/x.h", "../../../etc/passwd"]
)
def test_landlock_keeps_the_compiler_from_what_the_user_may_read(public: Path, file: str) -> None:
    (public / "x.h").write_text("#define X 1\n")
    path = file.format(public=public)
    write_probe(public, source=f'#include "{path}"\n{SOURCE}')
    done = run("cpu/calls", "--probes", public)
    assert done.returncode == 1
    assert re.search("file not found|Permission denied", done.stderr), done.stderr
    assert "nologin" not in done.stderr


@pytest.mark.parametrize("who", ["capabilities", "root", "sudo"])
def test_the_compiler_has_given_up_all_but_loading(public: Path, who: str) -> None:
    folder = write_probe(public, source=f'#include "twice.h"\n{SOURCE}')
    (folder / "twice.h").write_text("#if __INCLUDE_LEVEL__ < 100\n" + '#include "twice.h"\n' * 2 + "#endif\n")
    before = holding(*THREE) if who == "capabilities" else ("env", "-u", "SUDO_UID", "-u", "SUDO_GID")
    before = ("env", f"SUDO_UID={NOBODY}", f"SUDO_GID={NOBODY}") if who == "sudo" else before
    command = [*before, *COMMAND, "run", "--no-sudo", "cpu/calls", "--probes", str(public)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, cwd=CHECKOUT)

    status: dict[str, str] = {}

    def is_compiling() -> bool:
        """Whether the loader's other thread has only two capabilities; its status is kept, as it soon ends."""
        loader = children(process.pid).get("loader")
        tasks = Path(f"/proc/{loader.pid}/task").iterdir() if loader else ()
        other = next((task for task in tasks if loader and task.name != str(loader.pid)), None)
        text = (other / "status").read_text() if other else ""
        status.update(dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line))
        return status.get("CapPrm") == only

    only = f"{1 << NUMBERS['CAP_BPF'] | 1 << NUMBERS['CAP_PERFMON']:016x}"
    try:
        eventually(is_compiling, "it compiles without other capabilities", 60)
    finally:
        process.terminate()
        process.communicate(timeout=60 * SLOWER)
    assert (status["CapPrm"], status["CapEff"], status["CapInh"].strip("0")) == (only, only, "")
    assert status["NoNewPrivs"] == "1"
    assert set(status["Uid"].split()) == {"0" if who == "root" else str(NOBODY)}


# ---------------------------------------------------------------- the unit


def unit() -> dict[str, str]:
    """The [Service] section of the unit in the README."""
    assert UNIT is not None
    section = UNIT[1].partition("[Service]\n")[2].partition("\n[")[0]
    return dict(line.split("=", 1) for line in section.splitlines() if line)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd's own check of a unit")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    assert UNIT is not None
    file = tmp_path / "ebpftop-record.service"
    program = shlex.split(unit()["ExecStart"])[0]
    file.write_text(UNIT[1].replace(program, "/bin/true").replace("User=ebpftop", "User=nobody"))
    done = subprocess.run(["systemd-analyze", "verify", str(file)], capture_output=True, text=True, check=False)
    assert [line for line in done.stderr.splitlines() if "ebpftop-record" in line and "Special user" not in line] == []


def test_the_unit_records_with_its_capabilities(public: Path) -> None:
    service = unit()
    assert service["AmbientCapabilities"] == service["CapabilityBoundingSet"]
    caps = tuple(service["AmbientCapabilities"].split())
    assert set(caps) >= set(THREE)
    _, *arguments = shlex.split(service["ExecStart"].replace("${STATE_DIRECTORY}", str(public)))
    arguments[arguments.index("--duration") + 1] = "1"
    done = ebpftop(*arguments, before=holding(*caps))
    assert done.returncode == 0, done.stderr
    (tape,) = public.iterdir()
    assert tape.stat().st_uid == NOBODY
    assert tape.stat().st_size > 1000
