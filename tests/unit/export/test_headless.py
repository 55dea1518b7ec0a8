import asyncio
import csv
import io

import numpy as np
import pytest

from ebpftop.export import headless, loads
from ebpftop.frames.messages import (
    AnyFrame,
    ColumnInfo,
    Detach,
    Detached,
    Load,
    Notice,
    Refused,
    Tried,
    ViewInfo,
)
from tests.support.collector import Scripted
from tests.support.frames import (
    CALLS,
    EXECS,
    LATENCY,
    columns,
    cost,
    detached,
    events,
    hello,
    loaded,
    mark,
    rejected,
    snapshot,
)
from tests.support.headless import HISTOGRAM, LAST, PEOPLE, calls, latency, ran

NOWHERE = {"container": "", "pod": "", "unit": "", "nspid": None}  # where processes run


async def test_the_probe_is_loaded_as_asked_and_detached_at_the_end() -> None:
    result = await ran(HISTOGRAM, LAST)
    assert result.code == 0
    assert result.err == ""
    assert result.source.requests == [
        Load(request=1, probe="cpu/some", params={"pid": "7"}, interval=0.5),
        Detach(run=1),
    ]
    assert result.source.closed


async def test_a_line_holds_exactly_what_was_promised() -> None:
    result = await ran(HISTOGRAM, LAST)
    assert result.objects[1] == {
        "probe": "cpu/some",
        "variant": "raw",
        "meaning": "exact",
        "seq": 1,
        "time_ns": 1_700_000_001_000_000_000,
        "lost": 2,
        "map_full": 0,
        "evicted": 0,
        "cost": {
            "run_count": 30,
            "run_time_ns": 10_001_000,
            "attachment_ns": 0,
            "cpu_percent": 1.0,
            "estimated": False,
        },
        "views": {
            "latency": {
                "kind": "histogram",
                "unit": "ns",
                "series": [
                    {
                        "labels": {"pid": 1002, "comm": "make", **NOWHERE},
                        "count": 4,
                        "p50": [24, 26],
                        "p90": [24, 26],
                        "p99": [24, 26],
                        "buckets": [[24, 26, 4]],
                    },
                    {
                        "labels": {"pid": 1001, "comm": "sh", **NOWHERE},
                        "count": 2,
                        "p50": [3, 4],
                        "p90": [3, 4],
                        "p99": [3, 4],
                        "buckets": [[3, 4, 2]],
                    },
                ],
            }
        },
    }


async def test_lines_add_up_to_the_totals() -> None:
    result = await ran(HISTOGRAM, LAST)
    assert [each["seq"] for each in result.objects] == [0, 1, 2]
    assert [each["lost"] for each in result.objects] == [0, 2, 3]
    total: dict[tuple[int, int], int] = {}
    for each in result.objects:
        for series in each["views"]["latency"]["series"]:
            for lo, _, count in series["buckets"]:
                key = (series["labels"]["pid"], lo)
                total[key] = total.get(key, 0) + count
    assert total == {(1001, 3): 13, (1002, 24): 10, (1002, 26): 1}


async def test_what_a_table_gained() -> None:
    result = await ran(
        [
            loaded(1, "cpu/some", CALLS),
            PEOPLE,
            calls(0, [(1, "read", 5, 7)]),
            calls(1, [(1, "read", 8, 9), (2, "write", 40, 4), (1, "idle", 0, 0), (9, "read", 1, 1)]),
        ],
        [calls(2, [(1, "read", 8, 9), (2, "write", 41, 6)])],
    )
    views = [each["views"]["calls"] for each in result.objects]
    assert views[1] == {
        "kind": "table",
        "columns": [
            {"name": "pid", "unit": ""},
            {"name": "comm", "unit": ""},
            {"name": "parent", "unit": ""},
            {"name": "command", "unit": ""},
            {"name": "container", "unit": ""},
            {"name": "pod", "unit": ""},
            {"name": "unit", "unit": ""},
            {"name": "nspid", "unit": ""},
            {"name": "nr", "unit": ""},
            {"name": "count", "unit": "count"},
            {"name": "last_ns", "unit": "ns"},
        ],
        "rows": [
            [1002, "make", "init", "/bin/make --x", "", "", "", None, "write", 40, 4],
            [1001, "sh", "init", "/bin/sh --x", "", "", "", None, "read", 3, 9],
            [None, None, None, None, None, None, None, None, "read", 1, 1],
        ],
    }
    assert [row[9] for view in views for row in view["rows"]] == [5, 40, 3, 1, 1]
    assert [each["cost"] for each in result.objects][-1] == {
        "run_count": 0,
        "run_time_ns": 0,
        "attachment_ns": 0,
        "cpu_percent": None,
        "estimated": False,
    }


