"""Macros that kernel C uses, by name. BTF doesn't contain macros.

A source gets only the macros that it mentions. All are part of the kernel's interface to user space, or unchanged since
5.15, the oldest supported version. Enumerators come from BTF instead.
"""

from __future__ import annotations

import errno

_FILE_TYPES = {"FIFO": 1, "CHR": 2, "DIR": 4, "BLK": 6, "REG": 8, "LNK": 10, "SOCK": 12}  # linux/stat.h, times 010000
_SOCK_COMMON = ("family", "num", "dport", "rcv_saddr", "daddr", "v6_rcv_saddr", "v6_daddr", "state", "net", "cookie")


def _function(result: str, name: str, parameter: str, body: str) -> str:
    """C for a function in place of a macro. BCC doesn't rewrite dereferences inside a macro, so macros whose argument
    may be a dereference are functions here.
    """
    return f"static inline __attribute__((always_inline)) {result} {name}({parameter}) {{ return {body}; }}"


_VALUES = {
    "MAX_ERRNO": "4095",
    "MINORBITS": "20",
    "MINORMASK": "((1U << 20) - 1)",
    "NAME_MAX": "255",
    "PATH_MAX": "4096",
    "TASK_COMM_LEN": "16",
    "DISK_NAME_LEN": "32",
    "DNAME_INLINE_LEN": "32",  # the minimum size of d_iname
    "SCM_RIGHTS": "1",
    "NSEC_PER_USEC": "1000L",
    "NSEC_PER_MSEC": "1000000L",
    "NSEC_PER_SEC": "1000000000L",
    "USEC_PER_SEC": "1000000L",
    "TASK_RUNNING": "0",
    "TASK_INTERRUPTIBLE": "1",
    "TASK_UNINTERRUPTIBLE": "2",
    "PF_EXITING": "0x00000004",
    "PF_KTHREAD": "0x00200000",
    "PF_WQ_WORKER": "0x00000020",
    "CLONE_THREAD": "0x00010000",
    "REQ_OP_BITS": "8",
    "REQ_OP_MASK": "((1 << 8) - 1)",
    "S_IFMT": "0170000",
    **{f"S_IF{kind}": f"({number} << 12)" for kind, number in _FILE_TYPES.items()},
    **{f"AF_{name}": number for name, number in {"UNIX": "1", "INET": "2", "INET6": "10", "NETLINK": "16"}.items()},
    **{name: str(number) for number, name in errno.errorcode.items()},
    "__always_inline": "inline __attribute__((always_inline))",
    "__maybe_unused": "__attribute__((unused))",
    "__packed": "__attribute__((packed))",
    **{f"sk_{field}": f"__sk_common.skc_{field}" for field in _SOCK_COMMON},
    **{f"inet_{field}": f"sk.__sk_common.skc_{field}" for field in ("num", "dport", "rcv_saddr", "daddr")},
}

DEFINITIONS: dict[str, str] = {
    **{name: f"#define {name} {value}" for name, value in _VALUES.items()},
    "offsetof": "#define offsetof(type, member) __builtin_offsetof(type, member)",
    "container_of": "#define container_of(p, type, member) ((type *)((char *)(p) - __builtin_offsetof(type, member)))",
    "__aligned": "#define __aligned(n) __attribute__((aligned(n)))",
    "ARRAY_SIZE": "#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))",
    "likely": "#define likely(x) __builtin_expect(!!(x), 1)",
    "unlikely": "#define unlikely(x) __builtin_expect(!!(x), 0)",
    "min": "#define min(a, b) ({ __typeof__(a) _a = (a); __typeof__(b) _b = (b); _a < _b ? _a : _b; })",
    "max": "#define max(a, b) ({ __typeof__(a) _a = (a); __typeof__(b) _b = (b); _a > _b ? _a : _b; })",
    "IS_ERR": _function("int", "IS_ERR", "const void *p", "(unsigned long)p >= (unsigned long)-4095"),
    "IS_ERR_OR_NULL": _function(
        "int", "IS_ERR_OR_NULL", "const void *p", "!p || (unsigned long)p >= (unsigned long)-4095"
    ),
    "IS_ERR_VALUE": _function("int", "IS_ERR_VALUE", "unsigned long x", "x >= (unsigned long)-4095"),
    "PTR_ERR": _function("long", "PTR_ERR", "const void *p", "(long)p"),
    "MAJOR": _function("unsigned int", "MAJOR", "unsigned int device", "device >> 20"),
    "MINOR": _function("unsigned int", "MINOR", "unsigned int device", "device & ((1U << 20) - 1)"),
    **{
        f"S_IS{kind}": _function("int", f"S_IS{kind}", "unsigned int mode", f"(mode & 0170000) == ({number} << 12)")
        for kind, number in _FILE_TYPES.items()
    },
    **{
        name: _function("unsigned short", name, "unsigned short x", "__builtin_bswap16(x)")
        for name in ("ntohs", "htons")
    },
    **{name: _function("unsigned int", name, "unsigned int x", "__builtin_bswap32(x)") for name in ("ntohl", "htonl")},
    "tcp_sk": _function("struct tcp_sock *", "tcp_sk", "const void *sk", "(struct tcp_sock *)sk"),
    "inet_csk": _function(
        "struct inet_connection_sock *", "inet_csk", "const void *sk", "(struct inet_connection_sock *)sk"
    ),
    "inet_sk": _function("struct inet_sock *", "inet_sk", "const void *sk", "(struct inet_sock *)sk"),
}
