"""Finds comments, maps, functions and structs in a probe's C with text patterns, without a compiler."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

_COMMENT = re.compile(r'//[^\n]*|/\*[\s\S]*?\*/|"(?:\\.|[^"\\\n])*"|' r"'(?:\\.|[^'\\\n])*'")
_MAP = re.compile(r"^[ \t]*(BPF_[A-Z0-9_]+)[ \t]*\(([^;{}]*?)\)[ \t]*;", re.MULTILINE)
_DEFINE = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(\w+)[ \t]+(.+?)[ \t]*$", re.MULTILINE)
_FUNCTION = re.compile(r"^(?![ \t]*#)[ \t]*\w[\w \t\n*]*?[ \t\n*](\w+)[ \t\n]*\(([^;{}]*)\)[ \t\n]*\{", re.MULTILINE)
_ATTRIBUTE = re.compile(r"__attribute__\(\([^()]*\)\)")
_PROBE_MACRO = re.compile(r"^[ \t]*(KFUNC|KRETFUNC)_PROBE[ \t]*\([ \t]*(\w+)", re.MULTILINE)
_STRUCT = re.compile(r"\bstruct[ \t\n]+(\w+)[ \t\n]*\{")
_FIELD = re.compile(r"(\w+)[ \t\n]*(?:\[[^\]]*\][ \t\n]*)*(?::[^,;]*)?$")
_NUMBER = re.compile(r"(0[xX][0-9a-fA-F]+|[0-9]+)[uUlL]*")

# BCC's macros (its src/cc/export/helpers.h): the kind of map, and the positions of the arguments name, key and size.
# BPF_TABLE's first argument is the kind, any other macro's is the name.
_SHAPES: dict[str, tuple[str, int, int | None, int | None]] = {
    "BPF_HASH": ("hash", 0, 1, 3),
    "BPF_PERCPU_HASH": ("percpu_hash", 0, 1, 3),
    "BPF_ARRAY": ("array", 0, None, 2),
    "BPF_PERCPU_ARRAY": ("percpu_array", 0, None, 2),
    "BPF_HISTOGRAM": ("histogram", 0, 1, 2),
    "BPF_TABLE": ("", 3, 1, 4),
    "BPF_F_TABLE": ("", 3, 1, 4),
    "BPF_QUEUE": ("queue", 0, None, 2),
    "BPF_RINGBUF_OUTPUT": ("ringbuf", 0, None, 1),
    "BPF_STACK_TRACE": ("stacktrace", 0, None, 1),
    "BPF_PERF_OUTPUT": ("perf_output", 0, None, None),
}
_OTHER = ("other", 0, None, None)
_DEFAULT_ENTRIES = {"hash": 10240, "percpu_hash": 10240, "array": 10240, "percpu_array": 10240, "histogram": 64}


class BpfMap(NamedTuple):
    """A declared map. `kind` is BCC's name of its type; `entries` (pages for a ring buffer) is None if unreadable."""

    name: str
    kind: str
    key: str
    entries: int | None
    line: int
    comment: str  # on the lines of its declaration

    @property
    def per_cpu(self) -> bool:
        return "percpu" in self.kind

    @property
    def array(self) -> bool:
        return "array" in self.kind or (self.kind == "histogram" and self.key in ("", "int"))

    @property
    def hash(self) -> bool:
        return "hash" in self.kind or (self.kind == "histogram" and not self.array)


class Function(NamedTuple):
    name: str
    start: int  # offsets of the body's braces in the code
    end: int


