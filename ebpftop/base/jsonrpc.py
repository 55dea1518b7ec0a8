"""JSON-RPC 2.0 over lines of text (https://www.jsonrpc.org/specification), for one untrusted peer: every line is
bounded, and each mistake gets one answer.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, BinaryIO

LONGEST = 1 << 20  # bytes of a line
PARSE, REQUEST, METHOD, PARAMS = -32700, -32600, -32601, -32602
_TEXT = 200  # characters of a quotation in an answer

Answer = dict[str, Any]


class Wrong(Exception):
    """The peer's request can't be answered."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def serve(lines: BinaryIO, out: BinaryIO, answer: Callable[[str, dict[str, Any]], Any]) -> None:
    """Answer requests until the end of input. answer: maps a method and its parameters to a result; raises `Wrong`."""
    while line := lines.readline(LONGEST + 1):
        if len(line) > LONGEST and not line.endswith(b"\n"):
            _skip(lines)
            reply: Answer | None = _error(None, REQUEST, f"a line is longer than {LONGEST} bytes")
        else:
            reply = _reply(line, answer)
        if reply is not None:
            out.write(json.dumps(reply, allow_nan=False, separators=(",", ":")).encode() + b"\n")
            out.flush()


def _skip(lines: BinaryIO) -> None:
    """Discard the rest of a line."""
    while (part := lines.readline(LONGEST)) and not part.endswith(b"\n"):
        pass


def _reply(line: bytes, answer: Callable[[str, dict[str, Any]], Any]) -> Answer | None:
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
    except Wrong as wrong:
        return None if number is None else _error(number, wrong.code, str(wrong))
    return None if number is None else {"jsonrpc": "2.0", "id": number, "result": result}


def _error(number: str | int | None, code: int, message: str) -> Answer:
    return {"jsonrpc": "2.0", "id": number, "error": {"code": code, "message": message}}
