import selectors
import socket

from ebpftop.collector.channels import Channels
from ebpftop.handover import protocol, transport

NUMBER = -3


def test_a_task_that_follows_another_under_its_number_leaves_nothing_of_it_behind() -> None:
    said: list[protocol.AnyMessage] = []
    with selectors.DefaultSelector() as selector:
        channels = Channels(selector, lambda _number, message, _descriptors: said.append(message), lambda *_: None)
        tasks = []
        for name in ("first", "second"):
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            channels.open(NUMBER, ours.detach())
            transport.send(theirs, protocol.TaskFailed(error=name))
            channels.read(NUMBER)
            tasks.append(theirs)
        for task in tasks:
            task.close()
        assert said == [protocol.TaskFailed(error="first"), protocol.TaskFailed(error="second")]
        for key, _ in selector.select(0):
            key.data()
        assert selector.select(0) == []
        assert len(selector.get_map()) == 0
