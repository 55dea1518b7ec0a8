"""Keys: the state that a reader needs to begin in the middle of a tape."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, TypeVar

from msgspec import structs

from ebpftop.frames.messages import AnyFrame, Catalog, Changes, Processes, Snapshot, Stacks, Written
from ebpftop.frames.recall import Recall

if TYPE_CHECKING:
    from ebpftop.frames.changes import ChangeWriter

T = TypeVar("T")
_HOSTS = 12  # the machine's last loads
_PART = 4096  # processes, stacks or functions in one frame


class State:
    """Takes every written frame. Of snapshots it keeps only their place among the others: `ChangeWriter.last_two` knows
    a run's changes.
    """

    def __init__(self) -> None:
        self._recall = Recall(hosts=_HOSTS)

    def add(self, frame: AnyFrame) -> None:
        if isinstance(frame, Snapshot):
            self._recall.add(structs.replace(frame, maps={}))
        elif not isinstance(frame, Catalog):
            self._recall.add(frame)

    def frames(self, changes: ChangeWriter | None) -> Iterator[Written]:
        """The state, in frames of limited size."""
        left: dict[int, list[Changes]] = {}
        for frame in self._recall.frames():
            match frame:
                case Snapshot():
                    if changes is not None and frame.run not in left:
                        left[frame.run] = changes.last_two(frame.run)
                    if left.get(frame.run) and left[frame.run][0].seq == frame.seq:
                        yield left[frame.run].pop(0)
                case Processes():
                    for part in _parts(frame.processes):
                        yield Processes(processes=part)
                case Stacks():
                    for functions in _parts(frame.functions):
                        yield Stacks(functions=functions)
                    for stacks in _parts(frame.stacks):
                        yield Stacks(stacks=stacks)
                case _:
                    yield frame
        if changes is not None:
            changes.keep_only(left)


def _parts(whole: list[T]) -> Iterator[list[T]]:
    return (whole[at : at + _PART] for at in range(0, len(whole), _PART))
