import numpy as np
import pytest

from ebpftop.frames.codec import BadFrame
from ebpftop.frames.columns import Labels, intern, pack, unpack
from ebpftop.frames.messages import Column


def test_arrays_come_back_with_the_same_type_and_values() -> None:
    columns = pack(
        {"key": np.array([3, 2**63], "<u8"), "errno": np.array([-2, 0], "<i4"), "raw": np.array([b"ab", b"c"])}
    )
    back = unpack(columns)
    assert back["key"].tolist() == [3, 2**63]
    assert back["errno"].tolist() == [-2, 0]
    assert back["raw"].tolist() == [b"ab", b"c"]
    assert [columns[name].dtype for name in columns] == ["<u8", "<i4", "|S2"]


def test_big_endian_arrays_travel_as_little_endian() -> None:
    assert pack({"a": np.array([1, 258], ">u2")})["a"] == Column(dtype="<u2", data=b"\x01\x00\x02\x01")


def test_unpacking_copies_nothing() -> None:
    column = pack({"a": np.arange(4, dtype="<u8")})["a"]
    array = unpack({"a": column})["a"]
    assert not array.flags.writeable
    assert np.shares_memory(array, np.frombuffer(column.data, "u1"))


def test_interned_texts_keep_their_row_order() -> None:
    column = intern(np.array(["read", "write", "read", "close"], object))
    labels = unpack({"call": column})["call"]
    assert isinstance(labels, Labels)
    assert labels.texts() == ["read", "write", "read", "close"]
    assert sorted(labels.labels) == ["close", "read", "write"]
    assert labels.take(np.array([True, False, False, True])).texts() == ["read", "close"]


def test_interned_bytes_end_at_the_first_nul_and_show_bad_utf8() -> None:
    labels = unpack({"comm": intern(np.array([b"sh\0junk", b"caf\xc3\xa9", b"\xff!"], "S8"))})["comm"]
    assert labels.texts() == ["sh", "café", "\\xff!"]


def test_lone_surrogates_become_encodable() -> None:
    assert unpack({"a": intern(np.array(["a\udc80"], object))})["a"].texts() == ["a\\udc80"]


def test_labels_are_no_more_than_rows() -> None:
    one = Column(dtype="<u4", data=bytes(4), labels=["a", "b"])
    with pytest.raises(BadFrame, match="column 'x' has 2 labels for 1 rows"):
        unpack({"x": one})
    assert len(unpack({"x": Column(dtype="<u4", data=b"", labels=[""])})["x"]) == 0


def test_empty_columns_are_allowed() -> None:
    back = unpack(pack({"a": np.array([], "<u8"), "b": Labels(np.array([], "<u4"), [])}))
    assert len(back["a"]) == len(back["b"]) == 0


@pytest.mark.parametrize("dtype", ["O", "|O", "<U4", "V8", "<M8[ns]", "S0", "S99999", "<u4,<u4", "<u16", ">u4", ""])
def test_types_that_are_no_plain_numbers_are_refused(dtype: str) -> None:
    with pytest.raises(BadFrame, match="column 'a' has the type"):
        unpack({"a": Column(dtype=dtype, data=b"\0" * 16)})


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"a": Column(dtype="<u4", data=b"abcde")}, "not a multiple of 4"),
        (
            {"a": Column(dtype="<u4", data=b"abcd"), "b": Column(dtype="<u1", data=b"ab")},
            "2 rows where the others have 1",
        ),
        ({"a": Column(dtype="<u4", data=b"\x01\0\0\0", labels=["x"])}, "names label 1 of 1"),
        ({"a": Column(dtype="<i4", data=b"\xff\xff\xff\xff", labels=["x"])}, "has labels but the type int32"),
    ],
)
def test_columns_that_contradict_themselves_are_refused(columns: dict[str, Column], says: str) -> None:
    with pytest.raises(BadFrame, match=says):
        unpack(columns)


def test_an_array_that_is_no_column_is_the_callers_error() -> None:
    with pytest.raises(ValueError, match="2-dimensional"):
        pack({"a": np.zeros((2, 2))})
