"""Threads that wait for a mutex which another thread never releases."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

WAITING = 13

_SOURCE = r"""
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

static pthread_mutex_t lock;
static int holder;

static void *hold(void *unused)
{
    pthread_mutex_lock(&lock);
    holder = syscall(SYS_gettid);
    printf("%d\n", holder);
    fflush(stdout);
    for (;;)
        pause();
}

static void *wait(void *unused)
{
    pthread_mutex_lock(&lock);
    return NULL;
}

int main(int count, char **arguments)
{
    pthread_mutexattr_t how;
    pthread_mutexattr_init(&how);
    if (count > 1)
        pthread_mutexattr_setprotocol(&how, PTHREAD_PRIO_INHERIT);
    pthread_mutex_init(&lock, &how);
    pthread_t thread;
    pthread_create(&thread, NULL, hold, NULL);
    if (getchar() == EOF)
        return 1;
    for (int i = 0; i < 13; i++)
        pthread_create(&thread, NULL, wait, NULL);
    for (;;)
        pause();
}
"""


class HeldLock(NamedTuple):
    """A process, and the thread of it that holds the lock."""

    process: subprocess.Popen[str]
    holder: int

    @property
    def pid(self) -> int:
        return self.process.pid

    def wait(self) -> None:
        """Make the others wait for it from now on."""
        assert self.process.stdin
        self.process.stdin.write("\n")
        self.process.stdin.flush()


@contextlib.contextmanager
def held_lock(folder: Path, *, inherits: bool = False) -> Iterator[HeldLock]:
    """inherits: whether the holder inherits the priority of the waiting threads, which requires another kind of
    futex.
    """
    program = folder / "held-lock"
    subprocess.run(["cc", "-O1", "-pthread", "-w", "-o", program, "-xc", "-"], input=_SOURCE, text=True, check=True)
    command = [program, *(["inherits"] if inherits else [])]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        yield HeldLock(process, int(process.stdout.readline()))
    finally:
        process.kill()
        process.communicate()
