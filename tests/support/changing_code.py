"""Workers in which other code replaces the previous code at the same addresses."""

from __future__ import annotations

import subprocess
from pathlib import Path

# push rbp; mov rbp,rsp; mov ecx,edi; 1: dec ecx; jnz 1b; pop rbp; ret
_LOOP = "554889e589f9ffc975fc5dc3"

_SPIN = """
import time
def spin(function, seconds):
    end = time.process_time() + seconds
    while time.process_time() < end: function(3_000_000)
"""

COMPILER = (
    _SPIN
    + f"""
import ctypes, mmap
page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
page.write(bytes.fromhex("{_LOOP}"))
address = ctypes.addressof(ctypes.c_char.from_buffer(page))
function = ctypes.CFUNCTYPE(None, ctypes.c_int)(address)
listing = f"/tmp/perf-{{os.getpid()}}.map"
def write(name, mode="a", before=""):
    with open(listing, mode) as file:
        file.write(f"{{before}}{{address:x}} c {{name}}\\n")
seconds, how = float(sys.argv[1]), sys.argv[2]
if how != "appears": write("first_function", before="10 8 something_else_altogether\\n" * 9)
def work():
    spin(function, seconds)
    match how:
        case "appended": write("second_function")
        case "rewritten": write("second_function", "w")
        case "appears": write("first_function")
        case "deleted": os.unlink(listing)
    spin(function, seconds)
"""
)
"""Runs a function for so many seconds, compiles another at its place (as `how` says), and runs that as long."""

LOADER = (
    _SPIN
    + """
import ctypes, _ctypes
seconds, *libraries = sys.argv[1:]
seconds = float(seconds)
def work():
    for path in libraries:
        library = ctypes.CDLL(path)
        spin(library.work, seconds)
        _ctypes.dlclose(library._handle)
"""
)
"""Loads one library after another, each where the one before was, and runs its function `work`."""


def library(path: Path, name: str, step: int) -> Path:
    """A library whose `work` calls a function of this name; all these libraries have the same size."""
    source = f"""
        static volatile long sum;
        __attribute__((noinline)) void {name}(int n) {{ for (int i = 0; i < n; i++) sum += i * {step}L; }}
        void work(int n) {{ {name}(n); sum++; }}
    """
    options = ("-O1", "-fno-omit-frame-pointer", "-shared", "-fPIC")
    subprocess.run(["cc", *options, "-o", path, "-xc", "-"], input=source, text=True, check=True)
    path.chmod(0o755)
    return path