async def test_events_come_in_order_and_once_also_those_after_the_last_snapshot() -> None:
    def execs(*names: str) -> AnyFrame:
        return events(1, "events", columns(tgid=[1] * len(names), args=list(names), errno=[""] * len(names)))

    result = await ran(
        [loaded(1, "cpu/some", EXECS), PEOPLE, execs("a"), snapshot(1, 0, {}), execs("b", "c"), execs("d")],
        [snapshot(1, 1, {}), cost(1, 1, 4, 4), execs("e")],
    )
    rows = [each["views"]["execs"]["rows"] for each in result.objects]
    assert [[row[8] for row in part] for part in rows] == [["a", "b", "c", "d"], [], ["e"]]
    assert rows[2] == [[1001, "sh", "init", "/bin/sh --x", *NOWHERE.values(), "e", ""]]
    assert [each["name"] for each in result.objects[1]["views"]["execs"]["columns"]][8:] == ["args", "errno"]


async def test_a_table_beside_events_that_come_late_is_not_told_twice() -> None:
    late = events(1, "events", columns(tgid=[1], args=["a"], errno=[""]))
    result = await ran([loaded(1, "cpu/some", CALLS, EXECS), calls(0, [(1, "read", 5, 7)]), cost(1, 0, 1, 1)], [late])
    assert [each["views"]["calls"]["rows"] != [] for each in result.objects] == [True, False]
    assert [len(each["views"]["execs"]["rows"]) for each in result.objects] == [0, 1]


async def test_hostile_text_stays_text_in_json() -> None:
    result = await ran([loaded(1, "cpu/some", LATENCY), PEOPLE, latency(0, [(3, 1, 1)])])
    assert result.objects[0]["views"]["latency"]["series"][0]["labels"]["comm"] == "evil\x1b[31m\n"
    assert len(result.out.splitlines()) == 1
    assert "\x1b" not in result.out


TRIED = [Tried(variant="fentry", reason="no BTF"), Tried(variant="raw", reason="Permission denied")]


@pytest.mark.parametrize("format", ["text", "json", "csv"])
async def test_a_rejected_probe(format: headless.Format) -> None:
    result = await ran([rejected(1, "cpu/some", tried=TRIED)], format=format)
    assert result.code == 1
    assert result.err.splitlines()[0] == (
        "ebpftop: cpu/some: rejected by the verifier: R0 invalid mem access 'map_value_or_null'"
    )
    if format == "json":
        (line,) = result.objects
        failed = line["failed"]
        assert list(failed) == [
            *("probe", "stage", "result", "variant", "kind", "message", "program", "insn", "source", "explanation"),
            *("fix", "registers", "chain", "kernel_report", "fault", "kernel", "tried", "log"),
        ]
        assert failed["source"] == {"file": "cpu/some/probe.bpf.c", "line": 18, "text": "    *count += 1;"}
        assert (failed["stage"], failed["kind"], failed["insn"]) == ("verify", "null_deref", 8)
        assert failed["message"] == "R0 invalid mem access 'map_value_or_null'"
        assert [step["insn"] for step in failed["chain"]] == [7, 8]
        assert "; *count += 1; @ cpu/some/probe.bpf.c:18\n8: (79) r1 = *(u64 *)(r0 +0)\n" in failed["log"]
        assert failed["tried"] == [
            {"variant": "fentry", "reason": "no BTF"},
            {"variant": "raw", "reason": "R0 invalid mem access 'map_value_or_null'"},
        ]
    else:
        assert result.out == ""
    if format == "text":
        lines = result.err.splitlines()
        assert lines[1] == "  variant raw · function on_enter · instruction 8 · cpu/some/probe.bpf.c:18"
        at = lines.index("    18 ▶     *count += 1;")
        assert lines[at - 1] == "    17       u64 *count = counts.lookup(&pid);"
        assert "what led to it" in lines
        assert lines[lines.index("other variants") + 1] == "  fentry: no BTF"
        assert lines[-1].startswith("processed 9 insns")


