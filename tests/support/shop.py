"""A small shop to be recorded: each of its programs is a script in a separate control group.

It needs root and control groups of version 2. The recorder runs in separate namespaces with another host name, so that
no name of this machine gets onto the tape.
"""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from ebpftop.kernel import mounts

GROUP, HOST, PORT = "shop.slice", "shop-01", 8080
PROGRAMS = Path("/opt/shop")
INSIDE = "--inside"
PR_SET_CHILD_SUBREAPER = 36  # prctl(2): orphans become our children, not those of this machine's init

WEB = f"""#!/usr/bin/python3 -IS
import os, socket
server = socket.create_server(("127.0.0.1", {PORT}), backlog=64)
page = bytes(3000)
while True:
    visitor, _ = server.accept()
    while visitor.recv(4096):
        os.stat("/etc/hostname")
        visitor.sendall(page)
    visitor.close()
"""


def apart(module: str, argument: str) -> None:
    """Run a module in separate namespaces, where it may open a shop. Raises `CalledProcessError`."""
    command = ["unshare", "--uts", "--mount", "--", sys.executable, "-B", "-m", module, INSIDE, argument]
    subprocess.run(command, check=True)


class Shop:
    """scripts: by the name of the program, which is also the kernel's name for its process. disk: the scripts'
    argument. nice: their niceness.

    group: the control group, with one below it for each program. Everything is removed when the shop is closed.
    """

    def __init__(self, scripts: Mapping[str, str], disk: Path, nice: int = 0) -> None:
        root = mounts.cgroups()
        assert root is not None, "the shop needs control groups of version 2"
        self.group = root / GROUP
        self._scripts, self._disk, self._nice = scripts, disk, nice
        self._services = {name: self.group / f"{name}.service" for name in scripts}
        self._children: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Shop:
        socket.sethostname(HOST)
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
        subprocess.run(["mount", "-t", "tmpfs", "none", PROGRAMS.parent], check=True)
        PROGRAMS.mkdir()
        for name, script in self._scripts.items():
            (PROGRAMS / name).write_text(script)
            (PROGRAMS / name).chmod(0o755)
        for folder in (self.group, *self._services.values()):
            folder.mkdir()
        return self

    def start(self, name: str) -> None:
        """Start one more process of a program, placed in the program's group before it does anything."""
        join = (self._services[name] / "cgroup.procs").write_text

        def prepare() -> None:
            os.nice(self._nice)
            join("0")

        self._children.append(subprocess.Popen([PROGRAMS / name, self._disk], preexec_fn=prepare, env={"PATH": "/bin"}))

    def end(self, name: str) -> None:
        """End all processes of a program."""
        (self._services[name] / "cgroup.kill").write_text("1")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        (self.group / "cgroup.kill").write_text("1")
        for child in self._children:
            child.wait()
        time.sleep(0.3)  # their children are gone as well
        for folder in (*self._services.values(), self.group):
            folder.rmdir()
