"""Debian's kernel images, unpacked to a cache: found in apt's lists, downloaded, never installed."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path


def image(version: str, cache: Path) -> Path:
    """The newest image of a kernel series ("6.1"): a vmlinuz with its modules and their index beside it, as in `/`."""
    package = newest(_packages(version))
    if package is None:
        raise SystemExit(
            f"apt's lists have no kernel {version} for this machine: run it on Debian 12, after apt-get update"
        )
    home = cache / package
    if not home.exists():
        print(f"downloading {package}", flush=True)
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            _unpack(package, Path(folder) / "root")
            (Path(folder) / "root").rename(home)
    for old in cache.glob(f"linux-image-{version}.*"):
        if old != home:
            shutil.rmtree(old)
    return next((home / "boot").glob("vmlinuz-*"))


def newest(packages: list[str]) -> str | None:
    """The package with the highest version: numbers compare as numbers."""
    return max(packages, key=lambda name: [int(number) for number in re.findall(r"\d+", name)], default=None)


def _packages(version: str) -> list[str]:
    """Names like linux-image-6.1.0-56-amd64 and linux-image-6.12.117+deb12-amd64; not the cloud and real-time ones."""
    architecture = _run("dpkg", "--print-architecture").strip()
    pattern = rf"^linux-image-{re.escape(version)}\.[0-9.]+([-+][a-z]*[0-9]+)?-{architecture}$"
    return [line.split()[0] for line in _run("apt-cache", "search", "--names-only", pattern).splitlines()]


def _unpack(package: str, root: Path) -> None:
    # apt's own user could not write here
    _run("apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", package, cwd=root.parent)
    _run("dpkg-deb", "-x", str(next(root.parent.glob("*.deb"))), str(root))
    _run("depmod", "-b", str(root), next((root / "lib/modules").iterdir()).name)


def _run(*command: str, cwd: Path | None = None) -> str:
    return subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, text=True, check=True).stdout
