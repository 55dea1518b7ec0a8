"""Readings of all programs: one task at a time, and accounting for as long as somebody looks."""

from __future__ import annotations

from ebpftop.collector.programs import RUN, WATCHED, Readings
from ebpftop.frames.messages import Programs
from ebpftop.handover.protocol import Message, RequestPrograms

READ = Programs(monotonic_ns=5, boottime_ns=6)


class Told:
    """Readings, what they requested and what they answered."""

    def __init__(self, since: int | None = None) -> None:
        self.requested: list[Message] = []
        self.put: list[Programs] = []
        self.readings = Readings(self.requested.append, self.put.append, lambda: since)


def test_one_task_answers_requests_that_come_while_it_reads() -> None:
    told = Told()
    told.readings.wanted(1.0)
    told.readings.wanted(2.0)
    assert told.requested == [RequestPrograms(run=RUN)]
    told.readings.answered(READ)
    told.readings.wanted(3.0)
    assert told.requested == [RequestPrograms(run=RUN)] * 2


def test_an_answer_says_since_when_run_times_are_accounted() -> None:
    for since in (None, 4):
        told = Told(since)
        told.readings.answered(READ)
        assert told.put == [Programs(monotonic_ns=5, boottime_ns=6, accounted_since_ns=since)]


def test_the_administrators_setting_counts_from_the_beginning() -> None:
    told = Told(4)
    told.readings.answered(Programs(monotonic_ns=5, boottime_ns=6, accounted_since_ns=0))
    assert told.put[0].accounted_since_ns == 0


def test_a_task_that_failed_is_answered_and_can_be_requested_again() -> None:
    told = Told()
    told.readings.wanted(1.0)
    told.readings.failed("the programs ran out of memory")
    assert told.put[0].error == "the programs ran out of memory"
    told.readings.wanted(2.0)
    assert len(told.requested) == 2


def test_they_are_watched_for_a_while_after_a_request_and_never_before() -> None:
    told = Told()
    assert not told.readings.watched(0.0)
    told.readings.wanted(10.0)
    assert told.readings.watched(10.0 + WATCHED - 1)
    assert not told.readings.watched(10.0 + WATCHED)
