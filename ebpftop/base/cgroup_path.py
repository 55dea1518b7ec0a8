"""What people call the place that a control group's path leads to: a systemd unit, a container, a pod.

The conventions are those of systemd (systemd.unit(5), systemd-escape(1)), of runc's two cgroup drivers as Docker,
containerd (CRI, nerdctl) and CRI-O use them, of the kubelet, Podman, LXC and systemd-nspawn. A path that fits none of
them says nothing, and what a part of a path says is text of others.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

LONGEST = 4096  # characters that are looked at: PATH_MAX
_SHORT = 12  # digits of an id, as the runtimes' own lists show it
UNITS = (".service", ".scope", ".socket", ".mount", ".swap")  # the suffixes of those with processes, slices apart
_HEX = "[0-9a-f]{64}"
_UID = "[0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12}|[0-9a-f]{32}"  # those of static pods are a hash
_POD = re.compile(rf"(?:[a-z0-9-]*kubepods(?:-burstable|-besteffort)?-)?pod({_UID})(?:\.slice)?")
_PODMAN_POD = re.compile(rf"[a-z]+-libpod_pod_({_HEX})\.slice")
_ID = re.compile(rf"(?:(docker|cri-containerd|nerdctl|crio|libpod|libpod-payload)-)?({_HEX})(?:\.scope)?")
_WITHOUT_SYSTEMD = re.compile(rf"([^:]+\.slice):([a-z-]+):({_HEX})")  # how runc takes a path that is meant for it
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
_VM = "qemu-"  # so begin libvirt's virtual machines, which have a scope as containers have
_USER = re.compile(r"user-([0-9]{1,10})\.slice|user@([0-9]{1,10})\.service")
_ESCAPE = re.compile(r"\\x([2-7][0-9a-f])")


class Home(NamedTuple):
    """Each is "" where the path doesn't say it. unit: the innermost one, as systemctl takes it; a container's own scope
    is none. runtime: whose conventions the path follows. container: an id of 64 digits, or a name where that is all
    there is. pod: a Kubernetes uid, or Podman's id of 64 digits. user: the number of the user whose session or manager
    it is.
    """

    unit: str = ""
    runtime: str = ""
    container: str = ""
    pod: str = ""
    user: str = ""


@lru_cache(maxsize=1024)
def home(path: str) -> Home:
    """What a path in any hierarchy says; the innermost container counts."""
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
            if not part.startswith("libpod-payload-"):  # which is in its unit, others only below one
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
            found.append(part.removeprefix("_"))  # in front of units that could be taken for a file of the kernel's
        elif part:
            found.append(part)
    return found


def _container(before: str, part: str, after: str) -> tuple[str, str] | None:
    """The runtime and the container that a part of a path stands for, given its neighbours."""
    if found := _ID.fullmatch(part):
        if before == "libpod_parent" and not found[1]:
            return None  # that of a pod
        return _RUNTIMES.get(found[1] or before, ""), found[2]
    if part.startswith("lxc.payload.") or before in ("lxc", "lxc.payload"):
        return "lxc", part.removeprefix("lxc.payload.")
    if (found := _MACHINE.fullmatch(part)) and not (name := unescaped(found[1])).startswith(_VM):
        return "systemd-nspawn", name
    if (found := _NSPAWN.fullmatch(part)) and after != "supervisor":
        return "systemd-nspawn", unescaped(found[1])
    return None


def unescaped(name: str) -> str:
    """Part of a unit's name without systemd's escapes of printable characters."""
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)), name)


def short(container: str) -> str:
    """An id as the runtimes' lists show it; a name stays."""
    return container[:_SHORT] if is_id(container) else container


def is_id(text: str) -> bool:
    """Whether this is a container's id, and so no name."""
    return re.fullmatch(_HEX, text) is not None
