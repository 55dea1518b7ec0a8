"""A program that pretends to be a Python: what it says of itself costs a bounded time, and no stack but its own."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.tracing import any_kernel, counted, trace

pytestmark = [pytest.mark.bpf, any_kernel]

SAMPLES = 100
LIAR = r"""
#include <pthread.h>
#include <string.h>
typedef unsigned long word;
word Py_Version = 0x030c01f0, _PyRuntime[512];
static word interpreter[64], thread[64], other[64], loop[2], frame[10], code[32];
static struct { word refs, type, length, hash; unsigned state, unused; char text[64]; } name;
static struct { word refs, type, size, hash; char text[64]; } lines;
static volatile long sum;
__attribute__((noinline, noipa)) static void leaf(void) { for (int i = 0; i < 20000; i++) sum += i; }
__attribute__((noinline, noipa)) static void evaluates(int ends)
{
    word own[10] = {[8] = 3UL << 48}; // a frame of the loop, on the stack
    frame[1] = (word)(ends ? own : frame);
    for (;;) { leaf(); sum += own[0]; }
}
int main(int count, char **arguments)
{
    const char *how = arguments[1];
    strcpy(name.text, "<script>");
    name.state = 1 << 2 | 3 << 5;
    name.length = strcmp(how, "long") ? 8 : -1UL;
    lines.size = strcmp(how, "long") ? 2 : -1UL;
    code[14] = code[16] = (word)&name;
    code[17] = (word)&lines;
    frame[0] = (word)code;
    frame[7] = (word)code + 192;
    loop[0] = (word)frame;
    thread[7] = (word)loop;
    thread[17] = strcmp(how, "threads") ? pthread_self() : 1;
    thread[1] = (word)other; // threads without an end
    other[1] = (word)thread;
    interpreter[9] = (word)thread;
    _PyRuntime[5] = (word)interpreter;
    evaluates(strcmp(how, "frames"));
}
"""


@pytest.fixture
def liar(tmp_path: Path) -> Path:
    program = tmp_path / "python3.12"
    subprocess.run(["cc", "-O1", "-w", "-o", program, "-xc", "-"], input=LIAR, text=True, check=True)
    return program


@pytest.mark.parametrize(
    ("how", "told"),
    [
        pytest.param("frames", set(), id="frames without an end"),
        pytest.param("threads", set(), id="threads without an end, none of them this one"),
        pytest.param("one", {"<script>"}, id="one frame"),
        pytest.param("long", {"<script>"}, id="texts of all of the memory"),
    ],
)
def test_what_it_says_stays_its_own(liar: Path, how: str, told: set[str]) -> None:
    with (
        subprocess.Popen([liar, how]) as process,
        trace("cpu/profile", pid=process.pid, frequency=199) as traced,
    ):
        try:
            traced.until(lambda: counted(traced.stacks("samples")) >= SAMPLES, f"{SAMPLES} samples are taken")
            assert traced.end() == 0
        finally:
            process.kill()
    assert traced.losses() == {}
    stacks = traced.stacks("samples")
    assert counted(stacks, "leaf") >= 0.9 * counted(stacks)
    python = [frame for each in stacks for frame in each["frames"] if frame["side"] == "python"]
    assert {frame["name"].partition("\0")[0] for frame in python} == told
    assert all(len(frame["name"]) < 256 for frame in python)
    for each in stacks:
        if any(frame["side"] == "python" for frame in each["frames"]):
            names = [frame["name"] for frame in each["frames"]]
            assert "main" in names
            assert "evaluates" not in names  # whose place it takes, and no other one's
