import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebpftop.frames.codec import BadFrame
from ebpftop.frames.columns import Labels, Values, unpack
from ebpftop.model.ledger import Ledger
from tests.support.frames import columns


def rows(ledger: Ledger, *names: str) -> list[tuple[object, ...]]:
    """Key fields, then totals and deltas of the counters, then gauges, sorted."""
    lists: list[list[object]] = []
    for name in names:
        values = ledger.values(name)
        lists.append(values.texts() if isinstance(values, Labels) else values.tolist())
    lists += [ledger.totals[name].tolist() for name in ledger.counters]
    lists += [ledger.deltas[name].tolist() for name in ledger.counters]
    return sorted(zip(*lists, strict=True))


def sample(**fields: list[object]) -> dict[str, Values]:
    return unpack(columns(**fields))


def test_the_first_sample_counts_from_attaching() -> None:
    ledger = Ledger(["tgid"], ["count"])
    ledger.update(sample(tgid=[7, 9], count=[3, 4]))
    assert rows(ledger, "tgid") == [(7, 3, 3), (9, 4, 4)]


def test_differences_follow_the_key_whatever_the_order() -> None:
    ledger = Ledger(["call", "tgid"], ["count", "bytes"])
    ledger.update(sample(tgid=[7, 7, 9], call=["read", "write", "read"], count=[3, 4, 5], bytes=[30, 40, 50]))
    ledger.update(
        sample(tgid=[9, 8, 7, 7], call=["read", "open", "write", "read"], count=[6, 1, 4, 13], bytes=[51, 2, 40, 31])
    )
    assert rows(ledger, "tgid", "call") == [
        (7, "read", 13, 31, 10, 1),
        (7, "write", 4, 40, 0, 0),
        (8, "open", 1, 2, 1, 2),
        (9, "read", 6, 51, 1, 1),
    ]
    assert ledger.skew == 0


def test_a_key_that_left_keeps_its_total_and_gains_nothing() -> None:
    ledger = Ledger(["tgid"], ["count"])
    ledger.update(sample(tgid=[7, 9], count=[3, 4]))
    ledger.update(sample(tgid=[9], count=[5]))
    assert rows(ledger, "tgid") == [(7, 3, 0), (9, 5, 1)]
    assert ledger.present.tolist() == [False, True]


def test_a_key_that_returns_is_born_again() -> None:
    ledger = Ledger(["tgid"], ["count"])
    ledger.update(sample(tgid=[7], count=[100]))
    ledger.update(sample(tgid=[], count=[]))
    ledger.update(sample(tgid=[7], count=[2]))
    assert rows(ledger, "tgid") == [(7, 102, 2)]
    assert ledger.skew == 0


def test_a_value_that_shrank_counts_whole_and_as_skew() -> None:
    ledger = Ledger(["tgid"], ["count"])
    ledger.update(sample(tgid=[7], count=[100]))
    ledger.update(sample(tgid=[7], count=[2]))
    assert rows(ledger, "tgid") == [(7, 102, 2)]
    assert ledger.skew == 1


def test_rows_are_added_up_where_the_view_leaves_out_a_key_field() -> None:
    ledger = Ledger(["tgid"], ["count"], ["last"])
    ledger.update(sample(tgid=[7, 9, 7], cpu=[0, 0, 1], count=[1, 2, 40], last=[5, 6, 7]))
    assert rows(ledger, "tgid") == [(7, 41, 41), (9, 2, 2)]


def test_a_view_without_keys_has_one_row() -> None:
    ledger = Ledger([], ["count"])
    ledger.update(sample(count=[5]))
    ledger.update(sample(count=[7]))
    assert rows(ledger) == [(7, 2)]


def test_gauges_are_as_last_seen() -> None:
    ledger = Ledger(["tgid"], ["count"], ["depth", "state"])
    ledger.update({**sample(tgid=[7, 9], count=[1, 1], state=["open", "idle"]), "depth": np.array([0.5, 1.5])})
    ledger.update({**sample(tgid=[9], count=[1], state=["closed"]), "depth": np.array([2.5])})
    assert ledger.values("depth").tolist() == [0.5, 2.5]
    assert ledger.values("state").texts() == ["open", "closed"]


