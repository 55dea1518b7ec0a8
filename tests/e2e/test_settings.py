"""Settings are defaults of the command line; a mistake in them costs its own key and never the command."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.support.command import Done, ebpftop
from tests.support.holding import NOBODY, holding
from tests.support.probes import write_probe
from tests.support.processes import eventually
from tests.support.shell import PROGRAM, framed, line, shell


@pytest.fixture
def home(public: Path) -> Path:
    """XDG_CONFIG_HOME, which everybody can read."""
    (public / "ebpftop").mkdir(mode=0o755)
    return public


def written(home: Path, text: str) -> Path:
    file = home / "ebpftop/config.toml"
    file.write_text(text)
    file.chmod(0o644)
    return file


def listed(home: Path, *before: str) -> Done:
    return ebpftop("list", "--json", before=before, environment={"XDG_CONFIG_HOME": str(home)})


def told(done: Done) -> list[str]:
    return [line.removeprefix("ebpftop: ") for line in done.stderr.splitlines()]


def ids(done: Done) -> set[str]:
    return {each["id"] for each in json.loads(done.stdout)}


def test_without_a_file_nothing_is_told(home: Path) -> None:
    done = listed(home)
    assert (done.returncode, done.stderr) == (0, "")


def test_folders_of_ones_own_are_in_the_catalog(home: Path) -> None:
    write_probe(home / "probes", "mine/calls")
    written(home, f'folders = ["{home}/probes"]\n')
    done = listed(home)
    assert done.stderr == ""
    assert "mine/calls" in ids(done)
    shown = ebpftop("show", "mine/calls", environment={"XDG_CONFIG_HOME": str(home)})
    assert shown.returncode == 0


def test_each_mistake_is_told_and_the_rest_counts(home: Path) -> None:
    write_probe(home / "probes", "mine/calls")
    (home / "open").mkdir()
    (home / "open").chmod(0o777)
    text = (
        f'theme = "ligt"\ninterval = "1"\nbudget = -3\nsize = 2\nfolders = ["{home}/open", "mine", "{home}/probes"]\n'
    )
    file = written(home, text)
    done = listed(home)
    assert done.returncode == 0
    assert "mine/calls" in ids(done)
    assert told(done) == [
        f"{file}:1: theme: expected one of dark, light, not 'ligt'; did you mean light?; ignored",
        f"{file}:2: interval: expected a number; ignored",
        f"{file}:3: budget: expected 0 to 1e+06, not -3; ignored",
        f"{file}:4: size: unknown key; ignored",
        f"{file}:5: folders[0]: {home}/open: users other than root can write to it; ignored",
        f"{file}:5: folders[1]: expected an absolute path, not mine; ignored",
    ]


@pytest.mark.parametrize("text", ["theme =", "\0", "x = " + "[" * 4000], ids=["cut", "binary", "deep"])
def test_what_is_no_toml_counts_for_nothing(home: Path, text: str) -> None:
    file = written(home, text)
    done = listed(home)
    assert done.returncode == 0
    (line,) = told(done)
    assert line.startswith(f"{file}:1: ")
    assert line.endswith("; ignored")


def test_what_is_no_file_of_ones_own_is_not_read(home: Path) -> None:
    file = home / "ebpftop/config.toml"
    (home / "elsewhere").write_text('theme = "light"\n')
    file.symlink_to(home / "elsewhere")
    assert told(listed(home)) == [f"{file}: a symbolic link, which is not followed; ignored"]
    file.unlink()
    file.symlink_to(home / "nowhere")
    assert told(listed(home)) == [f"{file}: a symbolic link, which is not followed; ignored"]
    file.unlink()
    os.mkfifo(file)
    assert told(listed(home)) == [f"{file}: not a regular file; ignored"]
    file.unlink()
    file.mkdir()
    assert told(listed(home)) == [f"{file}: Is a directory; ignored"]
    file.rmdir()
    written(home, "#" * (1 << 20))
    assert told(listed(home)) == [f"{file}: larger than 256 KiB; ignored"]
    written(home, "").chmod(0o666)
    assert told(listed(home)) == [f"{file}: users other than root can write to it; ignored"]


@pytest.mark.root
def test_under_sudo_they_are_the_invokers_and_nobody_elses(home: Path) -> None:
    file = written(home, "theme = 1\n")
    sudo = ("env", f"SUDO_UID={NOBODY}", f"SUDO_GID={NOBODY}")
    os.chown(file, NOBODY, NOBODY)
    assert told(listed(home, *sudo)) == [f"{file}:1: theme: expected a string; ignored"]
    assert told(listed(home)) == [f"{file}: not owned by root; ignored"]
    os.chown(file, 1, 1)
    assert told(listed(home, *sudo)) == [f"{file}: not owned by root or you; ignored"]
    file.chmod(0o600)
    assert told(listed(home, *sudo)) == [f"{file}: Permission denied; ignored"]


@pytest.mark.root
def test_who_traces_by_capabilities_has_none(home: Path) -> None:
    """Other processes of that user have none of those, and could write to the file."""
    file = written(home, "theme = 1\n")
    os.chown(file, NOBODY, NOBODY)
    assert told(listed(home, *holding())) == [f"{file}:1: theme: expected a string; ignored"]
    assert told(listed(home, *holding("CAP_BPF", "CAP_PERFMON"))) == []


def test_folders_and_a_budget_are_for_this_machine_alone(home: Path) -> None:
    write_probe(home / "probes", "mine/calls")
    written(home, f'folders = ["{home}/probes"]\nbudget = 5\n')
    done = ebpftop("run", "hello", "--host", "web-1", "--ssh", "false", environment={"XDG_CONFIG_HOME": str(home)})
    assert "web-1: " in done.stderr
    assert "applies to this machine only" not in done.stderr


@pytest.mark.bpf
def test_interval_and_budget_are_defaults_of_options(home: Path) -> None:
    written(home, "interval = 0.3\nbudget = 0\n")

    def times(*more: str) -> list[int]:
        done = ebpftop(
            *("run", "hello", "--duration", "2", "--format", "json", *more),
            environment={"XDG_CONFIG_HOME": str(home)},
        )
        assert done.returncode == 0, done.stderr
        return [json.loads(line)["time_ns"] for line in done.stdout.splitlines()]

    assert len(times()) > len(times("--interval", "1"))


EDITOR = """#!/bin/sh
id -u > "{folder}/who"
echo 'theme = "light"' > "{folder}/new"
{{ cat "{folder}/new" > "$1"; }} 2> "{folder}/said" && echo saved > "{folder}/said"
mv "{folder}/said" "{folder}/done"
"""


@pytest.mark.root
@pytest.mark.parametrize("linked", [False, True])
def test_they_are_edited_with_the_rights_of_who_typed_sudo(home: Path, linked: bool) -> None:
    """Also where a link leads to a file of root's: it is neither written to nor read."""
    (home / "vi").write_text(EDITOR.format(folder=home))
    (home / "vi").chmod(0o755)
    home.chmod(0o777)
    os.chown(home / "ebpftop", NOBODY, NOBODY)
    secret = home / "roots"
    secret.write_text("of root")
    secret.chmod(0o600)
    if linked:
        (home / "ebpftop/config.toml").symlink_to(secret)
    command = f"env SUDO_UID={NOBODY} SUDO_GID={NOBODY} XDG_CONFIG_HOME={home} EDITOR={home}/vi {PROGRAM} demo"
    with shell(120, 40) as term:
        line(term, framed(command))
        term.wait_for("Catalog")
        term.keys(",")
        eventually((home / "done").exists, "the editor ran")
        term.wait_for("Catalog")
        term.keys("q")
        term.wait_for("ended: 0, terminal: same")
    assert (home / "who").read_text() == f"{NOBODY}\n"
    if linked:
        assert "Permission denied" in (home / "done").read_text()
        assert secret.read_text() == "of root"
    else:
        assert (home / "done").read_text() == "saved\n"
        made = (home / "ebpftop/config.toml").stat()
        assert (made.st_uid, made.st_mode & 0o777) == (NOBODY, 0o600)
