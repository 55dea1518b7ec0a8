import msgspec
import pytest

from ebpftop.catalog.positions import KeyPath
from ebpftop.frames.layout import Field, MapLayout, OpenWaits, Record
from ebpftop.frames.messages import ViewInfo
from ebpftop.loader.fit import misfit, misfit_open

KEY = Record(12, [Field("tgid", "<u4", 0), Field("user", "<i4", 4), Field("kernel", "<i4", 8)])
COUNT = Record(8, [Field("value", "<u8", 0)])
SAMPLES = MapLayout(name="samples", kind=1, max_entries=64, key=KEY, value=COUNT)
STACKS = MapLayout(
    name="stacks",
    kind=7,
    max_entries=64,
    key=Record(4, [Field("key", "<u4", 0)]),
    value=Record(1016, [Field("ip", "<u8", 0, 127)]),
)


def view(**changes: object) -> ViewInfo:
    fields = {"map": "samples", "stacks": "stacks", "user": "user", "kernel": "kernel", "by": ["tgid"]} | changes
    return ViewInfo(name="v", show="stacks", title="", **fields)


def test_a_view_of_stacks_fits_its_maps() -> None:
    assert misfit((view(), view(user="")), [SAMPLES, STACKS]) is None


@pytest.mark.parametrize(
    ("wrong", "key", "problem"),
    [
        (view(stacks="samples"), ("stacks",), "'samples' is not a BPF_STACK_TRACE map"),
        (view(stacks="other"), ("stacks",), "the C declares no map 'other'"),
        (
            view(map="stacks"),
            ("map",),
            "'stacks' holds call stacks, which a view names as its `stacks`; its `map` counts them",
        ),
        (view(user="ip"), (), "'samples' has no field 'ip' (it has tgid, user, kernel, count)"),
        (view(kernel="count", count="value"), (), "'samples' has no field 'count' (it has tgid, user, kernel, value)"),
        (view(by=["pid"]), (), "'samples' has no field 'pid' (it has tgid, user, kernel, count)"),
    ],
)
def test_what_does_not_fit_is_told(wrong: ViewInfo, key: KeyPath, problem: str) -> None:
    assert misfit((wrong,), [SAMPLES, STACKS]) == (("views", 0, *key), f"view 'v': {problem}")


def test_the_kernels_numbers_of_stacks_have_32_bits() -> None:
    wide = Record(12, [Field("tgid", "<u4", 0), Field("user", "<i8", 4)])
    samples = MapLayout(name="samples", kind=1, max_entries=64, key=wide, value=COUNT)
    path, problem = misfit((view(kernel=""),), [samples, STACKS])
    assert path == ("views", 0, "stacks")
    assert problem == "view 'v': 'user' must be a 32-bit number, as bpf_get_stackid() returns it"


MOMENT = [Field("time", "<u8", 0), Field("cpu", "<u4", 8), Field("tgid", "<u4", 12), *KEY.fields[1:]]


def ring(*fields: Field) -> MapLayout:
    return MapLayout(name="moments", kind=27, max_entries=4096, key=Record(0, []), value=Record(24, [*fields]))


def test_single_samples_come_from_a_ring_buffer_with_time_and_cpu() -> None:
    timed = view(moments="moments")
    assert misfit((timed,), [SAMPLES, STACKS, ring(*MOMENT)]) is None
    for layouts, problem in (
        ([], "the C declares no ring buffer 'moments'"),
        ([ring(*MOMENT[1:])], "'moments' needs a field 'time' of 64 bits"),
        ([ring(MOMENT[0], *MOMENT[2:])], "'moments' needs a field 'cpu' of 32 bits"),
        ([ring(*MOMENT[:-1])], "'moments' needs a field 'kernel' of 32 bits"),
    ):
        assert misfit((timed,), [SAMPLES, STACKS, *layouts]) == (("views", 0, "moments"), f"view 'v': {problem}")


# ---------------------------------------------------------------- waits that have begun

WAITING = MapLayout(
    name="waiting",
    kind=1,
    max_entries=16,
    key=Record(4, [Field("key", "<u4", 0)]),
    value=Record(24, [Field("since", "<u8", 0), Field("holder", "<u4", 8), Field("woken", "<u8", 16)]),
)


@pytest.mark.parametrize(
    ("waits", "key", "problem"),
    [
        (OpenWaits(map="waiting", since="since", holder="holder"), "", ""),
        (OpenWaits(map="waiting", since="since"), "", ""),
        (OpenWaits(map="other", since="since"), "map", "the C declares no map 'other'"),
        (
            OpenWaits(map="waiting", since="begin"),
            "since",
            "has no field 'begin' of 64 bits (it has since, holder, woken)",
        ),
        (OpenWaits(map="waiting", since="holder"), "since", "has no field 'holder' of 64 bits"),
        (OpenWaits(map="waiting", since="since", holder="since"), "holder", "has no field 'since' of 32 bits"),
        (OpenWaits(map="waiting", since="since", waker="holder", woken="woken"), "", ""),
        (OpenWaits(map="waiting", since="since", waker="woken"), "waker", "has no field 'woken' of 32 bits"),
        (OpenWaits(map="waiting", since="since", woken="holder"), "woken", "has no field 'holder' of 64 bits"),
    ],
)
def test_the_map_of_waits_that_have_begun_must_hold_their_starts(waits: OpenWaits, key: str, problem: str) -> None:
    found = misfit_open(waits, [WAITING])
    if not problem:
        assert found is None
        return
    assert found is not None
    assert found[0] == ("open", key)
    assert problem in found[1]


def test_they_are_kept_by_thread() -> None:
    by_more = msgspec.structs.replace(WAITING, key=Record(8, [Field("lock", "<u8", 0)]))
    found = misfit_open(OpenWaits(map="waiting", since="since"), [by_more])
    assert found is not None
    assert found[0] == ("open", "map")
