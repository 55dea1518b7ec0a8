"""Old and careless wordings of a complaint as the rules know it."""

from __future__ import annotations

import re

_LONGEST = 1024  # the kernel's own limit of one message, BPF_VERIFIER_TMP_LOG_SIZE

_AROUND = ' \t`"“”'
_BULLET = re.compile(r"^[*-] ")
# What kernels said before, or what is lost when a person copies a line, and what kernels say.
_FORMS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\bProccessed\b"), "Processed"),  # 3.18 to 4.14
    (re.compile(r"(?<= )'\s*([\w-]*)\s*'"), r"'\1'"),  # blanks inside quotes
    (re.compile(r"(invalid mem access) ([\"`‘’“]?)([A-Za-z_]\w*)[\"`’”]?$"), r"\1 '\3'"),
    (re.compile(r"\bstruct  (?=\S)"), "struct (unnamed) "),
    (re.compile(r"^Type ''"), "Type '(unnamed)'"),
    (re.compile(r"^(R\d+ m(?:in|ax) value is outside of the )array range"), r"\1allowed memory range"),  # to 5.x
    (re.compile(r"^(unknown func|invalid func) (\d+)$"), r"invalid func unknown#\2"),  # before 4.10
    (re.compile(r"(?<=invalid mem access )'(?:imm|unknown)'"), "'inv'"),  # before 4.14
)
_CONSTANT = re.compile(r"\bPTR_TO_(MAP_VALUE|STACK|CTX|PACKET_META|PACKET_END|PACKET|SOCKET)(_OR_NULL)?\b")
_CONSTANTS = {
    "MAP_VALUE": "map_value", "STACK": "fp", "CTX": "ctx", "PACKET": "pkt", "PACKET_META": "pkt_meta",
    "PACKET_END": "pkt_end", "SOCKET": "sock",
}  # fmt: skip


def normal(error: str) -> str:
    """The complaint in the words of kernels from 5.15 on, without what a text puts around it."""
    error = _BULLET.sub("", error[:_LONGEST].strip()).strip(_AROUND)
    for form, instead in _FORMS:
        error = form.sub(instead, error)
    return _CONSTANT.sub(lambda match: _CONSTANTS[match[1]] + (match[2] or "").lower(), error)
