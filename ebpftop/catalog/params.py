"""Typed parameters: from user input to the compiler's -D arguments.

User input never reaches the compiler as text. Numbers are formatted here, and strings become lists of byte values, so a
quote, a backslash or a newline in a parameter is a byte to compare with, never C.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping

from ebpftop.base import errnos, syscalls
from ebpftop.base.inert import inert, quoted
from ebpftop.base.nearest import nearest
from ebpftop.catalog.model import Param, Probe, Variant
from ebpftop.frames.messages import ProbeInfo

PID_MAX = 1 << 22  # PID_MAX_LIMIT of a 64-bit kernel
COMM_SIZE = 16  # TASK_COMM_LEN, including the terminating NUL
PATH_MAX = 4095
PLACE_MAX = 512  # bytes: a pod's name and its namespace have up to 317
STRING_MAX = 255  # bytes, unless the parameter sets its own limit
INT_MAX = (1 << 63) - 1
SYMBOL_MAX = 1024
_LONGEST = 2 * PATH_MAX  # characters of a name and its value: parsing takes time for each
PORT_MAX = 65535
_LAST_SYSCALL = 4095
FREQUENCY_MAX = 10_000  # Hz
RATE_MAX = 10**9  # a second
PLACES = ("container", "pod", "unit")  # types whose text names cgroups, which the collector knows
OF_MACHINE = ("pid", "cgroup", "device")  # types whose text names something that must exist on this machine

BY_GROUP = "-DBY_GROUP"  # makes the filters of ebpftop.h use a map of cgroups that the collector fills

_NS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_DURATION = re.compile(r"([0-9]{1,19})(?:\.([0-9]{1,19}))?(ns|us|µs|ms|s|m|h)")
_FUNCTION = re.compile(r"[A-Za-z0-9_.*?\[\]!-]+")
_SYMBOL = re.compile(r"[!-9;-~]+")  # printable ASCII except the colon
_INT = re.compile(r"-?(?:[0-9]{1,19}|0x[0-9a-fA-F]{1,16})")
_BOOL = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


class BadParam(ValueError):
    """An unknown parameter, or one whose value doesn't parse; the text is one line."""


def by_name(probe: Probe | ProbeInfo, given: Mapping[str, str]) -> dict[str, str]:
    """The parameters that name something which the collector has to find before the load: a container, a pod, a unit,
    or a process by its pid inside a container.
    """
    types = {param.name: param.type for param in probe.params}
    return {
        name: text
        for name, text in given.items()
        if types.get(name) in PLACES or (types.get(name) == "pid" and ":" in text)
    }


def definitions(probe: Probe, given: Mapping[str, str], lookups: Mapping[str, Callable[[str], int]]) -> list[str]:
    """The compiler arguments ("-DPARAM_pid=1234") for the given parameters and the defaults of the others.

    lookups: for each type in `OF_MACHINE`, a function from text to number that raises OSError. Raises BadParam.
    """
    arguments: list[str] = []
    chosen = canonical(probe, given)
    for param in probe.params:
        if (text := chosen.get(param.name)) is None or param.type in PLACES:
            continue
        try:
            if param.type in OF_MACHINE:
                suffix = "ULL" if param.type == "cgroup" else ""
                arguments.append(f"-DPARAM_{param.name}={lookups[param.type](text)}{suffix}")
            else:
                arguments.extend(_definition(param, text))
        except OSError as error:
            raise BadParam(f"{probe.id}: {param.name}: {quoted(text)}: {error.strerror}") from None
    if any(param.type in PLACES and param.name in chosen for param in probe.params):
        arguments.append(BY_GROUP)
    return arguments


