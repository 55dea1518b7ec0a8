"""Protocols in IP headers and of sockets. Source: IANA's protocol numbers; of sockets alone, linux/in.h."""

from __future__ import annotations

_NAMES = {
    0: "IP",
    1: "ICMP",
    2: "IGMP",
    4: "IPIP",
    6: "TCP",
    17: "UDP",
    33: "DCCP",
    41: "IPv6",
    47: "GRE",
    50: "ESP",
    51: "AH",
    58: "ICMPv6",
    89: "OSPF",
    103: "PIM",
    132: "SCTP",
    136: "UDP-Lite",
    255: "raw",
    262: "MPTCP",
}


def name(number: int) -> str:
    """`TCP`, or the number."""
    return _NAMES.get(number, str(number))
