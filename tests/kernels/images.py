"""Debian's kernel images, unpacked to a cache, never installed; and for arm64 a Debian that they run on."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import NamedTuple

from tests.kernels.archive import NEWEST, Archive, newest
from tests.support.held import CHECKOUT

NATIVE = "amd64"
_WHEELS = {"arm64": [f"manylinux_2_{minor}_aarch64" for minor in range(17, 37)] + ["manylinux2014_aarch64"]}
_LOCKED = CHECKOUT / ".ci/locked/test.txt"
_PYTHON = "3.11"  # Debian 12's
_PACKAGES = """\
base-files base-passwd bash busybox-static coreutils dash debianutils diffutils e2fsprogs file findutils gcc grep gzip
hostname iproute2 kmod libc-bin libc6-dev login mawk mount ncurses-base passwd perl-base procps python3 python3-bpfcc
sed sudo tar util-linux zsh"""


class Image(NamedTuple):
    """A vmlinuz with its modules and their index beside it, as in `/`. root: what it runs on; None: this machine's own
    root file system.
    """

    kernel: Path
    architecture: str
    root: Path | None = None


def image(name: str, cache: Path) -> Image:
    """The newest image of a kernel series: "6.1", "6.12-arm64", or "newest" for the newest of all."""
    version, _, architecture = name.partition("-")
    architecture = architecture or NATIVE
    if architecture != NATIVE:
        cache = cache / architecture
    archive = Archive(cache / "apt", architecture)
    kernel = _kernel(version, cache, archive)
    if architecture == NATIVE:
        return Image(kernel, architecture)
    root = _system(archive, cache)
    for modules in (kernel.parents[1] / "lib/modules").iterdir():
        if not (place := root / "lib/modules" / modules.name).exists():
            shutil.copytree(modules, place, symlinks=True, copy_function=os.link)
    return Image(kernel, architecture, root)


def _kernel(version: str, cache: Path, archive: Archive) -> Path:
    numbers = r"[0-9]+\.[0-9]+" if version == "newest" else re.escape(version)
    # names like linux-image-6.1.0-56-amd64 and linux-image-6.12.117+deb12-amd64; not the cloud and real-time ones
    package = newest(archive.names(rf"linux-image-{numbers}\.[0-9.]+([-+][a-z]*[0-9]+)?-{archive.architecture}"))
    if package is None:
        raise SystemExit(f"Debian 12 and {NEWEST} have no kernel {version} for {archive.architecture}")
    home = cache / package
    if not home.exists():
        print(f"downloading {package}", flush=True)
        release = package.removeprefix("linux-image-")
        parts = archive.names(rf"linux-(base|binary|modules)-{re.escape(release)}")  # newer kernels are in these
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            root = Path(folder) / "root"
            archive.unpack([package, *parts], root)
            subprocess.run(["depmod", "-b", root, release], check=True)
            if (newer := root / f"lib/modules/{release}/vmlinuz").exists():
                (root / "boot").mkdir()
                newer.rename(root / f"boot/vmlinuz-{release}")
            root.rename(home)
    series = re.match(r"linux-image-\d+\.\d+\.", package)
    for old in cache.glob(f"{series[0]}*" if series else "nothing"):
        if old != home:
            shutil.rmtree(old)
    return next((home / "boot").glob("vmlinuz-*"))


def _system(archive: Archive, cache: Path) -> Path:
    """A Debian 12 of another architecture with BCC and, in /opt/venv, what the tests need; made once."""
    made_of = f"{_PACKAGES}\n{_LOCKED.read_text()}"
    home = cache / "debian-12"
    complete = home / "complete"
    if not complete.exists() or complete.read_text() != made_of:
        print(f"making {home}", flush=True)
        shutil.rmtree(home, ignore_errors=True)
        root = home / "root"
        root.mkdir(parents=True)
        archive.unpack(_PACKAGES.split(), root, whole=True)
        for name in ("passwd", "group"):
            shutil.copy(root / f"usr/share/base-passwd/{name}.master", root / "etc" / name)
        for name in ("fstab", "hosts", "shadow"):  # virtme-ng puts its own in their place
            (root / "etc" / name).touch()
        for link, to in (("awk", "mawk"), ("cc", "gcc")):  # what the packages' scripts would choose
            (root / "usr/bin" / link).symlink_to(to)
        _venv(root / "opt/venv", archive.architecture)
        _compile(root, "usr/lib/python3", f"usr/lib/python{_PYTHON}", f"opt/venv/lib/python{_PYTHON}")
        complete.write_text(made_of)
    return home / "root"


def _compile(root: Path, *folders: str) -> None:
    """Byte code of all modules, the same on every machine: an emulated one would take minutes, each time it boots."""
    python = [f"/usr/bin/python{_PYTHON}", "-m", "compileall", "-q", "-s", root, "-p", "/"]
    subprocess.run([*python, *(root / each for each in folders)], check=False)  # some files are templates


def _venv(folder: Path, architecture: str) -> None:
    """What the lock has for the tests, as wheels of another architecture."""
    venv.EnvBuilder(symlinks=True).create(folder)
    packages = folder / f"lib/python{_PYTHON}/site-packages"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    platforms = [word for each in _WHEELS[architecture] for word in ("--platform", each)]
    kind = ["--python-version", _PYTHON, "--implementation", "cp", "--only-binary", ":all:", "--no-deps"]
    subprocess.run(
        [*pip, *platforms, *kind, "--require-hashes", "--target", packages, "--requirement", _LOCKED], check=True
    )
