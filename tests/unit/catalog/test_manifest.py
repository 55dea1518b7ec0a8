import os
from pathlib import Path
from typing import get_args

import pytest

from ebpftop.catalog.document import BadManifest
from ebpftop.catalog.manifest import read_probe
from ebpftop.catalog.manifest_views import DECODES
from ebpftop.catalog.model import Attach, Param, ParamType
from ebpftop.frames.messages import ColumnInfo, ViewInfo
from tests.support.probes import HEAD, SOURCE, VARIANT, VIEW, make_probe, write_probe

STACKS = '[[views]]\nmap = "m"\nshow = "stacks"\nstacks = "stacks"\nuser = "user"\n'
PROCESS_STACKS = f'{STACKS}by = ["tgid"]\ncolumns = [{{field = "tgid", decode = "process"}}]\n'


def problems(folder: Path) -> list[str]:
    """What is wrong with a folder, without the part of each line that names the folder."""
    with pytest.raises(BadManifest) as caught:
        read_probe(folder, "cpu/calls")
    assert str(caught.value) == caught.value.problems[0]
    assert not any("\n" in problem for problem in caught.value.problems)
    return [problem.removeprefix(f"{folder}/") for problem in caught.value.problems]


def test_a_probe_is_read_with_its_defaults(tmp_path: Path) -> None:
    read = make_probe(tmp_path)
    assert (read.id, read.category, read.name) == ("cpu/calls", "cpu", "calls")
    assert (read.title, read.summary, read.question, read.overhead) == ("Calls", "Counts calls.", "Who calls?", "low")
    assert read.source == SOURCE
    assert read.manifest == HEAD + VARIANT + VIEW
    assert read.readme == ""
    assert read.params == ()
    assert [(v.name, v.meaning) for v in read.variants] == [("raw", "exact")]
    assert read.variants[0].attach == (Attach(mechanism="raw_tracepoint", target="sys_enter", run="on_enter"),)
    assert read.views == (
        ViewInfo(
            name="counts",
            map="counts",
            show="table",
            title="Calls",
            columns=[
                ColumnInfo(field="key", title="key", decode="process"),
                ColumnInfo(field="value", title="value", role="counter"),
            ],
        ),
    )


