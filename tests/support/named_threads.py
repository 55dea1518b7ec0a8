"""A process with named threads, each of which waits a known number of times."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.support.processes import eventually

WAITS = {"pool-101": 101, "pool-211": 211, "pool-307": 307}
PATIENCE = 30.0  # seconds
AGAIN = 53  # waits of the first thread as `renamed`

# They wait in futex(2) until its timeout. Otherwise they read pipes, because other ways to wait use futexes.
_SOURCE = r"""
#define _GNU_SOURCE
#include <linux/futex.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const struct { const char *name; int waits; } all[] = {{"pool-101", 101}, {"pool-211", 211}, {"pool-307", 307}};
#define THREADS 3
static int told[THREADS][2], done[2];

static void wait_often(int times)
{
    static int word;
    struct timespec moment = {.tv_nsec = 500000};
    for (int i = 0; i < times; i++)
        syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, &moment, NULL, 0);
}

static void *run(void *number)
{
    long me = (long)number;
    int tid = syscall(SYS_gettid);
    prctl(PR_SET_NAME, all[me].name);
    write(done[1], &tid, sizeof(tid));
    for (char command; read(told[me][0], &command, 1) == 1 && command != 'e';) {
        if (command == 'r')
            pthread_setname_np(pthread_self(), "renamed");
        wait_often(command == 'r' ? 53 : all[me].waits);
        write(done[1], &tid, sizeof(tid));
    }
    return NULL;
}

int main(void)
{
    pthread_t threads[THREADS];
    int tid;
    char command;
    pipe(done);
    for (long i = 0; i < THREADS; i++) {
        pipe(told[i]);
        pthread_create(&threads[i], NULL, run, (void *)i);
        read(done[0], &tid, sizeof(tid));
        printf("%d\n", tid);
    }
    fflush(stdout);
    while (read(0, &command, 1) == 1) {
        int some = command == 'r' ? 1 : THREADS;
        for (int i = 0; i < some; i++)
            write(told[i][1], &command, 1);
        for (int i = 0; i < some; i++)
            if (command == 'e')
                pthread_join(threads[i], NULL);
            else
                read(done[0], &tid, sizeof(tid));
        printf("done\n");
        fflush(stdout);
    }
    return 0;
}
"""


class NamedThreads:
    """`tids` by name. Each method returns when the threads have finished the action."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process, self.pid = process, process.pid
        assert process.stdout
        self.tids = {name: int(process.stdout.readline()) for name in WAITS}

    def work(self) -> None:
        """Let each thread wait its number of times."""
        self._tell("w")

    def rename(self) -> None:
        """Let the first thread rename itself to `renamed`, and wait `AGAIN` times."""
        self._tell("r")

    def end(self) -> None:
        """End the threads; their process continues."""
        self._tell("e")

    def _tell(self, command: str) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(command)
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "done\n"
        eventually(self._all_wait, "the threads wait", PATIENCE)

    def _all_wait(self) -> bool:
        stats = [
            (task / "stat").read_text().rpartition(")")[2].split() for task in Path(f"/proc/{self.pid}/task").iterdir()
        ]
        return all(stat[0] == "S" for stat in stats)

    def switches(self, name: str) -> int:
        """How often the thread has left a CPU, as the kernel counts."""
        status = Path(f"/proc/{self.pid}/task/{self.tids[name]}/status").read_text()
        return sum(int(line.split()[1]) for line in status.splitlines() if "ctxt_switches" in line)

    def timeslices(self, name: str) -> int:
        """How often the thread was put on a CPU."""
        return int(Path(f"/proc/{self.pid}/task/{self.tids[name]}/schedstat").read_text().split()[2])


@contextlib.contextmanager
def named_threads(folder: Path) -> Iterator[NamedThreads]:
    program = folder / "named-threads"
    subprocess.run(["cc", "-O1", "-pthread", "-w", "-o", program, "-xc", "-"], input=_SOURCE, text=True, check=True)
    process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield NamedThreads(process)
    finally:
        process.kill()
        process.communicate()
