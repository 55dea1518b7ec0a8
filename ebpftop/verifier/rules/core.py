"""Instructions that loaders substitute for ones that need something this kernel lacks.

Numbers and words: libbpf (src/relo_core.c, src/libbpf.c), which cilium/ebpf follows. A call of helper 195896080
(0xbad2310) stands for a CO-RE relocation without a match, 2001… for a map not created, 2002… for a kernel function that
wasn't found.
"""

from ebpftop.verifier.rules.model import rule

_GUARD = "if (bpf_core_field_exists(p->field))    // or bpf_core_type_exists, bpf_core_enum_value_exists"
_OTHER = "or the loader used the BTF of another kernel or architecture"

RULES = (
    rule(
        "btf",
        (r"invalid func unknown#195896080\b", r"<invalid CO-RE relocation>"),
        f"This kernel's BTF lacks $read (a field, type or enum value), {_OTHER}. No helper is called here: loaders put "
        "this call where a CO-RE relocation found no match. Test for it before using it; the loader's debug output "
        "names it.",
        _GUARD,
        fault="kernel",
    ),
    rule(
        "btf",
        r"failed to resolve CO-RE relocation (?:<\w+> )?(?:\[\d+\] )?"
        r"(?P<lacks>.*?)(?: \([\d:]+ @ .*| = -?\w+|<truncated>)?$",
        f"This kernel's BTF has no `$lacks`, which the program uses here, {_OTHER}. Test for it before using it.",
        _GUARD,
        fault="kernel",
    ),
    rule(
        "unknown_func",
        r"kfunc '(?P<func>[^']+)' is referenced but wasn't resolved",
        "This kernel has no function `$func` for programs: it is older, or built without it, or the module isn't "
        "loaded. Declare it `__weak` and call it only where `bpf_ksym_exists` says that it is there.",
        "if (bpf_ksym_exists($func))",
        fault="kernel",
    ),
    rule(
        "unknown_func",
        (r"invalid func unknown#2002\d{6}\b", r"<invalid kfunc call>"),
        "This kernel lacks $kfunc, which the program calls here. No helper is called: loaders put this in place of a "
        "function they didn't find. Declare it `__weak` and call it only where `bpf_ksym_exists` says that it is "
        "there.",
        fault="kernel",
    ),
    rule(
        "bad_map_fd",
        r"BPF map '(?P<map>[^']+)' is referenced but wasn't created",
        "The program uses the map `$map`, which the loader didn't create, whether on request or by omission. Create "
        "it, or make sure that no path the verifier follows uses it (guard it with a `const volatile` flag).",
        fault="loader",
    ),
    rule(
        "bad_map_fd",
        (r"invalid func unknown#2001\d{6}\b", r"<invalid BPF map reference>"),
        "The program uses a map here that the loader didn't create, whether on request or by omission. Create it, or "
        "make sure that no path the verifier follows uses it (guard it with a `const volatile` flag).",
        fault="loader",
    ),
)
