"""Python functions as the probe tells them, and their place on a stack."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebpftop.base.gaps import PYTHON_LEFT_OUT
from ebpftop.collector.census import Census
from ebpftop.collector.functions import Functions
from ebpftop.collector.pythons import UNREADABLE, Pythons, short
from ebpftop.collector.ring import RingBroken
from ebpftop.frames.layout import PYTHON_FUNCTION, Field, MapLayout, Record
from ebpftop.frames.messages import Function

PAGE, SIZE, LINES = 4096, 1 << 16, 8192
ASCII, LATIN, WIDE, WIDEST = 1 << 2 | 3 << 5, 1 << 2 | 1 << 5, 2 << 2 | 1 << 5, 4 << 2 | 1 << 5
TABLE = bytes([0xD8, 0x00, 0xE0, 0x00, 0x01])  # an instruction one line further, and one two more


def layout(name: str = "lines") -> MapLayout:
    sizes = {"<u4": 4, "u1": 1}
    fields, at = [], 0
    for field, kind, count in PYTHON_FUNCTION:
        fields.append(Field(field, kind, at, count))
        at += sizes[kind] * count
    fields.append(Field(name, f"S{LINES}", at, 1))
    value = Record(at + LINES, fields)
    return MapLayout(name="stacks_python_functions", kind=27, max_entries=SIZE, key=Record(0, []), value=value)


class Told:
    """Functions in a file like a ring buffer."""

    def __init__(self) -> None:
        self.fd = os.memfd_create("ring")
        os.truncate(self.fd, 2 * PAGE + 2 * SIZE)
        self.functions = Functions(Census(lambda _: ""))
        self.pythons = Pythons(-1, self.fd, layout(), self.functions)
        self.at = 0

    def put(
        self, number: int, name: str = "f", file: str = "/srv/app/main.py", *, table: bytes = TABLE, first: int = 10
    ) -> None:
        named, filed = name.encode(), file.encode()
        head = struct.pack("<8I", number, 11, first, ASCII, len(named), ASCII, len(filed), len(table))
        self.raw(head + named.ljust(256, b"?") + filed.ljust(512, b"?") + table)

    def raw(self, record: bytes) -> None:
        content = struct.pack("<II", len(record), 0) + record
        for copy in (0, SIZE):
            os.pwrite(self.fd, content, 2 * PAGE + copy + self.at)
        self.at += -(-len(content) // 8) * 8
        os.pwrite(self.fd, struct.pack("<Q", self.at), PAGE)

    def function(self, entry: int) -> Function:
        """What was reported of an entry's place."""
        place = self.pythons.place(entry)
        assert place < 0
        changes = self.functions.changes()
        known = {} if changes is None else {each.id: each for each in changes.functions}
        return known[-1 - place]

    def close(self) -> None:
        self.pythons.close()
        os.close(self.fd)


@pytest.fixture
def told() -> Iterator[Told]:
    made = Told()
    yield made
    made.close()


def entry(number: int, instruction: int = 0) -> int:
    return number << 32 | 184 + instruction


def test_a_function_has_its_name_file_and_line(told: Told) -> None:
    told.put(7, "Service.handle")
    found = told.function(entry(7, 2))
    assert found == Function(
        id=found.id, side="python", name="Service.handle", module="app/main.py", file="/srv/app/main.py", line=13
    )


def test_an_instruction_outside_of_the_table_has_no_line(told: Told) -> None:
    told.put(7)
    found = told.function(entry(7, 4096))
    assert (found.name, found.file, found.line) == ("f", "", 0)


def test_one_that_was_told_after_the_ring_was_read_is_found(told: Told) -> None:
    told.pythons.take()
    told.put(7)
    assert told.function(entry(7)).name == "f"


@pytest.mark.parametrize("number", [8, UNREADABLE])
def test_one_that_was_not_told_is_unknown(told: Told, number: int) -> None:
    told.put(7)
    found = told.function(entry(number))
    assert (found.side, found.name, found.module) == ("python", "", "Python")


@pytest.mark.parametrize(
    ("state", "encoding", "text"),
    [(ASCII, "ascii", "abc"), (LATIN, "latin-1", "höt"), (WIDE, "utf-16-le", "名前"), (WIDEST, "utf-32-le", "𝒳yz")],
)
def test_names_come_in_every_width(told: Told, state: int, encoding: str, text: str) -> None:
    name = text.encode(encoding)
    head = struct.pack("<8I", 7, 11, 1, state, len(text), ASCII, 1, 0)
    told.raw(head + name.ljust(256, b"?") + b"x".ljust(512, b"?"))
    assert told.function(entry(7)).name == text


