"""What the reader of the source tells the screens, and what widgets ask of them.

A fresh state replaces a stale one in the queue, so that a slow screen skips states instead of queueing them.
"""

from __future__ import annotations

from collections.abc import Sequence

from textual.message import Message

from ebpftop.frames.messages import Load, Notice
from ebpftop.model.requests import Requested
from ebpftop.model.run import Run


class Changed(Message):
    """The session moved on: whatever is shown of it is stale."""

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, Changed)


class Began(Message):
    """A `Hello` came: everything known before is gone."""


class WasRejected(Message):
    """A load failed. `request` is what this dashboard requested, None for what is on a tape."""

    def __init__(self, run: Run, request: Requested | None) -> None:
        super().__init__()
        self.run = run
        self.request = request


class LoadsAgain(Message):
    """A probe's file was saved, and it is loaded again by itself."""

    def __init__(self, lineage: int) -> None:
        super().__init__()
        self.lineage = lineage


class WasReplaced(Message):
    """A run of a probe's new version is attached; `old` are the runs that end for it."""

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
    """The stream is over; `reason` is empty at the quiet end of a tape."""

    def __init__(self, reason: str) -> None:
        super().__init__()
        self.reason = reason


class Chosen(Message):
    """Something else is under the cursor of the catalog."""


class EditAsked(Message):
    """The C of a probe shall be opened in the user's editor, at a line counted from 1."""

    def __init__(self, probe: str, line: int | None = None) -> None:
        super().__init__()
        self.probe = probe
        self.line = line


class PlayAsked(Message):
    """A playbook shall be opened, by name. loads: requests for its steps that are on their way already."""

    def __init__(self, playbook: str, loads: Sequence[Load] = ()) -> None:
        super().__init__()
        self.playbook = playbook
        self.loads = loads


class LoadAsked(Message):
    """A probe shall be loaded: `form` asks for its parameters first, `typed` says that they come from the form."""

    def __init__(
        self, probe: str, params: dict[str, str] | None = None, *, form: bool = False, typed: bool = False
    ) -> None:
        super().__init__()
        self.probe = probe
        self.params = params or {}
        self.form = form
        self.typed = typed
