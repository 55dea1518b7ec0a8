"""What the collector asks the kernel of one attached probe."""

from __future__ import annotations

import os
from itertools import count

import pytest

from ebpftop.collector import account, attached
from ebpftop.collector.census import Census
from ebpftop.collector.decode import Context
from ebpftop.frames.messages import Attached
from ebpftop.handover.protocol import Handover
from ebpftop.kernel.program_info import Spent


def test_what_a_program_cost_is_asked_once_a_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cost, losses and the budget of one tick are of one moment."""
    numbers = count(1)
    asked: list[int] = []

    def spent(program: int) -> Spent:
        asked.append(program)
        return Spent(run_time_ns=100 * (now := next(numbers)), run_count=now, recursion_misses=7 * now)

    monkeypatch.setattr(account, "spent", spent)
    program = os.open(os.devnull, os.O_RDONLY)
    outcome = Attached(variant="raw", meaning="exact", views=[], attached=[])
    message = Handover(outcome=outcome, maps=[], programs=["on_switch"], attachment_ns={"on_switch": 5})
    probe = attached.AttachedProbe(1, "cpu/x", message, [program], Census(lambda number, hierarchy: ""), Context())
    for look in (1, 2, 3):
        probe.look()
        assert probe.snapshot().losses.missed == 7 * look
        cost = probe.cost(True).programs[0]
        assert (cost.run_time_ns, cost.run_count, cost.attachment_ns) == (100 * look, look, 5)
        probe.account.look_again(60.0)
        assert probe.account.spending(estimated=False) == (105 * look, look)
        assert asked == [program] * look
    probe.account.look_again(0.0)
    assert probe.account.spending(estimated=False) == (
        105 * 4,
        4,
    )  # the budget doesn't wait for a look that is far away
    probe.close()
