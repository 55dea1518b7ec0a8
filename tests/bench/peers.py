"""The tools ebpftop is measured against, and the kernel headers they need, which it doesn't.

BCC's tools compile against kernel headers. Where none are installed for the running kernel, Debian's headers of its own
kernel are unpacked to a cache for the peers alone: their version is another, which changes what a tool would show, but
hardly how long it takes to compile or what a call of its programs costs.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

from tests.kernels.archive import newest

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ebpftop" / "bench"
_FOLDERS = ("", "/usr/sbin", "/usr/bin", "/usr/share/bcc/tools", "/usr/share/bpftrace/tools")


class Peer(NamedTuple):
    """A tool: its command, or None where it is `missing` for a reason."""

    name: str
    command: list[str] | None
    missing: str = ""


def peers(tool: str) -> list[Peer]:
    """BCC's and bpftrace's tools of a name ("runqlat")."""
    return [_bcc_tool(tool), _bpftrace_tool(tool)]


def environment() -> dict[str, str]:
    """What peers are started with: output as it comes, and the headers."""
    found = {**os.environ, "PYTHONUNBUFFERED": "1"}
    if headers := kernel_headers():
        found |= {"BCC_KERNEL_SOURCE": str(headers), "BPFTRACE_KERNEL_SOURCE": str(headers)}
    return found


def _bcc_tool(tool: str) -> Peer:
    name = f"{tool}-bpfcc"
    path = _find(name) or _find(tool)
    if path is None:
        return Peer(name, None, "not installed (bpfcc-tools)")
    if not (Path("/lib/modules") / os.uname().release / "build").exists() and kernel_headers() is None:
        return Peer(name, None, "needs kernel headers, and apt has none")
    return Peer(name, [path])


def _bpftrace_tool(tool: str) -> Peer:
    name = f"{tool}.bt"
    path = _find(name)
    if path is None or shutil.which("bpftrace") is None:
        return Peer(name, None, "not installed (bpftrace)")
    return Peer(name, ["bpftrace", "-B", "none", path])


def _find(name: str) -> str | None:
    return shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", ""), *_FOLDERS[1:])))


def kernel_headers() -> Path | None:
    """A tree of kernel headers in the cache, unpacked there once; None where apt has none."""
    root = CACHE / "headers"
    if not root.exists():
        package = newest(_packages())
        if package is None:
            return None
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            merged = Path(folder) / "merged"
            for name in (re.sub(r"-[a-z0-9]+$", "-common", package), package):
                _unpack(name, Path(folder) / name)
                source = Path(folder) / name / "usr/src" / name
                for part in ("include", "arch"):
                    shutil.copytree(source / part, merged / part, symlinks=True, dirs_exist_ok=True)
            merged.rename(root)
    return root


def _packages() -> list[str]:
    architecture = _run("dpkg", "--print-architecture").strip()
    pattern = rf"^linux-headers-[0-9.]+-[0-9]+-{architecture}$"
    return [line.split()[0] for line in _run("apt-cache", "search", "--names-only", pattern).splitlines()]


def _unpack(package: str, root: Path) -> None:
    # apt's own user could not write here
    _run("apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", package, cwd=root.parent)
    _run("dpkg-deb", "-x", str(next(root.parent.glob(f"{package}_*.deb"))), str(root))


def _run(*command: str, cwd: Path | None = None) -> str:
    return subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, text=True, check=True).stdout
