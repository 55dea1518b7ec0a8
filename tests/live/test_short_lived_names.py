"""Processes that ended before anybody looked for their functions have names all the same."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.scratch import public_folder
from tests.support.tracing import any_kernel, counted, trace

pytestmark = [pytest.mark.bpf, any_kernel]

CHILDREN = 97
LIBRARY = """
#include <time.h>
static volatile long sum;
__attribute__((noinline)) void burn_known(void) {
    struct timespec now;
    do {
        for (int i = 0; i < 100000; i++) sum += i;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    } while (now.tv_nsec < 30000000);
}
"""
# Each line of its input has 97 children burn 30 ms each: forked, executed anew, or with a library that each opens.
PROGRAM = """
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
extern void burn_known(void);
int main(int count, char **arguments) {
    if (count > 2) {
        burn_known();
        return 0;
    }
    puts("ready");
    fflush(stdout);
    getchar();
    for (int i = 0; i < %d; i++) {
        if (fork() == 0) {
            if (!strcmp(arguments[1], "exec"))
                execl(arguments[0], arguments[0], "exec", "child", NULL);
            else if (strcmp(arguments[1], "fork"))
                ((void (*)(void))dlsym(dlopen(arguments[1], RTLD_NOW), "burn_known"))();
            else
                burn_known();
            _exit(0);
        }
        wait(NULL);
    }
    puts("done");
    fflush(stdout);
    getchar();
    return 0;
}
"""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Files of processes that have ended are opened without root's rights."""
    with public_folder() as folder:
        (folder / "known.c").write_text(LIBRARY)
        (folder / "main.c").write_text(PROGRAM % CHILDREN)
        compiler = ["cc", "-O1", "-fno-omit-frame-pointer"]
        subprocess.run([*compiler, "-shared", "-fPIC", "-o", "known.so", "known.c"], cwd=folder, check=True)
        subprocess.run([*compiler, "-o", "shortlived", "main.c", "known.c", "-ldl"], cwd=folder, check=True)
        yield folder


@pytest.mark.parametrize("how", ["fork", "exec", "library"])
def test_children_that_lived_for_thirty_milliseconds_have_their_functions_names(how: str, folder: Path) -> None:
    argument = folder / "known.so" if how == "library" else how
    with subprocess.Popen(
        [folder / "shortlived", argument], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout
        assert parent.stdin
        assert parent.stdout.readline() == "ready\n"
        with trace("cpu/profile", frequency=199, comm="shortlived") as traced:
            parent.stdin.write("\n")
            parent.stdin.flush()
            assert parent.stdout.readline() == "done\n"
            assert traced.end() == 0
        parent.stdin.close()
    found = [each for each in traced.stacks("samples") if each["labels"]["comm"] == "shortlived"]
    burned = [each for each in found if each["frames"] and each["frames"][-1]["side"] == "user"]
    named = [each for each in burned if not each["frames"][-1]["name"].startswith("[")]
    assert counted(burned) > CHILDREN
    assert counted(named) >= 0.95 * counted(burned)
    assert counted(burned, "burn_known") >= 0.9 * counted(burned)
