"""Demangles Rust's v0 symbol names, `_R…`. Format: Rust's RFC 2603.

A name is untrusted, and refers to its own parts: depth, steps and the length of the expanded text are limited.
"""

from __future__ import annotations

from collections.abc import Callable
from string import ascii_letters, ascii_lowercase, digits

_DEEPEST = 96  # parts within parts
_ROOM = 1 << 18  # characters of all combined parts
_LONGEST_NUMBER = 5  # digits of a length
_STEP = 8  # characters charged for each part, whatever its text is
_BASE_62 = digits + ascii_lowercase + ascii_letters[26:]
_BASIC = {
    "a": "i8", "b": "bool", "c": "char", "d": "f64", "e": "str", "f": "f32", "h": "u8", "i": "isize", "j": "usize",
    "l": "i32", "m": "u32", "n": "i128", "o": "u128", "p": "_", "s": "i16", "t": "u16", "u": "()", "v": "...",
    "x": "i64", "y": "u64", "z": "!",
}  # fmt: skip
_INTEGERS = set("ahijlmnostxy")
_SPECIAL = {"C": "closure", "S": "shim"}
_PLAIN_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\"}


class _Unknown(Exception):
    """Not a v0 name, or one of an unknown form."""


def plain(name: str) -> str | None:
    """The name without its hashes; None if it is not a v0 name."""
    body, dot, suffix = name.partition(".")
    if not body.startswith("_R") or not body.isascii():
        return None
    try:
        text = _Reader(body[2:]).symbol()
    except (_Unknown, RecursionError):
        return None
    return text if not dot or suffix.startswith("llvm.") else f"{text} [{dot}{suffix}]"


