import errno
import re
from pathlib import Path
from typing import Any

import pytest

from ebpftop.catalog.model import Param, ParamType, Probe
from ebpftop.catalog.params import PLACES, BadParam, by_name, canonical, definitions, duration_ns, inner_pid


def probe(*params: Param) -> Probe:
    return Probe(
        id="cpu/calls",
        folder=Path("/nowhere"),
        title="",
        summary="",
        question="",
        overhead="",
        params=params,
        variants=(),
        views=(),
        source="",
    )


def param(kind: ParamType, default: str | None = None, **limits: Any) -> Param:
    return Param(name="x", type=kind, help="h", default=default, **limits)


def open_cgroup(path: str) -> int:
    if path == "/sys/fs/cgroup/web.slice":
        return 2**40 + 7
    raise OSError(errno.ENOENT, "No such file or directory")


LOOKUPS = {"cgroup": open_cgroup, "pid": int, "device": lambda text: 8 << 20}


def defined(one: Param, text: str) -> list[str]:
    return definitions(probe(one), {"x": text}, LOOKUPS)


@pytest.mark.parametrize(
    ("one", "text", "expected"),
    [
        (param("pid"), "1234", ["-DPARAM_x=1234"]),
        (param("pid"), "1", ["-DPARAM_x=1"]),
        (param("pid"), "4194304", ["-DPARAM_x=4194304"]),
        (param("pid"), "007", ["-DPARAM_x=7"]),
        (param("int"), "-9223372036854775807", ["-DPARAM_x=-9223372036854775807"]),
        (param("int"), "0x7f", ["-DPARAM_x=127"]),
        (param("int", minimum=0, maximum=10), "10", ["-DPARAM_x=10"]),
        (param("duration"), "10us", ["-DPARAM_x=10000ULL"]),
        (param("duration"), "1.5ms", ["-DPARAM_x=1500000ULL"]),
        (param("duration", minimum=1, maximum=10), "10ns", ["-DPARAM_x=10ULL"]),
        (param("bool"), "true", ["-DPARAM_x=1"]),
        (param("bool"), "false", []),
        (param("enum", choices=("read", "write-back")), "write-back", ["-DPARAM_x_write_back=1"]),
        (param("comm"), "bash", ["-DPARAM_x={98,97,115,104,0,0,0,0,0,0,0,0,0,0,0,0}"]),
        (
            param("comm"),
            "fifteen-letters",
            ["-DPARAM_x={102,105,102,116,101,101,110,45,108,101,116,116,101,114,115,0}"],
        ),
        (param("string"), "a b", ["-DPARAM_x={97,32,98}", "-DPARAM_x_len=3"]),
        (param("string"), "x" * 255, ["-DPARAM_x={" + ",".join(["120"] * 255) + "}", "-DPARAM_x_len=255"]),
        (param("string"), "é", ["-DPARAM_x={195,169}", "-DPARAM_x_len=2"]),
        (param("cgroup"), "/sys/fs/cgroup/web.slice", ["-DPARAM_x=1099511627783ULL"]),
        (param("device"), "sda", ["-DPARAM_x=8388608"]),
        (param("port"), "65535", ["-DPARAM_x=65535"]),
        (param("frequency"), "99", ["-DPARAM_x=99"]),
        (param("syscall"), "pidfd_open", ["-DPARAM_x=434"]),
        (param("syscall"), "434", ["-DPARAM_x=434"]),
        (param("errno"), "enoent", ["-DPARAM_x=2"]),
        (param("errno"), "EWOULDBLOCK", ["-DPARAM_x=11"]),
        (param("errno"), "ERESTARTSYS", ["-DPARAM_x=512"]),
        (param("errno"), "4095", ["-DPARAM_x=4095"]),
        (param("address"), "192.0.2.1", ["-DPARAM_x={0,0,0,0,0,0,0,0,0,0,255,255,192,0,2,1}"]),
        (param("address"), "::ffff:192.0.2.1", ["-DPARAM_x={0,0,0,0,0,0,0,0,0,0,255,255,192,0,2,1}"]),
        (param("address"), "2001:DB8::1", ["-DPARAM_x={32,1,13,184,0,0,0,0,0,0,0,0,0,0,0,1}"]),
    ],
)
def test_a_parameter_becomes_a_definition(one: Param, text: str, expected: list[str]) -> None:
    assert defined(one, text) == expected


