"""The exporter's configuration file: probes with parameters, where it listens, and its limits."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from ebpftop.base.argument_types import address
from ebpftop.base.inert import quoted
from ebpftop.catalog import find, params
from ebpftop.catalog.document import BadManifest, Document, TomlTable
from ebpftop.catalog.files import Unreadable, read_text
from ebpftop.catalog.model import Probe

_TOP = ("listen", "interval", "top", "budget", "folders", "probes")
_PROBE = ("id", "params")


class ExporterFile:
    """listen, interval, top, budget: None if the file doesn't set it. folders: additional folders of probes. given: the
    id or bare name of each probe, and its parameters.
    """

    def __init__(self, document: Document) -> None:
        self._document = document
        top = TomlTable(document, (), document.values, _TOP)
        self.listen = _address(top)
        self.interval = top.number("interval", 0.05, 86_400 * 7)
        self.top = top.integer("top", 1, 1_000_000)
        self.budget = top.number("budget", 0, 1_000_000)
        self.folders = [Path(each) for each in top.texts("folders")]
        if not all(each.is_absolute() for each in self.folders):
            top.problem("folders", "expected absolute paths")
        self.given = [
            (table.text("id"), table.assignments("params")) for table in top.tables("probes", _PROBE, required=True)
        ]
        document.finish()

    def chosen(
        self, probes: Mapping[str, Probe], lacks: Callable[..., list[str]] = lambda *why: [*why]
    ) -> list[tuple[Probe, dict[str, str]]]:
        """The probes that the file names. lacks: see `CatalogRead.lacks`. Raises `BadManifest`."""
        found: list[tuple[Probe, dict[str, str]]] = []
        for at, (name, given) in enumerate(self.given):
            try:
                probe = find.find(probes, name)
            except find.UnknownProbe as error:
                self._document.problem(("probes", at, "id"), str(error))
                continue
            if any(probe is other for other, _ in found):
                self._document.problem(("probes", at, "id"), f"{probe.id} is named twice")
            try:
                params.usable(probe, params.canonical(probe, given))
            except params.BadParam as error:
                self._document.problem(("probes", at, "params"), str(error))
            found.append((probe, given))
        try:
            self._document.finish()
        except BadManifest as error:
            raise BadManifest(lacks(*error.problems)) from None
        return found


def read_exporter_file(file: Path, owners: Collection[int]) -> ExporterFile:
    """Read the file, if only these users can have written it. Raises `BadManifest`."""
    try:
        text = read_text(file, owners)
    except Unreadable as error:
        raise BadManifest([str(error)]) from None
    return ExporterFile(Document(str(file), text))


def _address(top: TomlTable) -> tuple[str, int] | None:
    if "listen" not in top:
        return None
    text = top.text("listen")
    try:
        return address(text)
    except argparse.ArgumentTypeError:
        top.problem("listen", f"expected ADDRESS:PORT, such as 127.0.0.1:9435, not {quoted(text)}")
        return None
