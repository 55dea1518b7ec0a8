"""Some random faults under load; `make soak` goes on with them."""

import subprocess
import sys

import pytest

from tests.support.tracing import any_kernel

pytestmark = [pytest.mark.bpf, any_kernel]


def test_whatever_is_done_to_it_nothing_is_left_and_numbers_are_right() -> None:
    command = [sys.executable, "-m", "tests.soak", "40", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    assert "0 failed" in done.stdout
