import numpy as np

from ebpftop.frames.messages import ColumnInfo
from ebpftop.model.report_columns import report_columns
from tests.support.frames import process

KNOWN = {1: process(1, "sh"), 2: process(2, "make", container="web", pod="shop/cart-0", nspid=17)}
SENDER = ColumnInfo(field="tgid", title="sender", decode="process")
TARGET = ColumnInfo(field="target", title="target", decode="process")


def test_an_identity_becomes_its_process() -> None:
    report = report_columns([SENDER], {"tgid": np.array([2, 9], "<u4")}, KNOWN)
    assert [(column.shown.name, column.shown.title, column.values) for column in report] == [
        ("pid", "pid", [1002, None]),
        ("comm", "comm", ["make", None]),
        ("parent", "parent", ["init", None]),
        ("command", "command", ["/bin/make --x", None]),
        ("container", "container", ["web", None]),
        ("pod", "pod", ["shop/cart-0", None]),
        ("unit", "unit", ["", None]),
        ("nspid", "nspid", [17, None]),
    ]
    assert [column.shown.is_detail for column in report] == [False, False, *[True] * 6]
    assert [column.is_empty_place for column in report] == [False] * 6 + [True, False]


def test_a_second_identity_has_its_own_name() -> None:
    values = {"tgid": np.array([1]), "target": np.array([2])}
    report = report_columns([SENDER, TARGET], values, KNOWN)
    assert [(column.shown.name, column.values[0]) for column in report][:2] == [("pid", 1001), ("comm", "sh")]
    assert [(column.shown.name, column.shown.title, column.values[0]) for column in report][8:10] == [
        ("target_pid", "target pid", 1002),
        ("target_comm", "target comm", "make"),
    ]


def test_a_name_that_a_field_has_stays_the_fields() -> None:
    columns = [SENDER, ColumnInfo(field="comm", title="name", decode="comm")]
    report = report_columns(columns, {"tgid": np.array([1]), "comm": np.array([5])}, KNOWN)
    assert [column.shown.name for column in report] == [
        *("pid", "tgid_comm", "parent", "command", "container", "pod", "unit", "nspid"),
        "comm",
    ]


def test_a_scalar_is_named_by_its_title() -> None:
    columns = [ColumnInfo(field="key", title="system call"), ColumnInfo(field="value", title="calls", role="counter")]
    report = report_columns(columns, {"key": np.array([3]), "value": np.array([4])}, {})
    assert [column.shown.name for column in report] == ["system call", "calls"]


def test_only_plain_values_come_out() -> None:
    columns = [ColumnInfo(field="a", title="a"), ColumnInfo(field="b", title="b"), ColumnInfo(field="c", title="c")]
    values = {
        "a": np.array([np.nan, np.inf, 1.5]),
        "b": np.array([b"\x01\xff", b"", b"x"]),
        "c": np.array([2**64 - 1] * 3),
    }
    report = report_columns(columns, values, {})
    assert [column.values for column in report] == [[None, None, 1.5], ["01ff", "", "78"], [2**64 - 1] * 3]
