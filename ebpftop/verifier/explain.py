"""What a complaint of the verifier means, and what to do about it, in plain sentences."""

from __future__ import annotations

import re

from ebpftop.verifier.complaints import COMPLAINTS

# `*p` where an operand can stand, `p->` and `p[`: what a line of C follows.
_FOLLOWED = re.compile(r"(?:^|[=(,;&|!+\-<>?:{}~]|\breturn)\s*\*+\s*(\w+)|(?<![\w.>])(\w+)\s*(?:->|\[)")


def explain(error: str, insn_text: str = "", source_text: str = "") -> str:
    """Two or three sentences, or "" where the complaint is unknown: never a guess.

    error: the kernel's complaint. insn_text: the refused instruction, as in the log. source_text: the author's line.
    """
    for complaint in COMPLAINTS:
        match = complaint.pattern.search(error)
        if match and (complaint.at is None or complaint.at.search(insn_text)):
            name = _followed(source_text)
            words = match.groupdict() | {"pointer": f"`{name}`" if name else "This pointer", "name": name or "p"}
            return f"{complaint.meaning} {complaint.remedy}".format(**words)
    return ""


def _followed(source_text: str) -> str:
    """The one pointer the line follows, "" if it follows none or several."""
    names = {one or other for one, other in _FOLLOWED.findall(source_text)}
    return names.pop() if len(names) == 1 else ""