def test_everything_a_manifest_can_say_is_read(tmp_path: Path) -> None:
    read = make_probe(
        tmp_path,
        params="""
        [params.pid]
        type = "pid"
        help = "only this process"
        [params.min]
        type = "duration"
        help = "at least"
        default = "10us"
        min = "1us"
        max = "1s"
        [params.op]
        type = "enum"
        help = "which"
        choices = ["read", "write"]
        default = "read"
        [params.rate]
        type = "int"
        help = "how many"
        default = 99
        min = 1
        max = 1000
        [params.path]
        type = "string"
        help = "which file"
        max = 32
        [params.all]
        type = "bool"
        help = "all of them"
        default = false
        """,
        variant="""
        [[variants]]
        name = "raw"
        meaning = "per thread"
        attach = [
          { raw_tracepoint = "sched_switch", run = "a", args = ["bool", "struct task_struct *"] },
          { tracepoint = "syscalls:sys_enter_openat", run = "b" },
          { kprobe = "vfs_read.isra.0", run = "c" },
          { kretprobe = "vfs_read", run = "d" },
          { fentry = "vfs_read" },
          { fexit = "vfs_read" },
          { uprobe = "/bin/bash:readline", run = "e" },
          { uretprobe = "c:malloc", run = "f" },
          { perf_event = "cpu-clock", frequency = 99, run = "g" },
          { perf_event = "major-faults", run = "g" },
        ]
        """,
        view="""
        [[views]]
        name = "by process"
        map = "latency"
        show = "histogram"
        title = "Latency"
        unit = "ns"
        by = ["tgid"]
        slot = "bucket"
        count = "n"
        [[views.columns]]
        field = "tgid"
        title = "process"
        decode = "process"
        [[views]]
        map = "latency"
        show = "histogram"
        [[views]]
        map = "events"
        show = "events"
        [[views.columns]]
        field = "at"
        unit = "ns"
        role = "gauge"
        decode = "time"
        hidden = true
        [[views]]
        map = "calls"
        show = "table"
        sort = "value"
        """,
    )
    help_of = {"pid": "only this process", "min": "at least", "op": "which", "rate": "how many"}
    assert read.params == (
        Param(name="pid", type="pid", help=help_of["pid"]),
        Param(name="min", type="duration", help=help_of["min"], default="10us", minimum=1_000, maximum=1_000_000_000),
        Param(name="op", type="enum", help=help_of["op"], default="read", choices=("read", "write")),
        Param(name="rate", type="int", help=help_of["rate"], default="99", minimum=1, maximum=1000),
        Param(name="path", type="string", help="which file", maximum=32),
        Param(name="all", type="bool", help="all of them", default="false"),
    )
    assert read.variants[0].meaning == "per thread"
    assert [(a.mechanism, a.target, a.run) for a in read.variants[0].attach] == [
        ("raw_tracepoint", "sched_switch", "a"),
        ("tracepoint", "syscalls:sys_enter_openat", "b"),
        ("kprobe", "vfs_read.isra.0", "c"),
        ("kretprobe", "vfs_read", "d"),
        ("fentry", "vfs_read", "kfunc__vfs_read"),
        ("fexit", "vfs_read", "kretfunc__vfs_read"),
        ("uprobe", "/bin/bash:readline", "e"),
        ("uretprobe", "c:malloc", "f"),
        ("perf_event", "cpu-clock", "g"),
        ("perf_event", "major-faults", "g"),
    ]
    assert read.variants[0].attach[0].args == ("bool", "struct task_struct *")
    assert [point.frequency for point in read.variants[0].attach[8:]] == [99, 0]
    histogram, total, events, table = read.views
    assert (histogram.name, histogram.map, histogram.unit, histogram.by) == ("by process", "latency", "ns", ["tgid"])
    assert (histogram.slot, histogram.count, histogram.columns[0].title) == ("bucket", "n", "process")
    assert (total.name, total.title, total.slot, total.count, total.columns) == (
        "latency",
        "Calls",
        "slot",
        "count",
        [],
    )
    assert events.columns == [ColumnInfo(field="at", title="at", unit="ns", role="gauge", decode="time", hidden=True)]
    assert (table.sort, table.columns) == ("value", [])


def test_a_column_may_exist_with_one_value_of_a_parameter_only(tmp_path: Path) -> None:
    by = '[params.by]\ntype = "enum"\nhelp = "whose"\nchoices = ["process", "thread"]\ndefault = "process"\n'
    thread = '[[views.columns]]\nfield = "thread"\ngiven = "by=thread"\n'
    read = make_probe(tmp_path, params=by, view=VIEW + thread)
    assert read.views_of({"by": "thread"}) == read.views
    for without in (read.default_views, read.views_of({"by": "process"}), read.views_of({})):
        assert [column.field for view in without for column in view.columns] == [
            column.field for view in read.views for column in view.columns if not column.given
        ]
    with pytest.raises(BadManifest, match="by=thread"):
        make_probe(tmp_path / "other", params=by, view=VIEW + thread.replace('thread"\n', 'threads"\n'))


def test_single_samples_are_known_by_process_only(tmp_path: Path) -> None:
    by = '[params.by]\ntype = "enum"\nhelp = "whose"\nchoices = ["process", "thread"]\ndefault = "process"\n'
    columns = '{field = "tgid", decode = "process"}, {field = "thread", decode = "comm"%s}'
    view = f'{STACKS}by = ["tgid", "thread"]\nmoments = "moments"\ncolumns = [{columns}]\n'
    read = make_probe(tmp_path, params=by, view=view % ', given = "by=thread"')
    found = {value: read.views_of({"by": value})[0] for value in ("process", "thread")}
    assert {value: (view.by, view.moments) for value, view in found.items()} == {
        "process": (["tgid"], "moments"),
        "thread": (["tgid", "thread"], ""),
    }
    with pytest.raises(BadManifest, match="the only `by` field that is always there"):
        make_probe(tmp_path / "other", params=by, view=view % "")


