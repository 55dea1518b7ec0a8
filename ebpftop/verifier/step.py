"""One step of what led to a refusal."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """insn and text: the instruction as the log shows it, None and "" where there is no single one. why: what it did,
    in words.
    """

    insn: int | None
    text: str
    why: str
