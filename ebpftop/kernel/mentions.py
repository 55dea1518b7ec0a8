"""Finds the kernel's types, members and constants that a C source mentions, by tokens, without a parser.

An unneeded name costs a lookup in BTF; a missing type is found when the compiler reports it as incomplete.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

BASE_TYPES = frozenset(
    re.findall(
        r"\w+",
        """__u8 __s8 __u16 __s16 __u32 __s32 __u64 __s64 u8 s8 u16 s16 u32 s32 u64 s64 bool size_t ssize_t pid_t uid_t
        gid_t dev_t __be16 __be32 __be64 __wsum __sum16 __kernel_size_t umode_t loff_t gfp_t __poll_t sa_family_t
        atomic_t""",
    )
)

_KEYWORDS = frozenset(
    re.findall(
        r"\w+",
        """auto break case char const continue default do double else enum extern float for goto if inline int long
        register restrict return short signed sizeof static struct switch typedef union unsigned void volatile while
        define defined include ifdef ifndef elif endif undef pragma line error __attribute__ always_inline""",
    )
)
_NOT_CODE = re.compile(r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])+'|\#\s*include[^\n]*""", re.DOTALL)
_DEFINED_TAG = re.compile(r"\b(?:struct|union|enum)\s+(\w+)\s*\{")
_TAG = re.compile(r"\b(struct|union|enum)\s+([A-Za-z_]\w*)")
_DEFINE = re.compile(r"\#\s*define\s+(\w+)")
_ENUM_BODY = re.compile(r"\benum\b[^{};()]*\{([^}]*)\}")
_DECLARED = re.compile(r"(?<![\w.>])(\w+)[\s*]+(?=([A-Za-z_]\w*))")
_TYPE_ARGUMENT = re.compile(r"(?<=[(,])\s*(?:const\s+)?([A-Za-z_]\w*)[\s*]*(?=[),])")
_VALUE = re.compile(r"(?:\*|\.|->|&)\s*([A-Za-z_]\w*)|\b([A-Za-z_]\w*)\s*(?:\.|->|\[|=)")
_CONSTANT = re.compile(r"(?<![\w.>])([A-Z][A-Z0-9_]\w+)\b(?!\s*\()")
_HAS = re.compile(r"\bHAS_\w+__\w+\b")
_RECORD = re.compile(r"\btracepoint__(\w{1,256})")
_RECORD_MACRO = re.compile(r"\bTRACEPOINT_PROBE\s*\(\s*(\w{1,128})\s*,\s*(\w{1,128})\s*\)")
_OURS_OR_BCCS = re.compile(r"(?:BPF|PARAM|HAS|VARIANT|LL|PT_REGS|LINUX)_|NULL$|KERNEL_VERSION$")
_INCLUDE = re.compile(r"^\s*\#\s*include\s*<((?:\w[\w.-]*/)+\w[\w.-]*)>", re.MULTILINE)


class Names(NamedTuple):
    """What one source mentions, except its own definitions.

    tags: "struct x", "union x", "enum x". typedefs and constants are candidates: some are variables or macros.
    tokens: every identifier. defined: tags the source defines. has: HAS_<struct>__<member> tokens.
    includes: headers named in angle brackets, below a directory.
    """

    tags: list[str]
    typedefs: list[str]
    constants: list[str]
    tokens: frozenset[str]
    defined: frozenset[str]
    has: list[str]
    includes: list[str]


def names(text: str) -> Names:
    """The names in a text before preprocessing, including branches that won't be compiled."""
    code = _NOT_CODE.sub(" ", text)
    tokens = frozenset(re.findall(r"[A-Za-z_]\w*", code))
    defined = frozenset(_DEFINED_TAG.findall(code))
    macros = set(_DEFINE.findall(code))
    own = macros | {word for body in _ENUM_BODY.findall(code) for word in re.findall(r"[A-Za-z_]\w*", body)}
    tags = dict.fromkeys(f"{kind} {tag}" for kind, tag in _TAG.findall(code) if tag not in defined)
    constants = [name for name in dict.fromkeys(_CONSTANT.findall(code)) if not _OURS_OR_BCCS.match(name)]
    return Names(
        tags=list(tags),
        typedefs=[name for name in _typedefs(code) if name not in macros and name not in BASE_TYPES],
        constants=[name for name in constants if name not in own],
        tokens=tokens,
        defined=defined,
        has=list(dict.fromkeys(_HAS.findall(code))),
        includes=list(dict.fromkeys(_INCLUDE.findall(text))),
    )


def _typedefs(code: str) -> dict[str, None]:
    """Words that are used where a type is expected, and aren't declared in the source."""
    pairs = [(first, second) for first, second in _DECLARED.findall(code) if not first[0].isdigit()]
    declared = {second for first, second in pairs if first not in _KEYWORDS} | {
        word for pair in _VALUE.findall(code) for word in pair
    }
    no_types = declared | _KEYWORDS | {tag for _, tag in _TAG.findall(code)} | set(_HAS.findall(code))
    words = [first for first, _ in pairs] + _TYPE_ARGUMENT.findall(code)
    return dict.fromkeys(word for word in words if word not in no_types and not word.isupper())


def tracepoints(text: str) -> Iterator[tuple[str, str]]:
    """(category, event) of the classic tracepoints whose records a text uses: `struct tracepoint__CATEGORY__EVENT`, or
    BCC's TRACEPOINT_PROBE(CATEGORY, EVENT). As both may contain underscores, every split is a candidate.
    """
    for match in _RECORD.finditer(text):
        name = match[1]
        yield from ((name[:at], name[at + 2 :]) for at in range(1, len(name) - 2) if name.startswith("__", at))
    for match in _RECORD_MACRO.finditer(text):
        yield match[1], match[2]
