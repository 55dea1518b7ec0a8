"""Threads that have ended are found in /proc, at two looks: what a thread did last is read before its row is taken."""

from __future__ import annotations

import os
import threading
from typing import cast

import numpy as np
import pytest

from ebpftop.collector.census import Census
from ebpftop.collector.thread_ends import SECONDS, ThreadEnds


class People:
    """Two identities: this process, and one that has ended."""

    tgid = os.getpid()

    def alive(self, number: int) -> People | None:
        return self if number == 1 else None


def test_a_thread_has_ended_when_two_looks_did_not_find_it(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    ends = ThreadEnds(cast(Census, People()), lambda: now)
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    tid = thread.native_id
    assert tid is not None
    identities, threads = np.array([1, 1, 1, 2], "<u4"), np.array([tid, os.getpid(), tid, tid], "<u4")
    assert not ends.among(identities, threads).any()
    stop.set()
    thread.join()
    while os.path.exists(f"/proc/self/task/{tid}"):
        pass
    assert not ends.among(identities, threads).any()  # too early
    now += SECONDS
    assert not ends.among(identities, threads).any()  # the first look that doesn't find it
    now += SECONDS
    assert ends.among(identities, threads).tolist() == [True, False, True, False]
    now += SECONDS
    assert not ends.among(identities[1:2], threads[1:2]).any()
    assert ends.among(identities[:0], threads[:0]).tolist() == []
