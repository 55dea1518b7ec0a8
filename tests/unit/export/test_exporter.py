"""Probes as metrics: what they are called, that they only grow and add up, and who may ask for them."""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import re
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from ebpftop.base.argument_types import address
from ebpftop.catalog import folders
from ebpftop.export.exporter import serving
from ebpftop.export.exporter.accounts import LATELY, OTHER, Accounts, Family, Key
from ebpftop.export.exporter.exposition import Exposition
from ebpftop.export.exporter.naming import Metric
from ebpftop.export.exporter.run import run
from ebpftop.export.exporter.serving import Server
from ebpftop.export.headless import FAILED, Reporter
from ebpftop.frames.messages import Detached, Detaching
from tests.support import frames, tape_sums
from tests.support.command import complaint, ebpftop
from tests.support.frames import CALLS, LATENCY, loaded
from tests.support.headless import HISTOGRAM, LAST, PEOPLE, SAMPLED, calls
from tests.support.processes import SLOWER
from tests.support.script import Script

OPEN = "application/openmetrics-text; version=1.0.0"
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def accounts(given: Sequence[Any], most: int = 20) -> Accounts:
    found = Accounts(most, io.StringIO())
    reporter = Reporter(found, io.StringIO())
    for frame in [frames.hello(), *given]:
        reporter.take(frame)
    reporter._write_report(1)
    return found


def read(of: Accounts) -> Samples:
    """As Prometheus' own parser reads it; an empty label is none."""
    text, _ = Exposition(of).text(OPEN)
    families = list(text_string_to_metric_families(text.decode()))
    return {
        (sample.name, frozenset((name, value) for name, value in sample.labels.items() if value)): sample.value
        for family in families
        for sample in family.samples
    }


def of(found: Samples, name: str, **labels: str) -> float:
    return found[name, frozenset(labels.items())]


def test_a_histogram_has_buckets_in_seconds_by_process() -> None:
    found = read(accounts([*HISTOGRAM, *LAST]))
    name = f"ebpftop_some_{LATENCY.name}_seconds"
    assert of(found, f"{name}_count", comm="sh") == 13
    assert of(found, f"{name}_count", comm="make") == 11
    assert of(found, f"{name}_bucket", comm="make", le="+Inf") == 11
    assert of(found, f"{name}_bucket", comm="sh", le="1.024e-06") == 13
    exact = sum(count * tape_sums.lower(slot) / 1e9 for slot, count in {20: 10, 21: 1}.items())
    assert exact <= of(found, f"{name}_sum", comm="make") <= exact * 1.125


def test_a_probes_losses_and_cost_are_told() -> None:
    found = read(accounts([*HISTOGRAM, *LAST]))
    assert of(found, "ebpftop_probe_lost_total", probe="cpu/some", cause="lost") == 3
    assert of(found, "ebpftop_probe_lost_total", probe="cpu/some", cause="evicted") == 1
    assert of(found, "ebpftop_probe_runs_total", probe="cpu/some") == 40
    assert of(found, "ebpftop_probe_read_timestamp_seconds", probe="cpu/some") == 1_700_000_001.5
    assert of(found, "ebpftop_probe_run_seconds_total", probe="cpu/some") == pytest.approx(0.010002)
    assert [value for (name, _), value in found.items() if name == "ebpftop_probe_up"] == [1]


def test_a_table_has_a_counter_for_each_counting_column() -> None:
    written = [
        loaded(1, "cpu/some", CALLS),
        PEOPLE,
        calls(0, [(1, "read", 3, 1), (2, "read", 5, 1), (3, 'a"b\\c\n', 7, 1)]),
        calls(1, [(1, "read", 10, 1), (2, "read", 5, 1), (3, 'a"b\\c\n', 8, 1)]),
    ]
    found = {key: value for key, value in read(accounts(written)).items() if key[0].startswith("ebpftop_some_")}
    assert sum(found.values()) == 10 + 5 + 8
    names = {frozenset(dict(labels).items()): value for (_, labels), value in found.items()}
    assert len(names) == 3
    assert {name for name, _ in found} == {"ebpftop_some_calls_count_total"}


def test_stacks_are_counted_by_process_and_events_too() -> None:
    found = read(accounts(SAMPLED))
    assert of(found, "ebpftop_profile_samples_total", comm="sh") == 21
    assert of(found, "ebpftop_profile_samples_total", comm="make") == 2


keys = st.integers(0, 30)
intervals = st.lists(st.dictionaries(keys, st.integers(1, 1000), max_size=12), min_size=1, max_size=12)


