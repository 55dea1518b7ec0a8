"""The orders of loaders, created on root's side of a request, which doesn't trust any earlier check."""

from __future__ import annotations

import socket
from functools import partial
from pathlib import Path

import msgspec

from ebpftop.catalog import params
from ebpftop.catalog.model import Probe
from ebpftop.frames.messages import Load
from ebpftop.loader import load
from ebpftop.supervisor import privilege
from ebpftop.supervisor.folders import Folders
from ebpftop.supervisor.lookups import lookups
from ebpftop.supervisor.tasks import Work


class Orders:
    """Turns requests into orders. internal, includes, bcc: see `supervisor.Plan`."""

    def __init__(
        self,
        folders: Folders,
        internal: dict[str, Probe],
        includes: dict[str, str],
        bcc: Path,
        invoker: privilege.Invoker | None,
    ) -> None:
        self._folders, self._internal, self._includes, self._bcc = folders, internal, includes, bcc
        self._invoker, self._lookups = invoker, lookups(invoker)

    def of(self, name: str, given: dict[str, str]) -> load.Order:
        """The order for a probe and its parameters, checked as far as their text allows. Raises `LookupError`,
        `BadParam`.
        """
        probe = self._internal.get(name) or self._folders.catalog.probes[name]
        chosen = params.canonical(probe, given)
        return load.Order(
            probe=msgspec.structs.replace(probe, variants=tuple(params.usable(probe, chosen))),
            params=chosen,
            definitions=partial(params.definitions, probe, chosen, self._lookups),
            includes=self._includes,
            bcc=self._bcc,
            rights=partial(privilege.rights_of, self._invoker),
            confine=partial(privilege.confine, self._invoker),
        )

    def expected(self, request: Load) -> load.Order:
        """The same for a request that the consumer will send. Raises the same as `of`."""
        return self.of(request.probe, request.params)


def loader(order: load.Order) -> Work:
    """The task that carries it out."""

    def work(channel: socket.socket) -> None:
        load.Load(order, channel).run()

    return work
