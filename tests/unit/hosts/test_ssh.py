from __future__ import annotations

import asyncio
import io
import sys
from pathlib import Path

import pytest

from ebpftop.base.readable import readable
from ebpftop.commands import stdio
from ebpftop.frames.codec import BadFrame, encode
from ebpftop.frames.messages import Notice
from ebpftop.frames.source import SourceEnded
from ebpftop.frames.stdio import GREETING
from ebpftop.frames.tape_format import FRAME_LIMIT
from ebpftop.hosts import opening
from ebpftop.hosts.remote import RemoteSource
from ebpftop.hosts.ssh import SUDOERS, Ssh, reason

LINE = "admin ALL=(root) NOPASSWD: /usr/local/bin/ebpftop serve --stdio"


@pytest.mark.parametrize(
    ("status", "said", "expected"),
    [
        (127, ["sh: 1: exec: ebpftop: not found"], "ebpftop is not on the PATH there: install ebpftop"),
        (
            1,
            [f"{SUDOERS}{LINE}", "sudo: a password is required"],
            f"no root there (a password is required): {{}}'{LINE}'",
        ),
        (3, [f"{SUDOERS}{LINE}", "ebpftop: nothing can be traced here"], "nothing can be traced here"),
        (3, ["ebpftop: this kernel has no BTF: install another"], "this kernel has no BTF: install another"),
        (255, ["Host key verification failed."], "Host key verification failed."),
        (255, [], "ssh could not connect"),
        (-9, [], "ssh was killed by SIGKILL"),
        (0, [], "the connection was closed"),
        (None, [], "the connection was closed"),
    ],
)
def test_the_end_of_a_connection_says_what_would_help(status: int | None, said: list[str], expected: str) -> None:
    assert reason(status, said).startswith(expected.format("/etc/sudoers.d/ebpftop there needs the line "))


def command(folder: Path, text: str) -> list[str]:
    """A program in place of ssh."""
    file = folder / "ssh.py"
    file.write_text(text)
    return [sys.executable, str(file)]


def test_what_runs_there_takes_no_argument_from_here(tmp_path: Path) -> None:
    ssh = Ssh("web-1", command(tmp_path, "import sys; print(sys.argv[-3:], file=sys.stderr); sys.exit(5)"))
    why = ssh.why()
    ssh.end()
    assert "'--', 'web-1'" in why
    assert why.endswith("exec ebpftop serve --stdio'\"]")
    assert stdio.ARGUMENTS == ("serve", "--stdio")


def test_what_it_says_is_bounded_and_inert(tmp_path: Path) -> None:
    ssh = Ssh("web-1", command(tmp_path, "import sys; sys.stderr.write('\\x1b[2J' * 1000 + '\\n') ; sys.exit(5)"))
    why = ssh.why()
    ssh.end()
    assert why.isprintable()
    assert len(why) <= 4 * 300


FLOOD = "import os\nwhile True: os.write(2, b'y\\n' * 4000)"


def test_output_without_end_is_taken_a_piece_at_a_time(tmp_path: Path) -> None:
    ssh = Ssh("web-1", command(tmp_path, FLOOD))
    heard: list[str] = []
    for _ in range(200):
        readable([ssh.errors])
        heard += ssh.hear()
    why = ssh.why()
    ssh.end()
    assert why == "y"
    assert len(heard) == 501
    assert "left out" in heard[-1]


def test_a_host_that_only_writes_errors_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "CONNECTING", 1)
    monkeypatch.setattr(opening, "BEGINNING", 1)
    monkeypatch.setattr(opening, "_QUIETLY", 0.5)
    err = io.StringIO()
    found = opening.open_all(["web-1"], command(tmp_path, FLOOD), err, alone=True)
    assert found["web-1"].problem == "no answer yet"
    assert err.getvalue() == "ebpftop: waiting for web-1; Ctrl-C stops\n"


async def test_errors_without_end_hold_nothing_up(tmp_path: Path) -> None:
    """Neither frames nor the end."""
    frame = encode(Notice(level="info", text="hm"))
    program = (
        "import os, threading, time\ndef flood():\n    while True: os.write(2, b'y\\n' * 4000)\n"
        f"threading.Thread(target=flood, daemon=True).start()\ntime.sleep(0.2); os.write(1, {GREETING + frame!r})\n"
        "os.read(0, 1)"
    )
    source = RemoteSource(lambda: Ssh("web-1", command(tmp_path, program)))
    async with asyncio.timeout(30):
        frames = source.frames()
        assert await anext(frames) == Notice(level="info", text="hm")
        await source.close()
        with pytest.raises(SourceEnded):
            await anext(frames)


def test_a_program_that_is_none_is_told() -> None:
    with pytest.raises(OSError, match="no-such-ssh can't be started"):
        Ssh("web-1", ["no-such-ssh"])


async def test_frames_from_there_have_the_bounds_of_a_tape(tmp_path: Path) -> None:
    """What a collector of ours may send is too large for a host that is somebody else's."""
    frame = f"({FRAME_LIMIT} + 1).to_bytes(4, 'little')"
    program = f"import os, time; os.write(1, {GREETING!r} + {frame}); time.sleep(60)"
    source = RemoteSource(lambda: Ssh("web-1", command(tmp_path, program)))
    with pytest.raises(BadFrame, match="exceeds the limit"):
        [frame async for frame in source.frames()]