def canonical(probe: Probe, given: Mapping[str, str]) -> dict[str, str]:
    """The effective parameters, for display: the given ones and the defaults, in the manifest's order.

    Checks only what the text itself shows. Raises BadParam.
    """
    known = [param.name for param in probe.params]
    for name, value in given.items():
        if len(name) + len(value) > _LONGEST:
            raise BadParam(f"{probe.id}: {quoted(name)}: the value is too long")
        if name not in known:
            has = f"it has {', '.join(known)}" if known else "it has none"
            raise BadParam(f"{probe.id}: {inert(name)}: no such parameter ({has}){nearest(name, known)}")
    chosen: dict[str, str] = {}
    for param in probe.params:
        text = given.get(param.name, param.default)
        if text is None:
            continue
        try:
            check(param, text)
        except ValueError as error:
            raise BadParam(f"{probe.id}: {param.name}: {error}") from None
        chosen[param.name] = text
    return chosen


def usable(probe: Probe, chosen: Mapping[str, str]) -> list[Variant]:
    """The variants whose parameters are given. Raises BadParam if there is none, or if a parameter that the probe
    requires is missing.

    With a process given, its binary is implied.
    """
    if missing := [param.name for param in probe.params if param.required and param.name not in chosen]:
        raise BadParam(f"{probe.id}: give {' and '.join(missing)}")
    types = {param.name: param.type for param in probe.params}
    implied = {"binary"} if any(types[name] == "pid" for name in chosen) else set[str]()
    lacks = [
        (variant, [p.name for p in probe.params if p.name in variant.params - chosen.keys() and p.type not in implied])
        for variant in probe.variants
    ]
    if found := [variant for variant, lacking in lacks if not lacking]:
        return found
    ways = dict.fromkeys(" and ".join(lacking) for _, lacking in lacks)
    raise BadParam(f"{probe.id}: nothing to trace: give {', or '.join(ways)}")


def check(param: Param, text: str) -> None:
    """Raises ValueError with the expected and the given text, if the text is not a value of this parameter."""
    match param.type:
        case "pid":
            _pid(text)
        case "cgroup":
            _bytes(text, PATH_MAX, "a cgroup path")
        case "container" | "pod" | "unit":
            _bytes(text, PLACE_MAX, f"the name of a {param.type}")
        case "binary":
            _bytes(text, PATH_MAX, "the path or name of a program or library")
        case "device":
            _bytes(text, PATH_MAX, "a block device")
        case _:
            _definition(param, text)


def number(text: str) -> int:
    """The value of an integer as written in parameters: decimal, or hexadecimal after 0x."""
    return int(text, 16 if "x" in text else 10)


def duration_ns(text: str) -> int:
    """Nanoseconds of "500ns", "10us", "1.5ms", "2s", "3m", "1h", exactly. Raises ValueError."""
    match = _DURATION.fullmatch(text)
    if match is not None:
        whole, fraction, unit = match.group(1), match.group(2) or "", match.group(3)
        scale: int = 10 ** len(fraction)
        value, rest = divmod(int(whole + fraction) * _NS[unit], scale)
        if not rest and value <= INT_MAX:
            return value
    raise ValueError(f"expected a duration such as 10us, 1.5ms or 2s, not {quoted(text)}")


def _definition(param: Param, text: str) -> list[str]:
    """The compiler arguments of a parameter that needs no lookup."""
    name = f"-DPARAM_{param.name}"
    match param.type:
        case "function" | "symbol":
            _named(param.type, text)
            return []
        case "binary":
            return []
        case "port":
            return [f"{name}={_integer(text, 1, PORT_MAX, 'a port')}"]
        case "frequency":
            return [f"{name}={_integer(text, 1, FREQUENCY_MAX, 'a frequency in Hz')}"]
        case "rate":
            _integer(text, 0, RATE_MAX, "a number per second")
            return []
        case "syscall":
            return [f"{name}={_syscall(text)}"]
        case "errno":
            return [f"{name}={_errno(text)}"]
        case "address":
            return [f"{name}={_byte_list(_address(text))}"]
        case "int":
            low = -INT_MAX if param.minimum is None else param.minimum
            high = INT_MAX if param.maximum is None else param.maximum
            return [f"{name}={_integer(text, low, high, 'an integer')}"]
        case "duration":
            return [f"{name}={_bounded_duration(param, text)}ULL"]
        case "bool":
            if text not in _BOOL:
                raise ValueError(f"expected true or false, not {quoted(text)}")
            return [f"{name}=1"] if _BOOL[text] else []
        case "enum":
            if text not in param.choices:
                raise ValueError(
                    f"expected one of {', '.join(param.choices)}, not {quoted(text)}{nearest(text, param.choices)}"
                )
            return [f"{name}_{choice_macro(text)}=1"]
        case "comm":
            data = _bytes(text, COMM_SIZE - 1, "a process name")
            return [f"{name}={_byte_list(data.ljust(COMM_SIZE, bytes(1)))}"]
        case "string":
            data = _bytes(text, param.maximum or STRING_MAX, "a string")
            return [f"{name}={_byte_list(data)}", f"{name}_len={len(data)}"]
        case _:
            raise AssertionError(f"a {param.type} has to be looked up")


