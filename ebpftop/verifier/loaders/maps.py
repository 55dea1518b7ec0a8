"""Recognises maps that could not be created, by the error of the call."""

from __future__ import annotations

from ebpftop.verifier.loaders.meaning import Meaning
from ebpftop.verifier.rules.model import compiled

_FORM = r"""(?ix).*?(?:
      \bmaps?\b.{0,80}?\bfailed\ to\ create | \bmap\ create\b | \bbpf_(?:map_create|create_map)\w*\b
    | \bMapError\b.{0,20}\bCreate
    | \b(?:fail\w*|error|couldn't|could\ not|cannot|unable)\b.{0,20}\bcreat\w+\ (?:the\ |e?bpf\ )*map
    | \bcreat\w+\ (?:the\ |e?bpf\ )*map\b.{0,60}?:
    )"""
_REQUIRES = r".*?: (?P<what>[^:]{3,100}?) \(requires >= v?(?P<version>\d+\.\d+)\)"
# Types of maps by the first kernel that has them (include/uapi/linux/bpf.h).
_SINCE = {
    "ringbuf": "5.8", "userringbuf": "6.1", "bloomfilter": "5.16", "taskstorage": "5.11", "inodestorage": "5.10",
    "cgrpstorage": "6.2", "arena": "6.9", "structops": "5.6", "skstorage": "5.2", "devmaphash": "5.4",
    "sockhash": "4.18", "queue": "4.20", "stack": "4.20", "xskmap": "4.18", "lpmtrie": "4.11",
}  # fmt: skip
_IN_WORDS = {"ringbuf": "Ring buffers need", "userringbuf": "User ring buffers need"}
_TYPE = r"(?:BPF_MAP_TYPE_|\btype[ =:]+|:)(?P<name>[A-Za-z_]+)(?=[\s,()\]}\"';.]|$)"

_BY_ERRNO = {
    "EPERM": Meaning(
        "privilege",
        "The kernel refused to create the map: the loader lacks CAP_BPF, or, before Linux 5.11, RLIMIT_MEMLOCK is too "
        "low. Load as root, and raise that limit.",
        fault="environment",
        of_map=True,
    ),
    "EACCES": Meaning(
        "privilege",
        "A security module refused to create the map: SELinux and others have permissions of their own for BPF, beside "
        "capabilities. Look for the denial (`ausearch -m avc -ts recent`), allow the loader's domain `map_create`, "
        "`map_read`, `map_write`, `prog_load` and `prog_run` of class `bpf`, or run it in a privileged container.",
        fault="environment",
    ),
    "EINVAL": Meaning(
        "unsupported",
        "The map can't be created like this: this kernel doesn't know its type or flags, or the key size, value size "
        "and number of entries don't fit the type.",
        fault="kernel",
        of_map=True,
    ),
    "ENOMEM": Meaning(
        "other",
        "There was not enough memory for the map: on the machine, in its cgroup, or within RLIMIT_MEMLOCK (before "
        "Linux 5.11). Make it smaller or raise the limit.",
        fault="environment",
        of_map=True,
    ),
    "E2BIG": Meaning(
        "unsupported",
        "The map can't be created like this: its entries times their size exceed the kernel's limit, or the loader "
        "passes an attribute that this kernel doesn't know. Make it smaller, or use a newer kernel.",
        fault="program",
        of_map=True,
    ),
    "ENOTSUPP": Meaning(
        "unsupported",
        "This kernel doesn't accept type information for a map of this type; loaders then create it without.",
        fault="kernel",
        of_map=True,
    ),
    "EEXIST": Meaning(
        "other", "Something is pinned under the map's name already. Unpin it, or use another name.", fault="environment"
    ),
}
_OTHER = Meaning(
    "unknown",
    "The map could not be created, and the loader's message gives no reason. Check its type, sizes and flags.",
)


def recognise(line: str, errno: str) -> Meaning | None:
    """The meaning of a line about a map that wasn't created; None if it isn't one."""
    if not compiled(_FORM).match(line):
        return None
    if requires := compiled(_REQUIRES).match(line):
        return Meaning(
            "unsupported",
            f"The map can't be created on this kernel: {requires['what']}. The loader says that it needs "
            f"Linux {requires['version']} or newer. Do without it, or use a newer kernel.",
            fault="kernel",
            of_map=True,
        )
    return _BY_ERRNO.get(errno, _OTHER if errno else None)


def needs(text: str) -> str:
    """The first kernel that has the type of map named in a text, as a sentence; "" for old types and without a type."""
    for match in compiled(_TYPE).finditer(text):
        name = match["name"].lower().replace("_", "")
        if since := _SINCE.get(name):
            words = _IN_WORDS.get(name) or f"Maps of type {match['name']} need"
            return f"{words} Linux {since} or newer."
    return ""
