"""The state that container runtimes keep on disk, below a root of the test, and their cgroups' paths."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ebpftop.loader import containers

UID = "8b4f3a52-9d1e-4c7b-a0f6-2e51c3d98f10"


def number(digit: str) -> str:
    """A container's id."""
    return f"{digit}c0ffee00{digit}" + digit * 54


DOCKER, CONTAINERD, CRIO, PODMAN = (number(digit) for digit in "1234")
PATHS = {
    DOCKER: f"/docker/{DOCKER}",
    CONTAINERD: "/kubepods.slice/kubepods-burstable.slice"
    f"/kubepods-burstable-pod{UID.replace('-', '_')}.slice/cri-containerd-{CONTAINERD}.scope",
    CRIO: f"/kubepods/besteffort/pod{UID}/crio-{CRIO}",
    PODMAN: f"/machine.slice/libpod-{PODMAN}.scope/container",
}


def write(path: Path, value: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


def docker(root: Path, container: str = DOCKER, name: str = "/web", **labels: str) -> Path:
    config = {"ID": container, "Name": name, "State": {}, "Config": {"Image": "nginx:1.27", "Labels": labels}}
    return write(root / containers.DOCKER / container / "config.v2.json", config)


def containerd(root: Path, container: str = CONTAINERD, base: str = containers.BUNDLES[0]) -> Path:
    annotations = {
        "io.kubernetes.cri.container-type": "container",
        "io.kubernetes.cri.container-name": "api",
        "io.kubernetes.cri.sandbox-name": "cart-0",
        "io.kubernetes.cri.sandbox-namespace": "shop",
        "io.kubernetes.cri.sandbox-uid": UID,
        "io.kubernetes.cri.image-name": "registry.example/cart:7",
    }
    config = {"ociVersion": "1.2.0", "process": {"args": ["/api"]}, "annotations": annotations}
    return write(root / base / "k8s.io" / container / "config.json", config)


def crio(root: Path, container: str = CRIO) -> Path:
    annotations = {
        "io.kubernetes.cri-o.ContainerType": "container",
        "io.kubernetes.container.name": "sidecar",
        "io.kubernetes.pod.name": "cart-1",
        "io.kubernetes.pod.namespace": "shop",
        "io.kubernetes.cri-o.ImageName": "registry.example/sidecar:2",
    }
    place = root / containers.STORAGE / containers.STORES[0] / container / "userdata" / "config.json"
    return write(place, {"ociVersion": "1.2.0", "annotations": annotations})


def podman(folder: Path, container: str = PODMAN, name: str = "db") -> Path:
    metadata = {"image-name": "docker.io/library/postgres:17", "name": name}
    entry = {"id": container, "names": [name], "image": number("f"), "metadata": json.dumps(metadata)}
    return write(folder / "containers.json", [{"id": number("e"), "names": ["other"]}, entry])


def all_of_them(root: Path) -> None:
    docker(root)
    containerd(root)
    crio(root)
    podman(root / containers.STORAGE / containers.STORES[0])
