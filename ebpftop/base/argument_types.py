"""Parsers for the text of arguments. Each raises `ArgumentTypeError` with a message of one line."""

from __future__ import annotations

import argparse

TYPE_CHECKING = False  # `typing` would take a tenth of the time of --help
if TYPE_CHECKING:
    from datetime import time
    from pathlib import Path


def path(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("the path is empty")
    from pathlib import Path

    return Path(text)


def playbook_or_tape(text: str) -> str | Path:
    """A tape's path contains a slash or a dot, a playbook's name neither."""
    return path(text) if "/" in text or "." in text else text


def _number(text: str, least: int, most: int) -> int | None:
    """The number; None if the text isn't a number from `least` to `most`."""
    is_one = text.isascii() and text.isdecimal() and len(text) < 20 and least <= int(text) <= most
    return int(text) if is_one else None


def whole(text: str) -> int:
    number = _number(text, 1, 1_000_000)
    if number is None:
        raise argparse.ArgumentTypeError(f"{text!a} is not a number from 1 to 1000000")
    return number


def pid(text: str) -> int:
    number = _number(text, 1, 1 << 22)
    if number is None:
        raise argparse.ArgumentTypeError(f"{text!a} is not a process id")
    return number


def address(text: str) -> tuple[str, int]:
    host, _, digits = text.rpartition(":")
    port = _number(digits, 0, 65535)
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    if port is None or not host or not host.isascii() or {*host} & {*"[] "}:
        raise argparse.ArgumentTypeError(f"{text!a} is not ADDRESS:PORT, such as 127.0.0.1:9435 or [::1]:9435")
    return host, port


def size(text: str) -> int:
    number = text.rstrip("KMGiB")
    power = {"": 0, "K": 1, "M": 2, "G": 3}.get(text[len(number) :].removesuffix("iB").removesuffix("B"))
    if not (number.isascii() and number.isdecimal()) or power is None or len(number) > 12 or not int(number):
        raise argparse.ArgumentTypeError(f"{text!a} is not a size such as 500MiB or 2GiB")
    return int(number) << 10 * power


def assignment(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"{text!a} is not NAME=VALUE")
    return name, value


def percent(text: str) -> float:
    try:
        percent = float(text)
    except ValueError:
        percent = -1.0
    if not 0 <= percent <= 1_000_000:
        raise argparse.ArgumentTypeError(f"{text!a} is not a percentage of one CPU")
    return percent


def moment(text: str) -> float | time:
    """Seconds, or a time of day."""
    if ":" in text:
        from datetime import time

        try:
            return time.fromisoformat(text).replace(tzinfo=None)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!a} is not a time of day such as 14:05 or 14:05:30") from None
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 1e9:
        raise argparse.ArgumentTypeError(f"{text!a} is neither seconds nor a time of day such as 14:05:30")
    return seconds


def span(text: str) -> tuple[float | time | None, float | time | None]:
    """The two ends; either may be missing."""
    first, dots, last = text.partition("..")
    if not dots:
        raise argparse.ArgumentTypeError(f"{text!a} is not FROM..TO, such as 10:00:00..10:00:30 or 30..90")
    return moment(first) if first else None, moment(last) if last else None


def seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0.05 <= seconds <= 86_400 * 7:
        raise argparse.ArgumentTypeError(f"{text!a} is not a number of seconds from 0.05 to 604800")
    return seconds
