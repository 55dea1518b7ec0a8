"""The tape that ships with the program: what is on it, and what must not be."""

from collections import Counter
from pathlib import Path
from textwrap import wrap

import ebpftop
from ebpftop.frames.messages import Catalog, Events, Hello, Host, Loaded, Mark, Processes, Rejected, Snapshot
from ebpftop.frames.privacy import ARGUMENTS
from ebpftop.frames.tape import TapeReader
from ebpftop.model.caption import LASTS
from ebpftop.model.failure import explain
from tests.screenshots.story import CAPTIONS

TAPE = Path(ebpftop.__file__).parent / "demo.tape"
FRAMES = [frame for _, frame in TapeReader(TAPE)]


def of(kind: type) -> list:
    return [frame for frame in FRAMES if isinstance(frame, kind)]


def test_it_shows_an_incident_of_some_minutes_with_every_kind_of_view() -> None:
    loaded = {frame.probe: frame for frame in of(Loaded)}
    shown = ("cpu/runqlat", "cpu/syscount", "cpu/execsnoop", "cpu/profile", "disk/biolatency", "network/tcplife")
    assert set(loaded) == set(shown)
    assert {view.show for frame in loaded.values() for view in frame.views} == {
        "histogram",
        "table",
        "events",
        "stacks",
    }
    assert 120 < TapeReader(TAPE).duration < 180
    assert TAPE.stat().st_size < 800_000


def test_captions_tell_its_story_nearly_without_a_gap() -> None:
    marks = of(Mark)
    assert [mark.text for mark in marks] == [text for _, text in CAPTIONS]
    moments = [at for at, frame in TapeReader(TAPE) if isinstance(frame, Mark)]
    assert moments[0] < 2e9
    end = TapeReader(TAPE).duration * 1e9
    shown = [min(LASTS, after - at) for at, after in zip(moments, [*moments[1:], end], strict=True)]
    assert min(shown) >= 7.5e9  # time to read it
    assert sum(shown) > 0.9 * end
    assert [text for _, text in CAPTIONS if len(wrap(f"▼ {text}", 78)) > 2] == []


def test_a_probe_is_refused_at_the_line_that_dereferences() -> None:
    (rejected,) = of(Rejected)
    assert rejected.probe == "lab/null-deref"
    failure = explain(rejected.probe, rejected)
    assert failure.message == "R0 invalid mem access 'map_value_or_null'"
    assert failure.source is not None
    assert failure.source.text.strip() == "*count += 1;"


def test_nothing_is_missing_in_it() -> None:
    told = [*of(Snapshot), *of(Events)]
    assert Counter(frame.losses.lost + frame.losses.map_full + frame.losses.evicted for frame in told) == {0: len(told)}
    assert of(Catalog)[-1].problems == []
    assert len(of(Host)) > 120


def test_it_tells_nothing_of_the_machine_it_was_recorded_on() -> None:
    (hello,) = of(Hello)
    assert (hello.host, hello.user) == ("shop-01", "root")
    processes = [process for frame in of(Processes) for process in frame.processes if process.tgid]
    assert {process.command for process in processes} == {""}
    assert {process.user for process in processes} == {"root"}
    assert all(process.cgroup.startswith("/shop.slice/") for process in processes)
    assert {process.parent for process in processes} <= {"python", "healthcheck"}


def test_it_holds_no_arguments() -> None:
    held = [frame.columns[name].labels for frame in of(Events) for name in ARGUMENTS if name in frame.columns]
    assert held
    assert all(labels == [""] for labels in held)


def test_addresses_are_those_of_loopback() -> None:
    columns = [frame.columns[name] for frame in of(Events) for name in ("local", "remote") if name in frame.columns]
    assert {label for column in columns for label in column.labels or []} == {"127.0.0.1"}