def test_a_long_name_keeps_its_beginning_and_a_long_path_its_end(told: Told) -> None:
    head = struct.pack("<8I", 7, 11, 10, ASCII, 300, ASCII, 600, len(TABLE))
    told.raw(head + b"n" * 252 + b"????" + b"/" + b"p" * 498 + b"/app/m.py" + b"????" + TABLE)
    found = told.function(entry(7))
    assert found.name == "n" * 252 + "…"
    assert (found.file[:2], found.module) == ("…/", "app/m.py")


@pytest.mark.parametrize(
    ("file", "told_as"),
    [
        ("/usr/lib/python3/dist-packages/yaml/loader.py", "yaml/loader.py"),
        ("/srv/venv/lib/python3.12/site-packages/django/core/wsgi.py", "django/core/wsgi.py"),
        ("/usr/lib/python3.11/json/decoder.py", "json/decoder.py"),
        ("/home/me/app/main.py", "app/main.py"),
        ("<frozen importlib._bootstrap>", "<frozen importlib._bootstrap>"),
        ("", ""),
    ],
)
def test_a_file_is_told_by_what_sets_it_apart(file: str, told_as: str) -> None:
    assert short(file) == told_as


# ---------------------------------------------------------------- in place of the interpreter's loop

SP = 0x7FFF_0000_0000
PLACES = (0x1000, 0x2000, 0x3000, 0x4000, 0x5000)
BOUNDS = (SP, SP + 0x100, SP + 0x200, SP + 0x300, SP + 0x400)


def names(told: Told, places: tuple[int, ...]) -> list[object]:
    changes = told.functions.changes()
    known = {} if changes is None else {each.id: each.name for each in changes.functions}
    return [place if place >= 0 else known[-1 - place] for place in places]


def test_each_call_of_the_loop_has_the_functions_that_it_runs(told: Told) -> None:
    for number, name in enumerate("abc", 1):
        told.put(number, name)
    entries = [entry(1), entry(2), 0x110, entry(3), 0x2F8]
    woven = told.pythons.woven(PLACES, BOUNDS, entries)
    assert names(told, woven) == [0x1000, "a", "b", "c", 0x4000, 0x5000]


def test_a_call_that_runs_nothing_yet_stays(told: Told) -> None:
    assert told.pythons.woven(PLACES, BOUNDS, [0x110, 0x210]) == PLACES


def test_what_runs_beyond_the_known_frames_is_not_told(told: Told) -> None:
    """Of a stack that is cut, the end of the last frame is not known."""
    told.put(1, "a")
    told.put(2, "b")
    woven = told.pythons.woven(PLACES, BOUNDS, [entry(1), 0x10, entry(2), 0x4000])
    assert names(told, woven) == ["a", *PLACES[1:]]
    assert told.pythons.woven(PLACES, BOUNDS, [entry(1), entry(2)]) == PLACES  # nor what ends nowhere


def test_calls_that_were_left_out_are_told(told: Told) -> None:
    told.put(1, "a")
    woven = told.pythons.woven(PLACES, BOUNDS, [entry(1), entry(1), 0x110], deeper=True)
    assert names(told, woven) == [0x1000, "a", "a", PYTHON_LEFT_OUT, *PLACES[2:]]


def test_a_record_that_ends_early_is_refused(told: Told) -> None:
    told.raw(bytes(100))
    with pytest.raises(RingBroken):
        told.pythons.take()


def test_other_records_are_refused(told: Told) -> None:
    with pytest.raises(ValueError, match="something other"):
        Pythons(-1, told.fd, layout("else"), told.functions)


@given(st.binary(max_size=300), st.lists(st.integers(0, (1 << 64) - 1), max_size=20))
def test_whatever_is_told_ends_in_places_of_the_stack_and_functions(record: bytes, entries: list[int]) -> None:
    told = Told()
    try:
        told.raw(record[:32].ljust(32, b"\0") + record.ljust(768, b"\xff") + record)
        number = int.from_bytes(record[:4].ljust(4, b"\0"), "little")
        woven = told.pythons.woven(PLACES, BOUNDS, [*entries, number << 32 | 200, 0x10])
        assert all(place < 0 or place in PLACES for place in woven)
        changes = told.functions.changes()
        for each in changes.functions if changes is not None else ():
            assert len(each.name) <= 256
            assert len(each.file) <= 512
    finally:
        told.close()
