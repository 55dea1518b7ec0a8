import io
import json
from dataclasses import replace

import pytest

from ebpftop.base.look import PIPED, Look, look_of
from ebpftop.export.failure_json import fields
from ebpftop.model import failure_text
from ebpftop.model.failure import of_log
from ebpftop.verifier.diagnosis import Diagnosis
from ebpftop.verifier.report import Event, Report
from ebpftop.verifier.source import Place
from ebpftop.verifier.step import Step
from tests.support.schemas import check as check_shape

PLAIN = Look(80, colour=False)
EVENT = Event(8, "(79) r1 = *(u64 *)(r0 +0)", "count.bpf.c", 12, "*count += 1;", "error: no")
EVENT_AS_JSON = {
    "insn": 8,
    "text": "(79) r1 = *(u64 *)(r0 +0)",
    "file": "count.bpf.c",
    "line": 12,
    "source": "*count += 1;",
    "said": "error: no",
}
REPORT = Report("Register Type Safety", "Invalid dereference", "R0 may be NULL here.", "Check it.", EVENT, (EVENT,))
NULL = Diagnosis(
    kind="null_deref",
    message="R0 invalid mem access 'map_value_or_null'",
    insn=8,
    source=Place("count.bpf.c", 12, "\t*count += 1;"),
    explanation="`count` may be NULL here.",
    fix="if (!count)\n\treturn 0;",
    registers={"r0": "a value of 8 bytes in the map counts or NULL (map_value_or_null(id=1,map=counts,ks=4,vs=8))"},
    chain=[
        Step(None, "", "it began somewhere"),
        Step(7, "call bpf_map_lookup_elem#1", "R0 is what the lookup returns"),
        Step(7, "if r0 == 0x0 goto pc+2", "not taken", Place("count.bpf.c", 11, "\tif (!count)")),
        Step(8, "r1 = *(u64 *)(r0 +0)", "rejected here", Place(None, None, "*count += 1;")),
    ],
    report=REPORT,
    program="f",
)


def as_text(diagnosis: Diagnosis, look: Look = PLAIN) -> str:
    return failure_text.as_text(of_log(diagnosis), look)


def as_json(diagnosis: Diagnosis) -> str:
    told = fields(of_log(diagnosis))
    check_shape("explain", told)
    return json.dumps(told)


HOSTILE = "\x1b[2J\x1b]0;evil\x07 \u202e[red]"


def test_text_for_a_person() -> None:
    assert as_text(NULL, PLAIN).split("\n") == [
        "✗ R0 invalid mem access 'map_value_or_null'",
        "  program f · instruction 8 · count.bpf.c:12",
        "",
        "    12 ▶     *count += 1;",
        "",
        "`count` may be NULL here.",
        "",
        "fix",
        "  if (!count)",
        "      return 0;",
        "",
        "what led to it",
        "        it began somewhere",
        "     7  call bpf_map_lookup_elem#1",
        "        R0 is what the lookup returns",
        "        ; count.bpf.c:11  if (!count)",
        "     7  if r0 == 0x0 goto pc+2",
        "        not taken",
        "        ; *count += 1;",
        "     8  r1 = *(u64 *)(r0 +0)",
        "        rejected here",
        "",
        "state before it",
        "    r0  a value of 8 bytes in the map counts or NULL",
        "        (map_value_or_null(id=1,map=counts,ks=4,vs=8))",
        "",
        "the kernel's own report",
        "  Register Type Safety: Invalid dereference",
        "  R0 may be NULL here.",
        "  Check it.",
    ]


def test_what_is_not_known_takes_no_room() -> None:
    diagnosis = Diagnosis("unknown", "odd", None, None, "ebpftop doesn't know this message.", None, known=False)
    assert as_text(diagnosis, PLAIN).split("\n") == ["✗ odd", "", "ebpftop doesn't know this message."]
    nothing = Diagnosis("none", "", None, None, "There is no verifier's log in this.", None, known=False)
    assert as_text(nothing, PLAIN) == "There is no verifier's log in this."


