"""Call stacks in every format."""

import csv
import io
import json

import pytest

from ebpftop.base.errors import UsageError
from ebpftop.catalog.folders import read_catalog
from ebpftop.commands import named
from ebpftop.export import layout
from ebpftop.export.folded import folded, word
from ebpftop.frames.messages import AnyFrame, Function, Stack, Stacks, ViewInfo
from ebpftop.model.stacks import StackFrame
from tests.support import speedscope
from tests.support.frames import SAMPLES, columns, loaded, rejected, samples, snapshot, stacks
from tests.support.headless import PEOPLE, SAMPLED, SAMPLED_LAST, ran


async def test_folded_is_the_sum_of_the_run_a_line_a_stack() -> None:
    result = await ran(SAMPLED, SAMPLED_LAST, format="folded")
    assert result.code == 0
    assert result.out.splitlines() == [
        "sh;main;[unknown] libc.so.6 13",
        "sh;main;read;ksys_read_[k] 10",
        "make;[no user stack];ksys_read_[k] 2",
    ]


def test_names_hold_nothing_that_separates() -> None:
    assert word("operator new(int; char)") == "operator new(int: char)"
    assert word("kworker 3") == "kworker_3"
    assert word("evil\x1b[2J\nx") == "evil\\x1b[2J\\nx"
    assert folded([StackFrame("", "", "user"), StackFrame("f", "[xfs]", "kernel")], "a;b") == "a:b;[unknown];f_[k]"


PYTHON = Function(id=2, side="python", name="hot", module="app/main.py", file="/srv/app/main.py", line=7)


@pytest.mark.parametrize(
    ("format", "told"),
    [
        ("folded", "main;hot_[p] 3"),
        ("json", '"module":"app/main.py","offset":0,"side":"python","file":"/srv/app/main.py","line":7'),
        ("speedscope", '{"name":"hot","file":"app/main.py"}'),
        ("text", "python"),
    ],
)
async def test_python_functions_are_in_every_format(format: str, told: str) -> None:
    view = ViewInfo(name="seen", map="seen", show="stacks", title="Seen", unit="count", count="total")
    main = Function(id=1, side="user", name="main", module="/bin/app")
    known = Stacks(functions=[main, PYTHON], stacks=[Stack(id=7, functions=[1, 2])])
    rows = snapshot(1, 0, {"seen": columns(stack=[7], total=[3])})
    result = await ran([loaded(1, "cpu/some", view), known, rows], format=format)
    assert result.code == 0
    assert told in result.out.replace(", ", ",").replace(": ", ":")


async def test_speedscope_reads_what_is_written() -> None:
    result = await ran(SAMPLED, SAMPLED_LAST, format="speedscope")
    assert result.code == 0
    file = json.loads(result.out)
    speedscope.check(file)
    (profile,) = file["profiles"]
    names = [frame["name"] for frame in file["shared"]["frames"]]
    paths = [[names[at] for at in path] for path in profile["samples"]]
    assert dict(zip(map(tuple, paths), profile["weights"], strict=True)) == {
        ("sh", "main", "[unknown] libc.so.6"): 13,
        ("sh", "main", "read", "ksys_read"): 10,
        ("make", "[no user stack]", "ksys_read"): 2,
    }
    assert (profile["unit"], profile["endValue"]) == ("none", 25)
    assert {"name": "ksys_read", "file": "[kernel]"} in file["shared"]["frames"]
    assert {"name": "read", "file": "/bin/app"} in file["shared"]["frames"]


@pytest.mark.parametrize(("unit", "theirs"), [("ns", "nanoseconds"), ("bytes", "bytes"), ("pages", "none")])
async def test_speedscope_has_units_of_its_own(unit: str, theirs: str) -> None:
    view = ViewInfo(name="off", map="off", show="stacks", title="Off the CPU", unit=unit, count="total")
    rows = snapshot(1, 0, {"off": columns(stack=[7], total=[1 << 50])})
    result = await ran([loaded(1, "cpu/some", view), stacks({7: ["f"]}), rows], format="speedscope")
    file = json.loads(result.out)
    speedscope.check(file)
    assert [file["profiles"][0][name] for name in ("name", "unit", "samples", "weights")] == [
        "Off the CPU",
        theirs,
        [[0]],
        [1 << 50],
    ]


@pytest.mark.parametrize("format", ["folded", "speedscope"])
async def test_a_rejected_probe_leaves_no_file(format: str) -> None:
    result = await ran([rejected(1, "cpu/profile")], format=format)
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith("ebpftop: cpu/profile: rejected by the verifier")


async def test_a_run_without_a_sample_is_still_a_file() -> None:
    result = await ran(SAMPLED[:1], format="speedscope")
    speedscope.check(json.loads(result.out))
    assert (await ran(SAMPLED[:1], format="folded")).out == ""


async def test_one_function_left_at_two_addresses_is_one_stack() -> None:
    told = Stacks(
        functions=[Function(id=n, side="user", name="f", module="/bin/app", offset=n) for n in (1, 2)],
        stacks=[Stack(id=n, functions=[n]) for n in (1, 2)],
    )
    frames = [loaded(1, "cpu/profile", SAMPLES), PEOPLE, told, samples(1, 0, {(1, 1): 3, (1, 2): 4, (2, 2): 5})]
    assert (await ran(frames, format="folded")).out == "sh;f 7\nmake;f 5\n"
    assert (await ran(frames, format="csv")).out.splitlines()[1:] == [
        f"2023-11-14T22:13:20.000+00:00,cpu/profile,samples,{row}" for row in ("1001,sh,f,7", "1002,make,f,5")
    ]
    assert json.loads((await ran(frames, format="speedscope")).out)["profiles"][0]["weights"] == [7, 5]
    rows = (await ran(frames)).objects[0]["views"]["samples"]["stacks"]
    assert [(row["labels"]["comm"], row["frames"][0]["offset"], row["count"]) for row in rows] == [
        ("make", 2, 5),
        ("sh", 2, 4),
        ("sh", 1, 3),
    ]


