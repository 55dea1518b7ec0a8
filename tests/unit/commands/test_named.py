import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from ebpftop.base.errors import UsageError
from ebpftop.catalog import folders
from ebpftop.catalog.document import BadManifest
from ebpftop.catalog.exporter_file import read_exporter_file
from ebpftop.commands import named
from tests.support.probes import write_probe


def asked_of_exporter(_: str, extra: list[Path]) -> None:
    file = extra[0].parent / "exporter.toml"
    file.write_text('[[probes]]\nid = "my/one"')
    catalog = folders.read_catalog(extra)
    try:
        read_exporter_file(file, {0, os.geteuid()}).chosen(catalog.probes, catalog.lacks)
    except BadManifest as error:
        raise UsageError("\n".join(error.problems)) from None


LOOKUPS = [named.probe, named.playbook, asked_of_exporter]


@pytest.mark.parametrize("look_up", LOOKUPS)
def test_a_folder_that_could_not_be_read_comes_before_the_unknown_name(
    tmp_path: Path, look_up: Callable[[str, list[Path]], object]
) -> None:
    missing = tmp_path / "missing"
    with pytest.raises(UsageError) as raised:
        look_up("my/one", [missing])
    first, second = str(raised.value).splitlines()
    assert first == f"{missing}: no such folder"
    assert re.search("unknown (probe|playbook) 'my/one'", second)


@pytest.mark.root
@pytest.mark.parametrize("look_up", LOOKUPS)
def test_so_does_the_systems_folder_that_others_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, look_up: Callable[[str, list[Path]], object]
) -> None:
    system, extra = tmp_path / "system", tmp_path / "extra"
    write_probe(system, "my/one")
    os.chown(system, 1000, 1000)
    extra.mkdir()
    read = folders.read_system
    monkeypatch.setattr(folders, "read_system", lambda _, only="": read(system, only))
    with pytest.raises(UsageError) as raised:
        look_up("my/one", [extra])
    first, second = str(raised.value).splitlines()
    assert first == f"{system}: not owned by root; its probes are ignored"
    assert re.search("unknown (probe|playbook) 'my/one'", second)
