"""Reading triggers, and what is said about mistakes."""

import pytest

from ebpftop.frames.messages import ColumnInfo, ViewInfo
from ebpftop.model.trigger import BadTrigger, Condition, bind, parse
from tests.support.frames import CALLS, EXECS, LATENCY

TRAFFIC = ViewInfo(
    name="by address",
    map="traffic",
    show="table",
    title="Traffic",
    columns=[
        ColumnInfo(field="address", title="Address", decode="ip"),
        ColumnInfo(field="sent", title="Sent", unit="bytes", role="counter"),
        ColumnInfo(field="busy", title="CPU", unit="cpu_ns", role="counter"),
    ],
)
HELD = ViewInfo(name="held", map="held", show="histogram", title="Held", unit="ns", by=["tgid"])
MEMORY = ViewInfo(name="live", map="live", show="stacks", title="Memory", unit="bytes", gauge=True)
RECORDS = ViewInfo(
    name="answers",
    map="answers",
    show="events",
    title="Answers",
    columns=[ColumnInfo(field="took", title="Took", unit="ns", role="gauge")],
)
VIEWS = [LATENCY, HELD, CALLS, EXECS, TRAFFIC, RECORDS]


def bound(text: str, *views: ViewInfo) -> Condition:
    return bind(parse(text), views or VIEWS)


def facts(text: str, *views: ViewInfo) -> tuple[object, ...]:
    found = bound(text, *views)
    return found.kind, found.view and found.view.name, found.field, found.limit


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("runqlat p99 > 20ms for 3s", ("percentile", "latency", "count", 20e6)),
        ("cpu/runqlat.held  p99.9>=1.5 s", ("percentile", "held", "count", 1.5e9)),
        ("runqlat max < 20 us for 1min", ("percentile", "latency", "count", 20e3)),
        ("syscount.calls rate > 100k/s", ("rate", "calls", "count", 100e3)),
        ("syscount rate count > 100/s", ("rate", "calls", "count", 100.0)),
        ("tcptop rate sent > 10MiB/s", ("rate", "by address", "sent", 10 * 2.0**20)),
        ("tcptop.by_address rate > 1kB", ("rate", "by address", "sent", 1e3)),
        ("tcptop rate busy > 50%", ("rate", "by address", "busy", 0.5e9)),
        ("tcptop count busy > 2s for 10s", ("count", "by address", "busy", 2e9)),
        ('execsnoop.execs count("curl") > 5 for 10s', ("count", "execs", "count", 5.0)),
        ("syscount last_ns > 4ns", ("gauge", "calls", "last_ns", 4.0)),
        ("dns took >= 100ms", ("gauge", "answers", "took", 100e6)),
        ("runqlat lost > 0", ("loss", None, "lost", 0.0)),
        ("runqlat evicted > 2k for 1h", ("loss", None, "evicted", 2e3)),
    ],
)
def test_what_triggers_mean(text: str, expected: tuple[object, ...]) -> None:
    assert facts(text) == expected


