"""What the reader of the source tells the screens, and what widgets ask of them.

A fresh state replaces a stale one in the queue, so that a slow screen skips states instead of queueing them.
"""

from __future__ import annotations

from textual.message import Message

from ebpftop.frames.messages import Notice, Refused, Rejected


class Changed(Message):
    """The session moved on: whatever is shown of it is stale."""

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, Changed)


class Began(Message):
    """A `Hello` came: everything known before is gone."""


class WasRejected(Message):
    """A load failed. `asked` is whether this user asked for it."""

    def __init__(self, frame: Rejected, asked: bool) -> None:
        super().__init__()
        self.frame = frame
        self.asked = asked


class WasAccepted(Message):
    """A load this user asked for has begun."""

    def __init__(self, probe: str, params: dict[str, str]) -> None:
        super().__init__()
        self.probe = probe
        self.params = params


class WasRefused(Message):
    """A wish was not granted as it was said."""

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