@pytest.mark.parametrize(
    ("one", "text", "complaint"),
    [
        (param("pid"), "0", "expected a process id from 1 to 4194304, not '0'"),
        (param("pid"), "4194305", "expected a process id from 1 to 4194304, not '4194305'"),
        (param("pid"), "", "expected a process id from 1 to 4194304, not ''"),
        (param("pid"), "1;int y", "expected a process id from 1 to 4194304, not '1;int y'"),
        (param("port"), "0", "expected a port from 1 to 65535, not '0'"),
        (param("port"), "http", "expected a port from 1 to 65535, not 'http'"),
        (param("frequency"), "10001", "expected a frequency in Hz from 1 to 10000, not '10001'"),
        (param("syscall"), "rseqq", "expected a system call's name or number, not 'rseqq'; did you mean rseq?"),
        (param("errno"), "ENOENTT", "expected an error's name or number, not 'ENOENTT'; did you mean ENOENT?"),
        (param("errno"), "-2", "expected an error's name or number from 1 to 4095, not '-2'"),
        (param("address"), "fe80::1%eth0", "expected an address such as 192.0.2.1 or 2001:db8::1, not 'fe80::1%eth0'"),
        (param("address"), "1", "expected an address such as 192.0.2.1 or 2001:db8::1, not '1'"),
        (param("device"), "", "expected a block device of 1 to 4095 bytes of UTF-8 without NUL, not ''"),
        (param("pid"), "1\n", "expected a process id from 1 to 4194304, not '1\\n'"),
        (param("pid"), " 1", "expected a process id from 1 to 4194304, not ' 1'"),
        (param("pid"), "1_0", "expected a process id from 1 to 4194304, not '1_0'"),
        (param("pid"), "١", "expected a process id from 1 to 4194304, not '\\u0661'"),
        (param("int", minimum=0, maximum=10), "11", "expected an integer from 0 to 10, not '11'"),
        (param("int"), "9" * 70, f"expected an integer from -{2**63 - 1} to {2**63 - 1}, not '{'9' * 60}'…"),
        (param("duration"), "10", "expected a duration such as 10us, 1.5ms or 2s, not '10'"),
        (param("duration"), "0.5ns", "expected a duration such as 10us, 1.5ms or 2s, not '0.5ns'"),
        (param("duration"), "-1s", "expected a duration such as 10us, 1.5ms or 2s, not '-1s'"),
        (param("duration", minimum=1000), "1ns", "expected a duration of at least 1000 ns, not '1ns'"),
        (param("duration", maximum=1000), "1s", "expected a duration of at most 1000 ns, not '1s'"),
        (param("bool"), "2", "expected true or false, not '2'"),
        (param("enum", choices=("in", "out")), "otu", "expected one of in, out, not 'otu'; did you mean out?"),
        (param("comm"), "x" * 16, f"expected a process name of 1 to 15 bytes of UTF-8 without NUL, not '{'x' * 16}'"),
        (param("comm"), "é" * 8, f"expected a process name of 1 to 15 bytes of UTF-8 without NUL, not {'é' * 8!a}"),
        (param("comm"), "", "expected a process name of 1 to 15 bytes of UTF-8 without NUL, not ''"),
        (param("string", maximum=3), "abcd", "expected a string of 1 to 3 bytes of UTF-8 without NUL, not 'abcd'"),
        (param("string"), "x" * 256, f"expected a string of 1 to 255 bytes of UTF-8 without NUL, not '{'x' * 60}'…"),
        (param("string"), "a\0b", "expected a string of 1 to 255 bytes of UTF-8 without NUL, not 'a\\x00b'"),
        (param("string"), "\ud800", "expected a string of 1 to 255 bytes of UTF-8 without NUL, not '\\ud800'"),
        (param("comm"), "\udcff", "expected a process name of 1 to 15 bytes of UTF-8 without NUL, not '\\udcff'"),
        (param("cgroup"), "", "expected a cgroup path of 1 to 4095 bytes of UTF-8 without NUL, not ''"),
        (param("cgroup"), "/no\n", "'/no\\n': No such file or directory"),
    ],
)
def test_a_wrong_value_is_refused_in_one_inert_line(one: Param, text: str, complaint: str) -> None:
    with pytest.raises(BadParam) as caught:
        defined(one, text)
    assert str(caught.value) == f"cpu/calls: x: {complaint}"
    assert str(caught.value).isprintable()


NASTY = [
    '"',
    "'",
    "\\",
    "\n",
    "\r\n",
    "\t",
    '";system(0);//',
    "*/ int x; /*",
    "}; int evil(void) { return 0; } int y[] = {",
    "-DX=1",
    "??/",
    "%s%n",
    "$(reboot)",
    "`reboot`",
    "\x1b[2J",
    "\u202e",
    "ÿþ",
    "日本語",
    "😀",
    "\\\n#include <x>",
    "a" * 255,
    "\x7f\x01",
]


