"""The names of containers and pods, by the paths of their cgroups: read by a root task, one at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from ebpftop.base.cgroup_path import home, is_id
from ebpftop.handover import protocol

RUN = -12  # the number of the task that answers
AT_ONCE = 64  # containers of one request
KEPT = 4096  # containers remembered
TRIES = (0.0, 1.0, 5.0)  # seconds from one look to the next, of a container that nothing is known of yet


class Named(NamedTuple):
    """The names for a path, "" if they aren't known: see `Process`."""

    container: str = ""
    pod: str = ""
    image: str = ""


NOBODYS = Named()


class _Wanted:
    """A wanted container: how often it was looked for, and when the next attempt is due (monotonic seconds)."""

    __slots__ = ("due", "tried", "user")

    def __init__(self, user: str) -> None:
        self.user, self.tried, self.due = user, 0, 0.0


class Containers:
    """Known names. Unknown ones are requested once someone has asked for them."""

    def __init__(self, request: Callable[[protocol.Message], None]) -> None:
        self._request = request
        self._known: dict[str, Named] = {}
        self._wanted: dict[str, _Wanted] = {}
        self._reading = False

    def named(self, cgroup: str) -> Named:
        """The names for a path, as far as they are known."""
        place = home(cgroup)
        if not is_id(place.container):
            return NOBODYS
        found = self._known.get(place.container)
        if found is None:
            found = self._known[place.container] = NOBODYS
            self._wanted[place.container] = _Wanted(place.user)
            if len(self._known) > KEPT:
                oldest = next(iter(self._known))
                del self._known[oldest]
                self._wanted.pop(oldest, None)
        return found

    @property
    def settled(self) -> bool:
        """Whether each requested container has been looked for."""
        return not self._reading and all(each.tried for each in self._wanted.values())

    def tick(self, now: float) -> None:
        """Request what is due, unless an answer is pending."""
        if self._reading or not self._wanted:
            return
        due = [number for number, each in self._wanted.items() if each.due <= now]
        if not due:
            return
        user = self._wanted[due[0]].user  # one at a time: a home that hangs costs the names in it
        due = [number for number in due if self._wanted[number].user == user][:AT_ONCE]
        ids = {number: self._wanted[number].user for number in due}
        for number in due:
            each = self._wanted[number]
            each.tried += 1
            if each.tried == len(TRIES):
                del self._wanted[number]
            else:
                each.due = now + TRIES[each.tried]
        self._reading = True
        self._request(protocol.RequestContainers(run=RUN, ids=ids))

    def answered(self, found: Iterable[protocol.ContainerFacts]) -> set[str]:
        """Take an answer, an empty one if the task failed. Returns the ids of containers whose names have changed."""
        self._reading = False
        changed: set[str] = set()
        for each in found:
            if each.id in self._known:
                self._wanted.pop(each.id, None)
                self._known[each.id] = Named(each.name, each.pod, each.image)
                changed.add(each.id)
        return changed
