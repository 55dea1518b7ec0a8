"""Recognises messages about something that a loader didn't find in this kernel's BTF or among its symbols, so that it
never loaded the program.
"""

from __future__ import annotations

from collections.abc import Callable

from ebpftop.verifier.loaders.meaning import Meaning
from ebpftop.verifier.rules.model import compiled

_LOOK = "Look for it in `/sys/kernel/tracing/available_filter_functions`"
_QUOTED = r"['\"`]?(?P<name>[\w.:]+)['\"`]?"


def _function(name: str) -> Meaning:
    return Meaning(
        "unsupported",
        f"The function `{name}` to attach to isn't in this kernel's BTF: it is inlined, static, has another name here, "
        f"or belongs to a module that isn't loaded. {_LOOK}, choose another function, or use a kprobe.",
        fault="kernel",
    )


def _struct(name: str) -> Meaning:
    return Meaning(
        "unsupported",
        f"The struct `{name}`, which the program fills in or attaches to, isn't in this kernel's BTF: the kernel is "
        "older or built without it, or the module isn't loaded.",
        fault="kernel",
    )


def _symbol(name: str) -> Meaning:
    return Meaning(
        "btf",
        f"This kernel has no `{name}`, which the program uses (`extern … __ksym`): it is older, built without it, "
        "or the module isn't loaded. Declare it `__weak` and test for it with `bpf_ksym_exists` before using it.",
        f"extern int {name}(void) __ksym __weak;    // with its own prototype\n/* … */\nif (bpf_ksym_exists({name}))",
        fault="kernel",
    )


def _setting(name: str) -> Meaning:
    return Meaning(
        "btf",
        f"The loader can't give `{name}` a value: this kernel's configuration, which it reads from /proc/config.gz or "
        "/boot, lacks it or can't be read. Declare it `__weak`, which makes it 0 there.",
        fault="environment",
    )


def configuration(line: str, _errno: str) -> Meaning | None:
    """The meaning of a line about the kernel's configuration, which the loader can't read; None if it isn't one."""
    if not compiled(r".*\bfailed to (?:open|get|read|parse) (?:the )?(?:system|kernel) ?(?:Kconfig|config)\b").match(
        line
    ):
        return None
    return Meaning(
        "btf",
        "The program uses settings of this kernel (`extern … __kconfig`), and the loader can't read them: neither "
        "/proc/config.gz nor /boot/config-$(uname -r) is there. Use a kernel built with CONFIG_IKCONFIG_PROC=y, load "
        "its module (`modprobe configs`), or make the file visible: mount /boot into a container, or link it there "
        "from `/lib/modules/$(uname -r)`.",
        fault="environment",
    )


def _relocation(name: str) -> Meaning:
    first = (
        f"No type of this kernel could be matched with `{name}`"
        if name
        else "The type has no name (an anonymous struct or union), so none of this kernel's can be matched with it"
    )
    return Meaning(
        "btf",
        f"{first}. The loader stops before the kernel sees the program. Give the type a name and declare it with "
        "`__attribute__((preserve_access_index))`, or take it from a vmlinux.h made by a matching bpftool; a newer "
        "libbpf may know the kind of type.",
        fault="loader" if name else "program",
    )


def _kernel_types(_name: str) -> Meaning:
    return Meaning(
        "btf",
        "The loader found no type information of the running kernel, which the program's CO-RE relocations need. Use a "
        "kernel built with CONFIG_DEBUG_INFO_BTF=y (`/sys/kernel/btf/vmlinux` is there then), mount /sys into the "
        "container, or pass a BTF file made for this kernel.",
        fault="environment",
    )


def _section(name: str) -> Meaning:
    return Meaning(
        "unsupported",
        f"The loader doesn't know the section name `{name}`, which gives the program's type: it is misspelt, or "
        "newer than the loader. Correct it, or update the loader.",
        fault="loader",
    )


def _too_old(name: str) -> Meaning:
    return Meaning(
        "unsupported",
        f"This loader no longer accepts the object file ({name}: libbpf before 1.0 did). Declare maps with BTF, in "
        'a `struct { __uint(type, …); … } name SEC(".maps")`, or use an older loader.',
        fault="loader",
    )


_BTF_ID = (
    r"(?:no BTF (?:ID|id|type) (?:found )?for|[Cc]annot find (?:the )?(?:target_)?btf_id (?:for|of)(?: function)?)"
)
_FORMS: tuple[tuple[str, Callable[[str], Meaning]], ...] = (
    (rf"failed to find kernel BTF type ID of {_QUOTED}", _function),
    (rf"struct {_QUOTED} is not found in ", _struct),
    (rf"{_QUOTED} is not found in (?:vmlinux|kernel|module)\b.{{0,10}}\bBTF", _function),
    (rf"{_BTF_ID} {_QUOTED}", _function),
    (rf"find target for {_QUOTED} in \S+: not found", _function),
    (rf"BTF (?:ID|id|type) (?:ID )?(?:of|for)(?: function)? {_QUOTED}:? (?:is |was )?not found", _function),
    (rf"extern \(?(?:func|var|typed var)? ?ksym\)? {_QUOTED}.{{0,12}}: not found", _symbol),
    (rf"extern (?:\((?:func|var) ksym\) )?{_QUOTED}(?: \(strong\))?: (?:not resolved|failed to find)", _setting),
    (
        rf"(?:kfunc|kernel function|ksym) {_QUOTED}.{{0,40}}"
        r"(?:isn't|is not|not|doesn't|does not) (?:found|exist|resolved|available)",
        _symbol,
    ),
    (rf"kernel symbol {_QUOTED}.{{0,20}}not found", _symbol),
    (
        r"target candidate search failed for \[\d+\] (?:(?:struct|union|enum|typedef) ?)?(?P<name>\w*)",
        _relocation,
    ),
    (
        r"(?:no BTF found for kernel|failed to find valid kernel BTF|kernel BTF is missing|load kernel spec:"
        r"|vmlinux BTF (?:is )?(?:not found|missing)|BTF is required, but"
        r"|(?:can't|cannot|couldn't|could not|failed to|unable to) (?:find|load|open|parse|read) (?:the )?"
        r"(?:kernel|vmlinux) (?:BTF|spec|types)"
        r"|/sys/kernel/btf/vmlinux.{0,20}(?:[Nn]o such file|not found|missing))(?P<name>)",
        _kernel_types,
    ),
    (
        r"(?:missing BPF prog type, check ELF section name|failed to guess program type from ELF section) "
        r"['\"`](?P<name>[^'\"`]*)['\"`]",
        _section,
    ),
    (r"(?P<name>legacy map definitions in '\w+' section) are not supported", _too_old),
)


def recognise(line: str, _errno: str) -> Meaning | None:
    """The meaning of a line about something that this kernel or loader lacks; None if it isn't one."""
    for form, meaning in _FORMS:
        if match := compiled(form).search(line):
            return meaning(match["name"] or "")
    return None
