"""The kernel's accounting of program run times: on only while somebody looks at a running probe.

It reads the clock twice for each run of every program on the machine. So if our programs run often, it is on for only a
tenth of the time.
"""

from __future__ import annotations

import math
import os
import random
import time
from collections.abc import Callable, Mapping

from ebpftop.collector.account import Account, Rate

BUSY = 20_000  # runs a second; accounting all of fewer takes no longer than switching it, a millisecond a second
WINDOW = 0.1  # seconds for which it is on then,
APART = 0.5, 1.5  # and from one time to the next. By chance: what happens once a second is not always seen, or never
CLOSELY = 3.0  # seconds for which a run that begins is accounted without pause,
AGAIN = 6.0  # and all of them once they come near a limit
RECENT = 0.1  # seconds: a look that is not older will do, once a second
SOONEST = 0.1  # seconds between two requests


class RunTimes:
    """Holds the descriptor that keeps the accounting on. `request` has root open one, which arrives through `opened`.

    accounts: those of all attached runs, by number. is_near: whether such rates come near a limit, so that everything
    has to be counted. chance: a random number between two limits. Methods that look at accounts raise `OSError`.
    """

    def __init__(
        self,
        request: Callable[[], None],
        accounts: Callable[[], Mapping[int, Account]],
        is_near: Callable[[Mapping[int, Rate]], bool],
        chance: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._request, self._accounts, self._is_near, self._chance = request, accounts, is_near, chance
        self._wanted, self._always = False, False
        self._requested, self._descriptor, self._kept = False, -1, False
        self._since, self._asked, self._closely = 0, 0.0, 0.0
        self._pausing = False
        self._due = 0.0  # in pauses: when the next window begins or ends

    @property
    def on(self) -> bool:
        """Whether costs are known, even if only from a part of the time."""
        return self._pausing or self._descriptor >= 0

    @property
    def since(self) -> int | None:
        """Monotonic ns since when it has been on without a pause; None if it is off or paused."""
        return self._since if self._descriptor >= 0 and not self._pausing else None

    @property
    def due(self) -> float:
        """The monotonic second at which `tick` has something to do."""
        return self._due if self._pausing and not self._requested else math.inf

    def closely(self) -> None:
        """A run begins: its cost isn't known yet."""
        self._closely = max(self._closely, time.monotonic() + CLOSELY)

    def switch(self, wanted: bool, *, always: bool = False) -> None:
        """always: without pauses, because somebody looks at the costs of foreign programs."""
        self._wanted, self._always = wanted, always
        if not wanted:
            if self.on:
                self._go_on(self._looked())
                self._close()
            self._pausing = False
        elif self._descriptor < 0 and not (self._pausing and self._may_pause):
            self._ask()

    @property
    def _may_pause(self) -> bool:
        return not self._always and not self._kept and time.monotonic() >= self._closely

    def _ask(self) -> None:
        now = time.monotonic()
        if not self._requested and now >= self._asked + SOONEST:
            self._requested, self._asked = True, now
            self._request()

    def opened(self, descriptor: int, *, kept: bool = False) -> None:
        """kept: there is no pause until another one was opened, because root won't answer for a while."""
        self._requested = self._requested and kept
        self._close()
        self._descriptor, self._kept = descriptor, kept
        accounts = self._looked()
        if self._pausing and self._may_pause:
            for account in accounts.values():
                account.begin()
            self._due = time.monotonic() + WINDOW
        else:
            self._go_on(accounts)

    def refused(self) -> None:
        """Nothing is accounted, and it isn't requested again: a user who lacks the right now will lack it later."""
        self._pausing = False
        self._go_on(self._looked())

    def tick(self) -> None:
        """In pauses."""
        if time.monotonic() < self.due:
            return
        if self._descriptor >= 0:
            self._decide(self._looked())
        else:
            self._ask()
            self._due = self._asked + SOONEST

    def second(self) -> None:
        """Without pauses, once a second."""
        if self._kept:
            self._ask()
        if self._descriptor >= 0 and not self._pausing:
            self._decide(self._looked(RECENT))

    def _decide(self, accounts: Mapping[int, Account]) -> None:
        """A window has ended: go on, or pause."""
        rates = {number: account.rate() for number, account in accounts.items()}
        if self._is_near(rates):
            self._closely = max(self._closely, time.monotonic() + AGAIN)
        busy = BUSY / 2 if self._pausing else BUSY
        if self._may_pause and sum(rate.runs for rate in rates.values()) >= busy:
            for account in accounts.values():
                account.pause()
            self._close()
            self._pausing, self._due = True, time.monotonic() + self._chance(*APART) - WINDOW
        elif self._pausing:
            self._go_on(accounts)
        else:
            for account in accounts.values():
                account.begin()

    def _go_on(self, accounts: Mapping[int, Account]) -> None:
        for account in accounts.values():
            account.go_on()
        self._pausing, self._since = False, time.monotonic_ns()

    def _looked(self, within: float = 0.0) -> Mapping[int, Account]:
        accounts = self._accounts()
        for account in accounts.values():
            account.look_again(within)
        return accounts

    def _close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor, self._kept = -1, False
