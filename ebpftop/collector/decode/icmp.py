"""ICMP messages: the version of IP (4 or 6) in bits 16 and up, above the message's type and its code.

Source: IANA's registries of ICMP and ICMPv6 parameters.
"""

from __future__ import annotations

_TYPES = {
    4: {
        0: "echo reply",
        3: "destination unreachable",
        4: "source quench",
        5: "redirect",
        8: "echo request",
        9: "router advertisement",
        10: "router solicitation",
        11: "time exceeded",
        12: "parameter problem",
        13: "timestamp request",
        14: "timestamp reply",
    },
    6: {
        1: "destination unreachable",
        2: "packet too big",
        3: "time exceeded",
        4: "parameter problem",
        128: "echo request",
        129: "echo reply",
        130: "multicast listener query",
        131: "multicast listener report",
        132: "multicast listener done",
        133: "router solicitation",
        134: "router advertisement",
        135: "neighbour solicitation",
        136: "neighbour advertisement",
        137: "redirect",
        143: "multicast listener report",
    },
}
_CODES = {
    (4, 3): {
        0: "network",
        1: "host",
        2: "protocol",
        3: "port",
        4: "fragmentation needed",
        5: "source route failed",
        9: "network prohibited",
        10: "host prohibited",
        13: "prohibited",
    },
    (4, 11): {0: "in transit", 1: "reassembly"},
    (6, 1): {0: "no route", 1: "prohibited", 3: "address", 4: "port", 5: "source address", 6: "route rejected"},
    (6, 3): {0: "in transit", 1: "reassembly"},
}


def name(number: int) -> str:
    """`destination unreachable: port`, `echo request`; numbers where there are no names."""
    version, kind, code = number >> 16, number >> 8 & 0xFF, number & 0xFF
    words = _TYPES.get(version, {}).get(kind, f"type {kind}")
    detail = _CODES.get((version, kind), {}).get(code, str(code) if code else "")
    return f"{words}: {detail}" if detail else words
