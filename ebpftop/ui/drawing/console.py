"""The Linux console (`TERM=linux`): its fonts have the characters of code page 437 and few others.

Each of our characters is replaced by one of those, cell by cell, as the last step before the terminal.
"""

from __future__ import annotations

from collections.abc import Mapping

_ALIKE = {
    "╭╮╰╯": "┌┐└┘",
    "━┃╋┆┄╵╱": "─│┼│─│/",
    "▏▎▍▋▊▉": "│▌▌███",
    "▁▂▃▅▆▇": "__▄▄██",
    "●○◌✗✓▶▲▼▾▸◂≡•‖": "*o.xv>!vv><=*|",
    "‹›…–−“”×": '<>.--""x',
}
_BRAILLE = 0x2800  # 256 characters, a bit for each dot


def _table() -> Mapping[int, str]:
    table = {ord(ours): theirs for many, alike in _ALIKE.items() for ours, theirs in zip(many, alike, strict=True)}
    return table | {_BRAILLE + dots: " .:*#"[(dots.bit_count() + 1) // 2] for dots in range(256)}


CONSOLE = _table()  # for str.translate
