"""More processes come and go than the collector keeps rows of."""

import pytest

from ebpftop.collector.displayed import KEPT
from ebpftop.frames.messages import FOLDED
from tests.churn import churn
from tests.support.tracing import any_kernel

pytestmark = [pytest.mark.bpf, any_kernel]


def test_what_ended_is_added_up_and_not_a_call_is_lost() -> None:
    made, (by_process, by_call), _, session = churn(5, 1000)
    assert made > KEPT
    assert session.processes[FOLDED].comm == "(ended earlier)"
    assert by_process == by_call >= made
