"""How containers are called, from state files laid out as their runtimes lay them out; and from hostile ones."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebpftop.handover.protocol import ContainerFacts
from ebpftop.loader import containers
from ebpftop.loader.containers import facts, gathered
from tests.support import runtimes
from tests.support.runtimes import CONTAINERD, CRIO, DOCKER, PODMAN, write

pytestmark = pytest.mark.root
USER = 65534


def read(root: Path, *ids: str, user: str = "") -> list[ContainerFacts]:
    return facts(gathered(dict.fromkeys(ids, user), root))


def test_each_runtime_says_how_its_containers_are_called(tmp_path: Path) -> None:
    runtimes.all_of_them(tmp_path)
    assert read(tmp_path, DOCKER, CONTAINERD, CRIO, PODMAN, runtimes.number("9")) == [
        ContainerFacts(id=DOCKER, name="web", image="nginx:1.27"),
        ContainerFacts(id=CONTAINERD, name="api", pod="shop/cart-0", image="registry.example/cart:7"),
        ContainerFacts(id=CRIO, name="sidecar", pod="shop/cart-1", image="registry.example/sidecar:2"),
        ContainerFacts(id=PODMAN, name="db", image="docker.io/library/postgres:17"),
    ]


def test_docker_below_a_kubelet_says_it_by_labels(tmp_path: Path) -> None:
    labels = {
        "io.kubernetes.container.name": "api",
        "io.kubernetes.pod.name": "cart-0",
        "io.kubernetes.pod.namespace": "shop",
    }
    runtimes.docker(tmp_path, name="/k8s_api_cart-0_shop_1_0", **labels)
    assert read(tmp_path, DOCKER) == [ContainerFacts(id=DOCKER, name="api", pod="shop/cart-0", image="nginx:1.27")]


@pytest.mark.parametrize("base", containers.BUNDLES)
def test_containerd_keeps_its_state_where_its_distribution_does(tmp_path: Path, base: str) -> None:
    runtimes.containerd(tmp_path, base=base)
    assert [each.name for each in read(tmp_path, CONTAINERD)] == ["api"]


def test_the_container_that_only_holds_a_pods_namespaces_is_its_sandbox(tmp_path: Path) -> None:
    annotations = {"io.kubernetes.cri.container-type": "sandbox", "io.kubernetes.cri.sandbox-name": "cart-0"}
    write(tmp_path / containers.BUNDLES[0] / "k8s.io" / CONTAINERD / "config.json", {"annotations": annotations})
    assert read(tmp_path, CONTAINERD) == [ContainerFacts(id=CONTAINERD, name="sandbox", pod="cart-0")]


def test_nerdctl_names_containers_by_an_annotation(tmp_path: Path) -> None:
    config = {"annotations": {"nerdctl/name": "cache"}}
    write(tmp_path / containers.BUNDLES[0] / "default" / CONTAINERD / "config.json", config)
    assert read(tmp_path, CONTAINERD) == [ContainerFacts(id=CONTAINERD, name="cache")]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The storage of a user who runs Podman without root."""
    write(tmp_path / "etc/passwd", f"root:x:0:0:root:/root:/bin/sh\nbad line\nme:x:{USER}:{USER}::/home/me:/bin/sh\n")
    return tmp_path.joinpath("home/me", *containers.OF_USER, containers.STORES[0])


def test_a_users_own_containers_are_found_in_the_home(tmp_path: Path, home: Path) -> None:
    os.chown(runtimes.podman(home), USER, USER)
    assert [each.name for each in read(tmp_path, PODMAN, user=str(USER))] == ["db"]
    assert read(tmp_path, PODMAN) == read(tmp_path, PODMAN, user="1") == read(tmp_path, PODMAN, user="x") == []


def test_a_users_file_that_is_not_the_users_is_not_read(tmp_path: Path, home: Path) -> None:
    runtimes.podman(home)  # root's, as by a link to it
    assert read(tmp_path, PODMAN, user=str(USER)) == []


@pytest.mark.parametrize("at", range(1, len(containers.OF_USER) + 3))
def test_links_in_a_home_are_not_followed(tmp_path: Path, home: Path, at: int) -> None:
    os.chown(runtimes.podman(home), USER, USER)
    moved = (home / containers.LISTS[0]).relative_to(tmp_path / "home/me")
    link = (tmp_path / "home/me").joinpath(*moved.parts[:at])
    link.rename(tmp_path / "elsewhere")
    link.symlink_to(tmp_path / "elsewhere")
    assert read(tmp_path, PODMAN, user=str(USER)) == []


