"""Adds the manual pages to a wheel: packages and environments put them where `man` looks."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

EPOCH = 1_580_601_600  # the date of files in a wheel where SOURCE_DATE_EPOCH isn't set, as hatchling has it


class ManualPages(BuildHookInterface):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        sys.path[:0] = [self.root, str(Path(self.root, ".ci"))]
        os.environ["COLUMNS"] = "80"
        from manpages import pages

        from ebpftop import __version__
        from ebpftop.arguments import parser

        self._folder = tempfile.TemporaryDirectory()
        folder = Path(self._folder.name)
        for name, text in pages(parser(), __version__, int(os.environ.get("SOURCE_DATE_EPOCH", EPOCH))).items():
            (folder / name).write_text(text, encoding="utf-8")
            build_data["shared_data"][str(folder / name)] = f"share/man/man1/{name}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if version != "editable":
            self._folder.cleanup()