def test_a_view_leaves_out_what_a_variant_does_not_measure(tmp_path: Path) -> None:
    hits = '[[views.columns]]\nfield = "hits"\nrole = "counter"\n'
    read = make_probe(
        tmp_path, variant=VARIANT + 'lacks = ["hits"]\n' + VARIANT.replace('"raw"', '"all"'), view=VIEW + hits
    )
    raw, everything = read.variants
    assert read.views_of({}, everything) == read.views
    (view,), (whole,) = read.views_of({}, raw), read.views
    assert [column.field for column in whole.columns] == ["key", "value", "hits"]
    assert [column.field for column in view.columns] == ["key", "value"]
    assert view.map == whole.map


PID = '[params.pid]\ntype = "pid"\nhelp = "h"\n'


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({"head": HEAD.replace("title", "titel")}, ["probe.toml:1: titel: unknown key; did you mean title?"]),
        ({"head": HEAD.replace('"low"', "3")}, ["probe.toml:4: overhead: expected a string"]),
        ({"head": HEAD.replace('"low"', '""')}, ["probe.toml:4: overhead: expected one line of text, not ''"]),
        (
            {"head": HEAD.replace('"low"', r'"a\nb"')},
            [r"probe.toml:4: overhead: expected one line of text, not 'a\nb'"],
        ),
        (
            {"head": HEAD.replace('"low"', r'"\u009b1m"')},
            [r"probe.toml:4: overhead: expected one line of text, not '\x9b1m'"],
        ),
        (
            {"head": HEAD.replace('"low"', r'"\u202e"')},
            [r"probe.toml:4: overhead: expected one line of text, not '\u202e'"],
        ),
        ({"head": HEAD + "zzz = 1\n"}, ["probe.toml:5: zzz: unknown key"]),
        ({"head": HEAD + "params = 1\n"}, ["probe.toml:5: params: expected a table"]),
        ({"head": HEAD + "params.x = 1\n"}, ["probe.toml:5: params.x: expected a table"]),
        ({"variant": ""}, ["probe.toml:1: variants: missing, expected an array of tables"]),
        ({"variant": "variants = []\n"}, ["probe.toml:5: variants: expected at least one"]),
        ({"view": ""}, ["probe.toml:1: views: missing, expected an array of tables"]),
        (
            {"params": PID.replace('pid"', 'pidd"')},
            [
                f"probe.toml:6: params.pid.type: expected one of {', '.join(get_args(ParamType))}, "
                "not 'pidd'; did you mean pid?"
            ],
        ),
        ({"params": PID.replace('help = "h"', "")}, ["probe.toml:5: params.pid.help: missing, expected a string"]),
        ({"params": PID + "defualt = 1\n"}, ["probe.toml:8: params.pid.defualt: unknown key; did you mean default?"]),
        (
            {"params": PID + "default = 0\n"},
            ["probe.toml:8: params.pid.default: expected a process id from 1 to 4194304, not '0'"],
        ),
        (
            {"params": PID + "default = 1.5\n"},
            ["probe.toml:8: params.pid.default: expected a string, an integer, true or false"],
        ),
        ({"params": PID + "max = 5\n"}, ["probe.toml:8: params.pid.max: not for pid"]),
        ({"params": PID + 'choices = ["a"]\n'}, ["probe.toml:8: params.pid.choices: only for an enum, not for pid"]),
        (
            {"params": PID.replace("params.pid", "params.p-d")},
            ["probe.toml:5: params.p-d: a parameter's name must be an identifier"],
        ),
        (
            {"params": PID.replace('"pid"', '"enum"')},
            ["probe.toml:5: params.pid.choices: missing, expected an array of strings"],
        ),
        (
            {"params": PID.replace('"pid"', '"enum"') + 'choices = ["a", "\\u001b"]'},
            ["probe.toml:8: params.pid.choices: expected an array of non-empty, printable strings"],
        ),
        (
            {"params": PID.replace('"pid"', '"enum"') + 'choices = ["a b", "a-b"]'},
            ["probe.toml:8: params.pid.choices: two of them differ only in characters that a macro name can't contain"],
        ),
        (
            {"params": PID.replace('"pid"', '"duration"') + 'min = "2s"\nmax = "1s"\n'},
            ["probe.toml:8: params.pid.min: greater than max"],
        ),
        (
            {"params": PID.replace('"pid"', '"duration"') + 'min = "2"\n'},
            ["probe.toml:8: params.pid.min: expected a duration such as 10us, 1.5ms or 2s, not '2'"],
        ),
        (
            {"variant": VARIANT.replace("raw_tracepoint", "rawtracepoint")},
            [
                "probe.toml:8: variants[0].attach[0].rawtracepoint: unknown key; did you mean raw_tracepoint?",
                "probe.toml:8: variants[0].attach[0].raw_tracepoint: expected exactly one of raw_tracepoint, "
                "tracepoint, kprobe, kretprobe, fentry, fexit, uprobe, uretprobe, usdt, perf_event",
            ],
        ),
        (
            {"variant": VARIANT.replace("raw_tracepoint =", 'kprobe = "f", raw_tracepoint =')},
            [
                "probe.toml:8: variants[0].attach[0].raw_tracepoint: expected exactly one of raw_tracepoint, "
                "tracepoint, kprobe, kretprobe, fentry, fexit, uprobe, uretprobe, usdt, perf_event",
            ],
        ),
        (
            {"variant": VARIANT.replace("raw_tracepoint =", "fentry =")},
            [
                "probe.toml:8: variants[0].attach[0].run: not for fentry; define its function with "
                "KFUNC_PROBE(FUNCTION, …)"
            ],
        ),
        (
            {"variant": VARIANT.replace("raw_tracepoint =", "tracepoint =")},
            ["probe.toml:8: variants[0].attach[0].tracepoint: expected GROUP:NAME, not 'sys_enter'"],
        ),
        (
            {"variant": VARIANT.replace(', run = "on_enter"', "")},
            ["probe.toml:8: variants[0].attach[0].run: missing, expected a string"],
        ),
        (
            {"variant": VARIANT.replace("on_enter", "on enter;")},
            ["probe.toml:8: variants[0].attach[0].run: expected the name of a C function, not 'on enter;'"],
        ),
        (
            {"variant": VARIANT.replace("run =", "frequency = 9, run =")},
            ["probe.toml:8: variants[0].attach[0].frequency: only for perf_event, not for raw_tracepoint"],
        ),
        (
            {"variant": VARIANT.replace('raw_tracepoint = "sys_enter"', 'perf_event = "cpu-clock"')},
            ["probe.toml:8: variants[0].attach[0].frequency: missing, expected an integer (Hz)"],
        ),
        (
            {"variant": VARIANT.replace('raw_tracepoint = "sys_enter"', 'kprobe = "f", args = ["int"]')},
            ["probe.toml:8: variants[0].attach[0].args: only for raw_tracepoint, not for kprobe"],
        ),
        ({"variant": VARIANT + VARIANT}, ["probe.toml:11: variants[1].name: used twice"]),
        (
            {"variant": VARIANT + 'lacks = ["valu", "key"]\n'},
            [
                "probe.toml:9: variants[0].lacks: no counter or gauge 'valu' to leave out; did you mean value?",
                "probe.toml:9: variants[0].lacks: no counter or gauge 'key' to leave out",
            ],
        ),
        (
            {"variant": VARIANT.replace('"raw"', '"raw tp"')},
            ["probe.toml:7: variants[0].name: expected an identifier, not 'raw tp'"],
        ),
        (
            {"view": VIEW.replace('"table"', '"tabel"')},
            [
                "probe.toml:12: views[0].show: expected one of histogram, table, events, stacks, not 'tabel'; "
                "did you mean table?"
            ],
        ),
        (
            {"view": VIEW.replace('"process"', '"proces"')},
            [
                f"probe.toml:15: views[0].columns[0].decode: expected one of {', '.join(DECODES)}, not 'proces'; "
                "did you mean process?"
            ],
        ),
        (
            {"view": VIEW.replace('"counter"', '"conter"')},
            [
                "probe.toml:18: views[0].columns[1].role: expected one of key, counter, gauge, not 'conter'; "
                "did you mean counter?"
            ],
        ),
        (
            {"view": VIEW + 'unit = "nss"\n'},
            [
                'probe.toml:19: views[0].columns[1].unit: expected one of "", count, ns, cpu_ns, bytes, pages, '
                "percent, not 'nss'; did you mean ns?"
            ],
        ),
        (
            {"view": VIEW + "priority = 10\n"},
            ["probe.toml:19: views[0].columns[1].priority: expected -9 to 9, not 10"],
        ),
        ({"view": VIEW + "hidden = 1\n"}, ["probe.toml:19: views[0].columns[1].hidden: expected true or false"]),
        (
            {"view": VIEW.replace('"value"', '"key"')},
            ["probe.toml:17: views[0].columns[1].field: used twice"],
        ),
        ({"view": VIEW + VIEW}, ["probe.toml:21: views[1].map: a second view named counts"]),
        (
            {"view": VIEW.replace("show =", 'sort = "valu"\nshow =')},
            ["probe.toml:12: views[0].sort: no column valu; did you mean value?"],
        ),
        (
            {"view": VIEW.replace("show =", 'slot = "s"\nby = ["a"]\nshow =')},
            [
                "probe.toml:12: views[0].slot: only for histogram, not for table",
                "probe.toml:13: views[0].by: only for histogram and stacks, not for table",
            ],
        ),
        (
            {"view": '[[views]]\nmap = "m"\nshow = "histogram"\nby = ["tgid", "slot"]\nsort = "tgid"\n'},
            [
                "probe.toml:12: views[0].by: contains slot, which is the slot field",
                "probe.toml:13: views[0].sort: only for table, not for histogram",
            ],
        ),
        (
            {"view": '[[views]]\nmap = "m"\nshow = "histogram"\nby = ["tgid", "tgid"]\nslot = "count"\n'},
            [
                "probe.toml:12: views[0].by: contains the same string twice",
                "probe.toml:13: views[0].slot: the same field as count",
            ],
        ),
        (
            {"view": '[[views]]\nmap = "m"\nshow = "histogram"\nby = ["tgid"]\ncolumns = [{field = "tgidd"}]\n'},
            ["probe.toml:13: views[0].columns[0].field: not one of the `by` fields; did you mean tgid?"],
        ),
        (
            {"view": '[[views]]\nmap = "m"\nshow = "stacks"\nby = ["tgid"]\n'},
            [
                "probe.toml:9: views[0].stacks: missing, expected the name of a BPF_STACK_TRACE map",
                "probe.toml:9: views[0].kernel: missing, like `user`: name the key's field that is an id in `stacks`",
            ],
        ),
        (
            {"view": STACKS + 'by = ["tgid", "user"]\n'},
            [
                'probe.toml:13: views[0].user: user stacks need a `by` field with decode = "process", '
                "as their addresses belong to that process",
                "probe.toml:14: views[0].by: contains user, which is the kernel, user or count field",
            ],
        ),
        (
            {"view": STACKS.replace("user =", "kernel =") + 'count = "user"\nsort = "count"\n'},
            [
                "probe.toml:14: views[0].count: kernel, user and count must be different fields",
                "probe.toml:15: views[0].sort: only for table, not for stacks",
            ],
        ),
        (
            {"view": PROCESS_STACKS + PROCESS_STACKS.replace('"stacks"\nuser', '"others"\nname = "b"\nuser')},
            ["probe.toml:19: views[1].stacks: stacks, kernel and user differ from those of view m, of the same map"],
        ),
        ({"view": '[[views]]\nshow = "table"\n'}, ["probe.toml:9: views[0].map: missing, expected a string"]),
        ({"view": "[views]\nmap = 1\n"}, ["probe.toml:9: views: expected an array of tables"]),
    ],
)
def test_a_mistake_is_named_by_file_line_and_key(tmp_path: Path, parts: dict[str, str], expected: list[str]) -> None:
    assert problems(write_probe(tmp_path, **parts)) == expected


