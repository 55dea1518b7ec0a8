"""Debian's packages for any architecture, through apt with lists of its own: what this machine has stays as it is."""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path

NEWEST = "trixie-backports"  # has the newest kernels; nothing else is taken from there
_RELEASE = "bookworm"
_LAYOUT = ("bin", "lib", "sbin")  # of Debian 12: folders of /usr


class Archive:
    """One architecture's packages of Debian 12, from where this machine has its own. folder: for apt's lists."""

    def __init__(self, folder: Path, architecture: str) -> None:
        self.architecture = architecture
        for each in ("lists/partial", "state"):
            (folder / each).mkdir(parents=True, exist_ok=True)
        (folder / "status").touch()
        (folder / "sources.list").write_text("".join(_sources()))
        self._options = [
            f"APT::Architecture={architecture}",
            f"APT::Architectures::={architecture}",
            "APT::Install-Recommends=false",
            "APT::Sandbox::User=root",  # apt's own user could not write here
            "Acquire::Languages=none",
            f"Dir::Etc::SourceList={folder}/sources.list",
            "Dir::Etc::SourceParts=/dev/null",
            f"Dir::State={folder}/state",
            f"Dir::State::Lists={folder}/lists",
            f"Dir::State::Status={folder}/status",
        ]
        self._run("apt-get", "-qq", "update", "--error-on=any")

    def names(self, pattern: str) -> list[str]:
        """Packages whose whole name matches."""
        found = self._run("apt-cache", "search", "--names-only", f"^{pattern}$")
        return [line.split()[0] for line in found.splitlines()]

    def unpack(self, packages: list[str], root: Path, *, whole: bool = False) -> None:
        """Unpack packages to a root file system; none of their scripts is run. whole: with all that they depend on."""
        for each in _LAYOUT:
            (root / "usr" / each).mkdir(parents=True)
            (root / each).symlink_to(f"usr/{each}")
        with tempfile.TemporaryDirectory(dir=root.parent) as folder:
            archives = Path(folder, "archives")
            (archives / "partial").mkdir(parents=True)
            if whole:
                self._run("apt-get", "-qq", "-o", f"Dir::Cache={folder}", "--download-only", "install", "-y", *packages)
            else:
                self._run("apt-get", "-qq", "download", *packages, cwd=archives)
            for package in sorted(archives.glob("*.deb")):
                with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE) as content:
                    into = ["tar", "--extract", "--keep-directory-symlink", "--directory", root]
                    subprocess.run(into, stdin=content.stdout, check=True)

    def _run(self, *command: str, cwd: Path | None = None) -> str:
        options = [word for option in self._options for word in ("-o", option)]
        return subprocess.run(
            [command[0], *options, *command[1:]], cwd=cwd, stdout=subprocess.PIPE, text=True, check=True
        ).stdout


def newest(packages: list[str]) -> str | None:
    """The package with the highest version: numbers compare as numbers."""
    return max(packages, key=lambda name: [int(number) for number in re.findall(r"\d+", name)], default=None)


def _sources() -> list[str]:
    """Lines of a sources.list: where this machine has Debian and its security updates from, fetched already or not."""
    targets = ["apt-get", "indextargets", "--no-release-info", "Created-By: Packages"]
    found = subprocess.check_output([*targets, "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)"], text=True)
    lines = map(str.split, found.splitlines())
    places = {release: place for place, release, component in lines if component == "main"}
    security = f"{_RELEASE}-security"
    if not {_RELEASE, security} <= places.keys():
        raise SystemExit("the kernels are Debian's: run this on Debian 12, with its security updates in apt's sources")
    suites = {_RELEASE: places[_RELEASE], security: places[security], NEWEST: places[_RELEASE]}
    signed = "[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]"
    return [f"deb {signed} {place} {suite} main\n" for suite, place in suites.items()]
