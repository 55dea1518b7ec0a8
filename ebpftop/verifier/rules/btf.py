"""Type information (BTF) of the program, or of the kernel itself. Messages of kernel/bpf/btf.c begin with the type they
are about: `[3] STRUCT event size=16 vlen=2 Invalid name`.
"""

from ebpftop.verifier.rules.model import rule

# How a message about one type ends.
_WRONG = (
    r"(?:Invalid|Unsupported|Unexpected|Exceeded|Member|Not a VAR|Linkage not|Loop detected|Array size|meta_left"
    r"|(?:nr_bits|bits_offset|nr_copy_bits) exceeds|(?:vlen|type|size) [!=]= 0)"
)

RULES = (
    rule(
        "btf",
        (
            r"kernel is missing BTF",
            r"in-kernel BTF is malformed",
            r"btf_vmlinux is malformed",
            r"Please fix kernel include",
        ),
        "This kernel has no usable type information (BTF) about itself. Use a kernel built with "
        "CONFIG_DEBUG_INFO_BTF=y, which provides `/sys/kernel/btf/vmlinux`.",
    ),
    rule(
        "btf",
        (
            r"missing btf func_info",
            r"missing bpf_line_info",
            r"Global functions need valid BTF",
            r"Program extension requires BTF",
            r"func_info BTF section",
            r"invalid func info",
            r"nonzero (?:tailing|insn_off)",
            r"same or smaller insn offset",
            r"invalid type id -?\d+ in func info",
            r"invalid btf id for main",
            r"Invalid (?:line_info|insn code at line_info|core_relo)",
            r"BTF of func",
            r"Invalid BTF of func",
            r"Invalid type of function",
        ),
        "The type or line information of the program doesn't fit its instructions, or is missing. Compile with `-g`, "
        "don't change the object afterwards, and use a linker that knows BTF.",
    ),
    rule(
        "btf",
        r"number of funcs in func_info doesn't match",
        "The loader passed function information for a different number of functions than the program has: some were "
        "inlined, left out or added after compilation. The cause is the loader or the linker, not the code. Update "
        "the loader, link with one that knows BTF (`bpftool gen object`), or load without function information.",
        fault="loader",
    ),
    rule(
        "btf",
        (
            r"hdr_len not found",
            r"btf_header not found",
            r"Unsupported (?:btf_header|version|flags|section found)$",
            r"Invalid magic$",
            r"Invalid name_offset:\d",
            r"No (?:data|type found)$",
            r"Unaligned (?:type|layout)_off",
            r"String section is not at the end",
            r"Invalid (?:string section|section offset)",
            r"Section overlap",
            r"Total section length",
            r"Layout section is too",
            r"layout_len is not",
            r"Exceeded max num of types",
            r"Max chain length",
            r"Type tags don't precede",
            r"\[\d+\] (?:Invalid|meta_left)",
        ),
        "The program's BTF is damaged, or in a format this kernel doesn't know. Recompile it with a compiler and a "
        "libbpf that match the kernel; loaders can leave out what an old kernel doesn't know.",
    ),
    rule(
        "btf",
        (
            rf"\[\d+\] [A-Z][A-Z_0-9]+ .*\b{_WRONG}",
            rf"(?:\S+ )?type_id=\d+ .*\b{_WRONG}",
        ),
        "The kernel doesn't accept a type in the program's BTF: it is damaged, or newer than the kernel. Recompile it "
        "with a compiler and a libbpf that match the kernel; loaders can leave out what an old kernel doesn't know.",
    ),
    rule(
        "btf",
        (
            r"relo #\d+: bad type id",
            r"target candidate search failed",
            r"field (?P<field>\S+) doesn't have size",
            r"unable to resolve the size of type",
            r"type '[^']*' has multiple type tags",
        ),
        "A type the program refers to was not found in the running kernel, or has no size there. Test for it with "
        "`bpf_core_type_exists` or `bpf_core_field_exists` before using it.",
        "if (bpf_core_field_exists(task->field))\n    value = BPF_CORE_READ(task, field);",
    ),
    rule(
        "btf",
        (
            r"ldimm64",
            r"pseudo btf_id",
        ),
        "The program refers to a variable or function of the kernel (`__ksym`) that this kernel doesn't have, or has "
        "without a type. Declare it weak and test for it.",
        "extern const int symbol __ksym __weak;\n/* ... */\nif (&symbol)\n    value = *(int "
        "*)bpf_this_cpu_ptr(&symbol);",
    ),
    rule(
        "btf",
        (
            r"Invalid (?:btf_fd|btf_value_type_id)",
            r"btf_vmlinux_value_type_id",
        ),
        "The loader passed type information that doesn't exist or doesn't belong here. Load the BTF first, keep its "
        "file descriptor open, and pass the ids of key and value from it.",
    ),
)