class CSource:
    """`code` is the text with comments replaced by blanks, so that offsets and line numbers are the same."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.code = _COMMENT.sub(lambda m: m[0] if m[0][0] in "\"'" else re.sub(r"[^\n]", " ", m[0]), text)

    def line(self, offset: int) -> int:
        return self.code.count("\n", 0, offset) + 1

    @cached_property
    def maps(self) -> list[BpfMap]:
        """The declared maps; several may have the same name, if variants declare their own."""
        return list(self._maps())

    def map(self, name: str) -> BpfMap | None:
        return next((found for found in self.maps if found.name == name), None)

    def _maps(self) -> Iterator[BpfMap]:
        for match in _MAP.finditer(self.code):
            kind, name_at, key_at, size_at = _SHAPES.get(match[1], _OTHER)
            arguments = [argument.strip() for argument in _split(match[2], ",")]
            if name_at >= len(arguments):
                continue
            if not kind:
                kind = arguments[0].strip('"')
            size = _DEFAULT_ENTRIES.get(kind)
            if size_at is not None and size_at < len(arguments):
                size = self.number(arguments[size_at])
            yield BpfMap(
                name=arguments[name_at],
                kind=kind,
                key=arguments[key_at] if key_at is not None and key_at < len(arguments) else "",
                entries=size,
                line=self.line(match.start(1)),
                comment=self._comment(match.start(), match.end()),
            )

    def _comment(self, start: int, end: int) -> str:
        """The comments on the lines from start to end."""
        first = self.text.rfind("\n", 0, start) + 1
        last = self.text.find("\n", end)
        lines = self.text[first : last if last >= 0 else None]
        return " ".join(m[0] for m in _COMMENT.finditer(lines) if m[0][0] == "/")

    def number(self, text: str) -> int | None:
        """The value of a product or left shift of numbers and the source's own #defines; None for anything else."""
        return _number(text, {match[1]: match[2] for match in _DEFINE.finditer(self.code)})

    @cached_property
    def functions(self) -> list[Function]:
        """The defined functions; several may have the same name, if variants define their own."""
        found = [
            Function(match[1], match.end() - 1, self._closing(match.end() - 1))
            for match in _FUNCTION.finditer(_ATTRIBUTE.sub(lambda attribute: " " * len(attribute[0]), self.code))
            if match[1] not in ("if", "for", "while", "switch")
        ]
        for match in _PROBE_MACRO.finditer(self.code):
            opening = self.code.find("{", match.end())
            if opening >= 0:
                name = f"{match[1].lower()}__{match[2]}"
                found.append(Function(name, opening, self._closing(opening)))
        return found

    def body(self, function: Function) -> str:
        return self.code[function.start : function.end]

    @cached_property
    def structs(self) -> dict[str, list[str]]:
        """The source's own structs and their field names."""
        structs: dict[str, list[str]] = {}
        for match in _STRUCT.finditer(self.code):
            body = self.code[match.end() : self._closing(match.end() - 1) - 1]
            fields = []
            for declaration in _split(body, ";"):
                for part in _split(declaration, ","):
                    if field := _FIELD.search(part.strip()):
                        fields.append(field[1])
            structs[match[1]] = fields
        return structs

    def _closing(self, opening: int) -> int:
        """The offset after the brace that closes the one at `opening`."""
        depth = 0
        for match in re.compile(r"[{}]").finditer(self.code, opening):
            depth += 1 if match[0] == "{" else -1
            if depth == 0:
                return match.end()
        return len(self.code)


def _number(text: str, defines: dict[str, str]) -> int | None:
    text = text.strip()
    while text.startswith("(") and text.endswith(")"):
        text = text[1:-1].strip()
    if literal := _NUMBER.fullmatch(text):
        return int(literal[1], 16 if literal[1][:2] in ("0x", "0X") else 10)
    if text in defines:
        others = {name: value for name, value in defines.items() if name != text}
        return _number(defines[text], others)
    for operator in ("<<", "*"):
        left, found, right = text.rpartition(operator)
        if found:
            a, b = _number(left, defines), _number(right, defines)
            if a is None or b is None or (operator == "<<" and b > 63):
                return None
            return a << b if operator == "<<" else a * b
    return None


def _split(text: str, separator: str) -> list[str]:
    """Split at separators outside of brackets; empty parts are dropped."""
    parts, depth, start = [], 0, 0
    for at, char in enumerate(text):
        if char in "([{":
            depth += 1
        elif char in ")]}":
            depth -= 1
        elif char == separator and depth == 0:
            parts.append(text[start:at])
            start = at + 1
    parts.append(text[start:])
    return [part for part in parts if part.strip()]
