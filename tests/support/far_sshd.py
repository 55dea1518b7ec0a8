"""Hosts to log in to: one sshd each, with its own keys and configuration, on this machine in a network namespace."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

SSHD = "/usr/sbin/sshd"

CONFIG = """
Port 22
ListenAddress {address}
HostKey {folder}/host
AuthorizedKeysFile {folder}/authorized
PidFile none
StrictModes no
UsePAM no
PermitRootLogin yes
PasswordAuthentication no
SetEnv PATH={path} {environment}
"""


def run(*command: str | Path) -> None:
    subprocess.run(command, check=True, capture_output=True)


def near(address: str) -> str:
    """Our end of a link with two ends."""
    net, _, last = address.rpartition(".")
    return f"{net}.{int(last) - 1}"


class Login:
    """The files for an sshd and its clients: keys and configurations, in a new folder.

    path: folders for programs on that host.
    """

    def __init__(
        self, name: str, address: str, folder: Path, path: str, environment: Mapping[str, str] | None = None
    ) -> None:
        self.name, self.address, self.folder = name, address, folder
        folder.mkdir(mode=0o755)
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "host")
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "me")
        (folder / "authorized").write_bytes((folder / "me.pub").read_bytes())
        given = " ".join(f"{name}={value}" for name, value in (environment or {}).items())
        (folder / "config").write_text(CONFIG.format(address=address, folder=folder, path=path, environment=given))

    @property
    def known(self) -> str:
        return f"{self.address} {(self.folder / 'host.pub').read_text()}"

    def entry(self, user: str = "root") -> str:
        """An entry for ssh's configuration."""
        return f"Host {self.name}\n HostName {self.address}\n User {user}\n IdentityFile {self.folder}/me\n"


class FarSshd(Login):
    """One host. number: a different one for each. For the other arguments see `Login`."""

    def __init__(self, folder: Path, number: int, path: str, environment: Mapping[str, str] | None = None) -> None:
        self._space = f"eb{os.getpid()}-{number}"
        self._link = f"eb{os.getpid() % 100_000}v{number}"
        address = f"10.213.{os.getpid() % 250}.{4 * number + 2}"
        super().__init__(f"far-{number}", address, folder, path, environment)
        Path("/run/sshd").mkdir(exist_ok=True)
        self._join()
        self._sshd = subprocess.Popen(
            ["ip", "netns", "exec", self._space, SSHD, "-D", "-e", "-f", folder / "config"],
            stdin=subprocess.DEVNULL,
            stderr=(folder / "log").open("wb"),
            start_new_session=True,
        )
        while b"listening" not in (folder / "log").read_bytes():
            assert self._sshd.poll() is None, (folder / "log").read_text()
            time.sleep(0.02)

    def _join(self) -> None:
        here, there = self._link, f"{self._link}x"
        run("ip", "netns", "add", self._space)
        run("ip", "link", "add", here, "type", "veth", "peer", "name", there, "netns", self._space)
        run("ip", "addr", "add", f"{near(self.address)}/30", "dev", here)
        run("ip", "link", "set", here, "up")
        run("ip", "-n", self._space, "addr", "add", f"{self.address}/30", "dev", there)
        run("ip", "-n", self._space, "link", "set", there, "up")

    def cut(self) -> None:
        """Drop all packets from now on."""
        run("ip", "-n", self._space, "link", "set", f"{self._link}x", "down")

    def mend(self) -> None:
        run("ip", "-n", self._space, "link", "set", f"{self._link}x", "up")

    def kill_sessions(self) -> None:
        """Kill the sshd processes of all logged-in users."""
        subprocess.run(["pkill", "-KILL", "-P", str(self._sshd.pid)], check=False)

    def close(self) -> None:
        self.kill_sessions()
        self._sshd.kill()
        self._sshd.wait()
        subprocess.run(["ip", "link", "del", self._link], check=False, capture_output=True)
        subprocess.run(["ip", "netns", "del", self._space], check=False, capture_output=True)


def ssh_to(folder: Path, *hosts: Login, user: str = "root") -> str:
    """The ssh command that knows these hosts."""
    (folder / "known").write_text("".join(host.known for host in hosts))
    common = f"Host *\n IdentitiesOnly yes\n UserKnownHostsFile {folder}/known\n StrictHostKeyChecking yes\n"
    (folder / "config").write_text("".join(host.entry(user) for host in hosts) + common)
    return f"ssh -F {folder}/config"
