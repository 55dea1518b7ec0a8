"""Recognises error numbers in the spellings that loaders use: `-EINVAL`, `(-22)`, `os error 22`, `Invalid argument`."""

from __future__ import annotations

import re

# Number: name, and glibc's words (include/uapi/asm-generic/errno*.h; 524 is the kernel's own, include/linux/errno.h).
_ERRORS = {
    1: ("EPERM", "operation not permitted"),
    2: ("ENOENT", "no such file or directory"),
    3: ("ESRCH", "no such process"),
    4: ("EINTR", "interrupted system call"),
    7: ("E2BIG", "argument list too long"),
    9: ("EBADF", "bad file descriptor"),
    11: ("EAGAIN", "resource temporarily unavailable"),
    12: ("ENOMEM", "cannot allocate memory"),
    13: ("EACCES", "permission denied"),
    14: ("EFAULT", "bad address"),
    16: ("EBUSY", "device or resource busy"),
    17: ("EEXIST", "file exists"),
    19: ("ENODEV", "no such device"),
    22: ("EINVAL", "invalid argument"),
    24: ("EMFILE", "too many open files"),
    28: ("ENOSPC", "no space left on device"),
    34: ("ERANGE", "numerical result out of range"),
    38: ("ENOSYS", "function not implemented"),
    75: ("EOVERFLOW", "value too large for defined data type"),
    95: ("EOPNOTSUPP", "operation not supported"),
    524: ("ENOTSUPP", "unknown error 524"),
}
_NAMES = {name: name for name, _ in _ERRORS.values()} | {"EWOULDBLOCK": "EAGAIN", "ENOTSUP": "EOPNOTSUPP"}
_WORDS = {words: name for name, words in _ERRORS.values()} | {"interrupted function call": "EINTR"}

_RETURNED = re.compile(r"\bcode:? -1\b")  # the return value of a call, whatever its error
_NAMED = re.compile(r"(?<![A-Za-z0-9_])-?(E[A-Z0-9]{3,10})\b")
_NUMBERED = re.compile(
    r"""(?: \bos\ error\ | \berr(?:no|or)?(?:\ code)?\ ?[=:]?\ ?-? | \b(?:rc|ret|code|status)\ ?[=:]\ ?-?
    | \b(?:errno|returned?)\ -? | \(-? | (?:[:=]\ ?|\s)- )(\d{1,3})(?=$|[\s).,;:\]}"'!=])""",
    re.VERBOSE | re.IGNORECASE,
)
_IN_WORDS = re.compile("|".join(map(re.escape, _WORDS)), re.IGNORECASE)


def find(text: str) -> str:
    """The name of the error in a line, "" if there is none. Names come before numbers, and numbers before words."""
    text = _RETURNED.sub("", text)
    for match in _NAMED.finditer(text):
        if match[1] in _NAMES:
            return _NAMES[match[1]]
    for match in _NUMBERED.finditer(text):
        if int(match[1]) in _ERRORS:
            return _ERRORS[int(match[1])][0]
    found = _IN_WORDS.search(text)
    return _WORDS[found[0].lower()] if found else ""
