"""Input and output of the kernel matrix: names of packages, pytest's last line, probes by kernel."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from ebpftop.catalog.folders import bundled, read_catalog
from tests.kernels import matrix
from tests.kernels.archive import newest
from tests.kernels.guest import counts
from tests.kernels.matrix import Seen

CATALOG = read_catalog(system=Path("/nonexistent"))


def test_the_newest_package_is_chosen_by_numbers() -> None:
    packages = ["linux-image-6.1.0-9-amd64", "linux-image-6.1.0-56-amd64", "linux-image-6.1.0-10-amd64"]
    assert newest(packages) == "linux-image-6.1.0-56-amd64"
    assert newest([]) is None


def test_a_kernel_of_another_architecture_has_a_column_of_its_own() -> None:
    releases = ["6.12.117+deb12-amd64", "6.12.117+deb12-arm64", "6.18.44-fc"]
    assert [matrix.series(each) for each in releases] == ["6.12", "6.12 arm64", "6.18"]


def test_counts_of_a_summary() -> None:
    summary = "2 failed, 31 passed, 1 skipped, 4 deselected, 12 errors in 310.22s (0:05:10)"
    assert counts(summary) == {"passed": 31, "failed": 2, "error": 12, "skipped": 1}
    assert counts("the guest was stopped") == {"passed": 0, "failed": 0, "error": 0, "skipped": 0}


def test_what_a_session_kept_is_read_by_the_variant_that_comes_first(tmp_path: Path) -> None:
    kept = {
        "release": "6.12.117+deb12-amd64",
        "tests": {
            "a": {"held": True, "traced": [["cpu/runqlat", "raw"], ["lab/null-deref", "rejected"]]},
            "b": {"held": False, "traced": [["cpu/runqlat", "classic"]]},
            "c": {"held": False, "traced": [["cpu/syscount", "raw"]]},
            "d": {"held": True, "traced": [["cpu/syscount", "raw"]]},
        },
        "probes": {"cpu/execsnoop": [True, None], "disk/vfsstat": [False, "no kprobes"]},
    }
    (tmp_path / "x.json").write_text(json.dumps(kept))
    kernel, found = matrix.seen(tmp_path / "x.json", CATALOG.probes)
    assert kernel == "6.12"
    assert found["cpu/runqlat"] == Seen("raw", True)
    assert found["lab/null-deref"] == Seen("rejected", True)
    assert found["cpu/syscount"] == Seen("raw", False)
    assert found["cpu/execsnoop"] == Seen()
    assert found["disk/vfsstat"] == Seen(reason="no kprobes")
    assert "disk/vfsstat                 –" in matrix.table({kernel: found}).splitlines()
    assert "values held                  2" in matrix.table({kernel: found}).splitlines()


def test_what_falls_behind_the_record_is_told() -> None:
    record = {"6.1": {"a": "raw", "b": "raw", "c": "raw", "d": "", "e": ""}}
    now = {
        "a": Seen("raw", True),
        "b": Seen("raw", False),
        "c": Seen(reason="no such tracepoint"),
        "d": Seen(),
        "e": Seen("kprobe", True),
        "f": Seen("raw", True),
    }
    assert matrix.fallen(record, {"6.1": now, "5.4": {"z": Seen()}}) == [
        "6.1: b: raw: its values are wrong",
        "6.1: c: raw on record, now no: no such tracepoint",
        "6.1: d: no test looked at it",
        "6.1: f: not on record; `make catalog` puts it there",
    ]


def test_the_page_has_a_table_a_category_and_a_column_a_kernel() -> None:
    probes = [CATALOG.probes[probe] for probe in ("cpu/runqlat", "cpu/syscount", "disk/dcsnoop")]
    probes[0] = msgspec.structs.replace(probes[0], question="Busy | idle?")
    record = {"6.1": {"cpu/runqlat": "raw", "disk/dcsnoop": ""}, "6.9": {}, "6.12": {"cpu/runqlat": "classic"}}
    _, *categories = matrix.page(probes, record).split("\n## ")
    assert categories == [
        "cpu\n\n| Probe | Question | 6.1 | 6.12 |\n| --- | --- | --- | --- |\n"
        "| [runqlat](cpu/runqlat) | Busy \\| idle? | raw | classic |\n"
        f"| [syscount](cpu/syscount) | {probes[1].question} | ? | ? |\n",
        "disk\n\n| Probe | Question | 6.1 | 6.12 |\n| --- | --- | --- | --- |\n"
        f"| [dcsnoop](disk/dcsnoop) | {probes[2].question} | – | ? |\n",
    ]


def test_the_catalog_page_is_what_make_catalog_writes() -> None:
    assert matrix.PAGE.read_text() == matrix.page(CATALOG.probes.values(), matrix.read_record())


def test_the_catalog_page_is_no_probe() -> None:
    assert matrix.PAGE.parent == bundled()
    assert CATALOG.problems == []
