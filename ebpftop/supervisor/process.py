"""Forking children that keep only the descriptors they need, and die with their parent."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable, Collection
from typing import NoReturn

from ebpftop.base import crash, forking, streams
from ebpftop.base.hangup import ending_signals

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def die_with(parent: int, number: int) -> None:
    """Make the kernel signal this process when its parent ends. Changing uids clears this: call it afterwards."""
    _libc.prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
    if os.getppid() != parent:  # the parent had already ended
        os.kill(os.getpid(), number)


def continue_without(parent: int) -> None:
    """Make the kernel also continue this process when its parent ends, because while it is stopped, it handles no
    signal but SIGKILL. Each thread has one signal for its parent's end, see PR_SET_PDEATHSIG(2const): this needs
    another thread.
    """

    def wait() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())
        die_with(parent, signal.SIGCONT)
        threading.Event().wait()

    threading.Thread(target=wait, name="continue", daemon=True).start()


def spawn(
    name: str, work: Callable[[], int], *, keep: Collection[int], session: bool, stderr: int | None = None
) -> int:
    """Fork; the child closes every descriptor but 0, 1, 2 and `keep`, runs `work` and exits with its result.

    session: run it in its own session, so that a Ctrl-C meant for the dashboard doesn't reach it. stderr: a descriptor
    to use as 1 and 2. Returns the child's pid.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    pid = forking.fork()
    if pid:
        return pid
    status = 1
    try:
        _become_child(name, keep, session, stderr)
        status = work()
        sys.stdout.flush()
    except SystemExit as leaving:
        status = leaving.code if isinstance(leaving.code, int) else 1
    except KeyboardInterrupt:
        status = 128 + signal.SIGINT
    except BaseException as error:
        crash.tell(name, error)
    finally:
        _exit(status)
    raise AssertionError("unreachable")


def _exit(status: int) -> NoReturn:
    os._exit(status)


def _become_child(name: str, keep: Collection[int], session: bool, stderr: int | None) -> None:
    signal.set_wakeup_fd(-1)
    for number in (*ending_signals(), signal.SIGALRM, signal.SIGCHLD, signal.SIGCONT, signal.SIGTSTP):
        signal.signal(number, signal.SIG_DFL)
    if session:
        os.setsid()
        os.dup2(streams.null(), 0)
    if stderr is not None:
        os.dup2(stderr, 1)
        os.dup2(stderr, 2)
    kept = {0, 1, 2, *keep}
    try:
        there = [int(entry) for entry in os.listdir("/proc/self/fd")]
    except OSError:  # no /proc
        there = [*range(resource.getrlimit(resource.RLIMIT_NOFILE)[0])]
    for descriptor in there:
        if descriptor not in kept:
            try:
                os.close(descriptor)
            except OSError:
                continue  # the listing's own descriptor
    _libc.prctl(15, f"ebpftop:{name}".encode()[:15], 0, 0, 0)  # PR_SET_NAME
