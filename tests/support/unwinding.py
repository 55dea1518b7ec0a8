"""A C program that takes a snapshot of itself: registers, stack and mappings, and the stack as its C library unwinds
it.
"""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path
from typing import NamedTuple

from ebpftop.kernel.elf import BadElf, Elf
from ebpftop.loader.code import sections
from ebpftop.unwind.stack import Code, Space, Unwound
from ebpftop.unwind.tables import Effort, Tables

MUCH = 1 << 30
_ORDER = (13, 12, 14, 11, 9, 8, 10, 15, 0, 1, 2, 3, 4, 5, 6, 7, 16)  # greg_t by DWARF's number: <sys/ucontext.h>
_HEAD = struct.Struct("<23Q")

PICTURE = r"""
#define _GNU_SOURCE
#include <execinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <ucontext.h>
#include <unistd.h>
#include <signal.h>
#include <pthread.h>
#include <string.h>
#include <alloca.h>
#define APART __attribute__((noinline, noclone, noipa))

static volatile int never, sum;
static size_t most = 16384;

APART static void picture(void)
{
    ucontext_t now;
    void *callers[256];
    getcontext(&now);
    char line[512];
    size_t top = 0, at = now.uc_mcontext.gregs[REG_RSP];
    FILE *maps = fopen("/proc/self/maps", "r");
    while (fgets(line, sizeof(line), maps)) {
        size_t start, end;
        sscanf(line, "%zx-%zx", &start, &end);
        if (start <= at && at < end)
            top = end;
    }
    fclose(maps);
    size_t length = (top - at < most ? top - at : most) & ~7UL;
    size_t count = backtrace(callers, 256);
    fwrite(now.uc_mcontext.gregs, 8, 23, stdout);
    fwrite(&length, 8, 1, stdout);
    fwrite((void *)at, 1, length, stdout);
    fwrite(&count, 8, 1, stdout);
    fwrite(callers, 8, count, stdout);
    fflush(stdout);
    pause();
}
"""


class Picture(NamedTuple):
    """callers: the return addresses according to the C library's own unwinder, outermost last."""

    registers: list[int]
    stack: memoryview
    callers: list[int]
    maps: list[tuple[int, int, int, str]]


def build(folder: Path, body: str, *options: str) -> Path:
    """A program made of `PICTURE` and this code. It is built without frame pointers, unless the options say
    otherwise.
    """
    program = folder / "program"
    given = ("-O2", "-fomit-frame-pointer", "-w", *options)
    text = PICTURE + body
    subprocess.run(["cc", *given, "-o", program, "-xc", "-", "-pthread"], input=text, text=True, check=True)
    return program


def taken(program: Path, *arguments: str) -> Picture:
    """The program's output, parsed."""
    with subprocess.Popen([program, *arguments], stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        try:
            registers = _HEAD.unpack(running.stdout.read(_HEAD.size))
            length = int.from_bytes(running.stdout.read(8), "little")
            stack = memoryview(running.stdout.read(length)).cast("Q")
            count = int.from_bytes(running.stdout.read(8), "little")
            callers = list(struct.unpack(f"<{count}Q", running.stdout.read(8 * count)))
            maps = Path(f"/proc/{running.pid}/maps").read_text().splitlines()
        finally:
            running.kill()
    return Picture([registers[each] for each in _ORDER], stack, callers, [*map(_mapping, maps)])


def _mapping(line: str) -> tuple[int, int, int, str]:
    span, mode, offset, _, _, *path = line.split(maxsplit=5)
    start, end = (int(each, 16) for each in span.split("-"))
    return start, end if "x" in mode else start, int(offset, 16), path[0] if path else ""


def space(picture: Picture) -> Space:
    """The code of the program in the picture."""
    return Space([each for each, _ in _codes(picture)])


def _codes(picture: Picture) -> list[tuple[Code, Elf | None]]:
    found: list[tuple[Code, Elf | None]] = []
    for start, end, offset, path in picture.maps:
        if start == end:
            continue
        elf = _elf(path)
        place = elf.mapped(offset, end - start) if elf else None
        tables = sections(elf) if elf else None
        made = Tables(tables.frames, tables.frames_at, tables.header, tables.header_at) if tables else None
        found.append((Code(start, end, start - (place or 0), made), elf))
    return found


def _elf(path: str) -> Elf | None:
    try:
        data = Path(path).read_bytes()
        return Elf(lambda length, at: data[at : at + length], len(data))
    except (OSError, BadElf):
        return None


def unwound(picture: Picture, whole: int = 16384) -> Unwound:
    return space(picture).unwind(picture.registers, picture.stack, Effort(MUCH), whole=whole)


def names(picture: Picture, places: tuple[int, ...]) -> list[str]:
    """The names of the functions at these places; empty if a file has no name for one."""
    codes = _codes(picture)
    found = []
    for place in places:
        (code, elf) = next(each for each in codes if each[0].start <= place < each[0].end)
        function = elf.function(place - code.base) if elf else None
        found.append(function.name.decode() if function else "")
    return found