def test_the_parts_of_a_trigger() -> None:
    read = parse("  execsnoop   count( 'curl  HTTPS' ) > 5 for 500ms ")
    assert read.text == "execsnoop count( 'curl HTTPS' ) > 5 for 500ms"
    assert (read.probe, read.measure, read.words, read.op, read.number) == (
        "execsnoop",
        "count",
        ("curl", "https"),
        ">",
        5.0,
    )
    assert read.seconds == 0.5
    assert bound("x p99.9 > 1s").quantile == 0.999
    assert bound("x max > 1s").quantile == 1.0
    assert facts("memleak total > 1GiB", MEMORY) == ("total", "live", "count", 2.0**30)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "at the beginning: expected the name of a probe, which is missing"),
        ("> 3", "at the beginning: expected the name of a probe, not '>'"),
        ("runqlat", "after 'runqlat': expected what to measure: p99, rate, count, lost or a column, which is missing"),
        ("runqlat p99 = 20ms", "after 'runqlat p99': expected >, >=, < or <=, not '='"),
        ("runqlat p99 >", "after 'runqlat p99 >': expected a number, which is missing"),
        ("runqlat p99 > twenty", "after 'runqlat p99 >': expected a number, not 'twenty'"),
        ("runqlat p99 > 20ms for", "after 'runqlat p99 > 20ms for': expected a time such as 3s, which is missing"),
        ("runqlat p99 > 20ms for 3", "3 needs a unit: ns, µs, ms, s, min, h"),
        ("runqlat p99 > 20ms for 2h", "a time must be more than 0 s and at most 3600 s, not '2h'"),
        ("runqlat p99 > 20ms for 0s", "a time must be more than 0 s and at most 3600 s, not '0s'"),
        (
            f"runqlat p99 > 20ms for {'9' * 400}s",
            f"a time must be more than 0 s and at most 3600 s, not '{'9' * 20}'…",
        ),
        (
            "runqlat p99 > 20ms during 3s",
            "after 'runqlat p99 > 20ms': expected 'for' and a time, or the end, not 'during'",
        ),
        (
            "execsnoop count(curl) > 5",
            "after 'execsnoop count': expected words in quotes and a closing bracket, as in (\"curl\"), not '(curl)'",
        ),
        ('execsnoop count("") > 5', "count: the words in brackets are missing"),
        ("runqlat p99 \x1b[31m> 3", "after 'runqlat p99': expected >, >=, < or <=, not '\\x1b[31m>'"),
    ],
)
def test_what_can_not_be_read(text: str, why: str) -> None:
    with pytest.raises(BadTrigger) as error:
        parse(text)
    assert str(error.value) == why


@pytest.mark.parametrize(
    ("text", "views", "why"),
    [
        ("runqlat p99 > 20", [LATENCY], "20 needs a unit: ns, µs, ms, s, min, h"),
        (
            "runqlat p99 > 20MiB",
            [LATENCY],
            "20MiB: unknown unit 'MiB'; known here: ns, µs, ms, s, min, h",
        ),
        (f"runqlat p99 > {'9' * 308}s", [LATENCY], "the number is too large"),
        ("runqlat p99 > 20ms/s", [LATENCY], "p99 is not a rate: give the limit without /s"),
        (
            "syscount p99 > 20ms",
            [CALLS],
            "syscount has no histogram for p99; it has rate, count, last_ns, lost, map_full, evicted, missed",
        ),
        ("runqlat p999 > 20ms", [LATENCY], "runqlat has no column 'p999'; did you mean p99?"),
        ("runqlat q99 > 20ms", [LATENCY], "runqlat has no column 'q99'; did you mean p99?"),
        ("syscount last_n > 20ms", [CALLS], "syscount has no column 'last_n'; did you mean last_ns?"),
        ("syscount rate cuont > 20", [CALLS], "syscount has no counter 'cuont'; did you mean count?"),
        ("tcptop rate tgid > 20", [TRAFFIC], "tcptop has no counter 'tgid'; it has sent, busy"),
        ("tcptop.adress rate > 20", [TRAFFIC], "tcptop has no view 'adress'; did you mean by_address?"),
        ("runqlat lst > 2", [LATENCY], "runqlat has no column 'lst'; did you mean lost?"),
        ('runqlat lost("curl") > 2', [LATENCY], "lost has no rows to choose by words"),
        (
            "runqlat total > 2",
            [LATENCY],
            "runqlat has no call stacks with a gauge; "
            "it has p50, p90, p99, max, rate, count, lost, map_full, evicted, missed",
        ),
    ],
)
def test_what_does_not_fit_the_probe(text: str, views: list[ViewInfo], why: str) -> None:
    with pytest.raises(BadTrigger) as error:
        bound(text, *views)
    assert str(error.value) == why