@given(intervals=intervals, most=st.integers(1, 8))
def test_series_never_shrink_and_add_up(intervals: list[dict[int, int]], most: int) -> None:
    """No more series than asked for. Each only grows or goes, one an interval, and all grow by what was counted."""
    family = Family(Metric("counter", "x", "X", "", 1.0), ("key",))
    before: dict[Key, int] = {}
    for number, gains in enumerate(intervals):
        family.gain({(str(key),): amount for key, amount in gains.items()}, float(number), most)
        now = {key: series.amount for key, series in family.series.items()}
        assert len(now) <= most + 1
        assert len(set(before) - set(now)) <= 1
        assert all(now[key] >= amount for key, amount in before.items() if key in now)
        assert sum(now[key] - before.get(key, 0) for key in now) == sum(gains.values())
        before = now


def test_a_key_that_gains_more_at_once_than_another_did_lately_takes_its_series() -> None:
    family = Family(Metric("counter", "x", "X", "", 1.0), ("key",))

    def now() -> dict[Key, int]:
        return {key: series.amount for key, series in family.series.items()}

    family.gain({("a",): 300, ("b",): 20}, 0.0, 2)
    family.gain({("a",): 100, ("c",): 15}, 5.0, 2)
    assert now() == {("a",): 400, ("b",): 20, (OTHER,): 15}
    family.gain({("a",): 100, ("c",): 50, ("d",): 40}, 10.0, 2)
    assert now() == {("a",): 500, ("c",): 50, (OTHER,): 55}
    family.gain({("d",): 60}, 10.0 + 60 * LATELY, 2)
    assert now() == {("c",): 50, ("d",): 60, (OTHER,): 55} or now() == {("a",): 500, ("d",): 60, (OTHER,): 55}


def test_the_greatest_gains_of_an_interval_have_series_of_their_own() -> None:
    rows = [(1, f"call{at}", 100 + at, 1) for at in range(50)]
    written = [loaded(1, "cpu/some", CALLS), PEOPLE, calls(0, rows)]
    found = {
        dict(labels)["nr"]: value
        for (name, labels), value in read(accounts(written, most=5)).items()
        if "calls" in name
    }
    assert set(found) == {"call49", "call48", "call47", "call46", "call45", OTHER}
    assert sum(found.values()) == sum(count for *_, count, _ in rows)


def test_ten_thousand_values_of_a_label_are_as_many_series_as_were_asked_for_and_their_sum_exact() -> None:
    rows = [(1, f"call{at}", 1 + at % 7, 1) for at in range(10_000)]
    found = {
        dict(labels)["nr"]: value
        for (name, labels), value in read(accounts([loaded(1, "cpu/some", CALLS), PEOPLE, calls(0, rows)])).items()
        if "calls" in name
    }
    assert len(found) == 20 + 1
    assert sum(found.values()) == sum(count for *_, count, _ in rows)


def test_a_scrape_before_a_probe_is_attached_and_after_it_ended() -> None:
    """What was counted stays, and `up` tells."""
    nothing = Accounts(20, io.StringIO())
    reporter = Reporter(nothing, io.StringIO())
    assert [name for name, _ in read(nothing) if "_some_" in name] == []
    for frame in [frames.hello(), loaded(1, "cpu/some", CALLS), PEOPLE, calls(0, [(1, "read", 3, 1)])]:
        reporter.take(frame)
    reporter._write_report(1)
    assert [value for (name, _), value in read(nothing).items() if name == "ebpftop_probe_up"] == [1]
    for frame in [
        Detaching(run=1, done=0, total=1),
        calls(1, [(1, "read", 3, 1)]),
        Detached(run=1, reason="over its budget"),
    ]:
        reporter.take(frame)
    found = read(nothing)
    assert [value for (name, _), value in found.items() if name == "ebpftop_probe_up"] == [0]
    assert sum(value for (name, _), value in found.items() if "_some_calls" in name) == 3


# ---------------------------------------------------------------- the server


@asynccontextmanager
async def served(text: bytes = b"x 1\n") -> AsyncIterator[int]:
    server = Server(lambda accept: (text, accept or "text/plain"))
    port = await server.listen("127.0.0.1", 0)
    try:
        yield port
    finally:
        await server.close()


