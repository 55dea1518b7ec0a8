"""Doors for text: triggers, parameters, the command line, /proc and names."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shlex
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from hypothesis import strategies as st

from ebpftop.arguments import parser
from ebpftop.base.cgroup_path import home
from ebpftop.base.errors import UserError
from ebpftop.catalog import folders, params
from ebpftop.collector import pressure
from ebpftop.collector.decode import dns
from ebpftop.frames.marks import line
from ebpftop.kernel import kallsyms, mappings, proc, waiting
from ebpftop.kernel.demangle import demangle
from ebpftop.loader import usdt_arguments
from ebpftop.loader.containers import facts
from ebpftop.model import trigger
from ebpftop.ui.drawing.markdown import rendered
from tests.fuzz.engine import Door
from tests.fuzz.folders import bundled
from tests.fuzz.words import LOOKUPS, ODD, WORD, lines_of, text_of
from tests.support.frames import CALLS, EXECS, LATENCY, SAMPLES

# ---------------------------------------------------------------- what a person writes


def read_trigger(data: bytes) -> None:
    found = trigger.parse(text_of(data))
    trigger.bind(found, [LATENCY, CALLS, EXECS, SAMPLES])


_triggers = st.lists(
    st.one_of(
        st.sampled_from(
            [
                b"runqlat",
                b"cpu/x.latency",
                b"p99",
                b"p100",
                b"rate",
                b"count",
                b"max",
                b"lost",
                b"total",
                b">",
                b"<=",
                b"20ms",
                b"1e999s",
                b"9" * 400,
                b"for",
                b"3s",
                b"0s",
                b"9999h",
                b'("x y")',
                b"('",
                b"count(",
                b"/s",
                b"%",
                b"GiB",
            ]
        ),
        WORD,
    ),
    max_size=9,
).map(b" ".join)


@cache
def probes() -> Sequence[object]:
    return [*folders.read_bundled().probes.values()]


def read_params(data: bytes) -> None:
    """NAME=VALUE lines, to each bundled probe, as the root side checks them."""
    given = dict(each.partition("=")[::2] for each in text_of(data).split("\n"))
    for probe in probes()[::9]:
        names = [each.name for each in probe.params]
        known = {name: value for name, value in given.items() if name in names} or given
        with contextlib.suppress(params.BadParam):
            chosen = params.canonical(probe, known)
            params.usable(probe, chosen)
            for each in params.definitions(probe, chosen, LOOKUPS):
                assert each.startswith("-D") or each.startswith("-"), each
                assert each.isprintable()
                assert each.isascii()


_pairs = st.tuples(
    st.sampled_from(
        [
            b"pid",
            b"comm",
            b"cgroup",
            b"container",
            b"port",
            b"min",
            b"device",
            b"binary",
            b"by",
            b"errno",
            b"syscall",
            b"address",
            b"top",
            b"user",
            b"x",
        ]
    ),
    st.one_of(
        WORD,
        ODD,
        st.integers(-9, 1 << 70).map(lambda n: b"%d" % n),
        st.sampled_from(
            [b"web:17", b":1", b"1ms", b"1e400s", b"::1", b"127.0.0.1", b"0x10", b"10_000", "１".encode(), "²".encode()]
        ),
    ),
).map(b"=".join)


def read_command_line(data: bytes) -> None:
    """Words, each ended by NUL; what is wrong is a usage error and its message inert."""
    words = [os.fsdecode(each) for each in data.split(b"\0")]
    out, err, status = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            parser().parse_args(words)
        except SystemExit as leaving:
            status = int(leaving.code or 0)
    assert status in (0, 2)
    if status:
        assert all(each.isprintable() for each in err.getvalue().split("\n")), err.getvalue()


_WORDS = b"""
run record replay list tape info cut merge scrub export report compare explain check new
others threads doctor play mark exporter completion syscount -p pid=1 --interval 1 nan inf
1e999 -1 --duration --format json csv -o /x --when --save --probes --budget 9 --no-sudo
--from --to --a ..10 10:00:00..25:61 --by --pid --keep-bytes 1GiB
9999999999999999999999TiB --listen :1 [::1]:99999 x:y --top --title --source -- - --help
--version --param =
"""
_words = st.lists(
    st.one_of(
        st.sampled_from(_WORDS.split()),
        ODD.map(lambda each: each.replace(b"\0", b"")),
    ),
    max_size=8,
).map(b"\0".join)


# ---------------------------------------------------------------- /proc and names


def read_proc(data: bytes) -> None:
    """Every text of /proc that is anybody's in part: names, paths, cgroups, what is mapped."""
    proc.command_line(data)
    status = proc.status(data)
    proc.inner_pids(status)
    proc.kilobytes(status.get("VmRSS"))
    waiting.switches(status)
    proc.limits(data)
    home(proc.cgroup(data))
    waiting.stack(data)
    waiting.call(data)
    for each in data.split(b"\n"):
        mappings._mapping(each)
    usdt_arguments.values(text_of(data), "x86_64")
    usdt_arguments.values(text_of(data), "aarch64")
    dns.question(data)
    assert line(text_of(data)).isprintable()