async def test_a_compiler_error_without_a_line() -> None:
    frame = rejected(1, "cpu/some", stage="compile", error="the C does not compile", log="")
    result = await ran([frame])
    failed = result.objects[0]["failed"]
    assert (failed["kind"], failed["message"], failed["source"]) == ("compile", "the C does not compile", None)
    assert (failed["explanation"], failed["chain"], failed["log"]) == ("", [], "")
    assert result.err == "ebpftop: cpu/some: did not compile: the C does not compile\n"


async def test_a_refused_request_is_a_matter_of_usage() -> None:
    result = await ran([Refused(request=1, error="no probe 'cpu/some'")])
    assert (result.code, result.out, result.err) == (2, "", "ebpftop: no probe 'cpu/some'\n")


async def test_a_source_that_ends_costs_what_it_had_not_told() -> None:
    result = await ran(HISTOGRAM, ends=True)
    assert result.code == 1
    assert result.err == "ebpftop: the collector has ended\n"
    assert [each["seq"] for each in result.objects] == [0, 1]
    assert result.source.closed


async def test_a_frame_that_cannot_be_is_told() -> None:
    result = await ran([loaded(1, "cpu/some", LATENCY), latency(0, [(1, 9999, 1)])])
    assert result.code == 1
    assert "slots from 9999" in result.err


async def test_notices_go_to_stderr() -> None:
    result = await ran([Notice(level="warning", text="half\x1b[2J"), *HISTOGRAM], LAST)
    assert (result.code, result.err) == (0, "ebpftop: half\\x1b[2J\n")


async def test_notes_about_the_attachment_go_to_stderr_one_a_line() -> None:
    notes = ["libc: /usr/lib/libc.so.6, inode 7, build ID 1a2b", "a\x1b[31m\nb"]
    result = await ran([loaded(1, "cpu/some", LATENCY, notes=notes), latency(0, [(1, 3, 10)])])
    assert result.err == f"ebpftop: {notes[0]}\nebpftop: a\\x1b[31m\\nb\n"
    assert (result.code, len(result.objects)) == (0, 1)


async def test_it_ends_after_its_duration() -> None:
    source = Scripted([hello(), *HISTOGRAM], [*LAST, detached(1)])
    out = io.StringIO()
    async with asyncio.timeout(10):
        code = await headless.run(
            source,
            Load(request=1, probe="cpu/some"),
            duration=0.01,
            format="json",
            out=out,
            err=io.StringIO(),
            stop=asyncio.Event(),
        )
    assert (code, len(out.getvalue().splitlines()), source.requests[-1]) == (0, 3, Detach(run=1))


# ---------------------------------------------------------------- CSV


