"""JSON-RPC 2.0 over lines of text (https://www.jsonrpc.org/specification), for one untrusted peer: every line is
bounded, and each mistake gets one answer.
"""

from __future__ import annotations

import json
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO

LONGEST = 1 << 20  # bytes of a line
PARSE, REQUEST, METHOD, PARAMS, INTERNAL, BUSY = -32700, -32600, -32601, -32602, -32603, -32000
MOST = 16  # requests that wait for one that takes time
_TEXT = 200  # characters of a quotation in an answer

Answer = dict[str, Any]


class Wrong(Exception):
    """The peer's request can't be answered."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Work(ABC):
    """A result that takes time. A thread computes it while other requests are answered."""

    @abstractmethod
    def do(self) -> Any:
        """The result."""

    @abstractmethod
    def stop(self) -> None:
        """Nobody waits for the result any more, so `do` should return soon. Called in another thread, maybe before
        `do`.
        """


def serve(
    lines: BinaryIO,
    write: Callable[[bytes], int],
    answer: Callable[[str, dict[str, Any]], Any],
    cancel: str = "",
) -> None:
    """Answer requests until the end of input.

    write: writes as much as there is room for, and returns how many bytes. answer: maps a method and its parameters to
    a result or to `Work`; raises `Wrong`. cancel: the method of the notification whose `requestId` names a request that
    needs no answer any more.
    """
    writing = threading.Lock()

    def reply(said: Answer) -> None:
        rest = json.dumps(said, allow_nan=False, separators=(",", ":")).encode() + b"\n"
        with writing:
            while rest:
                rest = rest[write(rest) :]

    works = _Works(reply)

    def begun(method: str, params: dict[str, Any]) -> Any:
        if cancel and method == cancel:
            works.cancel(params.get("requestId"))
        return answer(method, params)

    try:
        while line := lines.readline(LONGEST + 1):
            if len(line) > LONGEST and not line.endswith(b"\n"):
                _skip(lines)
                reply(_error(None, REQUEST, f"a line is longer than {LONGEST} bytes"))
            elif said := _reply(line, begun, works):
                reply(said)
        works.finish()
    finally:
        works.stop()


@dataclass(slots=True, eq=False)
class _Asked:
    number: str | int
    work: Work
    cancelled: bool = False
    done: bool = False


class _Works:
    """Works for requests, one after the other, in a thread of its own."""

    def __init__(self, reply: Callable[[Answer], None]) -> None:
        self._reply = reply
        self._changed = threading.Condition()
        self._asked: deque[_Asked] = deque()  # the first one is being worked for
        self._thread: threading.Thread | None = None
        self._ending = False
        self._failed: Exception | None = None

    def add(self, number: str | int, work: Work) -> None:
        """Raises `Wrong` if too many wait."""
        with self._changed:
            if len(self._asked) > MOST:
                raise Wrong(BUSY, f"{MOST} requests wait already")
            self._asked.append(_Asked(number, work))
            self._changed.notify()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()

    def cancel(self, number: object) -> None:
        """The request with this number gets no answer."""
        with self._changed:
            for each in self._asked:
                if type(each.number) is type(number) and each.number == number:
                    each.cancelled = True
                    each.work.stop()

    def finish(self) -> None:
        """Wait until all work is done. Raises what failed in it."""
        with self._changed:
            self._ending = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()
        if self._failed is not None:
            raise self._failed

    def stop(self) -> None:
        """Cancel all work and wait for its end, but not until the peer has read the last answer."""
        with self._changed:
            for each in self._asked:
                each.cancelled = True
                each.work.stop()
            current = [*self._asked][:1]
            self._asked.clear()
            self._changed.wait_for(lambda: all(each.done for each in current))

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._asked or self._ending)
                if not self._asked:
                    return
                asked = self._asked[0]
            said = None if asked.cancelled else self._answer(asked)
            with self._changed:
                asked.done = True
                self._changed.notify()
            try:
                if said is not None and not asked.cancelled:
                    self._reply(said)
            except OSError as error:  # the peer has gone
                self._failed = error
            with self._changed:
                if self._asked:  # it isn't being stopped
                    self._asked.popleft()

    def _answer(self, asked: _Asked) -> Answer:
        try:
            return _result(asked.number, asked.work.do())
        except Exception as error:
            self._failed = error
            return _error(asked.number, INTERNAL, f"failed: {type(error).__name__}")


def _skip(lines: BinaryIO) -> None:
    """Discard the rest of a line."""
    while (part := lines.readline(LONGEST)) and not part.endswith(b"\n"):
        pass


def _reply(line: bytes, answer: Callable[[str, dict[str, Any]], Any], works: _Works) -> Answer | None:
    if not line.strip():
        return None
    try:
        asked = json.loads(line)
    except (ValueError, RecursionError):
        return _error(None, PARSE, "this line is not JSON")
    if not isinstance(asked, dict):
        return _error(None, REQUEST, "expected an object")  # the protocol dropped batches in 2025
    number = asked.get("id")
    if isinstance(number, bool) or not isinstance(number, str | int | None) or len(str(number)) > _TEXT:
        return _error(None, REQUEST, "id must be a short string or an integer")
    method, params = asked.get("method"), asked.get("params", {})
    if method is None and ("result" in asked or "error" in asked):
        return None  # an answer to a request that was never made
    if asked.get("jsonrpc") != "2.0" or not isinstance(method, str):
        return _error(number, REQUEST, 'expected "jsonrpc": "2.0" and the name of a method')
    try:
        if not isinstance(params, dict):
            raise Wrong(PARAMS, "params must be an object")
        result = answer(method, params)
        if isinstance(result, Work) and number is not None:
            works.add(number, result)
            return None
    except Wrong as wrong:
        return None if number is None else _error(number, wrong.code, str(wrong))
    return None if number is None else _result(number, result)


def _result(number: str | int, result: Any) -> Answer:
    return {"jsonrpc": "2.0", "id": number, "result": result}


def _error(number: str | int | None, code: int, message: str) -> Answer:
    return {"jsonrpc": "2.0", "id": number, "error": {"code": code, "message": message}}
