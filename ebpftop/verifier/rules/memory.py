"""Invalid accesses: not memory for the program, read-only memory, out of bounds, misaligned."""

import re

from ebpftop.verifier.rules.model import Held, rule
from ebpftop.verifier.values import value

_STORES = r"\([0-9a-f]{2}\) (?:lock )?\*\("
_BOUND = "if ($index >= N)    // $index unsigned; N elements\n    return 0;"

# Structs of the kernel that a pointer to a map points at (map_btf_name in kernel/bpf/).
_MAPS = r"(?P<struct>bpf_(?:map|array|htab|ringbuf_map|lpm_trie|queue_stack|dtab|cpu_map|stack_map|shtab|stab))"
_MAP_ITSELF = (
    "The program reads or writes the map itself (the kernel's `struct $struct`) instead of a value in it. Values are "
    "reached by a lookup; a map's own address can only be passed to helpers. For a global variable, the loader must "
    "put the address of its value there."
)
_LOOK_UP = "value = bpf_map_lookup_elem(&map, &key);\nif (!value)\n    return 0;"


def _too_wide(match: re.Match[str], held: Held) -> bool:
    """Whether the access is always at the same place, and not before the memory: no index is too large."""
    now = value(held.now)
    off = int(match["off"])
    return off >= 0 and (now.low == now.high if now.kind not in ("", "scalar") else off == 0)


def _at_an_index(match: re.Match[str], held: Held) -> bool:
    """Whether the place in memory varies."""
    now = value(held.now)
    return int(match["off"]) >= 0 and now.kind not in ("", "scalar") and now.low < now.high


def _not_before(match: re.Match[str], _held: Held) -> bool:
    return int(match["off"]) >= 0


def _before(match: re.Match[str], _held: Held) -> bool:
    return int(match["off"]) < 0


def _some(match: re.Match[str], _held: Held) -> bool:
    return int(match["have"]) > 0


