"""What a cgroup's path says, as systemd and the container runtimes lay them out."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebpftop.base.cgroup_path import Home, home, short, unescaped

ID = "4f66ad9a0b2e" + "c0ffee" * 8 + "0123"
OTHER = "0123456789ab" + "d" * 52
UID = "8b4f3a52-9d1e-4c7b-a0f6-2e51c3d98f10"
SLICED = UID.replace("-", "_")
STATIC = "3c8f0d6a1b2e4f5061728394a5b6c7d8"  # of a static pod


@pytest.mark.parametrize(
    ("path", "unit", "user"),
    [
        ("/system.slice/backup.service", "backup.service", ""),
        ("/system.slice/system-getty.slice/getty@tty1.service", "getty@tty1.service", ""),
        (r"/system.slice/system-systemd\x2dfsck.slice/a\x2db.service", r"a\x2db.service", ""),
        ("/system.slice/nginx.service/workers/1", "nginx.service", ""),
        ("/system.slice/_cpu.service", "cpu.service", ""),
        ("/init.scope", "init.scope", ""),
        ("/system.slice", "system.slice", ""),
        ("/shop.slice/shop-web.slice", "shop-web.slice", ""),
        (r"/system.slice/srv-data\x2d1.mount", r"srv-data\x2d1.mount", ""),
        ("/user.slice/user-1000.slice/session-3.scope", "session-3.scope", "1000"),
        ("/user.slice/user-1000.slice/user@1000.service/init.scope", "user@1000.service", "1000"),
        ("/user.slice/user-0.slice/user@0.service/app.slice/dbus.service", "dbus.service", "0"),
        (r"/machine.slice/machine-qemu\x2d1\x2dvm.scope/libvirt/emulator", r"machine-qemu\x2d1\x2dvm.scope", ""),
        (f"/machine.slice/libpod-conmon-{ID}.scope", f"libpod-conmon-{ID}.scope", ""),
        (f"/system.slice/crio-conmon-{ID}.scope", f"crio-conmon-{ID}.scope", ""),
        (f"/system.slice/{ID}-4f2a.service", f"{ID}-4f2a.service", ""),  # Podman's health check
        ("/system.slice/systemd-nspawn@box.service/supervisor", "systemd-nspawn@box.service", ""),
    ],
)
def test_a_unit_of_systemd(path: str, unit: str, user: str) -> None:
    assert home(path) == Home(unit=unit, user=user)


PODS = "/kubepods.slice/kubepods-burstable.slice"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (f"/docker/{ID}", Home("", "docker", ID)),
        (f"/system.slice/docker-{ID}.scope", Home("", "docker", ID)),
        (f"/shop.slice/docker-{ID}.scope", Home("", "docker", ID)),
        (f"/system.slice/docker-{ID}.scope/system.slice/nginx.service", Home("nginx.service", "docker", ID)),
        (f"/docker/{ID}/docker/{OTHER}", Home("", "docker", OTHER)),
        (f"/my-parent/{ID}", Home("", "", ID)),
        (f"/system.slice/nerdctl-{ID}.scope", Home("", "containerd", ID)),
        (f"{PODS}/kubepods-burstable-pod{SLICED}.slice/cri-containerd-{ID}.scope", Home("", "containerd", ID, UID)),
        (f"/kubepods.slice/kubepods-pod{SLICED}.slice/cri-containerd-{ID}.scope", Home("", "containerd", ID, UID)),
        (f"{PODS}/kubepods-burstable-pod{SLICED}.slice/crio-{ID}.scope/container", Home("", "cri-o", ID, UID)),
        (f"{PODS}/kubepods-burstable-pod{SLICED}.slice/docker-{ID}.scope", Home("", "docker", ID, UID)),
        (f"{PODS}/kubepods-burstable-pod{STATIC}.slice/crio-{ID}.scope", Home("", "cri-o", ID, STATIC)),
        (
            f"{PODS}/kubepods-burstable-pod{SLICED}.slice",
            Home(f"kubepods-burstable-pod{SLICED}.slice", "", "", UID),
        ),
        (f"/kubepods/besteffort/pod{UID}/{ID}", Home("", "", ID, UID)),
        (f"/kubepods/pod{UID}/crio-{ID}", Home("", "cri-o", ID, UID)),
        (
            f"/system.slice/containerd.service/kubepods-besteffort-pod{SLICED}.slice:cri-containerd:{ID}",
            Home("", "containerd", ID, UID),
        ),
        (
            f"/docker/{OTHER}/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice"
            f"/kubelet-kubepods-besteffort-pod{SLICED}.slice/cri-containerd-{ID}.scope",
            Home("", "containerd", ID, UID),
        ),
        (f"/machine.slice/libpod-{ID}.scope/container", Home("", "podman", ID)),
        (f"/machine.slice/machine-libpod_pod_{OTHER}.slice/libpod-{ID}.scope", Home("", "podman", ID, OTHER)),
        (f"/libpod_parent/libpod-{ID}", Home("", "podman", ID)),
        (f"/libpod_parent/{OTHER}/libpod-{ID}", Home("", "podman", ID)),
        (f"/libpod_parent/{OTHER}", Home()),
        (f"/system.slice/web.service/libpod-payload-{ID}", Home("web.service", "podman", ID)),
        (
            f"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{ID}.scope/container",
            Home("", "podman", ID, "", "1000"),
        ),
        ("/lxc.payload.web", Home("", "lxc", "web")),
        ("/lxc.payload.web/system.slice/cron.service", Home("cron.service", "lxc", "web")),
        ("/lxc/101/ns/init.scope", Home("init.scope", "lxc", "101")),
        ("/lxc.monitor.web", Home()),
        (r"/machine.slice/machine-my\x2dbox.scope/payload", Home("", "systemd-nspawn", "my-box")),
        (
            "/machine.slice/systemd-nspawn@box.service/payload/system.slice/cron.service",
            Home("cron.service", "systemd-nspawn", "box"),
        ),
        ("/machine.slice/systemd-nspawn@box.service", Home("systemd-nspawn@box.service", "systemd-nspawn", "box")),
    ],
)
def test_a_container(path: str, expected: Home) -> None:
    assert home(path) == expected


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "//..//../",
        "/../../x",
        f"/docker/{ID[:-1]}",
        f"/docker/{ID}0",
        f"/docker/{ID.upper()}",
        f"/docker-{ID}.scope.bak",
        "/podpod/pod12345678",
        "/.service.x",
        "/lxc",
        "/process_api/ba8c9158142b90f8e8131d3433f05c13",
        "/\x1b[2J\n/a\0b",
    ],
)
def test_what_fits_no_convention_says_nothing(path: str) -> None:
    assert home(path) == Home()


def test_a_path_of_4_kib_is_read_to_its_end_and_no_further() -> None:
    at_end = f"/docker/{ID}"
    deep = "/a" * ((4096 - len(at_end)) // 2)
    assert home(deep + at_end).container == ID
    assert home(deep + "/a" * 64 + at_end) == Home()


def test_only_printable_characters_are_unescaped() -> None:
    assert unescaped(r"a\x2db\x5cx\x1b\x0a\x7\x") == r"a-b\x\x1b\x0a\x7\x"


def test_an_id_is_shortened_and_a_name_is_not() -> None:
    assert short(ID) == ID[:12]
    assert short("a-container-with-a-long-name") == "a-container-with-a-long-name"


PART = st.one_of(
    st.text(max_size=20),
    st.text(string.printable, max_size=300),
    st.sampled_from([ID, f"docker-{ID}.scope", f"pod{UID}", "lxc", "user@0.service", "init.scope", f"a.slice:x:{ID}"]),
)


@given(st.lists(PART, max_size=40))
def test_whatever_the_path_each_answer_is_text_of_it(parts: list[str]) -> None:
    path = "/".join(parts)
    found = home(path)
    assert found.unit in path
    assert found.user in path
    assert found.container in unescaped(path)
    assert found.pod.replace("-", "_") in path.replace("-", "_")
