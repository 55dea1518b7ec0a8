"""Finding the real bcc, and telling it from PyPI's and from one that others can change."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ebpftop.kernel import bcc_home
from ebpftop.kernel.ownership import only_root_writes


def package(place: Path, *, binding: bool = True, text: str = "class BPF(object):\n    pass\n") -> Path:
    place.mkdir()
    (place / "__init__.py").write_text(text)
    if binding:
        (place / "libbcc.py").touch()
    return place


def test_the_real_package_has_the_binding_and_the_class(tmp_path: Path) -> None:
    assert bcc_home.is_real(package(tmp_path / "real"))
    assert not bcc_home.is_real(package(tmp_path / "pypi", binding=False))
    assert not bcc_home.is_real(package(tmp_path / "other", text="BPF = None"))
    assert not bcc_home.is_real(tmp_path / "absent")


def test_a_place_open_to_others_is_told(tmp_path: Path) -> None:
    place = package(tmp_path / "bcc")
    place.chmod(0o777)
    assert not only_root_writes(place)
    assert not only_root_writes(tmp_path / "absent")
    assert only_root_writes(Path("/usr"))


def test_loading_ignores_the_search_path(tmp_path: Path) -> None:
    planted, real = tmp_path / "planted", tmp_path / "real"
    planted.mkdir()
    package(planted / "bcc", text="raise RuntimeError('planted')")
    package(real, text="from . import libbcc\nclass BPF(object): pass\n")
    script = f"""
import sys
from pathlib import Path
from ebpftop.kernel import bcc_home
sys.path.insert(0, {str(planted)!r})
module = bcc_home.load(Path({str(real)!r}))
import bcc
print(module.BPF.__name__, module.libbcc.__file__, bcc is module)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == f"BPF {real}/libbcc.py True\n"


@pytest.mark.parametrize(
    ("os_release", "remedy"),
    [
        ("ID=debian\n", "install python3-bpfcc: apt install python3-bpfcc"),
        ('ID=linuxmint\nID_LIKE="ubuntu debian"\n', "install python3-bpfcc: apt install python3-bpfcc"),
        ('ID="rocky"\nID_LIKE="rhel centos fedora"\n', "install python3-bcc: dnf install python3-bcc"),
        ("ID=arch\n", "install python-bcc: pacman -S python-bcc"),
        ("NAME=Plan9\n", "install bcc's Python 3 module from the distribution's packages"),
    ],
)
def test_the_remedy_names_the_distributions_package(tmp_path: Path, os_release: str, remedy: str) -> None:
    file = tmp_path / "os-release"
    file.write_text(os_release)
    assert bcc_home.remedy(file) == remedy
