"""DNS: a question as encoded in a message, and the code of an answer. Source: RFC 1035, and IANA's DNS parameters."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from ebpftop.frames.columns import labelled
from ebpftop.frames.messages import Column

_TYPES = {
    1: "A",
    2: "NS",
    5: "CNAME",
    6: "SOA",
    12: "PTR",
    15: "MX",
    16: "TXT",
    28: "AAAA",
    33: "SRV",
    35: "NAPTR",
    43: "DS",
    48: "DNSKEY",
    64: "SVCB",
    65: "HTTPS",
    255: "ANY",
}
_CODES = ("", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED")


def decode(values: npt.NDArray[Any]) -> Column:
    """A dictionary column of char arrays that begin with a question. Raises ValueError for numbers."""
    if values.dtype.kind != "S" or values.ndim != 1:
        raise ValueError(f"a question is char[], not {values.dtype}{list(values.shape[1:]) or ''}")
    return labelled(values, question)


def question(raw: bytes) -> str:
    """`example.org AAAA`; a name that was cut ends in `…`, after its last whole character. Bytes that aren't UTF-8
    become visible escapes.
    """
    labels, at = [], 0
    while at < len(raw) and raw[at]:
        label = raw[at + 1 : at + 1 + raw[at]]
        at += 1 + raw[at]
        labels.append((_whole(label) if at > len(raw) else label).decode("utf-8", "backslashreplace"))
    name = ".".join(labels)
    if at >= len(raw) and labels:
        return f"{name}…"
    kind = int.from_bytes(raw[at + 1 : at + 3].ljust(2, b"\0"), "big")
    return f"{name or '.'} {_TYPES.get(kind, f'TYPE{kind}')}"


def _whole(text: bytes) -> bytes:
    """Without the beginning of a UTF-8 character at its end."""
    for length in range(1, min(4, len(text) + 1)):
        byte = text[-length]
        if 0xC2 <= byte <= 0xF4:  # a character's first byte, which tells its length
            return text[:-length] if length < 2 + (byte >= 0xE0) + (byte >= 0xF0) else text
        if not 0x80 <= byte < 0xC0:
            break
    return text


def code(number: int) -> str:
    """`NXDOMAIN`, "" for an answer without error and for a negative number (no answer), else the number."""
    return "" if number < 0 else _CODES[number] if number < len(_CODES) else str(number)
