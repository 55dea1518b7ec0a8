from pathlib import Path

from ebpftop.catalog.info import as_json, info
from ebpftop.frames.messages import ParamInfo
from tests.support.probes import SOURCE, make_probe
from tests.support.schemas import check as check_shape

PARAMS = """
[params.op]
type = "enum"
help = "which"
choices = ["read", "write"]
default = "read"
[params.pid]
type = "pid"
help = "only this process"
"""


def test_an_entry_holds_what_a_dashboard_shows(tmp_path: Path) -> None:
    probe = make_probe(tmp_path, params=PARAMS)
    entry = info(probe)
    assert (entry.id, entry.category, entry.source) == ("cpu/calls", "cpu", SOURCE)
    assert entry.params == [
        ParamInfo(name="op", type="enum", default="read", help="which", choices=["read", "write"]),
        ParamInfo(name="pid", type="pid", default=None, help="only this process"),
    ]
    assert entry.views == list(probe.views)
    assert (entry.available, entry.variant, entry.meaning, entry.reason) == (None, None, None, None)


def test_json_has_the_documented_shape(tmp_path: Path) -> None:
    entry = info(make_probe(tmp_path, params=PARAMS), True, "raw", "exact", None)
    check_shape("list", [as_json(entry)])
    assert as_json(entry) == {
        "id": "cpu/calls",
        "title": "Calls",
        "summary": "Counts calls.",
        "category": "cpu",
        "question": "Who calls?",
        "overhead": "low",
        "params": [
            {"name": "op", "type": "enum", "default": "read", "help": "which"},
            {"name": "pid", "type": "pid", "default": None, "help": "only this process"},
        ],
        "views": [
            {
                "name": "counts",
                "map": "counts",
                "show": "table",
                "title": "Calls",
                "unit": "",
                "by": [],
                "slot": "slot",
                "count": "count",
                "columns": [
                    {
                        "field": "key",
                        "title": "key",
                        "unit": "",
                        "role": "key",
                        "decode": "process",
                        "hidden": False,
                        "priority": 0,
                        "given": "",
                    },
                    {
                        "field": "value",
                        "title": "value",
                        "unit": "",
                        "role": "counter",
                        "decode": None,
                        "hidden": False,
                        "priority": 0,
                        "given": "",
                    },
                ],
                "sort": None,
                "stacks": "",
                "kernel": "",
                "gauge": False,
                "moments": "",
                "tells": "",
                "user": "",
            }
        ],
        "available": True,
        "variant": "raw",
        "reason": None,
        "next": [],
    }
    no = as_json(info(make_probe(tmp_path, "cpu/other"), False, reason="no kprobes"))
    assert (no["available"], no["variant"], no["reason"]) == (False, None, "no kprobes")


def make_head(question: str) -> str:
    return f'title = "t"\nsummary = "s"\nquestion = "{question}"\noverhead = "o"\n'
