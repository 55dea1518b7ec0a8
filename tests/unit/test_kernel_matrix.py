"""What the kernel matrix reads: names of packages, and pytest's last line."""

from __future__ import annotations

from tests.kernels.guest import counts
from tests.kernels.images import newest


def test_the_newest_package_is_chosen_by_numbers() -> None:
    packages = ["linux-image-6.1.0-9-amd64", "linux-image-6.1.0-56-amd64", "linux-image-6.1.0-10-amd64"]
    assert newest(packages) == "linux-image-6.1.0-56-amd64"
    assert newest([]) is None


def test_counts_of_a_summary() -> None:
    summary = "2 failed, 31 passed, 1 skipped, 4 deselected, 12 errors in 310.22s (0:05:10)"
    assert counts(summary) == {"passed": 31, "failed": 2, "error": 12, "skipped": 1}
    assert counts("the guest was stopped") == {"passed": 0, "failed": 0, "error": 0, "skipped": 0}
