"""The package as pipx, uv and pip install it: a wheel that carries the probes, away from any checkout."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the installed wheel and nothing else; its dependencies are those of the tests."""
    wheels, site = tmp_path_factory.mktemp("wheels"), tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = ["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(wheels), str(CHECKOUT)]
    subprocess.run([*pip, *build], check=True)
    (wheel,) = wheels.glob("ebpftop-*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--no-index", "--target", str(site), str(wheel)], check=True)
    return site


def built(checkout: Path, into: Path) -> Path:
    """The wheel that a build of this commit makes."""
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "wheel", "--no-deps"]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "1700000000"}
    subprocess.run(
        [*command, "--no-build-isolation", "--wheel-dir", into, checkout], check=True, env=environment, cwd=checkout
    )
    (wheel,) = into.glob("ebpftop-*.whl")
    return wheel


def test_two_builds_are_the_same_to_the_byte(tmp_path: Path) -> None:
    """The second from another folder, at another time, under another umask."""
    again = tmp_path / "elsewhere" / "checkout"
    ignored = shutil.ignore_patterns(".venv", ".git", ".cache", "dist", "__pycache__", ".*_cache")
    shutil.copytree(CHECKOUT, again, ignore=ignored, copy_function=shutil.copyfile)
    shutil.copyfile(CHECKOUT / ".gitignore", again / ".gitignore")
    first = built(CHECKOUT, tmp_path / "a").read_bytes()
    before = os.umask(0o077)
    try:
        second = built(again, tmp_path / "b").read_bytes()
    finally:
        os.umask(before)
    assert hashlib.sha256(first).hexdigest() == hashlib.sha256(second).hexdigest()


def ebpftop(site: Path, *arguments: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(site)}
    script = [sys.executable, str(site / "bin/ebpftop")]
    return subprocess.run(
        [*script, *arguments], cwd=site, env=environment, check=True, stdout=subprocess.PIPE, text=True
    ).stdout


def test_it_lists_the_probes_it_carries(installed: Path) -> None:
    listed = {entry["id"] for entry in json.loads(ebpftop(installed, "list", "--json"))}
    written = {f"{file.parent.parent.name}/{file.parent.name}" for file in CHECKOUT.glob("probes/*/*/probe.toml")}
    assert listed == written


def test_it_shows_a_probe_from_its_own_folder(installed: Path) -> None:
    shown = ebpftop(installed, "show", "lab/hello")
    assert f"{installed}/ebpftop/_probes/lab/hello/probe.bpf.c" in shown


@pytest.mark.parametrize(
    ("written", "carried"),
    [
        ("probes", "ebpftop/_probes"),
        ("ebpftop/collector/census", "ebpftop/collector/census"),
        ("ebpftop/catalog/template", "ebpftop/catalog/template"),
    ],
)
def test_it_carries_what_is_not_python(installed: Path, written: str, carried: str) -> None:
    source, copy = CHECKOUT / written, installed / carried
    files = [file.relative_to(source) for file in source.rglob("*") if file.suffix in (".c", ".h", ".toml", ".md")]
    assert files
    assert [file for file in files if (copy / file).read_bytes() != (source / file).read_bytes()] == []


def test_it_makes_a_new_probe(installed: Path, tmp_path: Path) -> None:
    ebpftop(installed, "new", "--from", "lab/hello", str(tmp_path / "mine"))
    assert (tmp_path / "mine" / "probe.bpf.c").read_text() == (CHECKOUT / "probes/lab/hello/probe.bpf.c").read_text()


def test_it_brings_manual_pages_and_completion(installed: Path) -> None:
    pages = {each.name: each for each in (installed / "share/man/man1").iterdir()}
    assert {"ebpftop.1", "ebpftop-run.1", "ebpftop-tape-export.1", "ebpftop-doctor.1"} <= set(pages)
    assert set(re.findall(r"\.BR (\S+) \(1\)", pages["ebpftop.1"].read_text().replace("\\-", "-"))) == {
        name.removesuffix(".1") for name in pages if name != "ebpftop.1"
    }
    for page in pages.values():
        done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", page], capture_output=True, text=True, check=True)
        assert done.stderr == ""
    run = subprocess.run(["groff", "-man", "-Tutf8", "-P-c", pages["ebpftop-run.1"]], capture_output=True, check=True)
    text = re.sub(r".\x08", "", run.stdout.decode())
    assert "ebpftop-run - run one probe without the dashboard" in " ".join(text.split())
    assert "--duration S" in text
    for name in ("bash-completion/completions/ebpftop", "zsh/site-functions/_ebpftop", "fish/vendor_completions.d"):
        assert (installed / "share" / name).exists()
