"""Readings of all threads: one task at a time, and a failure is an answer."""

from __future__ import annotations

from ebpftop.collector.threads import RUN, Readings
from ebpftop.frames.messages import OpenWait, ThreadPlace, Threads
from ebpftop.handover.protocol import Message, RequestThreads


def test_one_task_answers_requests_that_come_while_it_reads() -> None:
    requested: list[Message] = []
    put: list[Threads] = []
    readings = Readings(requested.append, put.append, lambda threads: [])
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


def test_what_probes_know_of_these_threads_comes_with_them() -> None:
    put: list[Threads] = []
    readings = Readings(
        lambda message: None, put.append, lambda threads: [OpenWait(tid=tid, since_ns=1) for tid in threads]
    )
    readings.wanted()
    place = ThreadPlace(tid=9, tgid=9, start_ns=0, comm="t", process="t", state="S", cpu_ns=0)
    readings.answered(Threads(monotonic_ns=5, boottime_ns=6, threads=[place]))
    assert put[0].waits == [OpenWait(tid=9, since_ns=1)]
    assert put[0].threads == [place]
