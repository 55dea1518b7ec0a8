"""Readings of all threads: one task at a time, and a failure is an answer."""

from __future__ import annotations

from ebpftop.collector.threads import RUN, Readings
from ebpftop.frames.messages import Threads
from ebpftop.handover.protocol import Message, RequestThreads


def test_one_task_answers_requests_that_come_while_it_reads() -> None:
    requested: list[Message] = []
    put: list[Threads] = []
    readings = Readings(requested.append, put.append)
    readings.wanted()
    readings.wanted()
    assert requested == [RequestThreads(run=RUN)]
    read = Threads(monotonic_ns=5, boottime_ns=6)
    readings.answered(read)
    assert put == [read]
    readings.wanted()
    assert requested == [RequestThreads(run=RUN)] * 2
    readings.failed("the threads ran out of memory")
    assert put[-1].error == "the threads ran out of memory"
    readings.wanted()
    assert len(requested) == 3
