"""The probes of memory/ that watch pages: those of files in the page cache, and those that were swapped out."""

from __future__ import annotations

from pathlib import Path

import pytest

from ebpftop.kernel import btf
from tests.support.disks import file_system
from tests.support.memory import swap_space
from tests.support.tracing import trace, variant_of
from tests.support.workloads import Worker

pytestmark = pytest.mark.bpf

BOTH = [pytest.param(kind, marks=pytest.mark.needs(kind)) for kind in ("fentry", "kprobe")]

# ---------------------------------------------------------------- cachestat

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
    if variant == "misses":  # what isn't measured is absent, not 0
        assert "accessed" not in counted
    else:  # two of each page, and of the inode's own page where a time in it changes
        assert 202 <= counted["accessed"] <= 202 + 101
    assert traced.losses() == {}


# ---------------------------------------------------------------- swapin

# Pages that differ from each other are swapped out, perhaps not all at the first try, and touched one after another.
SWAP = """
import mmap, re
memory = mmap.mmap(-1, 101 * 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
for page in range(101): memory[page * 4096] = page + 1
def swapped():
    with open("/proc/self/smaps_rollup") as file: return int(re.search(r"^Swap: +([0-9]+) kB", file.read(), re.M)[1])
for _ in range(100):
    if swapped() == 101 * 4: break
    memory.madvise(21)  # MADV_PAGEOUT
else: sys.exit("not swapped out")
def work():
    assert [memory[page * 4096] for page in range(101)] == list(range(1, 102))
"""


@pytest.mark.parametrize("mechanism", BOTH)
def test_pages_swapped_in_are_counted(mechanism: str) -> None:
    """The kernel's own account of the process's major faults is the second witness."""
    by_folio = btf.running().has_function("swap_read_folio")
    probe = variant_of("memory/swapin", mechanism if by_folio else f"{mechanism}_page")
    with swap_space(), Worker(SWAP) as worker, trace(probe) as traced:
        before = worker.major_faults()
        worker.work()
        witnessed = worker.major_faults() - before
    assert traced.totals("swapped", "pid")[worker.pid] == {"faults": 101, "pages": 101}
    assert witnessed == 101
    assert traced.losses() == {}
