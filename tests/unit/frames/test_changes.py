"""What a reader makes of written changes is what was last given to the writer, whatever was skipped in between."""

from collections import Counter
from random import Random

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebpftop.frames import changes as changes_module
from ebpftop.frames.changes import ChangeWriter
from ebpftop.frames.codec import BadFrame
from ebpftop.frames.columns import Array, Labels, pack, unpack
from ebpftop.frames.messages import (
    Changes,
    Column,
    ColumnInfo,
    Columns,
    Loaded,
    RowChanges,
    Snapshot,
    ViewInfo,
    Written,
)
from ebpftop.frames.received import ChangeReader

VIEW = ViewInfo(
    name="calls",
    map="calls",
    show="table",
    title="Calls",
    columns=[
        ColumnInfo(field="process", title="PROCESS", decode="process"),
        ColumnInfo(field="name", title="NAME", decode="comm"),
        ColumnInfo(field="count", title="COUNT", role="counter"),
        ColumnInfo(field="last", title="LAST", role="gauge"),
        ColumnInfo(field="state", title="STATE", role="gauge", decode="string"),
    ],
)
LOADED = Loaded(run=1, probe="a/b", params={}, variant="raw", meaning="", views=[VIEW], attached=[])

Row = tuple[int, str, int, float, str]

keys = st.tuples(st.integers(0, 5), st.sampled_from(["sh", "cat", "é\x1b"]))
values = st.tuples(
    st.integers(0, (1 << 64) - 1) | st.integers(0, 300),
    st.floats(allow_nan=True, width=64),
    st.sampled_from(["R", "S", "D"]),
)
maps = st.lists(st.builds(lambda key, value: (*key, *value), keys, values), max_size=12)
"""Keys may come twice: a row that ended, and one that goes on."""


def columns(rows: list[Row]) -> Columns:
    def texts(at: int) -> Labels:
        labels = sorted({str(row[at]) for row in rows}, reverse=True)
        return Labels(np.array([labels.index(str(row[at])) for row in rows], "<u4"), labels)

    return pack(
        {
            "process": np.array([row[0] for row in rows], "<u4"),
            "name": texts(1),
            "count": np.array([row[2] for row in rows], "<u8"),
            "last": np.array([row[3] for row in rows], "<f8"),
            "state": texts(4),
        }
    )


def snapshot(seq: int, rows: list[Row]) -> Snapshot:
    return Snapshot(
        run=1, seq=seq, realtime_ns=0, monotonic_ns=seq * 10**9, boottime_ns=0, maps={"calls": columns(rows)}
    )


def counted(maps: dict[str, Columns]) -> Counter[tuple[object, ...]]:
    """The rows, without their order; floats as their bits."""
    found = unpack(maps["calls"]).values()
    lists = [each.texts() if isinstance(each, Labels) else each.view(f"<u{each.itemsize}").tolist() for each in found]
    return Counter(zip(*lists, strict=True))


def travelled(frame: Written) -> Written:
    return msgspec.msgpack.decode(msgspec.msgpack.encode(frame), type=Written)


@settings(deadline=None)
@given(st.lists(st.tuples(maps, st.booleans()), min_size=1, max_size=8), st.booleans())
def test_the_state_is_that_of_the_writer_whatever_is_skipped(
    steps: list[tuple[list[Row], bool]], views_known: bool
) -> None:
    writer, reader = ChangeWriter(), ChangeReader()
    if views_known:
        writer.written(LOADED)
    for seq, (rows, skipped) in enumerate(steps):
        given_ = snapshot(seq, rows)
        if skipped:
            continue
        got = reader.read(travelled(writer.written(given_)))
        assert isinstance(got, Snapshot)
        assert counted(got.maps) == counted(given_.maps)
        assert msgspec.structs.replace(got, maps={}) == msgspec.structs.replace(given_, maps={})
        types = {name: (column.dtype, column.labels is None) for name, column in got.maps["calls"].items()}
        assert list(types.items()) == [
            (name, (column.dtype, column.labels is None)) for name, column in given_.maps["calls"].items()
        ]


@settings(deadline=None)
@given(maps, st.lists(st.randoms(use_true_random=False), min_size=1, max_size=4))
def test_rows_that_stay_may_come_in_another_order(rows: list[Row], orders: list[Random]) -> None:
    writer, reader = ChangeWriter(), ChangeReader()
    writer.written(LOADED)
    reader.read(travelled(writer.written(snapshot(0, rows))))
    for seq, order in enumerate(orders, 1):
        rows = [(*row[:2], (row[2] + order.randrange(3)) % (1 << 64), *row[3:]) for row in rows]
        order.shuffle(rows)
        given_ = snapshot(seq, rows)
        got = reader.read(travelled(writer.written(given_)))
        assert isinstance(got, Snapshot)
        assert counted(got.maps) == counted(given_.maps)


def changes(writer: ChangeWriter, seq: int, rows: list[Row]) -> Changes:
    made = writer.written(snapshot(seq, rows))
    assert isinstance(made, Changes)
    return made