RULES = (
    # a map instead of its value
    rule(
        "invalid_mem_access",
        (
            rf"cannot access ptr member (?P<member>\w+) with moff \d+ in struct {_MAPS}\b",
            rf"access beyond struct {_MAPS}\b",
            rf"only read from {_MAPS} is supported",
        ),
        _MAP_ITSELF,
        _LOOK_UP,
    ),
    rule("oob_mem", rf"@reg is (?:ptr_)?{_MAPS} invalid negative access", _MAP_ITSELF, _LOOK_UP),
    # no memory for the program, or read-only
    rule(
        "invalid_mem_access",
        r"@reg invalid mem access '(?:scalar|inv)'",
        "The program writes here, and the verifier knows the address only as a number: it points to kernel or user "
        "memory, which a plain store can't reach, or the pointer was lost by a cast, by arithmetic or by storing it "
        "in memory (kernels before 5.10.10 forget ring buffer pointers that are stored on the stack). Write through "
        "the pointer that the lookup or the reservation returned, and keep the offset as a bounded number of its own.",
        "data[$index] = value;    // data: as it was returned",
        at=_STORES,
    ),
    rule(
        "invalid_mem_access",
        r"@reg invalid mem access '(?:scalar|inv)'",
        "The verifier knows this value only as a number, not as a pointer to memory that the program may access: the "
        "address of kernel or user memory, or a pointer that went through a cast, a map or arithmetic. Copy what it "
        "points at with a helper (`bpf_probe_read_user` for a process's memory). BCC does that by itself only for "
        "plain `p->field` in the main text, not in macros or headers.",
        "bpf_probe_read_kernel(&value, sizeof(value), &$name->field);",
    ),
    rule(
        "invalid_mem_access",
        r"@reg invalid mem access 'map_ptr'",
        "The program accesses the map itself as if it were memory. Entries are reached by a lookup, which returns a "
        "pointer to the value, or NULL.",
        "value = bpf_map_lookup_elem(&map, &key);\nif (!value)\n    return 0;",
    ),
    rule(
        "invalid_mem_access",
        r"@reg invalid mem access '(?P<type>(?:untrusted_|rcu_|percpu_|user_|trusted_)*ptr_\w*)'",
        "This kernel object can't be read directly here: the verifier has only $type, and doesn't trust that it is "
        "still valid. Copy the field with a helper.",
        "bpf_probe_read_kernel(&value, sizeof(value), &$name->field);",
    ),
    rule(
        "invalid_mem_access",
        r"@reg invalid mem access '@type",
        "The program reads or writes through $type, which isn't memory it may access. Follow the register back in the "
        "log to where it got that value, and keep the pointer you meant in a variable of its own.",
    ),
    rule(
        "invalid_mem_access",
        r"@reg is ptr_(?P<struct>\w+) access user memory",
        "This `struct $struct` lies in a process's memory, which may be absent or change at any time. Copy the field "
        "with the helper for user memory.",
        "bpf_probe_read_user(&value, sizeof(value), &$name->field);",
    ),
    rule(
        "invalid_mem_access",
        r"@reg is ptr_(?P<struct>\w+) access percpu memory",
        "This `struct $struct` exists once per CPU, and the pointer doesn't say for which. Get one CPU's copy first; "
        "it is NULL for a CPU that doesn't exist.",
        "$name = bpf_per_cpu_ptr($name, cpu);\nif (!$name)\n    return 0;",
    ),
    rule(
        "invalid_mem_access",
        r"write into map forbidden",
        "The program writes to a map that was created read-only for programs, as constants (`.rodata`, `const "
        "volatile`) are. Copy the value into a variable, or drop the flag `BPF_F_RDONLY_PROG`.",
    ),
    rule(
        "invalid_mem_access",
        r"read from map forbidden",
        "The program reads a map that was created write-only for programs. Drop the flag `BPF_F_WRONLY_PROG`.",
    ),
    rule(
        "invalid_mem_access",
        r"cannot write into packet",
        "Programs of this type, or attached here, may only read the packet. Write where the kernel allows it (XDP, "
        "tc), or work on a copy on the stack.",
    ),
    rule(
        "invalid_mem_access",
        r"the prog does not allow writes to packet data",
        "Programs of this type may only read the packet, and `bpf_dynptr_slice_rdwr` requests write access. Use the "
        "function that only reads.",
        "data = bpf_dynptr_slice(&ptr, offset, buffer, sizeof(buffer));",
    ),
    rule(
        "invalid_mem_access",
        r"write to change key @reg not allowed",
        "The program changes a key inside its map; the entry could then never be found again. Delete the entry and "
        "add one under the new key.",
    ),
    rule(
        "invalid_mem_access",
        (
            r"Writes through BTF pointers are not allowed",
            r"only read (?:is|from (?P<what>\S+) is) supported",
            r"cannot write into socket",
        ),
        "The program writes to a kernel object, which programs of this type may only read. Keep what you want to "
        "remember in a map.",
    ),
    rule(
        "invalid_mem_access",
        r"@reg cannot write into (?P<type>.+?)(?: at off=.*)?$",
        "The program writes through $type, which it may only read. Copy the data into a variable of your own and "
        "change that.",
    ),
    rule(
        "invalid_mem_access",
        r"\S+ may write into memory pointed by @reg type=@type",
        "The call would write its result through argument $nth, and that is $type, which the program may only read. "
        "Pass a variable on the stack or a map's value.",
    ),
    rule(
        "ctx_access",
        r"BPF_(?:ATOMIC|XADD|ST) (?:stores into|loads from) (?P<reg>R\d+) ctx is not allowed",
        "The context can't be changed by this kind of instruction: no atomic operation, no store of a constant. "
        "Assign a variable to `ctx->field` with a plain `=`.",
    ),
    rule(
        "invalid_mem_access",
        r"BPF_(?:ATOMIC|XADD|ST) (?:stores into|loads from) (?P<reg>R\d+) @type is not allowed",
        "This operation works on the stack and on map values, but not on $type. Keep the counter in a map.",
        "__sync_fetch_and_add(&value->count, 1);",
    ),
    rule(
        "invalid_mem_access",
        r"same insn cannot be used with different pointers",
        "One instruction works on different kinds of memory depending on the path, usually because the compiler "
        "merged two branches. Keep the branches apart, so that each has an access of its own.",
        'asm volatile("" ::: "memory");    // between the two branches\' accesses',
    ),
    rule(
        "invalid_mem_access",
        (r"invalid size of register (?:spill|fill)", r"corrupted spill memory"),
        "A pointer on the stack was stored or read in pieces: only all 8 bytes, aligned to 8, keep it a pointer. "
        "Don't copy pointers byte by byte, and don't overlay them with other data in a union.",
    ),
    rule(
        "invalid_mem_access",
        r"cannot spill pointers to stack into stack frame of the caller",
        "A function stores the address of one of its own variables in its caller's variable; it would dangle after "
        "the return. Let the caller own the variable and pass its address down.",
    ),
    rule(
        "invalid_mem_access",
        r"cannot access ptr member (?P<member>\w+) with moff \d+ in struct (?P<struct>\w+)",
        "The program reads only a part of the pointer `$member` in `struct $struct`. Read the whole member, 8 bytes "
        "at its own offset.",
    ),
    rule(
        "invalid_mem_access",
        r"Type '(?P<struct>[^']*)' is not a struct",
        "The program reads through a pointer to `$struct`, which isn't a struct, so it has no fields that the "
        "verifier can check. Copy the memory with a helper.",
        "bpf_probe_read_kernel(&value, sizeof(value), $name);",
    ),
    rule(
        "invalid_mem_access",
        r"Invalid read of (?P<width>\d+) bytes from insn_array",
        "An instruction array holds addresses of 8 bytes, and the program reads $width bytes. Read a `u64`.",
    ),
    # outside the object that the pointer points at
    rule(
        "oob_map_value",
        r"invalid access to map value, value_size=(?P<have>\d+) off=(?P<off>-?\d+) size=0\b",
        "The size passed is 0, and $call doesn't accept an empty buffer. Pass the size of what the pointer points at "
        "(for `bpf_trace_printk` that of the format string, which the macro `bpf_printk` adds), or skip the call.",
        "if (!size)\n    return 0;",
    ),
    rule(
        "oob_map_value",
        r"invalid access to map value, value_size=(?P<have>\d+) off=(?P<off>-?\d+) size=(?P<width>\d+)",
        "The call needs $need bytes ($width at offset $off, the furthest that the pointer may lie), and a value of "
        "this map has only $have. Bound the index that was added to the pointer, so that all $width bytes lie within. "
        "If the program means less than $width bytes there, the value is of a smaller struct than the one that the "
        "call takes, or the size passed is too large.",
        "if ($index >= N)    // $index unsigned; N elements\n    return 0;",
        at=r"\) call ",
        when=_at_an_index,
    ),
    rule(
        "oob_map_value",
        r"invalid access to map value, value_size=(?P<have>\d+) off=(?P<off>-?\d+) size=(?P<width>\d+)",
        "The call needs $need bytes ($width at offset $off: as many as the size passed may be), and a value of this "
        "map has only $have. Bound the size by that of the value, or declare the map with a value that large.",
        "if (size > sizeof(*value))    // size unsigned\n    return 0;",
        at=r"\) call ",
        when=_not_before,
    ),
    rule(
        "oob_map_value",
        r"invalid access to map value, value_size=(?P<have>\d+) off=(?P<off>-?\d+) size=(?P<width>\d+)",
        "The access needs $need bytes ($width at offset $off), and a value of this map has only $have: the type that "
        "the program uses for the value is larger than the map's value. No variable index is at fault. Declare the "
        "map with the struct that is accessed, or access no more than the value has.",
        "__type(value, struct entry);    // the struct that the pointer points at",
        when=_too_wide,
    ),
    rule(
        "oob_map_value",
        r"invalid access to map value, value_size=(?P<have>\d+) off=(?P<off>-?\d+) size=(?P<width>\d+)",
        "The access begins before the map's value, at offset $off. Make the index unsigned, or test that it isn't "
        "negative, before it is added.",
        "if ($index < 0 || $index >= N)\n    return 0;",
        when=_before,
    ),
    rule(
        "oob_map_value",
        r"invalid access to map value, value_size=(?P<have>\d+) off=(?P<off>-?\d+) size=(?P<width>\d+)",
        "The access reaches outside of the map's value: $width bytes at offset $off, and a value has $have bytes. "
        "Bound the index just before the access so that it ends within them (it needs $need bytes), or enlarge the "
        "value.",
        _BOUND,
    ),
    rule(
        "oob_map_value",
        r"invalid access to map key, key_size=(?P<have>\d+) off=(?P<off>-?\d+) size=(?P<width>\d+)",
        "The access reaches outside of the map's key: $width bytes at offset $off, and a key has $have bytes. Bound "
        "the index, or use the map's own key type.",
    ),
    rule(
        "oob_map_value",
        r"invalid access to map value pointer, value_size=(?P<have>\d+) off=(?P<off>\d+)",
        "The program takes the address of a global variable at offset $off, and the map that holds such variables has "
        "$have bytes. The program and its maps don't belong together: load both from one build.",
    ),
    rule(
        "oob_map_value",
        r"direct value offset of (?P<off>\d+) is not allowed",
        "The program takes an address at offset $off of a map's value; 512 MiB is the limit. Make the array smaller, "
        "or look its elements up by index.",
    ),
    rule(
        "oob_mem",
        r"invalid access to memory, mem_size=(?P<have>\d+) off=(?P<off>-?\d+) size=(?P<width>\d+)",
        "The access reaches outside of its memory: $width bytes at offset $off, and it has $have bytes. Reserve or "
        "pass as many bytes as are used: usually `sizeof` of the whole struct.",
    ),
    rule(
        "oob_mem",
        r"@reg (?:min|max) value is outside of the allowed memory range",
        "The smallest or largest value the index may have lies outside of the memory it points into. Tighten the "
        "check before the access, so that offset and size together stay inside.",
        _BOUND,
    ),
    rule(
        "oob_mem",
        r"access beyond struct (?P<struct>\S+) at off (?P<off>\d+)",
        "Offset $off lies past the end of `struct $struct` on this kernel. The struct differs between kernels, or the "
        "cast is wrong: take its definition from the running kernel's BTF.",
    ),
    rule(
        "oob_mem",
        r"access beyond the end of member (?P<member>\S+) \(mend:\d+\) in struct (?P<struct>\S+)",
        "The access begins in the member `$member` of `struct $struct` and ends past it. Read no more than the "
        "member's own size.",
    ),
    rule(
        "oob_mem",
        r"struct (?P<struct>\S+) doesn't have field at offset (?P<off>-?\d+)",
        "`struct $struct` has nothing at offset $off on this kernel (a hole, or another layout). Take its definition "
        "from the running kernel's BTF.",
    ),
    rule(
        "oob_mem",
        r"invalid access to flow keys off=(?P<off>-?\d+) size=(?P<width>\d+)",
        "`struct bpf_flow_keys` has no $width bytes at offset $off. Access its fields by name.",
    ),
    rule(
        "oob_mem",
        r"@reg invalid (?P<what>\w+) buffer access: off=(?P<off>-?\d+), size=(?P<width>\d+)",
        "The access reaches outside of the buffer the kernel handed over: $width bytes at offset $off. Compare offset "
        "and size with the buffer's length first; a writable tracepoint's buffer has the size of its struct.",
    ),
    rule(
        "oob_mem",
        r"@reg invalid negative (?P<what>\w+) buffer offset: off=(?P<off>-?\d+)",
        "The access lies before the beginning of the buffer. Use an unsigned offset.",
    ),
    rule(
        "oob_mem",
        r"@reg invalid @type access off=(?P<off>-?\d+) size=(?P<width>\d+)",
        "The program may not access $width bytes at offset $off of $type. Read the fields that the UAPI struct "
        "declares (`struct bpf_sock`, `struct bpf_tcp_sock`), each with its own size.",
    ),
    rule(
        "oob_mem",
        r"@reg is (?:ptr_)?(?P<struct>\w+) invalid negative access: off=(?P<off>-?\d+)",
        "Offset $off lies before the beginning of `$struct`. `container_of` and negative indices don't work on a "
        "typed pointer: copy the outer struct with a helper.",
        "bpf_probe_read_kernel(&value, sizeof(value), (void *)$name + offset);",
    ),
    rule(
        "oob_packet",
        r"invalid access to packet, off=(?P<off>-?\d+) size=(?P<width>\d+), @reg\(id=\d+,off=-?\d+,r=(?P<have>\d+)\)",
        "The program has checked $have bytes of the packet, and the access needs $need: $width at offset $off, counted "
        "from where the pointer began. A check covers all pointers that differ only by constants. Check $need bytes.",
        "if (start + $need > data_end)    // start: where the pointer began\n    return XDP_PASS;    // or TC_ACT_OK",
        when=_some,
    ),
    rule(
        "oob_packet",
        (
            r"invalid access to packet",
            r"@reg offset is outside of the packet",
        ),
        "The program reads beyond the part of the packet it has checked. Compare with the packet's end first, and "
        "access only what that covers; after a helper that changes the packet, check again.",
        "if ((void *)($name + 1) > data_end)\n    return XDP_PASS;    // or TC_ACT_OK",
    ),
    # misaligned
    rule(
        "misaligned",
        r"misaligned stack access off .+ size (?P<width>\d+)",
        "The access of $width bytes on the stack doesn't begin at a multiple of $width. Don't pack the struct, don't "
        "cast to a wider type, and let an `__u64` begin at a multiple of 8.",
    ),
    rule(  # before 4.12
        "misaligned",
        r"Unknown alignment\. Only byte-sized access allowed in packet access",
        "This machine needs aligned accesses, and the old kernel doesn't know where in the packet the access lies. "
        "Read the field byte by byte.",
        "value = $name[0] << 8 | $name[1];    // u8 *$name",
    ),
    rule(
        "misaligned",
        r"misaligned (?:\w+ )?access off .+ size (?P<width>\d+)",
        "The access of $width bytes is not aligned to its own size, which this machine or this program's strict "
        "alignment requires. Let the compiler lay out the struct, or copy the bytes.",
        "__builtin_memcpy(&value, $name, sizeof(value));",
    ),
)
