"""The one text BCC compiles: prologue, functions that touch maps, and the author's C, all in a single numbering of
lines.

BCC rewrites map calls in the main text only, so what touches maps is spliced in front of the author's text instead of
included: the shared headers whose names end in `_maps.h`, which guard themselves against the include that follows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from ebpftop.catalog.numbering import ROOM, SPLICED, mark

COMMON = ("ebpftop.h", "ebpftop_maps.h")  # headers every probe has

_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"\n]+)"', re.MULTILINE)


def used_headers(headers: Mapping[str, str], source: str) -> dict[str, str]:
    """The shared headers (name → text) this source has, with those that they include in front of them."""
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
    """The headers among them that touch maps."""
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
    """The translation unit. `prologue` holds definitions only, `headers` are those `numbered`.

    listed: BCC will list the lines. It leaves out numbers beyond the length of its text, so the text is made longer.
    """
    text = "\n".join((prologue, _NAMES_MODULES, '#include "ebpftop.h"', spliced(headers), mark(source), ""))
    return text + "\n" * (SPLICED + ROOM * len(headers)) if listed else text


def flags(variant: str, definitions: Sequence[str], tree: Sequence[str], include: Sequence[Path]) -> list[str]:
    """Compiler arguments for one variant of a probe. An undeclared function is an error: it would fail obscurely
    later.
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
    """Write files, by their names below a folder, which is made if necessary."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
