"""Messages from the source's reader and from the widgets to the screens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.message import Message

from ebpftop.frames.messages import Load, Notice, Process
from ebpftop.model.requests import Requested

if TYPE_CHECKING:
    from ebpftop.model.past.span import Span
    from ebpftop.model.run import Run
    from ebpftop.model.trigger import Trigger


class Changed(Message):
    """What the screen shows is out of date."""


class Began(Message):
    """A `Hello` arrived: everything known before is discarded."""


class WasRejected(Message):
    """A load failed. `request` is this dashboard's, None for a load on a tape."""

    def __init__(self, run: Run, request: Requested | None) -> None:
        super().__init__()
        self.run = run
        self.request = request


class WasStopped(Message):
    """A probe was detached for a reason, not by request."""

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.run = run


class LoadsAgain(Message):
    """A probe's file was saved, so the probe is being reloaded."""

    def __init__(self, lineage: int) -> None:
        super().__init__()
        self.lineage = lineage


class WasReplaced(Message):
    """A probe's new version is attached; `old` are the runs it replaces."""

    def __init__(self, run: Run, old: list[int], lineage: int) -> None:
        super().__init__()
        self.run = run
        self.old = old
        self.lineage = lineage


class WasAccepted(Message):
    """A load that was requested has begun."""

    def __init__(self, request: int) -> None:
        super().__init__()
        self.request = request


class WasRefused(Message):
    """A load was refused, in one line."""

    def __init__(self, error: str, request: Requested | None) -> None:
        super().__init__()
        self.error = error
        self.request = request


class Noticed(Message):
    def __init__(self, frame: Notice) -> None:
        super().__init__()
        self.frame = frame


class Ended(Message):
    """The stream ended; `reason` is empty at the normal end of a tape."""

    def __init__(self, reason: str) -> None:
        super().__init__()
        self.reason = reason


class Chosen(Message):
    """The catalog's cursor moved to another entry."""


class SpanAsked(Message):
    """A span was selected; an empty one is a moment."""

    def __init__(self, span: Span) -> None:
        super().__init__()
        self.span = span


class EditAsked(Message):
    """Open a probe's C in the user's editor, at a line counted from 1."""

    def __init__(self, probe: str, line: int | None = None) -> None:
        super().__init__()
        self.probe = probe
        self.line = line


class ProcessAsked(Message):
    """Open the page of a process, by its identity, or of one that only /proc has shown."""

    def __init__(self, process: int | Process) -> None:
        super().__init__()
        self.process = process


class PlayAsked(Message):
    """Open a playbook by name. loads: requests for its steps that have been sent already."""

    def __init__(self, playbook: str, loads: Sequence[Load] = ()) -> None:
        super().__init__()
        self.playbook = playbook
        self.loads = loads


class LoadAsked(Message):
    """Load a probe. `form`: show the parameter form first. `typed`: the parameters come from that form, and so does
    `when`, the trigger to watch for then.
    """

    def __init__(
        self,
        probe: str,
        params: dict[str, str] | None = None,
        *,
        form: bool = False,
        typed: bool = False,
        when: Trigger | None = None,
    ) -> None:
        super().__init__()
        self.probe = probe
        self.params = params or {}
        self.form = form
        self.typed = typed
        self.when = when
