"""Flags of a TCP header, its 14th byte. Source: RFC 9293, section 3.1."""

from __future__ import annotations

_NAMES = ("FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR")


def name(number: int) -> str:
    """`SYN ACK`, "" for none."""
    return " ".join(flag for bit, flag in enumerate(_NAMES) if number >> bit & 1)
