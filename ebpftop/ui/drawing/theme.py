"""Our two themes. Each colour has one meaning, and a sign beside it.

    primary   the focus, and bars: one hue
    success   ● running
    warning   ▲ an incomplete number, or one that needs care
    error     ✗ rejected, lost, unavailable

    heat-1…7  how often, from seldom to often: lightness rises evenly, so that it reads in grey; the hues are those of
              viridis (van der Walt and Smith 2015), told apart whatever colours an eye misses

With NO_COLOR, colours are removed as the last step; the signs, bold, dim and reverse remain.
"""

from __future__ import annotations

import os
from dataclasses import replace

from textual.theme import Theme

RUNNING, RUNNABLE, NOT_HERE, UNKNOWN, HERE, WARNING, OPEN, CLOSED = "●", "○", "✗", "?", "▶", "▲", "▾", "▸"
PLAYBOOK = "≡"

DARK = Theme(
    name="ebpftop-dark",
    dark=True,
    primary="#62a8ea",
    secondary="#8ea4bd",
    accent="#62a8ea",
    success="#6cc58b",
    warning="#e0b04c",
    error="#f0716b",
    foreground="#d4dae3",
    background="#0f141b",
    surface="#151b24",
    panel="#1d2530",
    variables={
        "rim": "#2b3645",
        "quiet": "#8593a5",
        "bar-back": "#1a222d",
        "cursor": "#23405f",
        "block-cursor-background": "#23405f",  # Textual's word for it, of lists to choose from
        "block-cursor-foreground": "#d4dae3",
        "cursor-quiet": "#1f2a37",
        "code-mark": "#4a2327",
        "scrollbar": "#2b3645",
        "scrollbar-background": "#131922",
        "scrollbar-background-hover": "#131922",
        "scrollbar-background-active": "#131922",
        "input-selection-background": "#62a8ea 35%",
        "heat-1": "#472d7b",
        "heat-2": "#3b528b",
        "heat-3": "#2a788e",
        "heat-4": "#1f9e89",
        "heat-5": "#42be71",
        "heat-6": "#95d840",
        "heat-7": "#fde725",
    },
)

LIGHT = Theme(
    name="ebpftop-light",
    dark=False,
    primary="#0b62b8",
    secondary="#51637a",
    accent="#0b62b8",
    success="#1a7a3c",
    warning="#8f5f00",
    error="#c02b31",
    foreground="#20262e",
    background="#fbfbf8",
    surface="#f3f3ee",
    panel="#e8e9e4",
    variables={
        "rim": "#cdd1d0",
        "quiet": "#636d79",
        "bar-back": "#eeefea",
        "cursor": "#cfe1f5",
        "block-cursor-background": "#cfe1f5",  # Textual's word for it, of lists to choose from
        "block-cursor-foreground": "#20262e",
        "cursor-quiet": "#e6e9e8",
        "code-mark": "#f8d7d5",
        "scrollbar": "#c3c8c9",
        "scrollbar-background": "#f1f1ec",
        "scrollbar-background-hover": "#f1f1ec",
        "scrollbar-background-active": "#f1f1ec",
        "input-selection-background": "#0b62b8 25%",
        "heat-1": "#d2e21b",
        "heat-2": "#77d153",
        "heat-3": "#27ad81",
        "heat-4": "#238a8d",
        "heat-5": "#306a8e",
        "heat-6": "#404588",
        "heat-7": "#440f5c",
    },
)

# Where there are 16 colours, each of these is one of them: what a terminal takes instead may hide the cursor.
_FEW_DARK = DARK.variables | {
    "rim": "#555555",
    "quiet": "#aaaaaa",
    "bar-back": "#000000",
    "cursor": "#0000aa",
    "cursor-quiet": "#555555",
    "code-mark": "#aa0000",
    "scrollbar": "#555555",
    "scrollbar-background": "#000000",
    "scrollbar-background-hover": "#000000",
    "scrollbar-background-active": "#000000",
    **{
        f"heat-{at}": colour
        for at, colour in enumerate(("#0000aa", "#5555ff", "#00aaaa", "#55ffff", "#55ff55", "#ffff55", "#ffffff"), 1)
    },
}
_FEW_LIGHT = LIGHT.variables | {
    "rim": "#aaaaaa",
    "quiet": "#555555",
    "bar-back": "#ffffff",
    "cursor": "#55ffff",
    "cursor-quiet": "#aaaaaa",
    "code-mark": "#ff5555",
    "scrollbar": "#aaaaaa",
    "scrollbar-background": "#ffffff",
    "scrollbar-background-hover": "#ffffff",
    "scrollbar-background-active": "#ffffff",
    **{
        f"heat-{at}": colour
        for at, colour in enumerate(("#ffff55", "#55ff55", "#55ffff", "#00aaaa", "#5555ff", "#0000aa", "#000000"), 1)
    },
}


def themes(few: bool) -> tuple[Theme, Theme]:
    """The dark and the light theme. few: the terminal has 16 colours."""
    if not few:
        return DARK, LIGHT
    dark = replace(
        DARK, primary="#5555ff", secondary="#00aaaa", accent="#5555ff", success="#55ff55", warning="#ffff55",
        error="#ff5555", foreground="#ffffff", background="#000000", surface="#000000", panel="#000000",
        variables=_FEW_DARK,
    )  # fmt: skip
    light = replace(
        LIGHT, primary="#0000aa", secondary="#00aaaa", accent="#0000aa", success="#00aa00", warning="#aa5500",
        error="#aa0000", foreground="#000000", background="#ffffff", surface="#ffffff", panel="#ffffff",
        variables=_FEW_LIGHT,
    )  # fmt: skip
    return dark, light


def colourless() -> bool:
    """Whether NO_COLOR is set and not empty (no-color.org)."""
    return bool(os.environ.get("NO_COLOR"))