def test_numbers_beyond_a_signed_integer_stay_what_they_are() -> None:
    ledger = Ledger(["address"], ["count"])
    ledger.update(sample(address=[2**64 - 1], count=[1]))
    ledger.update(sample(address=[5, 2**64 - 1], count=[1, 3]))
    assert rows(ledger, "address") == [(5, 1, 1), (2**64 - 1, 3, 2)]


def test_dropped_rows_are_folded_into_their_slots() -> None:
    ledger = Ledger(["comm", "slot"], ["count"], fold="slot", limit=2)
    ledger.update(sample(comm=["a", "b", "c", "d"], slot=[1, 2, 2, 5], count=[10, 20, 30, 40]))
    ledger.update(sample(comm=["d"], slot=[5], count=[41]))
    ledger.update(sample(comm=["d", "e"], slot=[5, 1], count=[42, 7]))
    assert rows(ledger, "comm", "slot") == [("c", 2, 30, 0), ("d", 5, 42, 1), ("e", 1, 7, 7)]
    assert ledger.folded.tolist() == [0, 10, 20]
    assert ledger.dropped == 2
    assert ledger.rest == {"count": 30}
    assert sum(ledger.totals["count"]) + sum(ledger.folded) == 10 + 20 + 30 + 42 + 7


def test_texts_that_no_row_uses_are_forgotten() -> None:
    ledger = Ledger(["path"], ["count"], limit=1)
    for n in range(50):
        ledger.update(sample(path=[f"/tmp/{n}"], count=[1]))
    values = ledger.values("path")
    assert isinstance(values, Labels)
    assert len(values.labels) < 5
    assert values.texts()[-1] == "/tmp/49"


def test_rows_of_a_key() -> None:
    ledger = Ledger(["tgid", "call"], ["count"])
    ledger.update(sample(tgid=[7, 7, 9], call=["read", "write", "read"], count=[1, 1, 1]))
    assert ledger.rows_of({"call": "read"}).tolist() == [True, False, True]
    assert ledger.rows_of({"call": "read", "tgid": 9}).tolist() == [False, False, True]
    assert ledger.rows_of({"call": "never"}).tolist() == [False, False, False]


def test_a_column_that_changes_its_nature_is_refused() -> None:
    ledger = Ledger(["a"], ["count"])
    ledger.update(sample(a=[1], count=[1]))
    with pytest.raises(BadFrame, match="from numbers to texts"):
        ledger.update(sample(a=["x"], count=[1]))
    ledger = Ledger(["a"], ["count"])
    ledger.update(sample(a=["x"], count=[1]))
    with pytest.raises(BadFrame, match="from texts to numbers"):
        ledger.update(sample(a=[1], count=[1]))


@pytest.mark.parametrize("count", [[2**63], [2**61, 2**61]])
def test_counts_that_would_overflow_are_refused(count: list[object]) -> None:
    with pytest.raises(BadFrame, match="impossible counts"):
        Ledger(["a"], ["count"]).update(sample(a=list(range(len(count))), count=count))


def test_rows_folded_into_one_identity_gained_nothing_by_it() -> None:
    ledger = Ledger(["tgid", "slot"], ["count"], process="tgid")
    ledger.update(sample(tgid=[7, 7, 8, 9], slot=[1, 2, 1, 1], count=[10, 20, 30, 40]))
    ledger.update(sample(tgid=[0, 0, 9], slot=[1, 2, 1], count=[45, 20, 41]))  # 7 and 8 folded, after 5 more
    assert rows(ledger, "tgid", "slot") == [
        (0, 1, 5, 5),
        (0, 2, 0, 0),
        (7, 1, 10, 0),
        (7, 2, 20, 0),
        (8, 1, 30, 0),
        (9, 1, 41, 1),
    ]
    ledger.update(sample(tgid=[0, 0], slot=[1, 2], count=[87, 20]))  # and now 9, after 1 more
    assert sum(ledger.totals["count"]) == 87 + 20


