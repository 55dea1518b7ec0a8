"""What programs have cost: exact without a pause, and with one by the rates before it."""

from __future__ import annotations

import pytest

from ebpftop.collector import account
from ebpftop.collector.account import Account, Rate
from ebpftop.kernel.program_info import Spent

SECOND = 1_000_000_000


class Kernel:
    """A clock, and two programs (descriptors 3 and 4) that run `rate` times a second for 100 ns while it counts."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.runs = SECOND, {3: 0, 4: 0}
        monkeypatch.setattr(account.time, "monotonic_ns", lambda: self.now)
        monkeypatch.setattr(account, "spent", lambda fd: Spent(100 * self.runs[fd], self.runs[fd], 7))

    def passes(self, seconds: float, first: int = 0, second: int = 0) -> None:
        """With so many runs of each program that are counted."""
        self.now += int(seconds * SECOND)
        self.runs[3] += first
        self.runs[4] += second


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    return Kernel(monkeypatch)


@pytest.fixture
def known() -> Account:
    return Account({"on_switch": 3, "on_wakeup": 4}, {"on_wakeup": 5})


def test_all_is_exact_without_a_pause(kernel: Kernel, known: Account) -> None:
    for first, second in ((13, 1), (7, 0), (0, 101)):
        known.look()
        known.begin()
        kernel.passes(0.3, first, second)
    known.look()
    assert known.sums() == {"on_switch": (2_000, 20), "on_wakeup": (10_200, 102)}
    assert known.spending(estimated=True) == known.spending(estimated=False) == (12_200 + 5 * 102, 122)
    assert (known.misses, known.estimated) == (14, False)


def test_a_rate_is_that_of_the_window_with_attachments(kernel: Kernel, known: Account) -> None:
    assert known.rate() == Rate(0.0, 0.0)
    kernel.passes(1.0, 900, 900)
    known.look()
    known.begin()
    kernel.passes(0.5, 11, 3)
    known.look()
    assert known.rate() == Rate(2 * (1_400 + 5 * 3), 28.0)


def test_in_a_pause_the_rates_hold_until_the_next_window_ends(kernel: Kernel, known: Account) -> None:
    known.look()
    known.begin()
    kernel.passes(1.0, 20_000, 1_000)
    known.look()
    known.pause()
    assert known.estimated
    assert known.sums() == {"on_switch": (2_000_000, 20_000), "on_wakeup": (100_000, 1_000)}
    kernel.passes(0.9)
    known.look()
    assert known.sums() == {"on_switch": (3_800_000, 38_000), "on_wakeup": (190_000, 1_900)}
    known.begin()  # on again
    kernel.passes(0.1, 5_000, 0)
    known.look()
    known.pause()
    assert known.sums() == {"on_switch": (4_000_000, 40_000), "on_wakeup": (200_000, 2_000)}
    kernel.passes(0.5)
    known.look()
    assert known.sums() == {"on_switch": (6_500_000, 65_000), "on_wakeup": (200_000, 2_000)}
    assert known.spending(estimated=False) == (2_600_000 + 5_000, 26_000)  # what was seen, and no more


def test_after_pauses_all_is_added_to_the_estimate(kernel: Kernel, known: Account) -> None:
    known.look()
    known.begin()
    kernel.passes(1.0, 10_000)
    known.look()
    known.pause()
    kernel.passes(2.0, 23)  # somebody else has the kernel count: those are among the estimated
    known.look()
    known.go_on()
    assert known.sums()["on_switch"] == (3_000_000, 30_000)
    kernel.passes(1.0, 17)
    known.look()
    assert known.sums()["on_switch"] == (3_001_700, 30_017)
    assert known.estimated
