"""disk/fileops: every deletion, renaming, linking and truncation is told with its paths, where they start, and its
result.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from tests.support.disks import file_system
from tests.support.tracing import any_kernel, trace, variant_of
from tests.support.workloads import Worker

pytestmark = pytest.mark.bpf
ALL = os.uname().machine == "x86_64"
all_calls = pytest.mark.skipif(not ALL, reason="only x86-64 has the older calls, without `at`")

# Each kind of call, by its number, so many times: of absolute paths, of some that start in the current directory, and
# of some that start in an open one. The one with RENAME_NOREPLACE and the last three fail.
OPERATE = """
import ctypes, platform
libc = ctypes.CDLL(None, use_errno=True)
place = sys.argv[1]
older = platform.machine() == "x86_64"
unlinkat, renameat, renameat2, linkat, symlinkat, truncate, ftruncate = (
    (263, 264, 316, 265, 266, 76, 77) if older else (35, 38, 276, 37, 36, 45, 46)
)
os.makedirs(f"{place}/here/below")
os.chdir(f"{place}/here")
below = os.open("below", os.O_RDONLY)
def made(path):
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
    return os.fsencode(path)
files = [made(f"{place}/file {n}") for n in range(31)]
near = [made(f"near {n}") for n in range(7)]
deep = [(made(f"below/deep {n}"), b"deep %d" % n)[1] for n in range(5)]
opened = os.open(files[30], os.O_WRONLY)
call = libc.syscall
new = os.fsencode(f"{place}/new")
def work():
    for path in files[:13] * older: call(87, path)  # unlink
    for path in near: call(unlinkat, -100, path, 0)
    for path in deep[:3]: call(unlinkat, below, path, 0)
    for n in range(2): os.mkdir("folder"); call(unlinkat, -100, b"folder", 0x200)
    if older: os.mkdir("folder"); call(84, b"folder")  # rmdir
    for path in files[13:18] * older: call(82, path, new)  # rename
    for n in range(3): call(renameat, below, deep[3], -100, b"moved"); os.replace("moved", "below/deep 3")
    call(renameat2, below, deep[4], -100, files[29], 1)  # RENAME_NOREPLACE
    for n in range(2 * older): call(86, files[20], b"link %d" % n)  # link
    call(linkat, below, deep[3], below, b"other", 0)
    if older: call(88, b"any text", b"sym")  # symlink
    call(symlinkat, b"../text", below, b"sym")
    for n in range(11): call(truncate, files[21], ctypes.c_long(n))
    for n in range(5): call(ftruncate, opened, ctypes.c_long(101 * n))
    for n in range(3 * older): call(87, b"none")
"""
OTHER = """
def work():
    try: os.unlink("/none of that name")
    except OSError: pass
"""


def expected(place: Path) -> list[tuple[str, str, str, str, str, str]]:
    """(call, path, its directory, new path, its directory, result); `place` is the root of its file system."""
    at, here, below = str(place), "/here", "/here/below"
    rows = [
        *(("unlink", f"{at}/file {n}", "", "", "", "") for n in range(13)),
        *(("unlinkat", f"near {n}", here, "", "", "") for n in range(7)),
        *(("unlinkat", f"deep {n}", below, "", "", "") for n in range(3)),
        *[("unlinkat", "folder", here, "", "", "")] * 2,
        ("rmdir", "folder", here, "", "", ""),
        *(("rename", f"{at}/file {n}", "", f"{at}/new", "", "") for n in range(13, 18)),
    ]
    for _ in range(3):
        rows.append(("renameat", "deep 3", below, "moved", here, ""))
        rows.append(("rename", "moved", here, "below/deep 3", here, ""))
    return [
        *rows,
        ("renameat2", "deep 4", below, f"{at}/file 29", "", "EEXIST"),
        *(("link", f"{at}/file 20", "", f"link {n}", here, "") for n in range(2)),
        ("linkat", "deep 3", below, "other", below, ""),
        ("symlink", "any text", "", "sym", here, ""),
        ("symlinkat", "../text", "", "sym", below, ""),
        *[("truncate", f"{at}/file 21", "", "", "", "")] * 11,
        *[("ftruncate", "file 30", "/", "", "", "")] * 5,
        *[("unlink", "none", here, "", "", "ENOENT")] * 3,
    ]


@all_calls
def test_every_operation_is_told_with_its_paths_and_result(tmp_path: Path) -> None:
    with (
        file_system(tmp_path) as (_, place),
        Worker(OPERATE, place, name="operating") as worker,
        Worker(OTHER) as other,
        trace(variant_of("disk/fileops", "all"), pid=worker.pid) as traced,
    ):
        worker.work()
        other.work()
        assert not (place / "file 0").exists()
    rows = traced.events()
    told = [tuple(row[name] for name in ("call", "path", "folder", "to", "to_folder", "result")) for row in rows]
    assert told == expected(place)
    assert {(row["pid"], row["comm"], row["user"]) for row in rows} == {(worker.pid, "operating", "root")}
    sizes = [*range(11), *(101 * n for n in range(5))]
    assert [row["size"] for row in rows if "truncate" in row["call"]] == sizes
    assert {row["size"] for row in rows if "truncate" not in row["call"]} == {-1}
    flags = Counter((row["call"], row["flags"]) for row in rows if row["flags"] != "0x0")
    assert flags == {("unlinkat", "0x200"): 2, ("renameat2", "0x1"): 1}
    assert traced.losses() == {}


@any_kernel
@all_calls
def test_only_operations_that_fail(tmp_path: Path) -> None:
    with Worker(OPERATE, tmp_path) as worker, trace("disk/fileops", pid=worker.pid, failed="true") as traced:
        worker.work()
    assert [(row["call"], row["result"]) for row in traced.events()] == [("renameat2", "EEXIST")] + [
        ("unlink", "ENOENT")
    ] * 3


@pytest.mark.skipif(ALL and "EBPFTOP_EMULATED" in os.environ, reason="on x86-64, the test of all calls has these")
def test_the_calls_that_every_architecture_has(tmp_path: Path) -> None:
    probe = variant_of("disk/fileops", "newer")
    with Worker(OPERATE, tmp_path) as worker, trace(probe, pid=worker.pid) as traced:
        worker.work()
    calls = Counter(row["call"] for row in traced.events())
    assert calls == {
        "unlinkat": 12, "renameat": 3 if ALL else 6, "renameat2": 1, "linkat": 1, "symlinkat": 1, "truncate": 11,
        "ftruncate": 5,
    }  # fmt: skip
    assert traced.losses() == {}
