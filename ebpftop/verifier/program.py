"""Finds the name of a program in its loader's messages."""

from __future__ import annotations

from collections.abc import Sequence

from ebpftop.verifier.rules.model import compiled

_LOOKED_AT = 200  # lines
_NAME = r"[A-Za-z_](?:[\w.]*\w)?"
# `program failed: …` and `BPF program load failed` name none.
_NO_NAME = "failed|load|loading|loaded|is|was|not|for|of|to|from|name|type|too|fd|file|id|error|and|with|in|section"
_FORMS = (
    r"\bprog(?:ram)? b?['\"`](?P<name>[A-Za-z_][\w./:]*)['\"`]",
    rf"\bprog(?:ram)? (?P<name>(?!(?:{_NO_NAME})\b){_NAME}): ",
    r"\b(?:[Ee]rror loading (?:BPF )?program for|(?:could not|couldn't|cannot|failed to) load (?:BPF )?program) "
    rf"(?P<name>(?!(?:{_NO_NAME})\b){_NAME})",
    rf"\bprogram=\"?(?P<name>(?!(?:{_NO_NAME})\b){_NAME})\b",
    rf"\bprog_?name[\"']?[=:] ?[\"']?(?P<name>{_NAME})",
)


def named_in(line: str) -> str:
    """The program that a line names, "" for none."""
    return next((match["name"] for form in _FORMS if (match := compiled(form).search(line))), "")


def named(lines: Sequence[str]) -> str:
    """The program's name in its loader's messages: the last one before the log, because those of another program may
    precede; else one at the end; "" if there is none.
    """
    for part in (lines[_LOOKED_AT - 1 :: -1], lines[-20:]):
        for line in part:
            if "rog" in line[:1024] and (name := named_in(line[:1024])):
                return name
    return ""


def named_after(lines: Sequence[str]) -> str:
    """The program's name in the loader's messages right after its log, "" if those are about another program."""
    for line in lines:
        if "load failed" in line or "BEGIN" in line or ": (" in line:
            break
        if "rog" in line[:1024] and (name := named_in(line[:1024])):
            return name
    return ""