def test_all_mistakes_are_found_in_the_order_of_their_lines(tmp_path: Path) -> None:
    folder = write_probe(
        tmp_path,
        head=HEAD.replace("title", "titel"),
        params=PID.replace('"pid"', '"pdi"'),
        view=VIEW.replace("table", ""),
    )
    assert [problem.split(": ")[:2] for problem in problems(folder)] == [
        ["probe.toml:1", "titel"],
        ["probe.toml:6", "params.pid.type"],
        ["probe.toml:15", "views[0].show"],
    ]


def test_of_very_many_mistakes_the_first_are_told(tmp_path: Path) -> None:
    unknown = "".join(f"x{number} = 1\n" for number in range(60))
    told = problems(write_probe(tmp_path, head=unknown + HEAD))
    assert len(told) == 51
    assert told[-1] == "probe.toml: and 10 more"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a = 1\nb =\n", "probe.toml:2: Invalid value"),
        ("a = 1\nb = [", "probe.toml:2: "),
        ("a = 1\na = 2\n", "probe.toml:2: Cannot overwrite a value"),
        ("a = " + "[" * 4000, "probe.toml:1: nested too deeply"),
        ("a = 1\n" + "b." * 60_000 + "c = 1\n", "probe.toml:2: a line of more than 4,096 characters"),
        ('a = "\x1b[31m"\n', "probe.toml:1: Illegal character '\\x1b'"),
    ],
)
def test_what_is_no_toml_is_named_by_line(tmp_path: Path, text: str, expected: str) -> None:
    folder = write_probe(tmp_path)
    (folder / "probe.toml").write_text(text)
    (problem,) = problems(folder)
    assert problem.startswith(expected)