def read_kernels(data: bytes) -> None:
    """What only the kernel writes; whatever it holds is refused in an orderly way."""
    with tempfile.TemporaryFile(dir="/dev/shm") as file:
        file.write(data)
        file.flush()
        file.seek(0)
        for found in kallsyms.resolve(file.fileno(), [0, 1 << 62, 0xFFFFFFFF81000010]):
            assert found.start < found.end
    with contextlib.suppress(ValueError):
        pressure.parse(data)


def read_names(data: bytes) -> None:
    for name in text_of(data).split("\n"):
        if name.startswith("_R"):  # C++'s own library would take a process each
            assert len(demangle([name])[name]) <= max(4096, len(name))


def read_container(data: bytes) -> None:
    number = "a" * 64
    kinds = ("docker", "bundle", "list")
    for each in facts({number: [(kind, data) for kind in kinds]}):
        assert all(len(text) <= 2 * 256 + 1 for text in (each.name, each.pod, each.image))


def read_markdown(data: bytes) -> None:
    assert rendered(text_of(data)).plain.replace("\n", "").isprintable()


_number = st.integers(0, 1 << 33).map(lambda number: b"%d" % number)
_json = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=20)),
    lambda each: (
        st.lists(each, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "id",
                    "ID",
                    "Name",
                    "Config",
                    "Labels",
                    "Image",
                    "annotations",
                    "names",
                    "metadata",
                    "io.kubernetes.pod.name",
                    "io.kubernetes.cri.sandbox-namespace",
                ]
            ),
            each,
            max_size=4,
        )
    ),
    max_leaves=12,
).map(lambda value: json.dumps(value).encode())
_hex = st.integers(0, (1 << 64) - 1).map(lambda number: b"%x" % number)
_proc_lines = lines_of(
    st.tuples(
        st.sampled_from(
            [
                b"Name",
                b"Uid",
                b"VmRSS",
                b"NSpid",
                b"voluntary_ctxt_switches",
                b"nonvoluntary_ctxt_switches",
                b"0::",
                b"4:memory:",
                b"1:name=systemd:",
            ]
        ),
        ODD,
    ).map(b":\t".join),
    st.tuples(
        _hex, st.just(b"-"), _hex, st.just(b" r-xp "), _hex, st.just(b" fe:01 "), _number, st.just(b"   "), ODD
    ).map(b"".join),
    st.tuples(st.just(b"[<0>] "), ODD, st.just(b"+0x1/0x2 [m]")).map(b"".join),
    st.tuples(
        st.just(b"0::/"),
        st.sampled_from(
            [
                b"kubepods/burstable/pod1234/",
                b"system.slice/docker-",
                b"machine.slice/libpod-",
                b"user.slice/user-1000.slice/",
            ]
        ),
        st.just(b"a" * 64),
        st.just(b".scope/"),
        ODD,
    ).map(b"".join),
    st.tuples(
        st.just(b"202"), st.lists(_hex.map(lambda each: b" 0x" + each), min_size=5, max_size=9).map(b"".join)
    ).map(b"".join),
    ODD,
)
_symbols = lines_of(
    st.tuples(
        st.integers(0, (1 << 64) - 1).map(lambda number: b"%016x" % number),
        st.sampled_from([b" t ", b" T ", b" d ", b" "]),
        ODD.map(lambda each: each.replace(b"\n", b"")),
        st.just(b"\t[m]"),
    ).map(b"".join),
    ODD,
)
_rust = st.from_regex(rb"\A_R[CNIBMXYbchjlmopqstuvwxyzRQPOSATFDKLEGH0-9_a-z]{0,60}\Z")

DOORS = [
    Door(
        "trigger",
        read_trigger,
        _triggers,
        (trigger.BadTrigger,),
        seeds=lambda: [b"runqlat p99 > 20ms for 3s", b'x count("curl") > 5 for 10s'],
    ),
    Door("parameters", read_params, lines_of(_pairs), seeds=lambda: [b"pid=1\ncomm=x", b"port=80\naddress=::1"]),
    Door(
        "command-line",
        read_command_line,
        _words,
        (UserError,),
        seeds=lambda: [b"\0".join(map(str.encode, shlex.split("run syscount -p pid=1 --interval 1 --format json")))],
    ),
    Door(
        "proc",
        read_proc,
        _proc_lines,
        seeds=lambda: [Path(f"/proc/self/{name}").read_bytes() for name in ("status", "maps", "limits", "cgroup")],
    ),
    Door(
        "kernels-text",
        read_kernels,
        _symbols,
        seeds=lambda: [b"ffffffff81000000 T _text\nffffffff81000010 t x\t[m]\n", b"some avg10=0.00 total=1\n"],
    ),
    Door("rust-names", read_names, _rust, seeds=lambda: [b"_RNvCskwGfYPst2Cb_3foo16example_function"]),
    Door(
        "container",
        read_container,
        _json,
        seeds=lambda: [json.dumps({"ID": "a" * 64, "Name": "/x", "Config": {"Image": "y", "Labels": {}}}).encode()],
    ),
    Door(
        "readme",
        read_markdown,
        lines_of(ODD, st.sampled_from([b"# x", b"**x** `y`", b"| a | b |", b"- x", b"```", b"1. x", b"[x](y)"])),
        seeds=lambda: bundled("README.md", 12),
    ),
]
