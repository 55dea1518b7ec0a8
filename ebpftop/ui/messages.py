"""Messages from the source's reader and from the widgets to the screens.

A new state replaces an old one in the queue, so a slow screen skips states instead of queueing them.
"""

from __future__ import annotations

from textual.message import Message

from ebpftop.frames.messages import Loaded, Notice, Refused, Rejected


class Changed(Message):
    """The session changed: what the screen shows of it is out of date."""

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, Changed)


class Began(Message):
    """A `Hello` arrived: everything known before is discarded."""


class WasRejected(Message):
    """A load failed. `asked`: this user requested it. `again`: saving a file triggered it."""

    def __init__(self, frame: Rejected, *, asked: bool, again: bool) -> None:
        super().__init__()
        self.frame = frame
        self.asked = asked
        self.again = again


class LoadsAgain(Message):
    """A probe's file was saved, so the probe is being reloaded."""

    def __init__(self, probe: str, params: dict[str, str]) -> None:
        super().__init__()
        self.probe = probe
        self.params = params


class WasReplaced(Message):
    """A probe's new version is attached; `old` are the runs it replaces."""

    def __init__(self, frame: Loaded, old: list[int]) -> None:
        super().__init__()
        self.frame = frame
        self.old = old


class WasAccepted(Message):
    """A load that this user requested has begun."""

    def __init__(self, probe: str, params: dict[str, str]) -> None:
        super().__init__()
        self.probe = probe
        self.params = params


class WasRefused(Message):
    """A request was refused."""

    def __init__(self, frame: Refused) -> None:
        super().__init__()
        self.frame = frame


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


class EditAsked(Message):
    """Open a probe's C in the user's editor, at a line counted from 1."""

    def __init__(self, probe: str, line: int | None = None) -> None:
        super().__init__()
        self.probe = probe
        self.line = line


class PlayAsked(Message):
    """Open a playbook by name."""

    def __init__(self, playbook: str) -> None:
        super().__init__()
        self.playbook = playbook


class LoadAsked(Message):
    """Load a probe. `form`: show the parameter form first. `typed`: the parameters come from that form."""

    def __init__(
        self, probe: str, params: dict[str, str] | None = None, *, form: bool = False, typed: bool = False
    ) -> None:
        super().__init__()
        self.probe = probe
        self.params = params or {}
        self.form = form
        self.typed = typed
