"""The stream itself: its writer, its clocks, and its notices."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from ebpftop.frames.messages.base import Frame, Text, Whole

PROTOCOL = 1  # raised when an older reader could misread a newer writer


class Hello(Frame, frozen=True, kw_only=True):
    """First frame of a stream, and of a tape."""

    protocol: int = PROTOCOL
    version: str  # of the writer
    host: str
    kernel: str
    machine: str
    cpus: Whole
    boot_realtime_ns: Whole  # realtime of boot: realtime = boot_realtime_ns + boottime
    live: bool = True
    user: Text = ""


class Notice(Frame, frozen=True, kw_only=True):
    """One line for a person."""

    level: Literal["info", "warning", "error"]
    text: str


class Mark(Frame, frozen=True, kw_only=True):
    """A moment with a name, on the stream's clocks. Text is hostile.

    origin: a person at the dashboard, a command (`ebpftop mark`), or a trigger.
    """

    realtime_ns: Whole
    monotonic_ns: Whole
    boottime_ns: Whole
    text: Annotated[str, Meta(max_length=1 << 12)]
    origin: Literal["person", "outside", "trigger"] = "person"


class Pong(Frame, frozen=True, kw_only=True):
    """The clocks, as requested by `Ping`. Not part of a recording."""

    number: Whole
    realtime_ns: Whole
    monotonic_ns: Whole
    boottime_ns: Whole
