"""The header tree that lets BCC compile with no kernel headers installed: types from BTF, and what BCC asks for.

BCC force-includes its own `bpf.h` and `helpers.h`, which want a dozen of the kernel's headers; BCC_KERNEL_SOURCE names
the directory they are looked for in. Types made from BTF always are the running kernel's.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from ebpftop.kernel import btf, mentions
from ebpftop.kernel.btf import Btf
from ebpftop.kernel.constants import DEFINITIONS

# in BCC's own bpf.h, clashing with it by value (bpf_prog, bpf_map), or made by BCC from a tracepoint's format
_BCCS_OWN = re.compile(
    r"bpf_(?!perf_event_data)|tracepoint__|(?:__sk_buff|xdp_md|sk_msg_md|sk_reuseport_md|btf_ptr|xdp_action|sk_action)$"
)
_INCOMPLETE = re.compile(
    r"(?:incomplete[^\n']*|forward declaration of )'(?:const |volatile )*(?P<tag>(?:struct|union|enum) \w+)"
    r"|unknown type name '(?P<typedef>\w+)'"
)
_PADDING = re.compile(r"^([ \t]+)long: 64;$", re.MULTILINE)
_ANONYMOUS_TAGGED = re.compile(r"^[ \t]+(?:struct|union) \w+;$", re.MULTILINE)

_EMPTY = (
    "linux/bpf_common.h",
    "uapi/linux/bpf.h",
    "uapi/linux/if_ether.h",
    "uapi/linux/if_packet.h",
    "uapi/linux/ptrace.h",
)
_ARCHITECTURE = {"x86_64": "CONFIG_X86_64", "aarch64": "CONFIG_ARM64"}
_KCONFIG = """#define CONFIG_BPF_SYSCALL 1
#define CONFIG_ARCH_HAS_SYSCALL_WRAPPER 1
#define CONFIG_64BIT 1
"""
_TYPES = """#pragma once
#include <generated/kernel_types.h>
typedef u64 __attribute__((aligned(8))) __aligned_u64;
typedef unsigned long uintptr_t;
#define NULL ((void *)0)
#define true 1
#define false 0
#define __user
#define __kernel
"""
_LOG2 = """#pragma once
#define ilog2(n) (63 - __builtin_clzll(n))
#define roundup_pow_of_two(n) (1ULL << (64 - __builtin_clzll((n) - 1)))
"""


class Tree(NamedTuple):
    """A header tree on disk, and what goes with it.

    prologue: definitions for the top of the program's text. defines: the HAS_<struct>__<member> tokens that hold.
    missing: kernel types the source names and this kernel does not have. flags: compiler arguments the types need.
    """

    root: Path
    prologue: str
    defines: list[str]
    missing: list[str]
    flags: list[str]


def write_tree(root: Path, text: str, extra: Iterable[str] = (), types: Btf | None = None) -> Tree:
    """Write the tree for one source. `extra` are types more, as `incomplete_types` returns them.

    Raises `KernelLacks` where the kernel has no BTF (installed headers are what remains then), OSError.
    """
    types = btf.running() if types is None else types
    used = "".join(f"{DEFINITIONS[name]}\n" for name in sorted(mentions.names(text).tokens & DEFINITIONS.keys()))
    names = mentions.names(used + text)
    wanted, missing = _root_types(types, names, extra)
    definitions = _definitions(types, wanted, names.defined)
    _write(root, definitions, names.includes)
    return Tree(
        root=root,
        prologue=used + _enumerators(types, names),
        defines=[token for token in names.has if _has(types, token)],
        missing=missing,
        flags=["-fms-extensions"] if _ANONYMOUS_TAGGED.search(definitions) else [],
    )


def incomplete_types(compiler_output: str) -> list[str]:
    """Types clang found undefined or incomplete: "struct x", "union x", "enum x", or a typedef's name."""
    found = (match["tag"] or match["typedef"] for match in _INCOMPLETE.finditer(compiler_output))
    return list(dict.fromkeys(found))


