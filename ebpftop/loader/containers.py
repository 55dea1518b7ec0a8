"""Root task: the names of containers, from what their runtimes keep on disk.

As root it only opens files whose paths are fixed except for the container's id. It reads them after giving up root's
rights. The formats are those of Docker's config.v2.json, of the OCI runtime's config.json with the annotations of
containerd's CRI plugin, nerdctl and CRI-O, and of containers.json in containers/storage, which Podman uses.
"""

from __future__ import annotations

import os
import re
import socket
import stat
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from ebpftop.base.cgroup_path import is_id
from ebpftop.frames.codec import MALFORMED
from ebpftop.handover import protocol, transport
from ebpftop.handover.protocol import ContainerFacts

SECONDS = 5.0  # that the task may take
MOST = 64  # containers of one request
LARGEST, LARGEST_LIST = 1 << 20, 8 << 20  # bytes of a container's file, and of a list of all
MOST_NAMESPACES = 32  # of containerd
LONGEST = 256  # characters of a name
DOCKER = "var/lib/docker/containers"
BUNDLES = tuple(
    f"{state}/io.containerd.runtime.v2.task"
    for state in ("run/containerd", "run/k3s/containerd", "var/snap/microk8s/common/run/containerd")
)
STORAGE, RUN_STORAGE = "var/lib/containers/storage", "run/containers/storage"
OF_USER = (".local", "share", "containers", "storage")
STORES = tuple(f"{driver}-containers" for driver in ("overlay", "vfs", "btrfs", "zfs"))  # below those three
LISTS = ("containers.json", "volatile-containers.json")
_HOME = re.compile(rb"(?m)^[^:\n]*:[^:\n]*:(\d+):[^:\n]*:[^:\n]*:(/[^:\n]*):")  # passwd(5)
_NAME = ("io.kubernetes.container.name", "io.kubernetes.cri.container-name", "nerdctl/name")
_POD = ("io.kubernetes.pod.name", "io.kubernetes.cri.sandbox-name")
_NAMESPACE = ("io.kubernetes.pod.namespace", "io.kubernetes.cri.sandbox-namespace")
_IMAGE = ("io.kubernetes.cri-o.ImageName", "io.kubernetes.cri.image-name", "io.container.image")
_KIND = ("io.kubernetes.cri-o.ContainerType", "io.kubernetes.cri.container-type", "io.kubernetes.docker.type")

Found = tuple[str, bytes]  # what kind of file, and what it holds


def run(
    channel: socket.socket,
    request: protocol.RequestContainers,
    give_up_root: Callable[[], None],
    root: Path | None = None,
) -> None:
    files = gathered(request.ids, root or machine())
    give_up_root()
    transport.send(channel, protocol.ContainersRead(containers=facts(files)))


# ---------------------------------------------------------------- as root


def machine(proc: Path = Path("/proc")) -> Path:
    """The root directory of the machine's own files, even in a container that shares the machine's pid namespace."""
    init = proc / "1" / "root"
    try:
        elsewhere = os.stat(proc / "1/ns/mnt").st_ino != os.stat(proc / "self/ns/mnt").st_ino
    except OSError:
        return Path("/")
    return init if elsewhere and os.access(init / "etc", os.X_OK) else Path("/")


def gathered(ids: Mapping[str, str], root: Path = Path("/")) -> dict[str, list[Found]]:
    """The files about these containers, by id, the most informative first. ids: with the uid of the user who runs each,
    "" for the machine's own. Invalid ids and uids are left out, and so are links, files that are too large, and files
    of another owner.
    """
    whose = {number: user for number, user in islice(ids.items(), MOST) if is_id(number)}
    lists: dict[tuple[str, int], list[Found]] = {}  # they are many containers'
    found: dict[str, list[Found]] = {}
    for number, user in whose.items():
        if user and (home := _home(root, user)) is not None:
            owner, below, places, files = int(user), [*OF_USER], [home], list[Found]()
        else:
            owner, below, places, files = 0, list[str](), [STORAGE, RUN_STORAGE], list(_of_system(root, number))
        for place in places:
            for store in STORES:
                bundle = _read(root / place, [*below, store, number, "userdata", "config.json"], LARGEST, owner)
                files += [("bundle", bundle)] if bundle else []
            if (place, owner) not in lists:
                paths = ([*below, store, name] for store in STORES for name in LISTS)
                read = (_read(root / place, path, LARGEST_LIST, owner) for path in paths)
                lists[place, owner] = [("list", each) for each in read if each]
            files += lists[place, owner]
        found[number] = files
    return found


def _of_system(root: Path, number: str) -> Iterator[Found]:
    if raw := _read(root / DOCKER, [number, "config.v2.json"], LARGEST):
        yield "docker", raw
    for place in BUNDLES:
        for namespace in _folders(root / place):
            if raw := _read(root / place, [namespace, number, "config.json"], LARGEST):
                yield "bundle", raw


