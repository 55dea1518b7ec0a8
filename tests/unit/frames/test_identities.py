"""Identities are kept in a bounded number, whatever a stream names."""

import pytest

from ebpftop.frames import identities
from ebpftop.frames.messages import FOLDED, Process


def one(number: int, ended: int | None = None) -> Process:
    return Process(id=number, tgid=number, start_ns=0, ended_ns=ended)


def test_beyond_the_limit_those_that_ended_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identities, "LIMIT", 6)
    known: dict[int, Process] = {}
    identities.remember(known, [one(FOLDED, 0), one(1, 5), one(2), one(3, 5), one(4), one(5, 5), one(6)])
    assert [*known] == [FOLDED, 2, 4, 6] or [*known] == [FOLDED, 2, 4, 5, 6]


def test_beyond_the_limit_those_that_live_go_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identities, "LIMIT", 6)
    known: dict[int, Process] = {}
    identities.remember(known, [one(FOLDED, 0), *map(one, range(1, 1009))])
    assert [*known] == [FOLDED, 1004, 1005, 1006, 1007, 1008]
