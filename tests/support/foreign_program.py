"""`python -m tests.support.foreign_program NAME RUNS HELD`: runs a foreign BPF program this many times.

It writes the program's id, and keeps the program until its standard input is closed. HELD says how: "program" or "link"
by a descriptor, "pin" by a file in its own mount namespace. A number on its standard input runs a held program this
many more times; the number is echoed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from ebpftop.kernel import libbpf, program_info
from tests.support import programs
from tests.support.command import CHECKOUT

_RAW_TRACEPOINT = 17
_RETURN_0 = bytes.fromhex("b700000000000000 9500000000000000")  # r0 = 0; exit
_MOUNTED = "/mnt"
_RARE = b"mark_victim"  # when the kernel runs out of memory

Held = Literal["program", "link", "pin"]


@contextmanager
def foreign(name: str, runs: int, held: Held = "program") -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """The program's id and the process that keeps it, which ends with the context."""
    command = ["unshare", "--mount", sys.executable, "-B", "-m", __name__, name, str(runs), held]
    with subprocess.Popen(command, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin
        assert child.stdout
        yield int(child.stdout.readline()), child
        child.stdin.close()


def main(name: str, runs: int, held: str) -> None:
    library = libbpf.library()
    program = libbpf.checked(
        library.bpf_prog_load(_RAW_TRACEPOINT, os.fsencode(name), b"GPL", _RETURN_0, len(_RETURN_0) // 8, None),
        "loading",
    )
    accounting = libbpf.enable_stats()
    for _ in range(runs):
        programs.run(program)
    os.close(accounting)
    number = program_info.info(program).id
    if held == "link":
        libbpf.checked(library.bpf_raw_tracepoint_open(_RARE, program), "attaching")
    elif held == "pin":
        subprocess.run(["mount", "-t", "bpf", "none", _MOUNTED], check=True)
        libbpf.checked(library.bpf_obj_pin(program, f"{_MOUNTED}/pinned".encode()), "pinning")
    if held != "program":
        os.close(program)
    print(number, flush=True)
    for line in sys.stdin:
        for _ in range(int(line)):
            programs.run(program)
        print(line, end="", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