class _Reader:
    """Reads one name from front to back; a back reference rereads a part of it."""

    def __init__(self, text: str) -> None:
        self._text, self._at, self._depth, self._room = text, 0, 0, _ROOM
        self._bound = 0  # number of lifetimes that enclosing binders name

    def symbol(self) -> str:
        text = self._path(value=True)
        if self._at < len(self._text) and self._text[self._at] not in ".$":
            self._path(value=False)  # the crate for which it was instantiated
        if self._at < len(self._text) and self._text[self._at] not in ".$":
            raise _Unknown
        return text

    # ---------------------------------------------------------------- characters and numbers

    def _next(self) -> str:
        if self._at >= len(self._text):
            raise _Unknown
        self._at += 1
        return self._text[self._at - 1]

    def _take(self, wanted: str) -> bool:
        found = self._text.startswith(wanted, self._at)
        self._at += found
        return found

    def _base_62(self) -> int:
        if self._take("_"):
            return 0
        number = 0
        while (character := self._next()) != "_":
            number = number * 62 + _BASE_62.find(character)
            if character not in _BASE_62 or number > 1 << 64:
                raise _Unknown
        return number + 1

    def _optional(self, tag: str) -> int:
        return self._base_62() + 1 if self._take(tag) else 0

    def _decimal(self) -> int:
        if self._take("0"):
            return 0
        start = self._at
        while self._at < len(self._text) and self._text[self._at] in digits:
            self._at += 1
        if not 0 < self._at - start <= _LONGEST_NUMBER:
            raise _Unknown
        return int(self._text[start : self._at])

    def _identifier(self) -> str:
        encoded = self._take("u")
        length = self._decimal()
        self._take("_")  # if the text begins with a digit
        text = self._text[self._at : self._at + length]
        if len(text) < length:
            raise _Unknown
        self._at += length
        if not encoded:
            return text
        basic, _, rest = text.rpartition("_")
        try:
            return (f"{basic}-{rest}" if basic else rest).encode("ascii").decode("punycode")
        except (UnicodeError, ValueError, OverflowError):
            raise _Unknown from None

    # ---------------------------------------------------------------- parts

    def _part(self, read: Callable[[], str]) -> str:
        """The result of `read`, within the limits."""
        self._depth += 1
        if self._depth > _DEEPEST:
            raise _Unknown
        text = read()
        self._depth -= 1
        self._room -= len(text) + _STEP
        if self._room < 0:
            raise _Unknown
        return text

    def _again(self, read: Callable[[], str]) -> str:
        """The part at an earlier position, to which a back reference leads."""
        start, place = self._at - 1, self._base_62()
        if place >= start:
            raise _Unknown
        after, self._at = self._at, place
        text = self._part(read)
        self._at = after
        return text

    def _until_end(self, read: Callable[[], str]) -> list[str]:
        found = []
        while not self._take("E"):
            found.append(read())
        return found

    def _path(self, *, value: bool) -> str:
        """Read a path. value: whether it is in an expression, as `Vec::<u8>`."""
        return self._part(lambda: self._one_path(self._next(), value))

    def _one_path(self, tag: str, value: bool) -> str:
        match tag:
            case "C":
                self._optional("s")
                return self._identifier()
            case "M" | "X":
                self._optional("s")
                self._path(value=False)  # the path of the implementation
                of = self._type()
                return f"<{of} as {self._path(value=False)}>" if tag == "X" else f"<{of}>"
            case "Y":
                return f"<{self._type()} as {self._path(value=False)}>"
            case "N":
                return self._nested(value)
            case "I":
                of = self._path(value=value)
                return f"{of}{'::' if value else ''}<{', '.join(self._until_end(self._argument))}>"
            case "B":
                return self._again(lambda: self._path(value=value))
        raise _Unknown

    def _nested(self, value: bool) -> str:
        space = self._next()
        of = self._path(value=value)
        number, name = self._optional("s"), self._identifier()
        if space in ascii_lowercase:
            return f"{of}::{name}" if name else of
        if space not in ascii_letters:
            raise _Unknown
        return f"{of}::{{{_SPECIAL.get(space, space)}{':' if name else ''}{name}#{number}}}"

    def _argument(self) -> str:
        if self._take("L"):
            return self._lifetime(self._base_62())
        return self._constant() if self._take("K") else self._type()

    def _lifetime(self, number: int) -> str:
        if not number:
            return "'_"
        if number > self._bound:
            raise _Unknown
        return _letter(self._bound - number)

    def _binder(self) -> str:
        """The lifetimes that are bound here, as `for<'a> `. They hold until the caller restores `_bound`."""
        count = self._optional("G")
        if count > _DEEPEST:
            raise _Unknown
        self._bound += count
        names = ", ".join(_letter(number) for number in range(self._bound - count, self._bound))
        return f"for<{names}> " if names else ""

    def _type(self) -> str:
        return self._part(lambda: self._one_type(self._next()))

    def _one_type(self, tag: str) -> str:
        if tag in _BASIC:
            return _BASIC[tag]
        match tag:
            case "A":
                return f"[{self._type()}; {self._constant()}]"
            case "S":
                return f"[{self._type()}]"
            case "R" | "Q":
                lifetime = self._base_62() if self._take("L") else 0
                named = f"{self._lifetime(lifetime)} " if lifetime else ""
                return f"&{named}{'mut ' if tag == 'Q' else ''}{self._type()}"
            case "P":
                return f"*const {self._type()}"
            case "O":
                return f"*mut {self._type()}"
            case "T":
                types = self._until_end(self._type)
                return f"({types[0]},)" if len(types) == 1 else f"({', '.join(types)})"
            case "F":
                return self._function()
            case "D":
                return self._dynamic()
            case "B":
                return self._again(self._type)
        self._at -= 1
        return self._path(value=False)

    def _function(self) -> str:
        bound = self._bound
        binder = self._binder()
        unsafe = "unsafe " if self._take("U") else ""
        abi = ""
        if self._take("K"):
            abi = f'extern "{"C" if self._take("C") else self._identifier().replace("_", "-")}" '
        arguments = ", ".join(self._until_end(self._type))
        returned = "" if self._take("u") else f" -> {self._type()}"
        self._bound = bound
        return f"{binder}{unsafe}{abi}fn({arguments}){returned}"

    def _dynamic(self) -> str:
        bound = self._bound
        binder = self._binder()
        traits = " + ".join(self._until_end(self._trait))
        self._bound = bound
        if not self._take("L"):
            raise _Unknown
        lifetime = self._base_62()
        return f"dyn {binder}{traits}" + (f" + {self._lifetime(lifetime)}" if lifetime else "")

    def _trait(self) -> str:
        """A trait with the bindings of its associated types: `Iterator<Item = u8>`."""
        text, bindings = self._path(value=False), []
        while self._take("p"):
            name = self._identifier()
            bindings.append(f"{name} = {self._type()}")
        if not bindings:
            return text
        before = f"{text[:-1]}, " if text.endswith(">") and not text.startswith("<") else f"{text}<"
        return f"{before}{', '.join(bindings)}>"

    # ---------------------------------------------------------------- constants

    def _constant(self) -> str:
        return self._part(lambda: self._one_constant(self._next()))

    def _one_constant(self, tag: str) -> str:
        if tag in _INTEGERS:
            sign = "-" if self._take("n") else ""
            return f"{sign}{self._hex()}"
        match tag:
            case "p":
                return "_"
            case "b":
                return {0: "false", 1: "true"}.get(self._hex()) or self._unknown()
            case "c":
                return f"'{_quoted(self._hex(), chr(39))}'"
            case "e":
                return f"*{self._string()}"
            case "R" | "Q":
                if tag == "R" and self._take("e"):
                    return self._string()
                return f"&{'mut ' if tag == 'Q' else ''}{self._constant()}"
            case "A":
                return f"[{', '.join(self._until_end(self._constant))}]"
            case "T":
                values = self._until_end(self._constant)
                return f"({values[0]},)" if len(values) == 1 else f"({', '.join(values)})"
            case "V":
                return self._structure()
            case "B":
                return self._again(self._constant)
        return self._unknown()

    def _unknown(self) -> str:
        raise _Unknown

    def _structure(self) -> str:
        of, kind = self._path(value=True), self._next()
        if kind == "U":
            return of
        if kind == "T":
            return f"{of}({', '.join(self._until_end(self._constant))})"
        if kind != "S":
            raise _Unknown
        return f"{of} {{ {', '.join(self._until_end(self._field))} }}"

    def _field(self) -> str:
        self._optional("s")
        name = self._identifier()
        return f"{name}: {self._constant()}"

    def _nibbles(self) -> str:
        end = self._text.find("_", self._at)
        found = self._text[self._at : end]
        if end < 0 or any(each not in "0123456789abcdef" for each in found):
            raise _Unknown
        self._at = end + 1
        return found

    def _hex(self) -> int:
        found = self._nibbles()
        if len(found) > 32:
            raise _Unknown
        return int(found or "0", 16)

    def _string(self) -> str:
        try:
            text = bytes.fromhex(self._nibbles()).decode()
        except ValueError:
            raise _Unknown from None
        return f'"{"".join(_quoted(ord(each), chr(34)) for each in text)}"'


def _letter(number: int) -> str:
    return f"'{ascii_lowercase[number]}" if number < 26 else f"'_{number}"


def _quoted(number: int, quote: str) -> str:
    if number >= 0x110000 or 0xD800 <= number < 0xE000:
        raise _Unknown
    character = chr(number)
    if character == quote:
        return f"\\{quote}"
    if character in _PLAIN_ESCAPES:
        return _PLAIN_ESCAPES[character]
    return character if character.isprintable() else f"\\u{{{number:x}}}"
