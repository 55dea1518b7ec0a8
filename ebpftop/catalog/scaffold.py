"""Creates a new probe folder."""

from __future__ import annotations

from pathlib import Path

from ebpftop.base.inert import inert
from ebpftop.catalog.files import MANIFEST, README, SOURCE
from ebpftop.catalog.model import Probe

TEMPLATE = Path(__file__).resolve().parent / "template"


class FolderInUse(Exception):
    """The folder can't be created or isn't empty; the text is one line."""


def new(folder: Path, probe: Probe | None = None) -> list[Path]:
    """Write a working probe to a new or empty folder: a copy of `probe`, or the template, which counts system calls per
    process. Returns the files written. Raises FolderInUse.
    """
    if probe is None:
        texts = {name: (TEMPLATE / name).read_text() for name in (MANIFEST, SOURCE, README)}
    else:
        texts = {MANIFEST: probe.manifest, SOURCE: probe.source, README: probe.readme, **probe.headers}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise FolderInUse(f"{inert(str(folder))}: not empty")
        written = []
        for name, text in texts.items():
            if text:
                path = folder / name
                with path.open("x", encoding="utf-8", newline="") as file:
                    file.write(text)
                written.append(path)
    except OSError as error:
        raise FolderInUse(f"{inert(str(folder))}: {error.strerror}") from None
    return written
