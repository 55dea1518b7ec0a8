"""The user's settings for all commands: a TOML file. A mistake costs only its own key, which keeps its default."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import msgspec

from ebpftop.base.home import expanded
from ebpftop.base.inert import inert

THEMES = ("dark", "light")
_KEYS = ("theme", "interval", "budget", "playbook", "folders", "mouse", "keys")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """interval: seconds; budget: percent of one CPU; keys: by action. None and "" mean not set. problems: lines
    `FILE:LINE: KEY: what is wrong`; places: `FILE:LINE: KEY` of values that are checked later, by KEY. file: the path
    that was read; None if the user has no settings.
    """

    file: Path | None = None
    theme: str = ""
    interval: float | None = None
    budget: float | None = None
    playbook: str = ""
    folders: tuple[Path, ...] = ()
    mouse: bool = True
    keys: dict[str, str] = {}
    places: dict[str, str] = {}
    problems: tuple[str, ...] = ()


def read_settings(file: Path, owners: Collection[int]) -> Settings:
    """The settings in a file that only these users can have written. Only folders of probes that nobody else can write
    to are used.
    """
    from ebpftop.catalog.document import BadManifest, Document, TomlTable  # few have a file
    from ebpftop.catalog.files import Unreadable, read_text
    from ebpftop.catalog.trust import distrust

    try:
        document = Document(str(file), read_text(file, owners))
    except (BadManifest, Unreadable) as error:
        return Settings(file=file, problems=(f"{error}; ignored",))
    top = TomlTable(document, (), document.values, _KEYS)
    folders = []
    for at, text in enumerate(top.texts("folders")):
        folder = Path(text)
        try:
            folder = expanded(folder)
            why = distrust(folder, owners) if folder.is_absolute() else f"expected an absolute path, not {inert(text)}"
        except (OSError, ValueError) as error:
            why = f"{inert(text)}: {getattr(error, 'strerror', None) or error}"
        if why:
            document.problem(("folders", at), why)
        else:
            folders.append(folder)
    keys = top.assignments("keys")
    looked_at_later = [("playbook",), *(("keys", name) for name in keys)]
    return Settings(
        file=file,
        theme=top.choice("theme", THEMES, ""),
        interval=top.number("interval", 0.05, 86_400 * 7),
        budget=top.number("budget", 0, 1_000_000),
        playbook=top.text("playbook", ""),
        folders=tuple(folders),
        mouse=top.boolean("mouse", True),
        keys=keys,
        places={
            (name := inert(".".join(path))): f"{document.file}:{document.line(path)}: {name}"
            for path in looked_at_later
        },
        problems=tuple(f"{each}; ignored" for each in document.lines_of(())),
    )
