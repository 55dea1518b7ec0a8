"""Block devices."""

import os
from pathlib import Path

import pytest

from ebpftop.collector.decode import device
from ebpftop.collector.decode.device import Devices

SDA1 = 8 << 20 | 1


@pytest.fixture
def links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(device, "_LINKS", tmp_path)
    return tmp_path


def test_a_device_by_its_numbers(links: Path) -> None:
    os.symlink("../../devices/pci0000:00/block/sda/sda1", links / "8:1")
    os.symlink("../../devices/pci0000:00/block/cciss!c0d0", links / "104:0")
    devices = Devices()
    assert devices.name(SDA1) == "sda1"
    assert devices.name(104 << 20) == "cciss/c0d0"


def test_one_that_is_not_there_stays_its_numbers(links: Path) -> None:
    assert Devices().name(259 << 20 | 300) == "259:300"


def test_one_that_is_gone_keeps_its_name_and_its_numbers_can_get_another(links: Path) -> None:
    devices = Devices()
    os.symlink("../sda1", links / "8:1")
    assert devices.name(SDA1) == "sda1"
    os.unlink(links / "8:1")
    assert devices.name(SDA1) == "sda1"
    os.symlink("../sdb1", links / "8:1")
    assert devices.name(SDA1) == "sdb1"
