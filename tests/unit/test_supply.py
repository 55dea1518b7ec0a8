"""What is installed for development and CI, and what a release says it consists of."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
LISTS = sorted((CHECKOUT / ".ci/locked").glob("*.txt"))


def lock_check(checkout: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-B", checkout / ".ci/lock", "--check"], capture_output=True, text=True, check=False
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    shutil.copytree(CHECKOUT / ".ci", tmp_path / ".ci")
    shutil.copyfile(CHECKOUT / "pyproject.toml", tmp_path / "pyproject.toml")
    return tmp_path


def test_the_lists_belong_to_this_pyproject() -> None:
    assert [path.stem for path in LISTS] == ["dev", "kernels", "run", "test"]
    assert (lock_check(CHECKOUT).returncode, lock_check(CHECKOUT).stderr) == (0, "")


def test_a_dependency_that_is_not_locked_is_told(checkout: Path) -> None:
    project = checkout / "pyproject.toml"
    project.write_text(project.read_text().replace('"psutil>=5.9,<8"', '"psutil>=5.9,<9"'))
    done = lock_check(checkout)
    assert done.returncode == 1
    assert ".ci/locked/dev.txt does not belong to this pyproject.toml: run 'make lock'\n" in done.stderr
    assert len(done.stderr.splitlines()) == 4


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.stem)
def test_each_release_is_pinned_with_hashes_and_no_registry_is_named(path: Path) -> None:
    text = path.read_text()
    assert "://" not in text
    assert "--index" not in text
    releases = re.split(r"\n(?=\S)", text)[1:]
    assert len(releases) > 10
    for release in releases:
        first, *rest = release.rstrip("\n").split("\n")
        assert re.fullmatch(r"[a-z0-9.-]+==[0-9][^ ]*(?: ; .*)? \\", first), first
        assert rest
        assert all(re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}(?: \\)?", line) for line in rest)


def test_set_up_installs_by_these_lists_alone() -> None:
    for script in (".ci/setup", "tests/kernels/newer-bcc"):
        text = (CHECKOUT / script).read_text()
        assert "--require-hashes" in text
        assert "--group" not in text


def test_a_bill_of_materials_lists_every_release_an_installation_takes() -> None:
    done = subprocess.run([sys.executable, "-B", CHECKOUT / ".ci/sbom"], capture_output=True, text=True, check=True)
    bom = json.loads(done.stdout)
    assert (bom["bomFormat"], bom["specVersion"]) == ("CycloneDX", "1.6")
    assert bom["metadata"]["component"]["purl"] == "pkg:pypi/ebpftop@0.1.0"
    locked = re.findall(r"^([a-z0-9.-]+)==(\S+)", (CHECKOUT / ".ci/locked/run.txt").read_text(), re.MULTILINE)
    listed = [(one["name"], one["version"]) for one in bom["components"] if one["name"] != "bcc"]
    assert listed == locked
    assert {"msgspec", "numpy", "plotext", "psutil", "textual"} <= {name for name, _ in listed}
    assert len({one["bom-ref"] for one in bom["components"]}) == len(bom["components"])
    hashes = [one["externalReferences"][0]["hashes"] for one in bom["components"] if one["name"] != "bcc"]
    assert all(hashes)
    assert sum(map(len, hashes)) == (CHECKOUT / ".ci/locked/run.txt").read_text().count("--hash=")
