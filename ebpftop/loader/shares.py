"""Reading files that may contain anything: each has its share of time, and an error in one affects only that one."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator

from ebpftop.base.inert import inert
from ebpftop.kernel.elf import BadElf

_EACH_SECONDS, _ALL_SECONDS = 5.0, 30.0
_MOST_PROBLEMS = 16  # lines of one answer


class _TooLong(Exception):
    """A file's share of time is over."""


class Shares:
    """Gives each file its share of time, and collects the errors. lacking: what is missing because of an error.

    each, all_: seconds of processor time, for one file and for all.
    """

    def __init__(self, lacking: str, each: float = _EACH_SECONDS, all_: float = _ALL_SECONDS) -> None:
        self.problems: list[str] = []
        self._lacking, self._each = lacking, each
        self._end = time.process_time() + all_

    @contextlib.contextmanager
    def share(self, what: str, *, silent: bool = False) -> Iterator[None]:
        """An error inside affects only this file. silent: the file need not have names at all."""
        try:
            with _at_most(min(self._each, self._end - time.process_time())):
                yield
        except BadElf as error:
            if not silent:
                self._add(what, str(error))
        except _TooLong:
            self._add(what, "it takes too long to read")
        except MemoryError:
            self._add(what, "it takes too much memory to read")
        except OSError as error:
            self._add(what, error.strerror or str(error))
        except Exception as error:  # a fault of the reader; what is read elsewhere is no worse for it
            self._add(what, f"internal error: {error!r:.200}")

    def _add(self, what: str, why: str) -> None:
        if len(self.problems) < _MOST_PROBLEMS:
            self.problems.append(f"{self._lacking} in {what}: {inert(why)}")


@contextlib.contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    """Raises `_TooLong` after this much processor time."""

    def late(*_: object) -> None:
        raise _TooLong

    if seconds <= 0:
        raise _TooLong
    before = signal.signal(signal.SIGPROF, late)
    try:
        signal.setitimer(signal.ITIMER_PROF, seconds)
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