def choice_macro(choice: str) -> str:
    """A choice as the end of a macro's name: all characters but ASCII letters and digits become `_`."""
    return re.sub(r"[^A-Za-z0-9]", "_", choice)


def _integer(text: str, low: int, high: int, what: str) -> int:
    if _INT.fullmatch(text):
        value = number(text)
        if low <= value <= high:
            return value
    raise ValueError(f"expected {what} from {low} to {high}, not {quoted(text)}")


def inner_pid(text: str) -> tuple[str, int] | None:
    """The container (or pod) and the pid in it of `web-1:17`; None for a pid of the host. Raises ValueError."""
    place, colon, number = text.rpartition(":")
    if not colon:
        return None
    return _bytes(place, PLACE_MAX, "the name of a container").decode(), _integer(number, 1, PID_MAX, "a process id")


def _pid(text: str) -> None:
    if inner_pid(text) is None:
        _integer(text, 1, PID_MAX, "a process id")


def _named(kind: str, text: str) -> None:
    if len(text) > SYMBOL_MAX or not (_FUNCTION if kind == "function" else _SYMBOL).fullmatch(text):
        what = "a kernel function" if kind == "function" else "a function of the program or library"
        raise ValueError(f"expected {what} or a pattern such as vfs_*, not {quoted(text)}")


def _errno(text: str) -> int:
    """The number of an error: `ENOENT`, in any case, or 2."""
    if number := errnos.NUMBERS.get(text.upper()):
        return number
    if not text.isalpha():
        return _integer(text, 1, errnos.HIGHEST, "an error's name or number")
    raise ValueError(f"expected an error's name or number, not {quoted(text)}{nearest(text.upper(), errnos.NUMBERS)}")


def _syscall(text: str) -> int:
    """The number of a system call: `openat`, or its number here."""
    if text in syscalls.NUMBERS:
        return syscalls.NUMBERS[text]
    if text.isdecimal():
        return _integer(text, 0, _LAST_SYSCALL, "a system call's name or number")
    near = nearest(text, syscalls.NUMBERS)
    raise ValueError(f"expected a system call's name or number, not {quoted(text)}{near}")


def _address(text: str) -> bytes:
    """16 bytes in network order, IPv4 as ::ffff:a.b.c.d."""
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        found = None
    if found is None or "%" in text:
        raise ValueError(f"expected an address such as 192.0.2.1 or 2001:db8::1, not {quoted(text)}")
    return b"\0" * 10 + b"\xff\xff" + found.packed if found.version == 4 else found.packed


def _bounded_duration(param: Param, text: str) -> int:
    value = duration_ns(text)
    if param.minimum is not None and value < param.minimum:
        raise ValueError(f"expected a duration of at least {param.minimum} ns, not {quoted(text)}")
    if param.maximum is not None and value > param.maximum:
        raise ValueError(f"expected a duration of at most {param.maximum} ns, not {quoted(text)}")
    return value


def _bytes(text: str, limit: int, what: str) -> bytes:
    try:
        data = text.encode()
    except UnicodeEncodeError:  # a command-line argument that isn't UTF-8
        data = b""
    if not 1 <= len(data) <= limit or 0 in data:
        raise ValueError(f"expected {what} of 1 to {limit} bytes of UTF-8 without NUL, not {quoted(text)}")
    return data


def _byte_list(data: bytes) -> str:
    return "{" + ",".join(map(str, data)) + "}"
