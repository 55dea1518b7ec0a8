import os

from ebpftop.collector.departed import Departed
from ebpftop.collector.noting import Noting
from ebpftop.handover import protocol
from ebpftop.kernel.memory_events import Event
from tests.unit.collector.test_departed import FewProcesses


def test_it_is_requested_once_and_what_can_not_be_mapped_is_told_and_closed() -> None:
    requested: list[protocol.Message] = []
    told: list[str] = []
    noting = Noting(Departed(FewProcesses(0)), requested.append, told.append)
    noting.switch(False)
    assert requested == []
    noting.switch(True)
    noting.switch(True)
    assert [type(each) for each in requested] == [protocol.RequestMemoryEvents]
    none = [os.open(os.devnull, os.O_RDONLY) for _ in range(3)]
    noting.opened(none)
    assert noting.rings == []
    (text,) = told
    assert text.startswith("short-lived processes may lack function names")
    for descriptor in none:
        try:
            os.fstat(descriptor)
        except OSError:
            continue
        raise AssertionError(f"{descriptor} is open")
    noting.take()
    noting.switch(False)


class Ring:
    """Has nothing but losses."""

    lost = 0

    def drain(self) -> list[Event]:
        return []

    def switch(self, on: bool) -> None:
        pass


def test_reports_that_were_lost_are_told_once() -> None:
    told: list[str] = []
    noting, ring = Noting(Departed(FewProcesses(0)), lambda message: None, told.append), Ring()
    noting.rings = [ring]
    noting.switch(True)
    noting.take()
    assert told == []
    for ring.lost in (3, 5):
        noting.take()
    assert told == ["too many programs start: some of their mappings were lost, so functions may lack names"]
