"""Looks at a process: one task at a time, and of those who wait the last."""

from __future__ import annotations

from typing import Any

from ebpftop.collector.facts import RUN, Facts
from ebpftop.frames.messages import ProcessFacts, ReadProcess
from ebpftop.handover.protocol import Message, ProcessRead, RequestProcess


class Told:
    """Facts, what they requested and what they answered."""

    def __init__(self) -> None:
        self.requested: list[Message] = []
        self.put: list[ProcessFacts] = []
        self.facts = Facts(self.requested.append, self.put.append, lambda uid: f"user {uid}")

    def want(self, *tgids: int) -> None:
        for tgid in tgids:
            self.facts.wanted(ReadProcess(tgid=tgid, start_ns=tgid * 10))

    def answer(self, tgid: int, *, whole: bool = True, **known: Any) -> ProcessFacts:
        facts = ProcessFacts(tgid=tgid, start_ns=tgid * 10, boottime_ns=5, **known)
        self.facts.answered(ProcessRead(facts=facts, whole=whole))
        return facts


def requests(*tgids: int) -> list[RequestProcess]:
    return [RequestProcess(run=RUN, tgid=tgid, start_ns=tgid * 10) for tgid in tgids]


def test_of_those_who_wait_the_last_is_read_when_the_first_is_done() -> None:
    told = Told()
    told.want(1, 2, 3)
    assert told.requested == requests(1)
    told.answer(1, euid=7)
    assert told.requested == requests(1, 3)
    told.answer(3, gone=True)
    assert told.requested == requests(1, 3)
    assert [(each.tgid, each.user) for each in told.put] == [(1, "user 7"), (3, "")]


def test_one_task_answers_the_same_request_that_comes_again() -> None:
    told = Told()
    told.want(1, 2, 1, 1)
    told.answer(1)
    assert told.requested == requests(1)


def test_what_came_before_a_reader_was_held_up_is_shown_with_what_is_missing() -> None:
    told = Told()
    told.want(1)
    told.answer(1, whole=False, comm="cat", unread=["limits: no"])
    assert told.put == []
    told.facts.failed("the process took longer than 5 s and was stopped")
    (put,) = told.put
    assert (put.comm, put.unread) == ("cat", ["limits: no", "the process took longer than 5 s and was stopped"])
    told.want(1)
    told.facts.failed("no memory")
    assert (told.put[-1].tgid, told.put[-1].comm, told.put[-1].unread) == (1, "", ["no memory"])


def test_a_failure_that_nobody_waits_for_is_nobodys() -> None:
    told = Told()
    told.facts.failed("late")
    assert told.put == []
