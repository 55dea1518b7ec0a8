"""Which containers are looked up, when, and what is known of them."""

from __future__ import annotations

from ebpftop.collector import containers
from ebpftop.collector.containers import RUN, TRIES, Containers, Named
from ebpftop.handover.protocol import ContainerFacts, Message, RequestContainers


def number(at: int) -> str:
    return f"{at:064x}"


def path(at: int) -> str:
    return f"/docker/{number(at)}"


class Told:
    def __init__(self) -> None:
        self.requested: list[Message] = []
        self.containers = Containers(self.requested.append)

    def ids(self) -> list[list[str]]:
        assert all(isinstance(each, RequestContainers) and each.run == RUN for each in self.requested)
        return [list(each.ids) for each in self.requested if isinstance(each, RequestContainers)]


def test_a_container_is_looked_up_once_it_is_seen_and_its_name_stays() -> None:
    told = Told()
    told.containers.tick(0.0)
    assert [told.containers.named(each) for each in ("/system.slice/a.service", "", path(1), path(1))] == [Named()] * 4
    told.containers.tick(0.0)
    assert told.ids() == [[number(1)]]
    assert told.containers.answered([ContainerFacts(id=number(1), name="web", image="nginx")]) == {number(1)}
    assert told.containers.named(path(1) + "/inner") == Named("web", "", "nginx")
    told.containers.tick(100.0)
    assert told.ids() == [[number(1)]]


def test_those_who_have_names_in_their_paths_are_not_looked_up() -> None:
    told = Told()
    for cgroup in ("/lxc.payload.web", "/machine.slice/machine-box.scope"):
        assert told.containers.named(cgroup) == Named()
    told.containers.tick(0.0)
    assert told.requested == []


def test_one_task_reads_at_a_time_and_takes_what_came_meanwhile() -> None:
    told = Told()
    told.containers.named(path(1))
    told.containers.tick(0.0)
    for at in range(2, containers.AT_ONCE + 5):
        told.containers.named(path(at))
    told.containers.tick(0.0)
    assert len(told.ids()) == 1
    told.containers.answered([])
    told.containers.tick(0.0)
    told.containers.answered([])
    told.containers.tick(0.0)
    assert [len(each) for each in told.ids()] == [1, containers.AT_ONCE, 3]


def test_what_nobody_knows_is_looked_up_again_a_few_times() -> None:
    told = Told()
    told.containers.named(path(1))
    now = 0.0
    for pause in TRIES:
        before = len(told.requested)
        now += pause
        told.containers.tick(now)
        assert len(told.requested) == before + 1
        assert told.containers.answered([]) == set()
    told.containers.tick(now + 1000)
    assert len(told.requested) == len(TRIES)
    assert told.containers.named(path(1)) == Named()


def test_each_users_containers_are_looked_up_apart() -> None:
    told = Told()
    user = "/user.slice/user-1000.slice/user@1000.service/user.slice"
    told.containers.named(path(1))
    told.containers.named(f"{user}/libpod-{number(2)}.scope")
    told.containers.tick(0.0)
    told.containers.answered([])
    told.containers.tick(0.0)
    assert [each.ids for each in told.requested if isinstance(each, RequestContainers)] == [
        {number(1): ""},
        {number(2): "1000"},
    ]


def test_no_more_than_so_many_are_remembered() -> None:
    told = Told()
    for at in range(containers.KEPT + 3):
        told.containers.named(path(at))
    assert told.containers.answered([ContainerFacts(id=number(1), name="gone")]) == set()
    last = number(containers.KEPT + 2)
    assert told.containers.answered([ContainerFacts(id=last, name="web")]) == {last}


def test_an_answer_about_somebody_else_is_not_believed() -> None:
    told = Told()
    told.containers.named(path(1))
    assert told.containers.answered([ContainerFacts(id=number(2), name="web")]) == set()
    assert told.containers.named(path(2)) == Named()
