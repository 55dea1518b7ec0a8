"""What real shells offer at Tab."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.command import ebpftop
from tests.support.processes import SLOWER
from tests.support.terminal import terminal

BASH = """\
source <(ebpftop completion bash)
COMP_LINE=$1 COMP_POINT=${#1}
_ebpftop
(( ${#COMPREPLY[@]} == 0 )) || printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """The environment of a shell that finds ebpftop on its path, and has no settings."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "ebpftop").symlink_to(Path(sys.executable).parent / "ebpftop")
    (tmp_path / "a file.tape").touch()
    (tmp_path / "folder").mkdir()
    path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    return {**os.environ, "HOME": str(tmp_path), "PATH": path, "PYTHONDONTWRITEBYTECODE": "1", "TERM": "xterm"}


def asked(shell: list[str], home: dict[str, str], line: str) -> list[str]:
    done = subprocess.run(
        [*shell, line], env=home, cwd=home["HOME"], capture_output=True, text=True, timeout=60 * SLOWER, check=True
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


def bash(home: dict[str, str], line: str) -> list[str]:
    # `compopt` works only where readline asked; what it sets can't be seen from here
    return asked(["bash", "--norc", "-c", "compopt() { :; }\n" + BASH, "bash"], home, line)


def fish(home: dict[str, str], line: str) -> list[str]:
    code = "ebpftop completion fish | source; complete -C $argv[1]"
    done = asked(["fish", "--no-config", "-c", code], home, line)
    return [each.partition("\t")[0] for each in done]


@pytest.mark.parametrize("shell", [bash, fish])
def test_a_shell_offers_what_can_follow(
    shell: Callable[[dict[str, str], str], list[str]], home: dict[str, str]
) -> None:
    assert {"run", "record", "replay", "report"} <= set(shell(home, "ebpftop r"))
    assert set(shell(home, "ebpftop run runql")) == {"runqlat", "runqlen"}
    assert shell(home, "ebpftop run cpu/runqla") == ["cpu/runqlat"]
    assert shell(home, "ebpftop run runqlat --dura") == ["--duration"]
    assert set(shell(home, "ebpftop run runqlat --format p")) == {"pprof", "perfetto"}
    assert "it-hangs" in shell(home, "ebpftop play ")
    assert shell(home, "ebpftop tape inf") == ["info"]
    assert shell(home, "ebpftop --no-sudo run runqlat -p ci") == []
    assert shell(home, "ebpftop nothing ") == []


def test_bash_completes_parameters_and_files(home: dict[str, str]) -> None:
    assert bash(home, "ebpftop run runqlat -p pi") == ["pid="]
    assert set(bash(home, "ebpftop run offcputime -p user_stacks=")) <= {"true", "false"}
    assert bash(home, "ebpftop run runqlat --format=fo") == ["folded"]  # bash itself has written what stands before =
    assert bash(home, "ebpftop replay a") == ["a file.tape"]
    assert set(bash(home, "ebpftop check ")) == {"bin", "folder"}


def test_zsh_completes_on_its_command_line(home: dict[str, str]) -> None:
    settings = [f"{name}={home[name]}" for name in ("HOME", "PATH", "PYTHONDONTWRITEBYTECODE")]
    with terminal(["env", *settings, "zsh", "-f", "-i"]) as screen:
        screen.type('autoload -Uz compinit && compinit -u -D; eval "$(ebpftop completion zsh)"; print READ""Y\n')
        screen.wait_for("READY")
        screen.type("ebpftop run runq\t")
        screen.wait_for("runqlat", "Run queue latency", "runqslower")
        screen.type("lat -p pi\t")
        screen.wait_for("ebpftop run runqlat -p pid=")


def test_a_shell_that_is_not_known() -> None:
    done = ebpftop("completion", "tcsh")
    assert done.returncode == 2
    assert "invalid choice: 'tcsh'" in done.stderr