def _root_types(types: Btf, names: mentions.Names, extra: Iterable[str]) -> tuple[list[str], list[str]]:
    """Types to define, and those that don't exist. A struct behind a member the source names is a root as well."""
    named = [*names.tags, *(f"typedef {name}" for name in names.typedefs)]
    named += [name if " " in name else f"typedef {name}" for name in extra]
    wanted: dict[str, None] = {}
    missing: list[str] = []
    queue = named[::-1]
    while queue:
        spelled = queue.pop()
        kind, _, tag = spelled.partition(" ")
        if spelled in wanted or tag in names.defined or _BCCS_OWN.match(tag):
            continue
        number = types.find(kind, tag)
        if number is None:
            if kind != "typedef":
                missing.append(spelled)
            continue
        wanted[spelled] = None
        queue += types.reached(number, names.tokens)
    return list(wanted), missing


def _definitions(types: Btf, wanted: list[str], defined: frozenset[str]) -> str:
    """C of the types, with a check of the sizes, which makes a layout the compiler sees differently an error."""
    plain = [*sorted(mentions.BASE_TYPES), "struct pt_regs", *(name.removeprefix("typedef ") for name in wanted)]
    text = _padded(types.dump(plain))
    for tag in defined:  # the program's own struct of a name the kernel has too
        text = re.sub(rf"\b(struct|union|enum) {tag}\b", rf"\1 {tag}__kernel", text)
    for name in wanted:
        kind, _, tag = name.partition(" ")
        if kind != "typedef" and (size := types.size(types.find(kind, tag) or 0)) > 0:
            text += f'_Static_assert(sizeof({name}) == {size}, "{name} is {size} bytes in this kernel");\n'
    return "#pragma once\n" + text


def _padded(definitions: str) -> str:
    """The same with arrays for padding, where libbpf writes unnamed bit-fields.

    Clang joins neighbouring bit-fields to one wide integer and offsets are computed twice, for the host and for BPF,
    where integers of more than 64 bits are aligned to 16. Members behind such padding would be read from elsewhere.
    """
    number = itertools.count()
    return _PADDING.sub(lambda m: f"{m[1]}char padding__{next(number)}[8] __attribute__((aligned(8)));", definitions)


def _enumerators(types: Btf, names: mentions.Names) -> str:
    values = types.enum_values(name for name in names.constants if name not in DEFINITIONS)
    return "".join(f"#define {name} {value}\n" for name, value in values.items())


def _has(types: Btf, token: str) -> bool:
    """HAS_<struct>__<member>, where both may hold underscores: every reading is tried."""
    name = token.removeprefix("HAS_")
    splits = (match.start() for match in re.finditer(r"(?=__)", name))
    return any(name[at + 2 :] in types.members(name[:at]) for at in splits if at)


def _write(root: Path, definitions: str, includes: Iterable[str]) -> None:
    page = os.sysconf("SC_PAGESIZE")
    files = {name: "" for name in (*_EMPTY, *includes) if not name.startswith("bcc/")} | {
        "linux/kconfig.h": _KCONFIG + f"#define {_ARCHITECTURE.get(os.uname().machine, 'CONFIG_OTHER')} 1\n",
        "linux/version.h": f"#define LINUX_VERSION_CODE {version_code(os.uname().release)}\n"
        "#define KERNEL_VERSION(a, b, c) (((a) << 16) + ((b) << 8) + (c))\n",
        "linux/types.h": _TYPES,
        "linux/log2.h": _LOG2,
        "asm/page.h": f"#define PAGE_SHIFT {page.bit_length() - 1}\n#define PAGE_SIZE {page}\n",
        "generated/kernel_types.h": definitions,
    }
    for name, text in files.items():
        path = root / "include" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def version_code(release: str) -> int:
    """LINUX_VERSION_CODE of a release such as "6.1.0-18-amd64"; the last part is capped at 255, as the kernel does."""
    match = re.match(r"(\d+)\.(\d+)(?:\.(\d+))?", release)
    if match is None:
        return 0
    return (int(match[1]) << 16) + (int(match[2]) << 8) + min(int(match[3] or 0), 255)