async def test_json_tells_every_frame_of_an_interval() -> None:
    result = await ran(SAMPLED, SAMPLED_LAST)
    assert [sum(row["count"] for row in line["views"]["samples"]["stacks"]) for line in result.objects] == [3, 20, 2]
    view = result.objects[1]["views"]["samples"]
    assert {key: view[key] for key in ("kind", "unit")} == {"kind": "stacks", "unit": "count"}
    assert [row["count"] for row in view["stacks"]] == [11, 7, 2]
    assert view["stacks"][2] == {
        "labels": {"pid": 1002, "comm": "make"},
        "frames": [
            {"name": "no user stack", "module": "", "offset": 0, "side": "missing"},
            {"name": "ksys_read", "module": "", "offset": 32, "side": "kernel"},
        ],
        "count": 2,
    }


async def test_csv_has_a_row_a_stack() -> None:
    result = await ran(SAMPLED, SAMPLED_LAST, format="csv")
    header, *rows = csv.reader(io.StringIO(result.out))
    assert header == ["time", "probe", "view", "pid", "comm", "stack", "count"]
    assert [row[3:] for row in rows[1:3]] == [
        ["1001", "sh", "main;[unknown] libc.so.6", "11"],
        ["1001", "sh", "main;read;ksys_read_[k]", "7"],
    ]


async def test_text_tells_functions_and_stacks_that_took_most() -> None:
    result = await ran(SAMPLED, SAMPLED_LAST, format="text")
    told = result.out[result.out.index("cpu/profile in 2 s") :].splitlines()[1:]
    assert told[0] == "CPU samples: 25 in 3 stacks"
    assert told[1].split() == ["own", "%", "total", "%", "side", "function", "module"]
    assert [line.split() for line in told[2:5]] == [
        ["13", "52%", "13", "52%", "user", "[unknown]", "libc.so.6", "/lib/libc.so.6"],
        ["12", "48%", "12", "48%", "kernel", "ksys_read"],
        ["0", "0%", "23", "92%", "user", "main", "/bin/app"],
    ]
    assert told[7:9] == ["13 (52%)  1001 sh", "  main;[unknown] libc.so.6"]


async def test_text_of_nothing() -> None:
    result = await ran(SAMPLED[:1], format="text")
    assert "CPU samples: 0 in 0 stacks" in result.out


def test_of_a_long_line_the_end_stays() -> None:
    assert layout.cut_left("main;read;ksys_read", 10) == "…ksys_read"
    assert layout.cut_left("短短短", 4) == "…短"
    assert layout.cut_left("fits", 4) == "fits"


def test_a_probe_without_stacks_has_no_speedscope() -> None:
    probe = read_catalog([]).probes["cpu/runqlat"]
    named.check_format(probe, "json")
    with pytest.raises(UsageError, match="--format speedscope is for call stacks, but cpu/runqlat shows none"):
        named.check_format(probe, "speedscope")


@pytest.mark.parametrize("format", ["text", "json", "folded"])
def test_only_csv_has_a_raw_form(format: str) -> None:
    probe = read_catalog([]).probes["cpu/profile"]
    named.check_format(probe, "csv", raw=True)
    with pytest.raises(UsageError, match=f"^--raw is for --format csv, not {format}$"):
        named.check_format(probe, format, raw=True)


GAPS = [
    Function(id=1, side="missing", name="stack too deep: more than 16 KiB"),
    Function(id=2, side="user", name="[JIT without a map]"),
    Function(id=3, side="user", name="[stripped]", module="/usr/lib/libz.so.1"),
    Function(id=4, side="missing", name="no user stack"),
    Function(id=5, side="kernel", name="ksys_read"),
]


def with_gaps() -> list[AnyFrame]:
    view = ViewInfo(name="seen", map="seen", show="stacks", title="Seen", unit="count", count="total")
    known = Stacks(functions=GAPS, stacks=[Stack(id=7, functions=[1, 2, 3]), Stack(id=8, functions=[4, 5])])
    return [loaded(1, "cpu/some", view), known, snapshot(1, 0, {"seen": columns(stack=[7, 8], total=[3, 9])})]


@pytest.mark.parametrize("format", ["folded", "json", "csv", "speedscope", "text"])
async def test_what_is_missing_is_in_every_format(format: str) -> None:
    told = (await ran(with_gaps(), format=format)).out
    for words in ("stack too deep: more than 16 KiB", "[JIT without a map]", "[stripped]"):
        assert words in told


async def test_text_tells_once_what_to_do_about_it() -> None:
    later = snapshot(1, 1, {"seen": columns(stack=[7, 8], total=[5, 9])})
    told = (await ran(with_gaps(), [later], format="text")).out
    for words in ("[stack too deep: more than 16 KiB] The", "[JIT without a map] A", "[stripped] The"):
        assert told.count(words) == 1
    assert "--perf-basic-prof" in told
    assert "[no user stack] " not in told