def test_what_is_no_id_is_never_opened(tmp_path: Path) -> None:
    write(tmp_path / "secret/config.v2.json", {"ID": "x", "Name": "secret"})
    ids = ["../../../../secret", "", ".", DOCKER[:-1], DOCKER.upper(), f"{DOCKER}\n", f"{DOCKER[:-1]}/"]
    assert gathered(dict.fromkeys(ids, ""), tmp_path) == {}


def test_no_more_than_so_many_are_read_at_once(tmp_path: Path) -> None:
    ids = [f"{at:064x}" for at in range(containers.MOST + 5)]
    assert len(gathered(dict.fromkeys(ids, ""), tmp_path)) == containers.MOST


def _link(path: Path) -> None:
    path.rename(path.with_name("other"))
    path.symlink_to("other")


def _folder_link(path: Path) -> None:
    path.parent.rename(path.parent.with_name("other"))
    path.parent.symlink_to("other")


def _fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _huge(path: Path) -> None:
    """It would say as much as before."""
    path.write_text(path.read_text().ljust(containers.LARGEST + 1))


def _cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _foreign(path: Path) -> None:
    os.chown(path, USER, USER)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _of_another(path: Path) -> None:
    path.write_text(path.read_text().replace(DOCKER, PODMAN))


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _deep(path: Path) -> None:
    path.write_text("[" * 500_000)


def _no_text(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"/web", b"/\xff\xfe"))


SPOILED = [_link, _folder_link, _fifo, _huge, _cut, _foreign, _folder, _of_another, _empty, _deep, _no_text]


@pytest.mark.parametrize("spoil", SPOILED)
def test_a_file_that_is_not_what_it_should_be_says_nothing(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    path = runtimes.docker(tmp_path)
    assert len(read(tmp_path, DOCKER)) == 1
    spoil(path)
    assert read(tmp_path, DOCKER) == []


@pytest.mark.parametrize("spoil", [_link, _fifo, _cut, _foreign, _empty, _deep])
def test_a_spoiled_list_says_nothing_and_spoils_no_other(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    path = runtimes.podman(tmp_path / containers.STORAGE / containers.STORES[0])
    other = path.with_name(containers.LISTS[1])
    write(other, [{"id": CRIO, "names": ["temporary"]}])
    spoil(path)
    assert [(each.id, each.name) for each in read(tmp_path, PODMAN, CRIO)] == [(CRIO, "temporary")]


def test_names_are_texts_and_are_cut(tmp_path: Path) -> None:
    runtimes.docker(tmp_path, name="/" + "x" * 5000)
    (found,) = read(tmp_path, DOCKER)
    assert found.name == "x" * (containers.LONGEST - 1)
    write(
        tmp_path / containers.DOCKER / DOCKER / "config.v2.json",
        {"ID": DOCKER, "Name": 7, "Config": {"Image": ["x"], "Labels": {"io.kubernetes.container.name": {}}}},
    )
    assert read(tmp_path, DOCKER) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["ID", "Name", "Config", "Labels", "annotations", "id", "names", "metadata", "x"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(JSON | st.binary(max_size=200), st.sampled_from(["docker", "bundle", "list"]))
def test_whatever_the_json_names_are_texts(value: Any, kind: str) -> None:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    for each in facts({DOCKER: [(kind, raw)]}):
        assert each.id == DOCKER
        assert all(isinstance(text, str) and len(text) <= 513 for text in (each.name, each.pod, each.image))


def test_in_a_container_the_files_of_the_machine_are_read(tmp_path: Path) -> None:
    for process in ("1", "self"):
        (tmp_path / process / "ns").mkdir(parents=True)
    init, own = tmp_path / "1/ns/mnt", tmp_path / "self/ns/mnt"
    assert containers.machine(tmp_path) == Path("/")  # nothing is known
    init.touch()
    own.hardlink_to(init)
    assert containers.machine(tmp_path) == Path("/")
    own.unlink()
    own.touch()
    assert containers.machine(tmp_path) == Path("/")  # which may not be looked into
    (tmp_path / "1/root/etc").mkdir(parents=True)
    assert containers.machine(tmp_path) == tmp_path / "1/root"