async def asked(port: int, request: bytes) -> tuple[bytes, bytes]:
    """(head, body) of the answer; both empty where there is none."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    try:
        head, _, body = (await reader.read(-1)).partition(b"\r\n\r\n")
    except ConnectionResetError:
        return b"", b""
    finally:
        writer.close()
    return head, body


async def test_a_scrape() -> None:
    async with served() as port:
        head, body = await asked(port, b"GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: text/x\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\nContent-Type: text/x\r\nContent-Length: 4\r\n")
        assert body == b"x 1\n"
        assert (await asked(port, b"HEAD /metrics HTTP/1.0\r\n\r\n"))[1] == b""
        for target in (b"/metrics?x=1", b"http://host:1/metrics", b"HTTP://[::1]:1/metrics?x=/"):
            assert (await asked(port, b"GET " + target + b" HTTP/1.1\r\n\r\n"))[1] == b"x 1\n"


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /other HTTP/1.1\r\n\r\n", b"404"),
        (b"POST /metrics HTTP/1.1\r\n\r\n", b"405"),
        (b"GET /metrics\r\n\r\n", b"400"),
        (b"\xff\x00 \r\n\r\n", b"400"),
        (b"GET /../../etc/passwd HTTP/1.1\r\n\r\n", b"404"),
        (b"GET http://host HTTP/1.1\r\n\r\n", b"200"),
        (b"GET ftp://host/metrics HTTP/1.1\r\n\r\n", b"404"),
    ],
)
async def test_what_is_no_scrape_gets_no_numbers(request_: bytes, status: bytes) -> None:
    async with served() as port:
        head, _ = await asked(port, request_)
        assert head.split()[1] == status


async def test_a_request_without_end_and_a_reader_that_never_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """They cost a connection for a while; others are answered meanwhile, up to a limit."""

    async def hold(port: int) -> list[asyncio.StreamWriter]:
        """As many as are served at once ask, and read a byte."""
        held = []
        for _ in range(serving.CONNECTIONS):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /metrics HTTP/1.1\r\n\r\n")
            await reader.readexactly(1)
            held.append(writer)
        return held

    async with served(b"#" * (32 << 20)) as port:
        monkeypatch.setattr(serving, "PATIENCE", 600.0)
        patient = await hold(port)
        assert await asked(port, b"GET / HTTP/1.1\r\n\r\n") == (b"", b"")
        for writer in patient:
            writer.close()
        monkeypatch.setattr(serving, "PATIENCE", 0.3)
        async with asyncio.timeout(30 * SLOWER):
            while not (await asked(port, b"GET / HTTP/1.1\r\n\r\n"))[0].startswith(b"HTTP/1.1 200"):
                await asyncio.sleep(0.1)
            ended = await hold(port)  # and none of them leaves by itself
            while not (await asked(port, b"GET / HTTP/1.1\r\n\r\n"))[0].startswith(b"HTTP/1.1 200"):
                await asyncio.sleep(0.1)
        for writer in ended:
            writer.close()
        assert await asked(port, b"x" * 100_000) == (b"", b"")
        assert await asked(port, b"GET /") == (b"", b"")


async def test_who_never_asks_keeps_nobody_out() -> None:
    async with served() as port:
        silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3 * serving.CONNECTIONS)]
        assert (await asked(port, b"GET / HTTP/1.1\r\n\r\n"))[0].startswith(b"HTTP/1.1 200")
        for reader, writer in silent[: 2 * serving.CONNECTIONS]:
            with suppress(ConnectionResetError):
                assert await reader.read(1) == b""
            writer.close()
        for _, writer in silent:
            writer.close()


def test_every_name_is_one_that_prometheus_takes() -> None:
    """Of all probes and views, whatever they are called."""
    taken: set[str] = set()
    for probe in folders.read_bundled().probes.values():
        for view in probe.views:
            counters: Iterable[str] = view.counters if view.show == "table" else [""]
            for counter in counters:
                name = "_".join(filter(None, ["ebpftop", probe.id.partition("/")[2], view.name, counter]))
                assert name not in taken
                taken.add(name)
    assert len(taken) > 100


# ---------------------------------------------------------------- what is generated


def test_rules_name_metrics_that_there_are() -> None:
    done = ebpftop("exporter", "--rules", "runqlat", "biolatency")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[0] == "groups:"
    assert '    - record: "instance:ebpftop_runqlat_latency_seconds:p99_5m"' in lines
    assert (
        '      expr: "histogram_quantile(0.99, sum by (instance, le) '
        '(rate(ebpftop_runqlat_latency_seconds_bucket[5m])))"' in lines
    )
    assert {"EbpftopProbeDown", "EbpftopLoses"} == set(re.findall(r'alert: "(\w+)"', done.stdout))


def test_a_dashboard_has_panels_beside_each_other_for_each_metric() -> None:
    done = ebpftop("exporter", "--dashboard")
    found = json.loads(done.stdout)
    panels = found["panels"]
    assert len(panels) > 150
    assert [panel["id"] for panel in panels] == list(range(1, len(panels) + 1))
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells
    expressions = [target["expr"] for panel in panels for target in panel.get("targets", [])]
    assert any("ebpftop_execsnoop_events_total" in each for each in expressions)


@pytest.mark.parametrize("text", ["foo", ":9", "127.0.0.1:00000099999", "[::1:5", "[]:5", "a b:5", "x:-1", "x:٣"])
def test_an_address_that_is_none_is_told(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is not ADDRESS:PORT"):
        address(text)


@pytest.mark.parametrize("text", ["256.1.1.1:9435", f"{'a' * 64}:9435"])
async def test_a_host_that_is_not_known_is_told(text: str) -> None:
    told = io.StringIO()
    assert await run(Script([]), [], address(text), 20, err=told, stop=asyncio.Event()) == FAILED
    assert "can't listen on" in told.getvalue()
    assert "Unknown" not in told.getvalue()


def test_the_exporter_needs_a_probe() -> None:
    assert "needs the name of a probe" in complaint(ebpftop("exporter"), 2)
