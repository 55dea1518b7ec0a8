"""Makes 32-bit system calls from a 64-bit Python: code for a `Worker`, which defines `call32(number, a, b, c, d=0)`,
and `low(bytes)`, a copy at an address below 4 GiB.
"""

from __future__ import annotations

CALL32 = r"""
import ctypes, mmap
_SIZE, _MAP_32BIT = 1 << 16, 0x40
_libc = ctypes.CDLL(None)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
_flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_32BIT
_page = _libc.mmap(None, _SIZE, mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC, _flags, -1, 0)
_used = 64
# push rbx; mov eax, edi; mov ebx, esi; xchg edx, ecx; mov esi, r8d; xor edi, edi; int 0x80; pop rbx; cdqe; ret
_code = b"\x53\x89\xf8\x89\xf3\x87\xca\x44\x89\xc6\x31\xff\xcd\x80\x5b\x48\x98\xc3"
ctypes.memmove(_page, _code, len(_code))
_call = ctypes.CFUNCTYPE(ctypes.c_long, *[ctypes.c_uint] * 5)(_page)

def call32(number, a, b, c, d=0):
    return _call(number, a, b, c, d)

def low(content):
    global _used
    ctypes.memmove(_page + _used, content, len(content))
    _used += len(content) + 7 & ~7
    return _page + _used - (len(content) + 7 & ~7)
"""
