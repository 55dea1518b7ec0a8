"""The probe of memory/ that watches the page cache counts the pages a process looks up, adds and changes."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.disks import file_system
from support.tracing import trace, variant_of
from support.workloads import Worker

pytestmark = pytest.mark.bpf

BOTH = [pytest.param(kind, marks=pytest.mark.needs(kind)) for kind in ("fentry", "kprobe")]

# A file is read twice, page by page and without reading ahead: the first time from the disk, as it was dropped from
# memory before. Then some of it is changed.
READ = """
path = sys.argv[1]
with open(path, "wb") as file:
    file.write(bytes(101 * 4096))
    os.fsync(file.fileno())
file = os.open(path, os.O_RDWR)
os.posix_fadvise(file, 0, 0, os.POSIX_FADV_RANDOM)
os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
def work():
    for _ in range(2):
        for page in range(101): os.pread(file, 4096, page * 4096)
    for page in range(13): os.pwrite(file, b"x", page * 4096)
"""


@pytest.mark.parametrize("variant", [*BOTH, "misses"])
def test_pages_of_files_are_counted(tmp_path: Path, variant: str) -> None:
    probe = variant_of("memory/cachestat", variant)
    with (
        file_system(tmp_path) as (_, place),
        Worker(READ, place / "x") as worker,
        trace(probe, pid=worker.pid) as traced,
    ):
        worker.work()
    counted = traced.totals("cache", "pid")[worker.pid]
    assert (counted["added"], counted["dirtied"]) == (101, 13)
    if variant == "misses":
        assert counted["accessed"] == 0
    else:  # two of each page, and of the inode's own page where a time in it changes
        assert 202 <= counted["accessed"] <= 202 + 101
    assert traced.losses() == {}
