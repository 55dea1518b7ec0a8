"""The text that BCC compiles: prologue, functions that use maps, and the author's C, all with one numbering of lines.

BCC rewrites map calls only in the main text. So code that uses maps is inserted before the author's text instead of
being included: the shared headers with names that end in `_maps.h`. Their guards disable the include that follows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from ebpftop.catalog.numbering import ROOM, SPLICED, mark

COMMON = ("ebpftop.h", "ebpftop_maps.h")  # headers every probe has

_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"\n]+)"', re.MULTILINE)


def used_headers(headers: Mapping[str, str], source: str) -> dict[str, str]:
    """The shared headers (name → text) of this source, each preceded by those that it includes."""
    used: dict[str, str] = {}

    def use(name: str) -> None:
        if name in headers and name not in used:
            for other in _INCLUDE.findall(headers[name]):
                use(other)
            used[name] = headers[name]

    for name in (*COMMON, *_INCLUDE.findall(source)):
        use(name)
    return used


def spliced(headers: Mapping[str, str]) -> str:
    """The headers among them that use maps."""
    return "\n".join(text for name, text in headers.items() if name.endswith("_maps.h"))


# Newer BCC names programs of fentry and fexit after the module their function is in: this function detects it.
NAMES_MODULES = "names_modules"
_NAMES_MODULES = f"""
#ifdef MODULE_KFUNC_PROBE
int {NAMES_MODULES}(void *ctx)
{{
    return 0;
}}
#endif
"""


def main_text(prologue: str, headers: Mapping[str, str], source: str, *, listed: bool = False) -> str:
    """The translation unit. `prologue` contains only definitions; `headers` are those `numbered`.

    listed: BCC will list the lines. It skips line numbers beyond the length of its text, so the text is made longer.
    """
    text = "\n".join((prologue, _NAMES_MODULES, '#include "ebpftop.h"', spliced(headers), mark(source), ""))
    return text + "\n" * (SPLICED + ROOM * len(headers)) if listed else text


def flags(variant: str, definitions: Sequence[str], tree: Sequence[str], include: Sequence[Path]) -> list[str]:
    """Compiler arguments for one variant of a probe. An undeclared function is an error, because it would fail
    obscurely later.
    """
    return [
        *(f"-I{folder}" for folder in include),
        "-Werror=implicit-function-declaration",
        "-Wno-unused-function",
        f"-DVARIANT_{variant}",
        *tree,
        *definitions,
    ]


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Write files by their names below a folder, which is created if necessary."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
