"""What a release needs before it is made, and what a Debian package is made of."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import re
import shutil
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
VERSION = "0.1.0"
RELEASED = f"# Changelog\n\n## {VERSION} (2026-11-30)\n\n- It traces.\n"


def script(name: str) -> ModuleType:
    loader = importlib.machinery.SourceFileLoader(f"ci_{name}", str(CHECKOUT / ".ci" / name))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


release, packages = script("release"), script("packages")


def git(folder: Path, *words: str) -> None:
    who = ("-c", "user.name=x", "-c", "user.email=x@localhost", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """One that may be released."""
    shutil.copytree(CHECKOUT / ".ci", tmp_path / ".ci", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", ".gitignore"):
        shutil.copyfile(CHECKOUT / name, tmp_path / name)
    (tmp_path / "ebpftop").mkdir()
    (tmp_path / "ebpftop/__init__.py").write_text(f'"""It."""\n\n__version__ = "{VERSION}"\n')
    (tmp_path / "CHANGELOG.md").write_text(RELEASED)
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "all of it")
    return tmp_path


def wrong(checkout: Path) -> list[str]:
    return [item.why for item in release.checks(checkout) if item.why]


def test_all_is_right(checkout: Path) -> None:
    assert wrong(checkout) == []
    assert len(list(release.checks(checkout))) == 5


def test_a_file_that_is_not_committed(checkout: Path) -> None:
    (checkout / "new").touch()
    assert wrong(checkout) == ["1 files are: git status"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("# Changelog\n\n## Unreleased\n\n- More.\n", "its first section is still 'Unreleased'"),
        (RELEASED.replace("0.1.0", "0.1.1"), "there is no section '## 0.1.0 (YYYY-MM-DD)'"),
        (RELEASED.replace(" (2026-11-30)", ""), "there is no section '## 0.1.0 (YYYY-MM-DD)'"),
        (RELEASED.replace("- It traces.", ""), "the section 0.1.0 is empty"),
        ("# Changelog\n", "there is no section"),
    ],
)
def test_a_changelog_without_it(checkout: Path, text: str, why: str) -> None:
    (checkout / "CHANGELOG.md").write_text(text)
    git(checkout, "commit", "-qam", "another changelog")
    (found,) = wrong(checkout)
    assert found.startswith(why)


def test_a_version_that_was_released_before(checkout: Path) -> None:
    git(checkout, "tag", f"v{VERSION}")
    assert wrong(checkout) == []
    git(checkout, "commit", "-q", "--allow-empty", "-m", "more")
    assert wrong(checkout) == [f"one has the tag v{VERSION}"]


def test_a_version_that_is_none(checkout: Path) -> None:
    (checkout / "ebpftop/__init__.py").write_text('__version__ = "next"\n')
    git(checkout, "commit", "-qam", "another version")
    assert "expected MAJOR.MINOR.PATCH, as in 1.2.3 or 1.2.3rc1" in wrong(checkout)


def test_dependencies_that_are_not_locked(checkout: Path) -> None:
    project = checkout / "pyproject.toml"
    project.write_text(project.read_text().replace('"psutil>=5.9,<8"', '"psutil>=5.9,<9"'))
    git(checkout, "commit", "-qam", "another dependency")
    (found,) = wrong(checkout)
    assert "does not belong to this pyproject.toml" in found


# ---------------------------------------------------------------- Debian's packages


@pytest.mark.parametrize("each", packages.RELEASES, ids=lambda each: str(each.number))
def test_one_release_of_each_dependency_for_a_python(each: packages.Release) -> None:
    locked = (CHECKOUT / ".ci/locked/run.txt").read_text()
    lines = list(packages.requirements(locked, each.python))
    names = [re.match(r"[A-Za-z0-9._-]+", line)[0] for line in lines]
    assert len(set(names)) == len(names)
    assert set(names) == set(re.findall(r"^([a-z0-9.-]+)==", locked, re.MULTILINE))
    (numpy,) = [line for line in lines if line.startswith("numpy")]
    assert (
        f"numpy{numpy.split()[0][5:]}"
        == re.findall(
            r"^(numpy==\S+) ; python_full_version " + ("<" if each.minor < 12 else ">="), locked, re.MULTILINE
        )[0]
    )
    assert all("--hash=sha256:" in line for line in lines)


@pytest.mark.parametrize(
    ("version", "theirs"), [("1.2.3", "1.2.3"), ("1.2.3rc1", "1.2.3~rc1"), ("1.0.0a2", "1.0.0~a2")]
)
def test_what_comes_before_a_release_sorts_before_it(version: str, theirs: str) -> None:
    assert packages._debian(version) == theirs


def test_the_scripts_of_a_package_are_shells() -> None:
    for name in ("postinst", "prerm", "postrm"):
        subprocess.run(["sh", "-n", CHECKOUT / ".ci/debian" / name], check=True)
