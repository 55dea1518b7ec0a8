"""What names of containers, pods and units select, and what is said of names of nothing."""

from __future__ import annotations

from collections.abc import Collection

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebpftop.collector.containers import NOBODYS, Named
from ebpftop.collector.selector import Selector, UnknownPlace

UID, OTHER_UID = "8b4f3a52-9d1e-4c7b-a0f6-2e51c3d98f10", "9b4f3a52-9d1e-4c7b-a0f6-2e51c3d98f10"
WEB, API, CACHE, TWIN, INNER = ("1a" * 32, "2b" * 32, "3c" * 32, "1a1a" + "f" * 60, "4d" * 32)
POD = f"/kubepods/pod{UID}"
NAMES = {
    WEB: Named("web"),
    API: Named("api", "shop/cart-0"),
    CACHE: Named("cache", "shop/cart-0"),
    INNER: Named("web"),
}
PATHS = [
    "/",
    "/docker",
    f"/docker/{WEB}",
    f"/docker/{WEB}/deep/er",
    f"/docker/{TWIN}",
    f"/docker/{TWIN}/docker",
    f"/docker/{TWIN}/docker/{INNER}",
    "/kubepods",
    POD,
    f"{POD}/{API}",
    f"{POD}/{CACHE}",
    f"/kubepods/pod{OTHER_UID}",
    "/system.slice",
    "/system.slice/nginx.service",
    "/system.slice/nginx.service/workers",
    "/system.slice/nginx.service/workers/1",
    "/system.slice/my.own.service",
    f"/system.slice/db.service/libpod-payload-{CACHE}",
]


def named(path: str) -> Named:
    return next((each for number, each in NAMES.items() if path.rpartition(number)[1]), NOBODYS)


def topmost(paths: Collection[str] = PATHS, **given: str) -> list[str]:
    return Selector(given, paths, named).topmost(paths)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"container": "web"}, [f"/docker/{WEB}", f"/docker/{TWIN}/docker/{INNER}"]),
        ({"container": WEB}, [f"/docker/{WEB}"]),
        ({"container": WEB[:6]}, [f"/docker/{WEB}"]),
        ({"container": TWIN[:5]}, [f"/docker/{TWIN}"]),
        ({"pod": "shop/cart-0"}, [POD]),
        ({"pod": "cart-0"}, [POD]),
        ({"pod": UID}, [POD]),
        ({"pod": "9b4f3a52"}, [f"/kubepods/pod{OTHER_UID}"]),
        ({"pod": "cart-0", "container": "api"}, [f"{POD}/{API}"]),
        ({"container": "cache", "unit": "db"}, [f"/system.slice/db.service/libpod-payload-{CACHE}"]),
        ({"unit": "nginx"}, ["/system.slice/nginx.service"]),
        ({"unit": "nginx.service"}, ["/system.slice/nginx.service"]),
        ({"unit": "my.own"}, ["/system.slice/my.own.service"]),
        ({"unit": "system.slice"}, ["/system.slice"]),
    ],
)
def test_what_is_selected(given: dict[str, str], expected: list[str]) -> None:
    assert topmost(**given) == expected


def test_what_begins_later_is_selected_alike() -> None:
    selector = Selector({"pod": "cart-0"}, PATHS, named)
    again = "5e" * 32
    assert selector.topmost([f"{POD}/{again}"]) == [POD]
    assert selector.topmost([f"/kubepods/pod{OTHER_UID}/{again}"]) == []
    NAMES[again] = Named("api", "shop/cart-0")
    try:
        assert selector.topmost([f"/kubepods/pod{OTHER_UID}/{again}"]) == [f"/kubepods/pod{OTHER_UID}"]
    finally:
        del NAMES[again]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"container": "wep"}, "no container 'wep' here; did you mean web?"),
        ({"container": "zzz"}, "no container 'zzz' here; there are 1a1affffffff, api, cache, web"),
        (
            {"container": "1a1a"},
            "'1a1a' matches the ids of 2 containers: web (1a1a1a1a1a1a), 1a1affffffff (1a1affffffff)",
        ),
        ({"container": "1a1"}, "no container '1a1' here; "),
        ({"container": "\x1b[2J"}, r"no container '\x1b[2J' here; there are 1a1affffffff, api, cache, web"),
        ({"pod": "shop/cart-1"}, "no pod 'shop/cart-1' here; did you mean shop/cart-0?"),
        ({"pod": UID[:3]}, f"no pod '8b4' here; there are {OTHER_UID}, shop/cart-0"),
        ({"unit": "ngimx"}, "no unit 'ngimx.service' here; did you mean nginx.service?"),
        ({"unit": "nginx.socket"}, "no unit 'nginx.socket' here; did you mean nginx.service?"),
        ({"container": "web", "pod": "cart-9"}, "no pod 'cart-9' here; did you mean shop/cart-0?"),
    ],
)
def test_a_name_of_nothing_is_told_with_the_nearest(given: dict[str, str], said: str) -> None:
    with pytest.raises(UnknownPlace) as failed:
        topmost(**given)
    assert str(failed.value).startswith(said)
    assert "\n" not in str(failed.value)
    assert failed.value.kind == [*given][-1]


def test_where_nothing_runs_that_is_told() -> None:
    with pytest.raises(UnknownPlace, match="no container 'web' here; no container runs here"):
        topmost(["/", "/a/b"], container="web")
    with pytest.raises(UnknownPlace, match=r"no unit 'web.service' here; no cgroup here is a unit's"):
        topmost([], unit="web")
    with pytest.raises(UnknownPlace, match=r"no unit 'web.service' here; there is x.slice"):
        topmost(["/x.slice"], unit="web")


def test_what_is_in_nothing_that_was_named_is_not_selected() -> None:
    assert topmost(container="web", pod="cart-0") == []


PART = st.one_of(st.text(max_size=8), st.sampled_from([WEB, API, f"pod{UID}", "a.service", "b.slice", "docker"]))
PATH = st.lists(PART, max_size=6).map(lambda parts: "/" + "/".join(part.replace("/", "") for part in parts))
WANTED = st.dictionaries(st.sampled_from(["container", "pod", "unit"]), st.text(min_size=1, max_size=70), min_size=1)


@given(st.lists(PATH, max_size=12), WANTED | st.sampled_from([{"container": "web"}, {"unit": "a"}, {"pod": UID}]))
def test_whatever_the_names_no_group_is_counted_twice(paths: list[str], given: dict[str, str]) -> None:
    try:
        found = topmost(paths, **given)
    except UnknownPlace as why:
        found, said = [], str(why)
    else:
        said = ""
    assert "\n" not in said
    assert len(said) < 4096
    assert len(found) == len({*found})
    assert not any(other != each and other.startswith(f"{each}/") for each in found for other in found)
