"""Questions of an incident, each answered by keys in a real terminal: no resizing, at most twelve keys from the start.

A typed letter of a search is a key. The workloads are real, and the answer is on one line of the screen.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.processes import eventually
from tests.support.terminal import Terminal, terminal

pytestmark = pytest.mark.bpf

COMMAND = [sys.executable, "-m", "ebpftop"]
MOST = 12  # keys
SIZES = [(80, 24), (160, 45)]
NAMED = "open('/proc/self/comm', 'w').write(sys.argv[1])\n"


@pytest.fixture(params=SIZES, ids=lambda size: "{}x{}".format(*size))
def term(request: pytest.FixtureRequest) -> Iterator[Terminal]:
    with terminal(COMMAND, *request.param) as started:
        started.wait_for("What is wrong?", "first-minute")
        yield started
        started.keys("q")


@contextmanager
def working(code: str, *arguments: object) -> Iterator[int]:
    """A Python that runs the code, which never ends, under the name of its first argument; its pid."""
    command = [sys.executable, "-c", "import os, socket, subprocess, sys, time, zlib\n" + NAMED + code]
    process = subprocess.Popen([*command, *map(str, arguments)])
    try:
        yield process.pid
    finally:
        process.kill()
        process.wait()


class Keys:
    """Presses keys and counts them."""

    def __init__(self, term: Terminal) -> None:
        self._term = term
        self.pressed = 0

    def press(self, *names: str) -> None:
        self.pressed += len(names)
        assert self.pressed <= MOST
        self._term.keys(*names)

    def search(self, text: str) -> None:
        """Load the probe that a search finds first."""
        self.press("/", *text, "Enter")


def line_with(term: Terminal, *wanted: str, patience: float = 60.0) -> str:
    """The first line of the screen that holds all of these, once there is one."""
    deadline = time.monotonic() + patience
    while True:
        for line in (shown := term.text()).splitlines():
            if all(text in line for text in wanted):
                return line
        assert time.monotonic() < deadline, f"no line ever held {wanted}:\n{shown}"
        time.sleep(0.2)


def test_which_process_burns_cpu(term: Terminal) -> None:
    with working("d = bytes(1 << 20)\nwhile True:\n    zlib.crc32(d)\n", "cruncher") as pid:
        Keys(term).press("Enter")
        line_with(term, str(pid), "cruncher", "%", sys.executable[:9])  # the command line, as far as there is room


def test_in_which_code_a_process_burns_cpu(term: Terminal) -> None:
    def shown() -> bool:
        lines = term.text().splitlines()
        above = next((line for line in lines if "▏cruncher" in line), "")
        at = above.find("▏cruncher")
        return at >= 0 and any(line[at:].startswith("▏crc32") for line in lines[lines.index(above) :])

    with working("d = bytes(1 << 20)\nwhile True:\n    zlib.crc32(d)\n", "cruncher"):
        Keys(term).search("profile")
        eventually(shown, "the function stands in its process", 60)


def test_who_spawns_short_processes_and_with_which_command_line(term: Terminal) -> None:
    code = "while True:\n    subprocess.run(['/bin/true', 'lap-7'])\n    time.sleep(.02)\n"
    with working(code, "spawner") as pid:
        keys = Keys(term)
        keys.search("pidper")
        line_with(term, str(pid), "spawner", "/s", sys.executable[:9])
        keys.press("Enter")
        term.wait_for("about", "spawner", "'lap-7'")


def test_what_the_short_processes_are(term: Terminal) -> None:
    code = "while True:\n    subprocess.run(['/bin/true', 'lap7'])\n    time.sleep(.02)\n"
    with working(code, "spawner"):
        Keys(term).search("execs")
        line_with(term, "/bin/true lap7")


def test_who_reads_one_file(term: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "ledger.db"
    file.write_bytes(bytes(1 << 20))
    code = "f = os.open(sys.argv[2], os.O_RDONLY)\nwhile True:\n    os.pread(f, 1 << 20, 0)\n    time.sleep(.005)\n"
    with working(code, "reader", file) as pid:
        keys = Keys(term)
        keys.search("filetop")
        line_with(term, str(pid), "reader", "ledger.db", "B/s")


def test_how_long_the_connections_of_a_server_live(term: Terminal) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                time.sleep(0.2)
                connection.close()

        threading.Thread(target=serve, daemon=True).start()
        code = (
            "while True:\n"
            "    c = socket.create_connection(('127.0.0.1', int(sys.argv[2])))\n    c.recv(1)\n    c.close()\n"
        )
        port = server.getsockname()[1]
        with working(code, "visitor", port) as pid:
            Keys(term).search("tcplife")
            line = line_with(term, str(pid), "visitor", str(port), "2", " ms")
            assert "lived" in term.text(), line
        server.shutdown(socket.SHUT_RDWR)
