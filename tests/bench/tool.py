"""A tool that traces: started, waited for until it traces, ended by Ctrl-C."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence

_PATIENCE = 60.0


class ToolFailed(Exception):
    """It ended, or said nothing for a minute; its last words."""


class Tool:
    """A running tool. `lines` grows; `began` is seconds from asking to the first line that isn't a greeting."""

    def __init__(self, process: subprocess.Popen[str], since: float) -> None:
        self.process = process
        self.lines: list[str] = []
        self.began = 0.0
        self._since = since
        self._traces = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if not self.began and not line.startswith("Attaching"):  # bpftrace's greeting, before it attaches
                self.began = time.perf_counter() - self._since
                self._traces.set()
            self.lines.append(line)
        self._traces.set()

    def wait(self) -> None:
        """Until it traces. Raises ToolFailed."""
        if not self._traces.wait(_PATIENCE) or not self.began:
            raise ToolFailed("it never traced")

    def next_line(self) -> str:
        """A line that is not here yet. Raises ToolFailed."""
        have, deadline = len(self.lines), time.monotonic() + _PATIENCE
        while len(self.lines) == have:
            if time.monotonic() > deadline or not self._reader.is_alive():
                raise ToolFailed("it fell silent")
            time.sleep(0.01)
        return self.lines[-1]


@contextlib.contextmanager
def running(command: Sequence[str], environment: Mapping[str, str] = os.environ) -> Iterator[Tool]:
    """The tool, tracing. Raises ToolFailed."""
    with tempfile.TemporaryFile("w+") as errors:
        since = time.perf_counter()
        process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        )
        tool = Tool(process, since)
        try:
            tool.wait()
            yield tool
        except ToolFailed as failure:
            errors.seek(0)
            last = errors.read().strip().splitlines()[-1:]
            raise ToolFailed(f"{failure}: {last[0] if last else 'no word on stderr'}") from None
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
