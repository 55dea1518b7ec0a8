"""Block devices by whatever a person calls them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ebpftop.kernel import devices


@pytest.fixture
def sys(tmp_path: Path) -> Path:
    for name, numbers in (("sda", "8:0"), ("cciss!c0d0p1", "104:1048575")):
        (tmp_path / "class/block" / name).mkdir(parents=True)
        (tmp_path / "class/block" / name / "dev").write_text(f"{numbers}\n")
        (tmp_path / "dev/block" / numbers).mkdir(parents=True)
    return tmp_path


@pytest.mark.parametrize(
    ("text", "number"), [("sda", 8 << 20), ("8:0", 8 << 20), ("cciss/c0d0p1", 104 << 20 | 1048575)]
)
def test_a_device_by_name_and_by_numbers(sys: Path, text: str, number: int) -> None:
    assert devices.number(text, sys) == number


@pytest.mark.parametrize("text", ["sdb", "8:1", "", "..", "../class/block/sda", "/dev/null", "/", "/no/such", "8:0 "])
def test_what_is_no_block_device(sys: Path, text: str) -> None:
    with pytest.raises(OSError, match=r"no such block device|No such file") as caught:
        devices.number(text, sys)
    assert caught.value.strerror


def test_every_block_device_of_this_machine_by_its_node() -> None:
    for name in os.listdir("/sys/class/block"):
        if os.path.exists(f"/dev/{name}"):
            assert devices.number(f"/dev/{name}") == devices.number(name)