async def test_csv_of_one_view_is_one_table() -> None:
    result = await ran(HISTOGRAM, LAST, format="csv")
    rows = list(csv.reader(io.StringIO(result.out)))
    assert rows == [
        ["time", "probe", "view", "pid", "comm", *NOWHERE, "lo", "hi", "count"],
        ["2023-11-14T22:13:20.000+00:00", "cpu/some", "latency", "1001", "sh", *[""] * 4, "3", "4", "10"],
        ["2023-11-14T22:13:21.000+00:00", "cpu/some", "latency", "1002", "make", *[""] * 4, "24", "26", "4"],
        ["2023-11-14T22:13:21.000+00:00", "cpu/some", "latency", "1001", "sh", *[""] * 4, "3", "4", "2"],
        ["2023-11-14T22:13:21.500+00:00", "cpu/some", "latency", "1002", "make", *[""] * 4, "24", "26", "6"],
        ["2023-11-14T22:13:21.500+00:00", "cpu/some", "latency", "1002", "make", *[""] * 4, "26", "28", "1"],
        ["2023-11-14T22:13:21.500+00:00", "cpu/some", "latency", "1001", "sh", *[""] * 4, "3", "4", "1"],
    ]


async def test_no_two_columns_of_a_csv_have_the_same_name() -> None:
    what = [ColumnInfo(field=name, title=name, decode="string") for name in ("time", "view", "lo")]
    opened = ViewInfo(name="opened", map="opened", show="table", title="Opened", columns=what)
    slow = ViewInfo(name="slow", map="slow", show="histogram", title="Slow", by=["view", "lo"], columns=what[1:])
    rows = {
        "opened": columns(time=["a"], view=["b"], lo=["c"]),
        "slow": columns(view=["d"], lo=["e"], slot=[1], count=[1]),
    }
    result = await ran([loaded(1, "cpu/some", opened, slow), snapshot(1, 0, rows)], format="csv")
    time = "2023-11-14T22:13:20.000+00:00"
    assert list(csv.reader(io.StringIO(result.out))) == [
        ["time", "probe", "view", "opened_time", "opened_view", "lo"],
        [time, "cpu/some", "opened", "a", "b", "c"],
        [],
        ["time", "probe", "view", "slow_view", "slow_lo", "lo", "hi", "count"],
        [time, "cpu/some", "slow", "d", "e", "1", "2", "1"],
    ]


async def test_csv_of_several_views_repeats_the_headers() -> None:
    names = ViewInfo(
        name="names",
        map="names",
        show="table",
        title="Names",
        columns=[
            ColumnInfo(field="key", title="name", decode="string"),
            ColumnInfo(field="value", title="times", role="counter"),
        ],
    )
    both = {"names": columns(key=['a,"b"\n\x1b'], value=[2]), "latency": columns(tgid=[1], slot=[1], count=[1])}
    result = await ran([loaded(1, "cpu/some", names, LATENCY), PEOPLE, snapshot(1, 0, both)], format="csv")
    time = "2023-11-14T22:13:20.000+00:00"
    assert list(csv.reader(io.StringIO(result.out))) == [
        ["time", "probe", "view", "name", "times"],
        [time, "cpu/some", "names", 'a,"b"\\n\\x1b', "2"],
        [],
        ["time", "probe", "view", "pid", "comm", *NOWHERE, "lo", "hi", "count"],
        [time, "cpu/some", "latency", "1001", "sh", *[""] * 4, "1", "2", "1"],
    ]


