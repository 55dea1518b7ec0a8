"""The familiar name for a control group's path: a systemd unit, a container, a pod.

The conventions are those of systemd (systemd.unit(5), systemd-escape(1)), of runc's two cgroup drivers as used by
Docker, containerd (CRI, nerdctl) and CRI-O, and of the kubelet, Podman, LXC and systemd-nspawn. A path that follows
none of them yields nothing. The parts of a path are untrusted text.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

LONGEST = 4096  # characters that are examined: PATH_MAX
_SHORT = 12  # digits of an id, as in the runtimes' own lists
UNITS = (".service", ".scope", ".socket", ".mount", ".swap")  # the suffixes of units with processes, except slices
_HEX = "[0-9a-f]{64}"
_UID = "[0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12}|[0-9a-f]{32}"  # static pods have a hash
_POD = re.compile(rf"(?:[a-z0-9-]*kubepods(?:-burstable|-besteffort)?-)?pod({_UID})(?:\.slice)?")
_PODMAN_POD = re.compile(rf"[a-z]+-libpod_pod_({_HEX})\.slice")
_ID = re.compile(rf"(?:(docker|cri-containerd|nerdctl|crio|libpod|libpod-payload)-)?({_HEX})(?:\.scope)?")
_WITHOUT_SYSTEMD = re.compile(rf"([^:]+\.slice):([a-z-]+):({_HEX})")  # how runc interprets a path meant for it
_RUNTIMES = {
    "docker": "docker",
    "cri-containerd": "containerd",
    "nerdctl": "containerd",
    "crio": "cri-o",
    "libpod": "podman",
    "libpod-payload": "podman",
}
_MACHINE = re.compile(r"machine-(.+)\.scope")
_NSPAWN = re.compile(r"systemd-nspawn@(.+)\.service")
_VM = "qemu-"  # the prefix of libvirt's virtual machines, which have a scope as containers do
_USER = re.compile(r"user-([0-9]{1,10})\.slice|user@([0-9]{1,10})\.service")
_ESCAPE = re.compile(r"\\x([2-7][0-9a-f])")


class Home(NamedTuple):
    """Each field is "" if the path doesn't contain it. unit: the innermost one, as systemctl accepts it; a container's
    own scope doesn't count. runtime: the one whose conventions the path follows. container: an id of 64 digits, or a
    name if there is no id. pod: a Kubernetes uid, or Podman's id of 64 digits. user: the number of the user whose
    session or manager it is.
    """

    unit: str = ""
    runtime: str = ""
    container: str = ""
    pod: str = ""
    user: str = ""


@lru_cache(maxsize=1024)
def home(path: str) -> Home:
    """The facts in a path of any hierarchy; the innermost container counts."""
    unit = around = runtime = container = pod = user = ""
    parts = list(_parts(path))
    for before, part, after in zip(["", *parts], parts, [*parts[1:], ""], strict=False):
        if (found := _POD.fullmatch(part)) or (found := _PODMAN_POD.fullmatch(part)):
            pod = found[1].replace("_", "-")
        if found := _USER.fullmatch(part):
            user = found[1] or found[2]
        inside = _container(before, part, after)
        if inside is not None:
            runtime, container = inside
        if inside is not None and not _NSPAWN.fullmatch(part):
            if not part.startswith("libpod-payload-"):  # this one is inside its unit, others are only below one
                unit = ""
        elif part.endswith(UNITS):
            unit = unit if part == "init.scope" and unit.startswith("user@") else part
        elif part.endswith(".slice"):
            around = part
    return Home(unit or ("" if container else around), runtime, container, pod, user)


def _parts(path: str) -> list[str]:
    found: list[str] = []
    for part in path[:LONGEST].split("/"):
        if split := _WITHOUT_SYSTEMD.fullmatch(part):
            found += [split[1], f"{split[2]}-{split[3]}"]
        elif part.endswith((*UNITS, ".slice")):
            found.append(part.removeprefix("_"))  # a prefix of units that could be mistaken for a file of the kernel
        elif part:
            found.append(part)
    return found


def _container(before: str, part: str, after: str) -> tuple[str, str] | None:
    """The runtime and the container that a part of a path denotes, given its neighbours."""
    if found := _ID.fullmatch(part):
        if before == "libpod_parent" and not found[1]:
            return None  # the id of a pod
        return _RUNTIMES.get(found[1] or before, ""), found[2]
    if part.startswith("lxc.payload.") or before in ("lxc", "lxc.payload"):
        return "lxc", part.removeprefix("lxc.payload.")
    if (found := _MACHINE.fullmatch(part)) and not (name := unescaped(found[1])).startswith(_VM):
        return "systemd-nspawn", name
    if (found := _NSPAWN.fullmatch(part)) and after != "supervisor":
        return "systemd-nspawn", unescaped(found[1])
    return None


def unescaped(name: str) -> str:
    """A part of a unit's name, with systemd's escapes of printable characters undone."""
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)), name)


def short(container: str) -> str:
    """A shortened id, as in the runtimes' lists; a name stays unchanged."""
    return container[:_SHORT] if is_id(container) else container


def is_id(text: str) -> bool:
    """Whether this is a container's id rather than a name."""
    return re.fullmatch(_HEX, text) is not None