def test_hostile_keys_and_values_are_shown_inert(tmp_path: Path) -> None:
    (problem,) = problems(write_probe(tmp_path, head=HEAD + '"\\u001b[31m\\n" = 1\n'))
    assert problem == "probe.toml:5: \\x1b[31m\\n: unknown key"


def test_a_readme_is_read(tmp_path: Path) -> None:
    folder = write_probe(tmp_path)
    (folder / "README.md").write_text("# Läs\n")
    assert read_probe(folder, "cpu/calls").readme == "# Läs\n"


@pytest.mark.parametrize("name", ["probe.toml", "probe.bpf.c", "README.md"])
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, name: str) -> None:
    folder = write_probe(tmp_path)
    file = folder / name
    file.write_bytes(b"fine\nfine\nbad \xff\n")
    assert problems(folder) == [f"{name}:3: not UTF-8 text"]
    file.write_bytes(b"#" * (256 * 1024 + 1))
    assert problems(folder) == [f"{name}: larger than 256 KiB"]
    file.unlink()
    os.mkfifo(file)
    assert problems(folder) == [f"{name}: not a regular file"]
    file.unlink()
    file.mkdir()
    assert problems(folder) == [f"{name}: Is a directory"]


@pytest.mark.parametrize("name", ["probe.toml", "probe.bpf.c"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    folder = write_probe(tmp_path)
    (folder / name).unlink()
    assert problems(folder) == [f"{name}: No such file or directory"]


def test_a_header_whose_name_is_no_text_is_named(tmp_path: Path) -> None:
    folder = write_probe(tmp_path)
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff.h")).touch()
    assert problems(folder) == [r"\udcff.h: the name contains unprintable characters"]


CGROUP = '[params.cgroup]\ntype = "cgroup"\nhelp = "only calls by threads in this cgroup (v2) or below it"\n'


def test_what_can_be_limited_to_a_cgroup_can_be_to_a_container_a_pod_and_a_unit(tmp_path: Path) -> None:
    probe = read_probe(write_probe(tmp_path, params=CGROUP), "cpu/calls")
    assert [(param.name, param.type) for param in probe.params] == [
        ("cgroup", "cgroup"),
        ("container", "container"),
        ("pod", "pod"),
        ("unit", "unit"),
    ]
    assert probe.params[3].help == "only calls by threads in this systemd unit, or below it"


def test_a_parameter_of_the_probes_own_keeps_its_name(tmp_path: Path) -> None:
    own = '[params.unit]\ntype = "int"\nhelp = "in which it counts"\n'
    probe = read_probe(write_probe(tmp_path, params=CGROUP + own), "cpu/calls")
    assert [(p.name, p.type) for p in probe.params if p.name == "unit"] == [("unit", "int")]
