"""Decoders by the names of a manifest."""

from __future__ import annotations

import numpy as np
import pytest

from ebpftop.catalog.manifest_views import DECODES
from ebpftop.collector.decode import Context, decoder
from ebpftop.frames.columns import Labels, unpack


def texts(name: str, values: np.ndarray) -> list[str]:
    column = unpack({"x": decoder(name, Context())(values)})["x"]
    assert isinstance(column, Labels)
    return column.texts()


def test_every_name_a_manifest_may_use_has_one() -> None:
    context = Context()
    for name in set(DECODES) - {"process", "thread"}:
        assert callable(decoder(name, context))


def test_an_unknown_name() -> None:
    with pytest.raises(KeyError):
        decoder("colour", Context())


def test_each_row_gets_its_label_and_each_distinct_value_one() -> None:
    column = decoder("errno", Context())(np.array([-2, 0, -2, -13, 0], "<i4"))
    assert column.labels == ["EACCES", "ENOENT", ""]
    assert texts("errno", np.array([-2, 0, -2, -13, 0], "<i4")) == ["ENOENT", "", "ENOENT", "EACCES", ""]


@pytest.mark.parametrize("kind", ["u1", "<u2", "<i8", "<u8"])
def test_whole_numbers_of_any_size(kind: str) -> None:
    assert texts("tcp_state", np.array([10, 1], kind)) == ["LISTEN", "ESTABLISHED"]


def test_a_field_of_a_record_which_is_not_contiguous() -> None:
    records = np.array([(7, b"a", 443), (8, b"b", 80)], [("x", "u1"), ("comm", "S4"), ("port", "<u2")])
    assert texts("port", records["port"]) == ["443", "80"]
    assert texts("comm", records["comm"]) == ["a", "b"]


def test_threads_stay_numbers() -> None:
    column = unpack({"x": decoder("thread", Context())(np.array([7, 0], "<u4"))})["x"]
    assert isinstance(column, np.ndarray)
    assert column.tolist() == [7, 0]


def test_plain_numbers() -> None:
    assert texts("port", np.array([0, 65535], "<u2")) == ["0", "65535"]
    assert texts("hex", np.array([0, 255, 1 << 63], "<u8")) == ["0x0", "0xff", "0x8000000000000000"]


@pytest.mark.parametrize(
    "name", sorted(set(DECODES) - {"process", "thread", "time", "string", "comm", "address", "dns_question"})
)
def test_no_rows(name: str) -> None:
    assert texts(name, np.empty(0, "<u4")) == []


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("errno", np.array([b"x"])),
        ("device", np.zeros((2, 2), "<u4")),
        ("comm", np.zeros(2, "<u4")),
        ("address", np.zeros(2, "<u4")),
        ("address", np.zeros((2, 4), "u1")),
    ],
)
def test_what_a_decoder_can_not_take_is_an_error(name: str, values: np.ndarray) -> None:
    with pytest.raises(ValueError, match="not "):
        decoder(name, Context())(values)
