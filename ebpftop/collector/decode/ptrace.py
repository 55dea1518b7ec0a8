"""Requests of ptrace(2), and the calls that reach into another process without it. Source: uapi/linux/ptrace.h."""

from __future__ import annotations

_WORDS = {
    0: "TRACEME PEEKTEXT PEEKDATA PEEKUSER POKETEXT POKEDATA POKEUSER CONT KILL SINGLESTEP",
    12: "GETREGS SETREGS GETFPREGS SETFPREGS ATTACH DETACH",
    24: "SYSCALL",
    0x4200: "SETOPTIONS GETEVENTMSG GETSIGINFO SETSIGINFO GETREGSET SETREGSET SEIZE INTERRUPT LISTEN PEEKSIGINFO "
    "GETSIGMASK SETSIGMASK SECCOMP_GET_FILTER SECCOMP_GET_METADATA GET_SYSCALL_INFO GET_RSEQ_CONFIGURATION "
    "SET_SYSCALL_USER_DISPATCH_CONFIG GET_SYSCALL_USER_DISPATCH_CONFIG SET_SYSCALL_INFO",
    0x10000: "process_vm_readv process_vm_writev",  # our own numbers
}
_NAMES = {number: name for first, words in _WORDS.items() for number, name in enumerate(words.split(), first)}


def request(number: int) -> str:
    """`ATTACH`, `process_vm_readv`, or the number in hexadecimal."""
    return _NAMES.get(number, hex(number))
