"""The HTML report as a document: hostile text stays text, nothing comes from elsewhere, and its size is bounded."""

import base64
import hashlib
import re
from pathlib import Path

import numpy as np
import pytest

from ebpftop.export.gathered import gather
from ebpftop.export.page.markup import Markup, bare, tag, text
from ebpftop.export.page.page import Page, html
from ebpftop.export.taped import Chapter, Taped, read
from ebpftop.frames.messages import AnyFrame, Notice
from ebpftop.frames.tape import TapeReader, TapeWriter
from ebpftop.model.past.span import Span
from ebpftop.model.scope import Scope
from tests.support import frames
from tests.support.frames import CALLS, EXECS, LATENCY, SAMPLES, SECOND
from tests.support.hostile import EVIL, hostile
from tests.support.page_reader import Report

HARMLESS = "\\x1b[31m\\u202e\\u2066\\x00"


def chapter(*sent: AnyFrame) -> Chapter:
    found = Chapter()
    for at, frame in enumerate([frames.hello(), *sent]):
        found.take(at * SECOND, frame)
    return found


def page(*sent: AnyFrame, span: Span | None = None, **more: str) -> str:
    given = {"title": "T", "source": "x.tape", **more}
    return html(Page(streams=[gather(chapter(*sent), Scope(span or Span()))], **given))


def latency(seq: int, counts: dict[tuple[int, int], int], **losses: int) -> AnyFrame:
    tgids, slots = zip(*counts, strict=True)
    rows = frames.columns(tgid=np.array(tgids, "<u4"), slot=np.array(slots, "<u4"), count=list(counts.values()))
    return frames.snapshot(1, seq, {"latency": rows}, **losses)


def test_hostile_text_stays_text() -> None:
    written = page(*hostile(), title=EVIL, source=EVIL, problem=EVIL)
    read = Report(written)
    assert not read.open, "every element is closed"
    names = {name for name, _ in read.elements}
    assert "img" not in names
    assert [name for name, _ in read.elements].count("script") == 1
    assert [name for name, _ in read.elements].count("title") == 1 + 3, "the page's, and those of three frames"
    assert not any(key.startswith("on") for _, given in read.elements for key in given), "no handlers"
    assert all(c.isprintable() or c == "\n" for c in written), "no control or bidirectional characters"
    assert HARMLESS in read.text
    assert written.encode()
    views = read.runs[1].views
    assert [row[1].text for row in next(iter(views.values())).tables["keys"].rows][1].startswith("</title></script>")


