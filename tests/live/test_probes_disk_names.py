"""The probes of disk/ that watch names of files: which files are gone soon after they were made, and which names the
kernel knows by heart.
"""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.disks import file_system
from tests.support.tracing import trace, variant_of
from tests.support.workloads import Worker

pytestmark = pytest.mark.bpf


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    with file_system(tmp_path) as (_, mounted):
        yield mounted


# ---------------------------------------------------------------- filelife

# One that was there before; some to be deleted, some that are replaced, some with two names; the last one deep below.
MAKE = """
folder = sys.argv[1]
deep = os.path.join(folder, *(f"level {number}" for number in range(14)))
os.makedirs(deep)
def make(path):
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    os.write(file, bytes(1009))
    os.close(file)
make(f"{folder}/earlier")
def work():
    for number in range(13): make(f"{folder}/short {number}")
    for _ in range(1 + 7):
        make(f"{folder}/new")
        os.rename(f"{folder}/new", f"{folder}/current")
    for number in range(5):
        make(f"{folder}/a {number}")
        os.link(f"{folder}/a {number}", f"{folder}/b {number}")
    make(f"{deep}/{'long' * 31}")
"""
DELETE = """
folder = sys.argv[1]
deep = os.path.join(folder, *(f"level {number}" for number in range(14)))
def work():
    os.unlink(f"{folder}/earlier")
    for number in range(13): os.unlink(f"{folder}/short {number}")
    for number in range(5): os.unlink(f"{folder}/a {number}")
    for number in range(3): os.unlink(f"{folder}/b {number}")
    os.unlink(f"{deep}/{'long' * 31}")
    os.mkdir(f"{folder}/no file")
    os.rmdir(f"{folder}/no file")
    try: os.unlink(f"{folder}/none")
    except OSError: pass
"""


@pytest.mark.parametrize(
    "variant", [pytest.param(kind, marks=pytest.mark.needs(kind)) for kind in ("fentry", "kprobe")]
)
def test_files_are_told_when_they_are_gone(place: Path, variant: str) -> None:
    probe = variant_of("disk/filelife", variant)
    folder = place / "some" / "folder"
    with (
        Worker(MAKE, folder, name="maker") as maker,
        Worker(DELETE, folder, name="deleter") as deleter,
        trace(probe, fs="ext4") as traced,
    ):
        began = time.monotonic_ns()
        maker.work()
        made = time.monotonic_ns()
        time.sleep(0.1)
        asked = time.monotonic_ns()
        deleter.work()
        elapsed = time.monotonic_ns() - began
    rows = traced.events(maker=maker.pid)
    replaced = [row for row in rows if row["pid"] == maker.pid]
    deleted = [row for row in rows if row["pid"] == deleter.pid]
    assert [(row["name"], row["end"], row["comm"]) for row in replaced] == [("current", "rename", "maker")] * 7
    names = [*(f"short {number}" for number in range(13)), *(f"b {number}" for number in range(3)), ("long" * 31)[:63]]
    assert [(row["name"], row["end"], row["comm"]) for row in deleted] == [
        (name, "unlink", "deleter") for name in names
    ]
    assert len(rows) == 7 + 17
    assert {row["folder"] for row in rows[:-1]} == {"/some/folder"}
    assert deleted[-1]["folder"] == "/".join(f"level {number}" for number in range(2, 14))
    assert {(row["fs"], row["size"], row["maker_comm"]) for row in rows} == {("ext4", 1009, "maker")}
    assert asked - made < min(row["age"] for row in deleted)
    assert all(0 < row["age"] < elapsed for row in rows)
    assert traced.losses() == {}


LAYERS = """
folder = sys.argv[1]
def work():
    for number in range(5):
        os.close(os.open(f"{folder}/{number}", os.O_WRONLY | os.O_CREAT, 0o600))
        os.unlink(f"{folder}/{number}")
"""


@pytest.mark.needs("fentry")
def test_a_file_on_an_overlay_is_told_once(place: Path) -> None:
    for name in ("lower", "upper", "work", "merged"):
        (place / name).mkdir()
    layers = f"lowerdir={place}/lower,upperdir={place}/upper,workdir={place}/work"
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", layers, str(place / "merged")], check=True)
    try:
        with (
            Worker(LAYERS, place / "merged") as worker,
            trace("disk/filelife", pid=worker.pid, younger="10m") as traced,
        ):
            worker.work()
    finally:
        subprocess.run(["umount", str(place / "merged")], check=True)
    rows = traced.events()
    assert [(row["fs"], row["folder"], row["name"]) for row in rows] == [("overlay", "/", str(n)) for n in range(5)]
    assert traced.losses() == {}


# ---------------------------------------------------------------- dcsnoop

# Each call has one name to look up, as it starts in the folder.
LOOK = """
folder = os.open(sys.argv[1], os.O_RDONLY)
def ask(name):
    try: os.stat(name, dir_fd=folder)
    except OSError: pass
ask("there")
def work():
    for _ in range(3):
        for number in range(13): ask(f"none {number}")
    for _ in range(29): ask("there")
    for number in range(7): os.mkdir(f"made {number}", dir_fd=folder)
    for number in range(5): os.rmdir(f"made {number}", dir_fd=folder)
"""
MISSED = [*(f"none {number}" for number in range(13)), *(f"made {number}" for number in range(7))]


@pytest.fixture
def folder(place: Path) -> Path:
    (place / "the folder").mkdir()
    (place / "the folder" / "there").touch()
    return place / "the folder"


@pytest.mark.parametrize(
    "variant",
    [
        pytest.param("fexit", marks=pytest.mark.needs("fentry")),
        pytest.param("kprobe", marks=pytest.mark.needs("kprobe")),
    ],
)
def test_names_looked_up_are_counted_and_told(folder: Path, variant: str) -> None:
    probe = variant_of("disk/dcsnoop", variant)
    with Worker(LOOK, folder, name="looker") as worker, trace(probe, pid=worker.pid, all="true") as traced:
        worker.work()
    counted = traced.totals("processes", "pid")[worker.pid]
    assert counted == {"lookups": 39 + 29 + 7 + 5, "misses": 13 + 7, "absent": 26}
    rows = traced.events()
    assert Counter(row["outcome"] for row in rows) == {"missed": 20, "absent": 26, "found": 29 + 5}
    assert [row["name"] for row in rows if row["outcome"] == "missed"] == MISSED
    assert Counter(row["name"] for row in rows if row["outcome"] == "found")["there"] == 29
    assert {(row["pid"], row["folder"], row["comm"]) for row in rows} == {(worker.pid, "the folder", "looker")}
    assert traced.losses() == {}


@pytest.mark.needs("fentry")
def test_only_names_that_the_cache_has_not(folder: Path) -> None:
    with Worker(LOOK, folder) as worker, trace("disk/dcsnoop", pid=worker.pid) as traced:
        worker.work()
    assert [(row["name"], row["outcome"]) for row in traced.events()] == [(name, "missed") for name in MISSED]
