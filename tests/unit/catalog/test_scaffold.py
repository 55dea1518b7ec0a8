from pathlib import Path

import pytest

from ebpftop.catalog.lint import lint
from ebpftop.catalog.manifest import read_probe
from ebpftop.catalog.scaffold import FolderInUse, new
from tests.support.probes import make_probe


def test_the_template_is_a_probe_without_findings(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "mine"
    written = new(folder)
    assert written == [folder / "probe.toml", folder / "probe.bpf.c", folder / "README.md"]
    probe = read_probe(folder, "deep/mine")
    assert [variant.name for variant in probe.variants] == ["raw", "classic"]
    assert [view.map for view in probe.views] == ["counts"]
    assert probe.readme.startswith("# System calls by process\n")
    assert lint(probe) == []


def test_a_copy_is_the_probe_itself(tmp_path: Path) -> None:
    original = make_probe(tmp_path / "probes")
    folder = tmp_path / "copy"
    folder.mkdir()
    assert new(folder, original) == [folder / "probe.toml", folder / "probe.bpf.c"]
    copy = read_probe(folder, "my/copy")
    assert (copy.manifest, copy.source, copy.views) == (original.manifest, original.source, original.views)


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("mine")
    with pytest.raises(FolderInUse) as caught:
        new(tmp_path)
    assert str(caught.value) == f"{tmp_path}: not empty"
    assert [path.name for path in tmp_path.iterdir()] == ["notes"]
    with pytest.raises(FolderInUse) as caught:
        new(tmp_path / "notes")
    assert str(caught.value) == f"{tmp_path}/notes: File exists"
