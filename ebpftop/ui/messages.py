"""What the reader of the source tells the screens, and what widgets ask of them.

A fresh state replaces a stale one in the queue, so that a slow screen skips states instead of queueing them.
"""

from __future__ import annotations

from textual.message import Message

from ebpftop.frames.messages import Loaded, Notice, Refused, Rejected


class Changed(Message):
    """The session moved on: whatever is shown of it is stale."""

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, Changed)


class Began(Message):
    """A `Hello` came: everything known before is gone."""


class WasRejected(Message):
    """A load failed. `asked` is whether this user asked for it, `again` whether a save did."""

    def __init__(self, frame: Rejected, *, asked: bool, again: bool) -> None:
        super().__init__()
        self.frame = frame
        self.asked = asked
        self.again = again


class LoadsAgain(Message):
    """A probe's file was saved, and it is loaded again by itself."""

    def __init__(self, probe: str, params: dict[str, str]) -> None:
        super().__init__()
        self.probe = probe
        self.params = params


class WasReplaced(Message):
    """A run of a probe's new version is attached; `old` are the runs that end for it."""

    def __init__(self, frame: Loaded, old: list[int]) -> None:
        super().__init__()
        self.frame = frame
        self.old = old


class WasAccepted(Message):
    """A load this user asked for has begun."""

    def __init__(self, probe: str, params: dict[str, str]) -> None:
        super().__init__()
        self.probe = probe
        self.params = params


class WasRefused(Message):
    """A request was not granted as it was said."""

    def __init__(self, frame: Refused) -> None:
        super().__init__()
        self.frame = frame


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
    """A playbook shall be opened, by name."""

    def __init__(self, playbook: str) -> None:
        super().__init__()
        self.playbook = playbook


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
