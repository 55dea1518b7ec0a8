"""A PostgreSQL in which sessions wait for a row that another session, idle in its transaction, has locked."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import NamedTuple

import psutil
import pytest

from tests.support.processes import eventually

WAITING = 4
_NOBODY = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")
_LOCK = "UPDATE stock SET left_over = left_over - 1 WHERE id = 1;"


class RowLock(NamedTuple):
    """Processes of the server: `holder` has the lock, `waiting` want it, `idle` waits for its client's next
    statement.
    """

    holder: psutil.Process
    waiting: set[int]
    idle: int


class _Session:
    """A client, and the process that serves it."""

    def __init__(self, folder: Path) -> None:
        command = ["psql", "-AtqX", "-h", folder, "-U", "nobody", "postgres"]
        self.client = subprocess.Popen(command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, text=True)
        self.pid = int(self.answer("SELECT pg_backend_pid();"))

    def tell(self, statement: str) -> None:
        assert self.client.stdin
        self.client.stdin.write(statement + "\n")
        self.client.stdin.flush()

    def answer(self, question: str) -> str:
        self.tell(question)
        assert self.client.stdout
        return self.client.stdout.readline().strip()


@contextlib.contextmanager
def row_lock(folder: Path) -> Iterator[RowLock]:
    """The server in this state. Skips the test if PostgreSQL is not installed."""
    homes = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not homes or not shutil.which("psql"):
        pytest.skip("PostgreSQL is not installed, nor is it by .ci/setup")
    place = folder / "postgres"
    place.mkdir()
    shutil.chown(place, "nobody")
    data = place / "data"
    subprocess.run([*_NOBODY, homes[-1] / "initdb", "-D", data, "-A", "trust"], cwd="/", check=True, stdout=DEVNULL)
    options = ["-c", "listen_addresses=", "-c", "fsync=off", "-k", place]
    server = subprocess.Popen([*_NOBODY, homes[-1] / "postgres", "-D", data, *options], cwd="/", stderr=DEVNULL)
    try:
        with contextlib.ExitStack() as clients:
            eventually(lambda: (place / ".s.PGSQL.5432").exists(), "the server listens")
            ready = ["pg_isready", "-q", "-h", place]
            eventually(lambda: subprocess.run(ready, check=False).returncode == 0, "it takes connections")

            def session() -> _Session:
                made = _Session(place)
                clients.callback(made.client.communicate)
                clients.callback(made.client.kill)
                return made

            idle = session()
            idle.tell("CREATE TABLE stock (id int PRIMARY KEY, left_over int); INSERT INTO stock VALUES (1, 100);")
            holder = session()
            assert holder.answer(f"BEGIN; {_LOCK} SELECT 'locked';") == "locked"
            waiting = [session() for _ in range(WAITING)]
            for each in waiting:
                each.tell(_LOCK)
            locked = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock';"
            eventually(lambda: idle.answer(locked) == str(WAITING), "the others wait for the row")
            yield RowLock(psutil.Process(holder.pid), {each.pid for each in waiting}, idle.pid)
    finally:
        for each in psutil.Process(server.pid).children():
            with contextlib.suppress(psutil.NoSuchProcess):
                each.send_signal(signal.SIGCONT)
        server.send_signal(signal.SIGQUIT)
        server.wait()