@pytest.mark.parametrize(
    ("text", "safe", "raw"),
    [
        ("=1+1", "'=1+1", "=1+1"),
        ("+1", "'+1", "+1"),
        ("-1", "'-1", "-1"),
        ("@SUM(1)", "'@SUM(1)", "@SUM(1)"),
        ("\t=1", "'\\t=1", "\\t=1"),
        ("\r=1", "'\\r=1", "\\r=1"),
        ("  =1", "'  =1", "  =1"),
        ("\uff1d1", "'\uff1d1", "\uff1d1"),
        ('=cmd|" /C calc"!A0,x', '\'=cmd|" /C calc"!A0,x', '=cmd|" /C calc"!A0,x'),
        ("a=1", "a=1", "a=1"),
        ("", "", ""),
    ],
)
async def test_a_name_is_no_formula_and_numbers_stay_numbers(text: str, safe: str, raw: str) -> None:
    changes = ViewInfo(
        name="+sizes",
        map="sizes",
        show="table",
        title="Sizes",
        columns=[
            ColumnInfo(field="key", title="@name", decode="string"),
            ColumnInfo(field="value", title="change", role="gauge"),
        ],
    )
    rows = {"sizes": columns(key=[text], value=np.array([-2], "<i8"))}
    time = "2023-11-14T22:13:20.000+00:00"
    frames = [loaded(1, "cpu/some", changes), snapshot(1, 0, rows)]
    assert list(csv.reader(io.StringIO((await ran(frames, format="csv")).out))) == [
        ["time", "probe", "view", "'@name", "change"],
        [time, "cpu/some", "'+sizes", safe, "-2"],
    ]
    assert list(csv.reader(io.StringIO((await ran(frames, format="csv", raw=True)).out))) == [
        ["time", "probe", "view", "@name", "change"],
        [time, "cpu/some", "+sizes", raw, "-2"],
    ]


async def test_a_stream_that_knows_only_ascii_gets_escapes() -> None:
    data = io.BytesIO()
    out = io.TextIOWrapper(data, encoding="ascii")
    stop = asyncio.Event()
    source = Scripted([hello(), *HISTOGRAM], [*LAST, detached(1)], after_load=stop.set)
    code = await headless.run(
        source, Load(request=1, probe="cpu/some"), duration=None, format="text", out=out, err=io.StringIO(), stop=stop
    )
    assert code == 0
    assert b"cpu/some \\xb7 raw" in data.getvalue()


async def test_a_probe_that_was_detached_unasked_is_a_failure_with_its_reason() -> None:
    result = await ran(HISTOGRAM, [*LAST, Detached(run=1, reason="it took\n31%")])
    assert (result.code, result.err) == (1, "ebpftop: cpu/some: detached, it took\\n31%\n")


async def test_marks_are_lines_among_the_intervals() -> None:
    frames = [*HISTOGRAM, mark("deploy \x1b[31m42", 1.5, origin="outside"), mark("p99", 1.6, origin="trigger")]
    lines = (await ran(frames, LAST)).objects
    assert [line["mark"] for line in lines if "mark" in line] == [
        {"time_ns": 1_700_000_001_500_000_000, "text": "deploy \x1b[31m42", "from": "outside"},
        {"time_ns": 1_700_000_001_600_000_000, "text": "p99", "from": "trigger"},
    ]
    assert [next(iter(line)) for line in lines] == ["probe", "probe", "mark", "mark", "probe"]


async def test_marks_are_told_in_every_format() -> None:
    frames = [*HISTOGRAM, mark("deploy \x1b[31m42", 1.5, origin="outside")]
    told = "  mark: deploy \\x1b[31m42 (by command)\n"
    assert told in (await ran(frames, LAST, format="text")).out
    for each in ("csv", "folded", "speedscope"):
        result = await ran(frames, LAST, format=each)
        assert result.err.startswith("ebpftop: ")
        assert result.err.endswith(told)
        assert "deploy" not in result.out


@pytest.mark.parametrize("duration", [None, 0.1])
async def test_a_collector_that_is_stopped_does_not_hold_up_the_end(
    duration: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loads, "SILENCE", 0.3)
    result = await ran(HISTOGRAM, None, duration=duration)
    assert result.code == 1
    assert result.err.startswith("ebpftop: no answer from the collector, which is stopped or hangs: the last data is ")
    assert [each.get("seq") for each in result.objects] == [0, 1]
    assert result.source.requests[-1] == Detach(run=1)
    assert result.source.closed


async def test_a_collector_that_never_answers_a_load_does_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loads, "SILENCE", 0.3)
    result = await ran([], None, duration=0.1)
    assert result.code == 1
    assert len(result.err.splitlines()) == 1
    assert result.err.startswith("ebpftop: no answer from the collector, which is stopped or hangs: the last data is ")