def test_rows_of_threads_that_ended_add_nothing_to_the_one_they_were_folded_into() -> None:
    ledger = Ledger(["tgid", "tid", "slot"], ["count"], process="tgid", thread="tid")
    ledger.update(sample(tgid=[7, 7, 7], tid=[70, 71, 72], slot=[1, 1, 2], count=[10, 20, 30]))
    ledger.update(sample(tgid=[7, 7], tid=[0, 72], slot=[1, 2], count=[33, 31]))  # 70 and 71 ended, after 3 more
    assert rows(ledger, "tgid", "tid", "slot") == [
        (7, 0, 1, 3, 3),
        (7, 70, 1, 10, 0),
        (7, 71, 1, 20, 0),
        (7, 72, 2, 31, 1),
    ]
    ledger.update(sample(tgid=[0, 0], tid=[0, 0], slot=[1, 2], count=[33, 36]))  # and then 7, after 5 more
    assert sum(ledger.totals["count"]) == 33 + 36
    assert rows(ledger, "tgid", "tid", "slot")[:2] == [(0, 0, 1, 0, 0), (0, 0, 2, 5, 5)]


def test_dropped_rows_of_threads_become_one() -> None:
    ledger = Ledger(["tgid", "tid"], ["count"], process="tgid", thread="tid", limit=0)
    ledger.update(sample(tgid=[7, 7, 8], tid=[70, 71, 80], count=[1, 2, 4]))
    for _ in range(2):
        ledger.update(sample(tgid=[9], tid=[90], count=[8]))
    assert rows(ledger, "tgid", "tid") == [(0, 0, 7, 0), (9, 90, 8, 0)]


@given(
    st.lists(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 2), st.integers(1, 50))), max_size=12),
    st.integers(0, 5),
    st.booleans(),
)
def test_sums_are_exact_and_rows_bounded_whatever_ends(
    births: list[list[tuple[int, int, int]]], limit: int, by_process: bool
) -> None:
    """In each sample other processes than in the one before: each lives for one interval."""
    ledger = Ledger(["tgid", "slot"], ["count"], process="tgid" if by_process else None, limit=limit)
    made = 0
    for number, born in enumerate(births, 1):
        made += sum(count for *_, count in born)
        ledger.update(
            sample(
                tgid=[10 * number + tgid for tgid, *_ in born],
                slot=[slot for _, slot, _ in born],
                count=[count for *_, count in born],
            )
        )
        assert int(ledger.totals["count"].sum()) + ledger.rest["count"] == made
        left = ~ledger.present & (ledger.numbers("tgid") != 0)
        assert np.count_nonzero(left) <= limit + len(births[number - 2] if number > 1 else [])
    assert by_process is False or ledger.rest == {"count": 0}


def test_an_identity_into_which_rows_were_dropped_gains_what_the_collector_folds_later() -> None:
    ledger = Ledger(["tgid"], ["count"], process="tgid", limit=0)
    ledger.update(sample(tgid=[7, 8], count=[3, 4]))
    ledger.update(sample(tgid=[8], count=[5]))
    ledger.update(sample(tgid=[8], count=[5]))
    assert rows(ledger, "tgid") == [(0, 3, 0), (8, 5, 0)]
    ledger.update(sample(tgid=[0], count=[6]))  # 8 folded, after 1 more
    assert sum(ledger.totals["count"]) == 3 + 6


KEYED = st.dictionaries(st.tuples(st.integers(0, 5), st.sampled_from("abc")), st.integers(0, 9), max_size=6)
CHANGING = st.tuples(
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from("abc")), max_size=3),  # born, or back
    st.sets(st.integers(0, 5), max_size=2),  # places of those that leave
    st.lists(st.integers(0, 9), min_size=12, max_size=12),  # counts, of which many repeat
)


