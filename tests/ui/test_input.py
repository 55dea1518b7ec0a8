"""How the terminal's input is read."""

from __future__ import annotations

import os
import threading
import tty
from collections.abc import Iterable, Iterator
from pty import openpty
from queue import SimpleQueue
from types import SimpleNamespace

import pytest
from textual import events
from textual._callback import invoke
from textual.constants import ESCAPE_DELAY
from textual.driver import Driver
from textual.message import Message

from ebpftop.base.readable import readable
from ebpftop.ui.app import driver as driver_module
from ebpftop.ui.app.driver import TerminalDriver, _Flag


class Reading:
    """A driver that reads a pseudo-terminal in its thread. waits: for how many seconds, at most, it slept each time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.keyboard, self._terminal = openpty()
        tty.setraw(self._terminal)
        self.waits: list[float | None] = []
        self._got: SimpleQueue[Message] = SimpleQueue()
        driver = self._driver = TerminalDriver.__new__(TerminalDriver)
        driver.fileno, driver._debug = self._terminal, False
        driver.exit_event, driver._no_more_input = threading.Event(), _Flag()
        monkeypatch.setattr(driver, "process_message", self._got.put)
        monkeypatch.setattr(driver_module, "readable", self._waited)
        self._thread = threading.Thread(target=driver.run_input_thread)
        self._thread.start()

    def _waited(self, descriptors: Iterable[int], seconds: float | None) -> list[int]:
        self.waits.append(seconds)
        return readable(descriptors, seconds)

    def message(self, sent: bytes) -> Message:
        """Send this to the program; the first message it makes."""
        os.write(self.keyboard, sent)
        return self._got.get(timeout=60)

    def key(self, text: str) -> str:
        """Type this; the name of the key it is."""
        message = self.message(text.encode())
        assert isinstance(message, events.Key)
        return message.key

    def end(self) -> None:
        self._driver.exit_event.set()
        self._driver._no_more_input.set()
        self._thread.join(60)
        assert not self._thread.is_alive()
        os.close(self.keyboard)
        os.close(self._terminal)


@pytest.fixture
def reading(monkeypatch: pytest.MonkeyPatch) -> Iterator[Reading]:
    one = Reading(monkeypatch)
    yield one
    one.end()


def test_it_sleeps_until_a_key_comes(reading: Reading) -> None:
    assert [reading.key(text) for text in ("a", "\x1b[A", "é")] == ["a", "up", "é"]
    assert set(reading.waits) == {None}


def test_it_wakes_up_once_to_tell_escape_from_the_beginning_of_a_sequence(reading: Reading) -> None:
    assert reading.key("\x1b") == "escape"
    assert reading.key("b") == "b"
    assert set(reading.waits) == {None, ESCAPE_DELAY}


@pytest.mark.parametrize("sent", [b"\xe9", b"\xff", b"\xe6\x97"])
def test_a_byte_that_is_not_utf8_is_one_key_that_means_nothing(reading: Reading, sent: bytes) -> None:
    message = reading.message(sent + b"a")
    assert isinstance(message, events.Key)
    assert message.character == "\N{REPLACEMENT CHARACTER}"
    assert reading.key("b") == "a"


def test_a_paste_that_is_not_utf8_is_pasted(reading: Reading) -> None:
    message = reading.message(b"\x1b[200~caf\xe9\x1b[201~")
    assert isinstance(message, events.Paste)
    assert message.text == "caf\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize(
    "sent", ["\x1b[M \xf00", "\x1b[9999999999;1u", "\x1b[1114112~", "\x1b[97:65;1u", "\x1b[97;1:3u"]
)
def test_a_sequence_that_is_no_key_costs_no_other(reading: Reading, sent: str) -> None:
    message = reading.message(sent.encode("latin1") + b"ab")
    assert isinstance(message, events.Key)
    assert [message.key, reading.key("\x1b[A"), reading.key("c")] == ["a", "b", "up"]


def test_a_size_without_pixels_leaves_the_mouse_usable(reading: Reading) -> None:
    assert isinstance(reading.message(b"\x1b[48;36;120;0;0t"), events.Resize)
    message = reading.message(b"\x1b[<35;10;10M\x1b[<35;11;10M")
    assert isinstance(message, events.MouseMove)
    assert message.x == 10


async def test_of_movements_that_wait_the_last_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Message] = []
    handled: list[events.Event] = []

    async def on_event(event: events.Event) -> None:
        handled.append(event)

    async def work_off() -> None:
        for message in sent:
            if isinstance(message, events.Callback):
                await invoke(message.callback)
            else:
                assert isinstance(message, events.Event)
                handled.append(message)
        sent.clear()

    monkeypatch.setattr(Driver, "send_message", lambda _self, message: sent.append(message))
    driver = TerminalDriver.__new__(TerminalDriver)
    driver._moves, driver._app = [], SimpleNamespace(on_event=on_event)  # type: ignore[assignment]
    a, b, c, d = (events.MouseMove(None, x, 0, 0, 0, 0, False, False, False) for x in range(4))
    down = events.MouseDown(None, 1, 0, 0, 0, 1, False, False, False)
    for message in (a, b, down, c):
        driver.send_message(message)
    await work_off()
    driver.send_message(d)
    await work_off()
    assert handled == [b, down, c, d]
