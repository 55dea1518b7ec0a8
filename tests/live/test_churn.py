"""More processes come and go than the collector keeps rows of."""

import subprocess
import sys

import pytest

from tests.support.tracing import any_kernel

pytestmark = [pytest.mark.bpf, any_kernel]


def test_what_ended_is_added_up_and_not_a_call_is_lost() -> None:
    """In a process of its own, whose memory is the consumer's."""
    command = [sys.executable, "-m", "tests.churn", "60", "1000"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    made = int(done.stdout.split(maxsplit=1)[0].replace(",", ""))
    assert made == 60_000