def test_the_kernels_words_are_not_said_twice() -> None:
    diagnosis = Diagnosis("other", "odd", 8, None, REPORT.reason, REPORT.suggestion, report=REPORT)
    text = as_text(diagnosis, PLAIN)
    assert text.count("R0 may be NULL here.") == text.count("Check it.") == 1


def test_an_old_log_gives_a_line_without_its_number() -> None:
    diagnosis = Diagnosis("null_deref", "no", 8, Place(None, None, "*count += 1;"), "It may be NULL.", None)
    assert as_text(diagnosis, PLAIN).split("\n")[1:4] == ["  instruction 8", "", "       ▶ *count += 1;"]


def test_colour_only_where_it_is_wanted() -> None:
    assert "\x1b" not in as_text(NULL, PLAIN)
    assert as_text(NULL, Look(80, colour=True)).startswith("\x1b[1;31m✗ R0 invalid mem access")


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environment", "colour"),
    [
        ({"TERM": "xterm"}, True),
        ({"TERM": "xterm", "NO_COLOR": ""}, True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False),
        ({"TERM": "dumb"}, False),
        ({}, False),
    ],
)
def test_who_wants_colour(environment: dict[str, str], colour: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TERM", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert look_of(Screen()).colour is colour
    assert look_of(io.StringIO()) == Look(PIPED, colour=False)


def test_json_is_one_line_of_these_keys() -> None:
    line = as_json(NULL)
    assert "\n" not in line
    assert json.loads(line) == {
        "kind": "null_deref",
        "message": "R0 invalid mem access 'map_value_or_null'",
        "program": "f",
        "insn": 8,
        "source": {"file": "count.bpf.c", "line": 12, "text": "\t*count += 1;"},
        "explanation": "`count` may be NULL here.",
        "fix": "if (!count)\n\treturn 0;",
        "registers": NULL.registers,
        "chain": [
            {"insn": None, "text": "", "why": "it began somewhere"},
            {"insn": 7, "text": "call bpf_map_lookup_elem#1", "why": "R0 is what the lookup returns"},
            {"insn": 7, "text": "if r0 == 0x0 goto pc+2", "why": "not taken"},
            {"insn": 8, "text": "r1 = *(u64 *)(r0 +0)", "why": "rejected here"},
        ],
        "kernel_report": {
            "category": "Register Type Safety",
            "problem": "Invalid dereference",
            "reason": "R0 may be NULL here.",
            "at": EVENT_AS_JSON,
            "causal_path": [
                EVENT_AS_JSON,
            ],
            "suggestion": "Check it.",
        },
        "fault": "unknown",
        "kernel": "",
    }


def test_whose_fault_it_is_shows_where_it_is_not_the_programs() -> None:
    assert "fault lies" not in as_text(replace(NULL, fault="program"), PLAIN)
    text = as_text(replace(NULL, fault="compiler", kernel="5.3 to 5.17"), PLAIN)
    assert "made of the program. The log's syntax is that of Linux 5.3 to 5.17." in " ".join(text.split())


def test_what_a_log_holds_is_inert() -> None:
    event = Event(1, HOSTILE, HOSTILE, 1, HOSTILE, HOSTILE)
    diagnosis = Diagnosis(
        "unknown",
        HOSTILE,
        1,
        Place(HOSTILE, 1, HOSTILE),
        HOSTILE,
        HOSTILE,
        {HOSTILE: HOSTILE},
        [Step(1, HOSTILE, HOSTILE, Place(HOSTILE, 1, HOSTILE))],
        Report(HOSTILE, HOSTILE, HOSTILE, HOSTILE, event, (event,)),
        HOSTILE,
    )
    shown = as_text(diagnosis, PLAIN) + as_json(diagnosis)
    assert all(c.isprintable() or c == "\n" for c in shown)
    assert "\\x1b[2J" in shown