@pytest.mark.parametrize("text", NASTY)
def test_a_string_stays_data(text: str) -> None:
    array, length = defined(param("string"), text)
    assert re.fullmatch(r"-DPARAM_x=\{[0-9,]+\}", array)
    data = bytes(map(int, array[len("-DPARAM_x={") : -1].split(",")))
    assert data.decode() == text
    assert length == f"-DPARAM_x_len={len(data)}"


@pytest.mark.parametrize("text", [text for text in NASTY if len(text.encode()) <= 15])
def test_a_process_name_stays_data(text: str) -> None:
    (array,) = defined(param("comm"), text)
    assert re.fullmatch(r"-DPARAM_x=\{(\d+,){15}0\}", array)
    assert bytes(map(int, array[len("-DPARAM_x={") : -1].split(","))).rstrip(b"\0").decode() == text


def test_a_choice_becomes_an_identifier() -> None:
    choice = 'a"b;c é'
    assert defined(param("enum", choices=(choice,)), choice) == ["-DPARAM_x_a_b_c__=1"]


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("0s", 0),
        ("500ns", 500),
        ("10us", 10_000),
        ("10µs", 10_000),
        ("1.5ms", 1_500_000),
        ("0.000000001s", 1),
        ("2s", 2_000_000_000),
        ("3m", 180_000_000_000),
        ("1h", 3_600_000_000_000),
        ("9007199.254740993s", 9_007_199_254_740_993),
        ("9223372036854775807ns", 2**63 - 1),
    ],
)
def test_durations_are_exact(text: str, ns: int) -> None:
    assert duration_ns(text) == ns


@pytest.mark.parametrize("text", ["", "s", "1.s", ".5s", "1e3s", "1 s", "1S", "9223372036854775808ns", "١s", "1s\n"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a duration such as"):
        duration_ns(text)


PROBE = probe(
    Param(name="pid", type="pid", help="h"),
    Param(name="min", type="duration", help="h", default="10us"),
    Param(name="all", type="bool", help="h", default="true"),
)


def test_defaults_fill_what_is_not_given_in_the_manifests_order() -> None:
    assert definitions(PROBE, {}, LOOKUPS) == ["-DPARAM_min=10000ULL", "-DPARAM_all=1"]
    given = {"all": "false", "min": "1ms", "pid": "7"}
    assert definitions(PROBE, given, LOOKUPS) == ["-DPARAM_pid=7", "-DPARAM_min=1000000ULL"]
    assert list(canonical(PROBE, given).items()) == [("pid", "7"), ("min", "1ms"), ("all", "false")]
    assert canonical(PROBE, {}) == {"min": "10us", "all": "true"}


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("pdi", "cpu/calls: pdi: no such parameter (it has pid, min, all); did you mean pid?"),
        ("\x1b[1m", "cpu/calls: \\x1b[1m: no such parameter (it has pid, min, all)"),
    ],
)
def test_an_unknown_parameter_is_named_with_the_nearest(name: str, complaint: str) -> None:
    with pytest.raises(BadParam) as caught:
        canonical(PROBE, {name: "1"})
    assert str(caught.value) == complaint


def test_a_probe_without_parameters_says_so() -> None:
    with pytest.raises(BadParam, match=re.escape("cpu/calls: pid: no such parameter (it has none)")):
        definitions(probe(), {"pid": "1"}, LOOKUPS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("17", None), ("web:17", ("web", 17)), ("shop/cart-0:1", ("shop/cart-0", 1)), ("a:b:0x11", ("a:b", 17))],
)
def test_a_pid_may_be_one_that_a_container_counts(text: str, expected: tuple[str, int] | None) -> None:
    assert inner_pid(text) == expected
    assert by_name(PROBE, {"pid": text, "min": "1ms"}) == ({} if expected is None else {"pid": text})


@pytest.mark.parametrize(
    "text", [":", ":1", "web:", "web:0", "web:-1", "web:4194305", "web:1x", "w\0b:1", "w" * 513 + ":1"]
)
def test_what_is_no_pid_in_a_container_is_refused(text: str) -> None:
    with pytest.raises(BadParam, match="cpu/calls: pid: expected "):
        canonical(PROBE, {"pid": text})


@pytest.mark.parametrize("kind", PLACES)
@pytest.mark.parametrize("text", ["", "\0", "x" * 513, "\udcff"])
def test_what_can_be_no_name_of_a_place_is_refused(kind: Any, text: str) -> None:
    with pytest.raises(BadParam, match=f"cpu/calls: where: expected the name of a {kind} of 1 to 512 bytes"):
        canonical(probe(Param(name="where", type=kind, help="h")), {"where": text})