def _folders(place: Path) -> list[str]:
    try:
        with os.scandir(place) as entries:
            return [each.name for each in islice(entries, MOST_NAMESPACES)]
    except OSError:
        return []


def _home(root: Path, user: str) -> str | None:
    """The home of a user in /etc/passwd. No other source is asked, because it could block the task."""
    if not (user.isascii() and user.isdigit()):
        return None
    passwd = _read(root / "etc", ["passwd"], LARGEST) or b""
    homes = {int(number): os.fsdecode(place).strip("/") for number, place in _HOME.findall(passwd)}
    return homes.get(int(user))


def _read(place: Path, names: list[str], most: int, owner: int = 0) -> bytes | None:
    """A regular file of this owner below a folder, reached without links; None if there is none, or it is too large.

    Opening anything but a regular file never blocks.
    """
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
    try:
        at = os.open(place, flags | os.O_DIRECTORY)
        for depth, name in enumerate(names, 1):
            try:
                below = os.open(name, flags | os.O_NOFOLLOW | os.O_DIRECTORY * (depth < len(names)), dir_fd=at)
            finally:
                os.close(at)
            at = below
    except (OSError, ValueError):
        return None
    try:
        status = os.fstat(at)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != owner or status.st_size > most:
            return None
        with open(at, "rb", closefd=False) as file:
            read = file.read(most + 1)
        return read if len(read) <= most else None
    except OSError:
        return None
    finally:
        os.close(at)


# ---------------------------------------------------------------- without root's rights


class _Config(msgspec.Struct):
    image: Any = msgspec.field(name="Image", default="")
    labels: Any = msgspec.field(name="Labels", default=None)


class _Docker(msgspec.Struct):
    id: Any = msgspec.field(name="ID", default="")
    name: Any = msgspec.field(name="Name", default="")
    config: _Config = msgspec.field(name="Config", default_factory=_Config)


class _Bundle(msgspec.Struct):
    annotations: Any = None


class _Stored(msgspec.Struct):
    id: Any = ""
    names: Any = None
    metadata: Any = ""


class _Metadata(msgspec.Struct):
    name: Any = ""
    image: Any = msgspec.field(name="image-name", default="")


def facts(files: Mapping[str, list[Found]]) -> list[ContainerFacts]:
    """Of each container what the first file says that says it. What is no JSON, or another's, says nothing."""
    stored = {id(raw): _entries(raw) for found in files.values() for kind, raw in found if kind == "list"}
    answers = []
    for number, found in files.items():
        known = {"name": "", "pod": "", "image": ""}
        for kind, raw in found:
            said = _of_list(stored[id(raw)].get(number)) if kind == "list" else _of_file(kind, raw, number)
            known |= {name: text for name, text in said.items() if text and not known[name]}
        if any(known.values()):
            answers.append(ContainerFacts(id=number, **known))
    return answers


def _decoded(raw: bytes | str, kind: Any) -> Any:
    """None if it isn't such JSON."""
    try:
        return msgspec.json.decode(raw, type=kind)
    except MALFORMED:
        return None


def _of_file(kind: str, raw: bytes, number: str) -> dict[str, str]:
    if kind == "bundle":
        bundle = _decoded(raw, _Bundle)
        return _labelled(bundle.annotations) if bundle else {}
    docker = _decoded(raw, _Docker)
    if docker is None or docker.id != number:
        return {}
    labelled = _labelled(docker.config.labels)
    name = labelled["name"] or _text(docker.name).removeprefix("/")
    return {**labelled, "name": name, "image": _text(docker.config.image)}


def _labelled(labels: Any) -> dict[str, str]:
    """The facts in labels or annotations."""
    given = labels if isinstance(labels, dict) else {}

    def first(names: tuple[str, ...]) -> str:
        return next((text for name in names if (text := _text(given.get(name)))), "")

    sandbox = first(_KIND) in ("sandbox", "podsandbox")
    name, pod, namespace = "sandbox" if sandbox else first(_NAME), first(_POD), first(_NAMESPACE)
    return {"name": name, "pod": f"{namespace}/{pod}" if pod and namespace else pod, "image": first(_IMAGE)}


def _entries(raw: bytes) -> dict[str, _Stored]:
    entries = _decoded(raw, list[_Stored]) or []
    return {each.id: each for each in entries if isinstance(each.id, str)}


def _of_list(stored: _Stored | None) -> dict[str, str]:
    if stored is None:
        return {}
    metadata = _decoded(_text(stored.metadata, LARGEST), _Metadata) or _Metadata()
    names = stored.names if isinstance(stored.names, list) and stored.names else [metadata.name]
    return {"name": _text(names[0]), "image": _text(metadata.image)}


def _text(value: Any, most: int = LONGEST) -> str:
    return value[:most] if isinstance(value, str) else ""
