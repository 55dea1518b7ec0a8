"""Root has run times accounted, but not as often as somebody pleases."""

from __future__ import annotations

import contextlib
import os

import pytest

from ebpftop.loader import run_times


def test_descriptors_are_opened_with_time_between_them(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(run_times.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(run_times, "accounting", lambda: os.open(os.devnull, os.O_RDONLY))
    accounting, opened = run_times.Accounting(), 0
    for _ in range(1000):
        now[0] += 0.001
        with contextlib.suppress(BlockingIOError):
            os.close(accounting.descriptor())
            opened += 1
    assert 45 <= opened <= 51
