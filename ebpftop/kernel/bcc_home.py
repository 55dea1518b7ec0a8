"""Finds the distribution's bcc package without importing it.

PyPI's package of that name is unrelated. The real one is pure Python over libbcc and can be imported into any CPython
3; root imports it only from a directory that nobody else can write to.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

from ebpftop.kernel import capabilities
from ebpftop.kernel.libbpf import KernelLacks
from ebpftop.kernel.ownership import only_root_writes

_PACKAGES = {
    "debian": ("python3-bpfcc", "apt install python3-bpfcc"),
    "ubuntu": ("python3-bpfcc", "apt install python3-bpfcc"),
    "fedora": ("python3-bcc", "dnf install python3-bcc"),
    "rhel": ("python3-bcc", "dnf install python3-bcc"),
    "suse": ("python3-bcc", "zypper install python3-bcc"),
    "arch": ("python-bcc", "pacman -S python-bcc"),
}
_PATTERNS = (
    "/usr/lib/python3/dist-packages",
    "/usr/lib/python3*/site-packages",
    "/usr/lib64/python3*/site-packages",
    "/usr/local/lib/python3*/dist-packages",
    "/usr/local/lib/python3*/site-packages",
)


def find() -> Path:
    """The package's directory: the distribution's directories first, then `sys.path`. Raises `KernelLacks`.

    For root, and for users who may trace without root, only root may be able to write to it.
    """
    real = [package for package in _candidates() if is_real(package)]
    if not real:
        raise KernelLacks("BCC's Python module is not installed", remedy())
    safe = next((package for package in real if only_root_writes(package)), None)
    if safe is None and (os.geteuid() == 0 or capabilities.may_trace()):
        raise KernelLacks(f"users other than root can write to {real[0]}, so root won't import it", remedy())
    return safe or real[0]


def is_real(package: Path) -> bool:
    """Whether a directory is BCC's package, with the libbcc binding and the class BPF."""
    try:
        return (package / "libbcc.py").is_file() and b"class BPF(" in (package / "__init__.py").read_bytes()
    except OSError:
        return False


def load(package: Path) -> ModuleType:
    """Import the package from this directory regardless of `sys.path`; this loads LLVM. Raises ImportError, OSError."""
    spec = importlib.util.spec_from_file_location(
        "bcc", package / "__init__.py", submodule_search_locations=[str(package)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"{package} is not a Python package")
    module = importlib.util.module_from_spec(spec)
    sys.modules["bcc"] = module
    spec.loader.exec_module(module)
    return module


def remedy(os_release: Path = Path("/etc/os-release")) -> str:
    """How to install it on this distribution."""
    package, command = _PACKAGES.get(_distribution(os_release), ("bcc's Python 3 module", ""))
    return f"install {package}" + (f": {command}" if command else " from the distribution's packages")


def _candidates() -> list[Path]:
    system = [place for pattern in _PATTERNS for place in sorted(Path("/").glob(pattern[1:]), reverse=True)]
    return [place / "bcc" for place in dict.fromkeys((*system, *(Path(entry) for entry in sys.path if entry)))]


def _distribution(os_release: Path) -> str:
    """The first known id among ID and ID_LIKE in os-release(5)."""
    try:
        lines = os_release.read_text().splitlines()
    except OSError:
        return ""
    fields = dict(line.split("=", 1) for line in lines if "=" in line)
    ids = f"{fields.get('ID', '')} {fields.get('ID_LIKE', '')}".replace('"', "").split()
    return next((name for name in ids if name in _PACKAGES), "")