def test_the_page_loads_nothing_and_says_so_to_the_browser() -> None:
    read = Report(page(*hostile()))
    loads = [(name, given) for name, given in read.elements if {"src", "data", "srcset", "action"} & given.keys()]
    assert loads == []
    links = [given["href"] for name, given in read.elements if name in ("a", "link", "use")]
    assert links
    assert all(re.fullmatch(r"#[a-z0-9-]+", each) for each in links)
    anchors = {given["id"] for _, given in read.elements if "id" in given}
    assert {each[1:] for each in links} <= anchors
    (policy,) = (given["content"] for _, given in read.elements if given.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert not any("style" in given for _, given in read.elements), "the policy forbids style attributes"


def test_the_policy_allows_exactly_our_script_and_style() -> None:
    written = page(*hostile())
    for name in ("script", "style"):
        content = re.search(f"<{name}>(.*?)</{name}>", written, re.DOTALL)
        assert content
        digest = base64.b64encode(hashlib.sha256(content[1].encode()).digest()).decode()
        assert f"{name}-src &#x27;sha256-{digest}&#x27;" in written


def test_markup_is_only_what_tag_made() -> None:
    assert text("<b>") == "&lt;b&gt;"
    assert tag("p", "a<", Markup("<b/>"), None, 3, ["x", "&"]) == "<p>a&lt;<b/>3x&amp;</p>"
    assert (
        tag("rect", x=1.23456789, class_='a"b', hidden=None, aria_label="é")
        == '<rect x="1.23457" class="a&quot;b" aria-label="é"/>'
    )
    assert tag("details", open=True) == "<details open></details>"
    assert bare("\u202ex") == "<bdi>\\u202ex</bdi>"


@pytest.mark.parametrize("kind", ["keys", "rows", "events", "stacks"])
def test_what_is_left_out_is_said(kind: str) -> None:
    many = 5000
    numbers = np.arange(1, many + 1, dtype="<u4")
    names = frames.processes(*(frames.process(int(n), f"p{n}") for n in numbers))
    sent = {
        "keys": [
            frames.loaded(1, "cpu/x", LATENCY),
            frames.snapshot(1, 0, {"latency": frames.columns(tgid=numbers, slot=numbers % 400, count=numbers)}),
        ],
        "rows": [
            frames.loaded(1, "cpu/x", CALLS),
            frames.snapshot(
                1, 0, {"calls": frames.columns(tgid=numbers, nr=["read"] * many, count=numbers, last_ns=numbers)}
            ),
        ],
        "events": [
            frames.loaded(1, "cpu/x", EXECS),
            frames.events(1, "events", frames.columns(tgid=numbers, args=["a"] * many, errno=["x"] * many)),
            frames.snapshot(1, 0, {}),
        ],
        "stacks": [
            frames.loaded(1, "cpu/x", SAMPLES),
            frames.stacks({int(n): [f"f{n}", f"g{n}", f"h{n % 7}"] for n in numbers}),
            frames.samples(1, 0, {(int(n), int(n)): 1000 + int(n) for n in numbers}),
        ],
    }[kind]
    written = page(names, *sent)
    assert len(written) < 900_000
    said = {
        "keys": "The first 100 of 5 000 rows.",
        "rows": "The first 100 of 5 000 rows.",
        "events": "The last 300 of 5 000 events.",
        "stacks": "Frames below",
    }
    read = Report(written)
    assert said[kind] in read.text
    (view,) = read.runs[1].views.values()
    assert len(view.tables[kind].rows) == {"keys": 101, "rows": 100, "events": 300, "stacks": 40}[kind]


def test_a_long_past_has_a_bounded_number_of_columns() -> None:
    sent = [latency(seq, {(1, 30): seq + 1, (2, 60): seq * 2 + 1}) for seq in range(1000)]
    read = Report(page(frames.loaded(1, "cpu/x", LATENCY), *sent))
    table = read.runs[1].views["latency"].tables["time"]
    assert 100 <= len(table.rows) <= 120
    assert f"1000 samples in {len(table.rows)} rows." in read.text
    assert sum(row[2].value for row in table.rows) == 1000 + 1999


def test_a_gap_in_the_samples_is_part_of_no_rate() -> None:
    """Ten seconds are missing between two samples: what was gained is divided by them, as nothing says when it was."""
    sent = [latency(0, {(1, 30): 1}), *(latency(seq, {(1, 30): 10 * seq}) for seq in (1, 2, 12, 13))]
    read = Report(page(frames.loaded(1, "cpu/x", LATENCY), *sent))
    rows = read.runs[1].views["latency"].tables["time"].rows
    assert [row[3].value for row in rows] == [10, 10, 10, 10]


def test_what_happened_is_marked_and_listed() -> None:
    sent = [
        frames.loaded(1, "cpu/x", LATENCY),
        latency(0, {(1, 30): 1}),
        frames.rejected(2, "lab/y"),
        latency(10, {(1, 30): 10}),
        latency(12, {(1, 30): 10}),
        Notice(level="error", text="recording stopped: No space left on device"),
        frames.mark("deploy <42>", at=6),
    ]
    read = Report(page(*sent))
    rows = read.tables["moments"].rows
    assert [(row[0].value, row[2].text) for row in rows] == [(1, "load failed"), (2, "error"), (3, "mark")]
    assert rows[0][3].text.startswith("lab/y: rejected by the verifier: ")
    assert rows[2][3].text == "deploy <42>"
    assert rows[1][3].text == "recording stopped: No space left on device"
    began = frames.EPOCH - 2 * SECOND  # the first sample is the third frame, two seconds after the tape's beginning
    assert [row[1].value for row in rows] == [began + 3 * SECOND, began + 6 * SECOND, frames.EPOCH + 6 * SECOND]
    marks = [given for name, given in read.elements if name == "line" and given.get("class") == "mark"]
    assert {given["x1"] for given in marks} == {"8.33%", "33.3%", "50%"}


def test_a_failed_load_is_explained_where_its_numbers_would_be() -> None:
    read = Report(page(frames.rejected(2, "lab/y")))
    assert "R0 invalid mem access" in read.text
    assert "may be NULL here" in read.text
    assert "7: (85) call bpf_map_lookup_elem#1" in read.text, "the whole log"


def test_losses_and_caveats_stand_with_the_probe() -> None:
    info = frames.probe(
        "cpu/x", [LATENCY], readme="# X\n\n**Caveats.** Idle CPUs `aren't` *counted*.\nMore.\n\nElse.\n"
    )
    sent = [
        frames.catalog(info),
        frames.loaded(1, "cpu/x", LATENCY, meaning="sampled", notes=["ids are those of the host"]),
        latency(0, {(1, 30): 1}),
        latency(1, {(1, 30): 10}, lost=3, map_full=2, evicted=1, missed=4),
    ]
    written = page(*sent)
    read = Report(written)
    assert read.runs[1].losses == {"lost": 3, "map_full": 2, "evicted": 1, "missed": 4}
    assert "raw: sampled" in read.text
    assert "ids are those of the host" in read.text
    assert "Idle CPUs <code>aren&#x27;t</code> <em>counted</em>. More.</li>" in written
    assert "Else." not in read.text


def test_a_probe_without_a_sample_and_one_that_was_detached_early() -> None:
    gone = frames.detached(2)
    sent = [
        frames.loaded(1, "cpu/x", LATENCY),
        frames.loaded(2, "cpu/y", LATENCY),
        frames.msgspec.structs.replace(gone, reason="it took 40% of a CPU"),
    ]
    read = Report(page(*sent))
    assert "No sample." in read.text
    assert "it took 40% of a CPU" in read.text
    assert "cpu/y ▲ detached early" in read.text


def test_a_span_shorter_than_a_step_is_the_step() -> None:
    sent = [frames.loaded(1, "cpu/x", LATENCY), *(latency(seq, {(1, 30): 1 + 10 * seq}) for seq in range(4))]
    span = Span(1001 * SECOND + 100, 1001 * SECOND + 200)
    read = Report(page(*sent, span=span))
    view = read.runs[1].views["latency"]
    assert view.attributes["data-seconds"] == "1.0"
    assert view.tables["keys"].rows[0][2].value == 10


def test_equal_tapes_give_equal_pages() -> None:
    assert page(*hostile()) == page(*hostile())


def test_a_tape_of_a_collector_that_was_started_again_has_two_parts(tmp_path: Path) -> None:
    path = tmp_path / "x.tape"
    with TapeWriter(path) as tape:
        for total in (5, 7):
            tape.write(frames.hello())
            tape.write(frames.loaded(1, "cpu/x", LATENCY))
            tape.write(latency(0, {(1, 30): total}))
    taped = read(TapeReader(path))
    assert len(taped.chapters) == 2
    written = html(Page("T", "x", list(map(gather, taped.chapters))))
    assert "Part 2: the collector was restarted" in written
    assert sorted(re.findall(r'id="(run-[^"]+)"', written)) == ["run-0-1", "run-1-1"]


def test_a_cut_tape_is_reported_as_far_as_it_goes(tmp_path: Path) -> None:
    path = tmp_path / "x.tape"
    with TapeWriter(path, clock=iter(range(0, 100 * SECOND, SECOND)).__next__) as tape:
        for frame in [frames.hello(), frames.loaded(1, "cpu/x", LATENCY)]:
            tape.write(frame)
        for seq in range(20):
            tape.write(latency(seq, {(1, 30): 1 + seq}))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])
    taped: Taped = read(TapeReader(path))
    assert "is truncated after" in taped.problem
    read_back = Report(html(Page("T", taped.name, list(map(gather, taped.chapters)), taped.problem)))
    total = read_back.runs[1].views["latency"].tables["keys"].rows[0][2].value
    assert total is not None
    assert 5 < total < 20
    assert "The tape is incomplete" in read_back.text


def test_a_deep_flame_graph_says_what_has_no_room_on_paper() -> None:
    for depth, tall, said in ((30, False, ""), (60, True, ""), (150, True, "The innermost 67 rows")):
        chapter = Chapter()
        told = (
            frames.hello(),
            frames.processes(frames.process(1, "deep")),
            frames.stacks({1: [f"function_{at}" for at in range(depth)]}),
            frames.loaded(1, "cpu/some", frames.TIMED),
            *(frames.snapshot(1, n, {"counts": frames.columns(tgid=[1], stack=[1], count=[n + 1])}) for n in range(2)),
        )
        for at, frame in enumerate(told):
            chapter.take(at, frame)
        page = html(Page("x", "x", [gather(chapter)]))
        assert ('class="flame tall"' in page) is tall
        assert f'class="printed"> {said} ' in page if said else 'class="printed"' not in page