def test_only_what_changed_is_written() -> None:
    writer = ChangeWriter()
    writer.written(LOADED)
    rows: list[Row] = [(number, "sh", 1000, 0.0, "R") for number in range(100)]
    assert changes(writer, 1, rows).key
    assert changes(writer, 2, rows).rows == {}
    rows[7] = (7, "sh", 1003, 0.0, "R")
    change = changes(writer, 3, rows).rows["calls"]
    assert change == RowChanges(
        at=Column(dtype="|u1", data=bytes([8])), gains={"count": Column(dtype="|i1", data=bytes([3]))}
    )
    del rows[0], rows[1]
    change = changes(writer, 4, rows).rows["calls"]
    assert change == RowChanges(gone=Column(dtype="|u1", data=bytes([1, 2])))
    rows.append((200, "cat", 1, 0.0, "R"))
    change = changes(writer, 5, rows).rows["calls"]
    assert change.labels == {"name": ["cat"]}
    assert (change.gone, change.at, change.born["process"].data) == (None, None, bytes([200]))


def test_rows_are_told_apart_by_their_order_only_where_keys_are_equal(monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[int] = []

    def counting(keys: list[Array]) -> Array:
        counted.append(len(keys[0]))
        return ordinary(keys)

    ordinary = changes_module._repeats
    monkeypatch.setattr(changes_module, "_repeats", counting)
    writer = ChangeWriter()
    writer.written(LOADED)
    one, two, again = (1, "sh", 5, 0.0, "R"), (2, "sh", 5, 0.0, "R"), (2, "sh", 1, 0.0, "S")
    for seq, rows in enumerate([[one], [one, two], [two, one]], 1):
        changes(writer, seq, rows)
    assert counted == []
    assert changes(writer, 4, [one, two, again]).rows["calls"].gone is None
    assert counted == [2, 3]  # of the rows before, and now
    gone = changes(writer, 5, [one, again]).rows["calls"].gone
    assert gone is not None
    assert counted == [2, 3, 3, 2]
    changes(writer, 6, [one])
    assert len(counted) == 4


def test_rows_are_written_whole_at_first_and_after_a_gap() -> None:
    writer = ChangeWriter(keeps=True)
    writer.written(LOADED)
    assert [seq for seq in range(1, 25) if changes(writer, seq, [(1, "sh", seq, 0.0, "R")]).key] == [1]
    writer.forget(1)
    assert writer.last_two(1) == []
    assert changes(writer, 25, []).key


@settings(deadline=None)
@given(st.lists(maps, min_size=1, max_size=8), st.integers(0, 7), st.booleans())
def test_a_reader_can_begin_with_the_last_two_snapshots(steps: list[list[Row]], begins: int, forgets: bool) -> None:
    """And then knows the same rows, in the same order, as one that has read all."""
    writer, first, late = ChangeWriter(keeps=True), ChangeReader(), ChangeReader()
    writer.written(LOADED)
    begins = min(begins, len(steps) - 1)
    read = []
    for seq, rows in enumerate(steps):
        if forgets and seq == begins:
            writer.forget(1)
        written = travelled(changes(writer, seq, rows))
        read.append(first.read(written))
        if seq == begins:
            last = [late.read(travelled(change)) for change in writer.last_two(1)]
            assert last == (read[-1:] if forgets else read[-2:])
        elif seq > begins:
            assert late.read(written) == read[-1]


def test_labels_that_no_row_has_any_more_are_forgotten() -> None:
    writer, reader = ChangeWriter(), ChangeReader()
    writer.written(LOADED)
    whole = 0
    for seq in range(5000):
        change = changes(writer, seq, [(1, f"name {seq}", 1, 0.0, "R")])
        whole += change.key
        got = reader.read(change)
    assert 2 <= whole <= 6
    assert isinstance(got, Snapshot)
    assert got.maps["calls"]["name"].labels == ["name 4999"]


@pytest.mark.parametrize(
    "change",
    [
        RowChanges(gone=Column(dtype="|u1", data=bytes([4]))),
        RowChanges(gone=Column(dtype="|u1", data=bytes([1, 0]))),
        RowChanges(gone=Column(dtype="<f4", data=bytes(4))),
        RowChanges(at=Column(dtype="|u1", data=bytes([4])), gains={}),
        RowChanges(at=Column(dtype="|u1", data=bytes([1])), gains={"count": Column(dtype="|u1", data=bytes(2))}),
        RowChanges(at=Column(dtype="|u1", data=bytes([1])), gains={"count": Column(dtype="S8", data=bytes(8))}),
        RowChanges(at=Column(dtype="|u1", data=bytes([1])), gains={"state": Column(dtype="|u1", data=bytes([9]))}),
        RowChanges(gains={"other": Column(dtype="|u1", data=b"")}),
        RowChanges(born={"count": Column(dtype="|u1", data=bytes(1))}),
        RowChanges(labels={"count": ["x"]}),
    ],
)
def test_a_change_that_does_not_fit_is_refused(change: RowChanges) -> None:
    writer, reader = ChangeWriter(), ChangeReader()
    writer.written(LOADED)
    first = changes(writer, 1, [(number, "sh", 1, 0.0, "R") for number in range(3)])
    reader.read(first)
    with pytest.raises(BadFrame):
        reader.read(msgspec.structs.replace(first, key=False, rows={"calls": change}))


def test_a_change_of_an_unknown_map_is_refused() -> None:
    first = changes(ChangeWriter(), 1, [])
    with pytest.raises(BadFrame):
        ChangeReader().read(msgspec.structs.replace(first, key=False))