@given(st.lists(CHANGING, max_size=12), st.booleans())
def test_samples_that_repeat_most_rows_add_up_like_any_others(
    steps: list[tuple[list[tuple[int, str]], set[int], list[int]]], by_process: bool
) -> None:
    quick, slow = (
        Ledger(["tgid", "comm"], ["count"], ["depth", "state"], process="tgid" if by_process else None, limit=3)
        for _ in range(2)
    )
    present: list[tuple[int, str]] = []
    for born, leave, counts in steps:
        present = [key for at, key in enumerate(present) if at not in leave]
        present = list(dict.fromkeys([*present, *born]))
        fields = sample(
            tgid=[tgid for tgid, _ in present],
            count=counts[: len(present)],
            depth=counts[::-1][: len(present)],
        )
        rows = np.arange(len(present), dtype="<u4")
        fields["comm"] = Labels(rows, [comm for _, comm in present])
        fields["state"] = Labels(rows, ["xyz"[count % 3] for count in counts[: len(present)]])
        slow._last = None
        for each in (quick, slow):
            each.update(fields)
        assert _account(quick) == _account(slow)


def _account(ledger: Ledger) -> list[object]:
    texts = [values.texts() for name in ("comm", "state") if isinstance(values := ledger.values(name), Labels)]
    arrays = [ledger.present, ledger.touched, ledger.tags, ledger.totals["count"], ledger.deltas["count"]]
    numbers = [ledger.numbers(name) for name in ("tgid", "depth")]
    return [*texts, *(array.tolist() for array in (*arrays, *numbers)), ledger.rest, ledger.skew, ledger.dropped]


def test_a_row_is_touched_at_its_birth_where_idle_rows_count() -> None:
    for idle in (True, False):
        ledger = Ledger(["tgid"], ["count"], idle=idle)
        ledger.begin(sample(tgid=[1, 2], count=[5, 0]))
        assert ledger.touched.tolist() == ([0, 1] if idle else [])
        ledger.update(sample(tgid=[1, 2, 3], count=[6, 0, 0]))
        assert ledger.touched.tolist() == ([0, 2] if idle else [0])
        ledger.update(sample(tgid=[4, 1], count=[0, 6]))
        assert ledger.touched.tolist() == ([3] if idle else [])
        assert ledger.holds({"tgid": np.array([3, 1, 4, 5])}).tolist() == [False, True, True, False]


def test_only_rows_that_changed_or_were_born_are_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger(["tgid"], ["count"], ["depth"])
    many = list(range(10, 1010))
    ledger.update(sample(tgid=many, count=[5] * 1000, depth=[1] * 1000))
    looked_up: list[int] = []
    numbers = ledger._numbers

    def counted(name: str, values: Values) -> object:
        looked_up.append(len(values))
        return numbers(name, values)

    monkeypatch.setattr(ledger, "_numbers", counted)
    ledger.update(sample(tgid=[*many, 7], count=[6, 5, 9] + [5] * 997 + [2], depth=[1] * 999 + [8, 3]))
    assert looked_up == [1, 2]  # the key of the one that was born, and two depths
    assert ledger.deltas["count"].tolist() == [1, 0, 4] + [0] * 997 + [2]
    assert ledger.touched.tolist() == [0, 2, 999, 1000]


def test_a_row_that_was_folded_and_counts_again_is_not_counted_twice() -> None:
    ledger = Ledger(["tgid"], ["count"], process="tgid")
    ledger.update(sample(tgid=[0, 7, 8], count=[100, 13, 5]))
    ledger.update(sample(tgid=[0, 7, 8], count=[113, 2, 5]))
    assert rows(ledger, "tgid") == [(0, 100, 0), (7, 15, 2), (8, 5, 0)]
    ledger.update(sample(tgid=[0, 8, 7], count=[115, 6, 1]))
    assert rows(ledger, "tgid") == [(0, 100, 0), (7, 16, 1), (8, 6, 1)]
