"""The colours of a flame graph: warm for user space, green for Python, blue for the kernel, grey for missing frames.
The shade depends only on the name.
"""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32

from rich.style import Style
from textual.color import Color

from ebpftop.model.stacks import Side, StackFrame

# Hue (degrees), how far a name shifts it, and saturation.
_FAMILIES: dict[Side, tuple[float, float, float]] = {
    "user": (22, 24, 0.68),
    "python": (112, 24, 0.40),
    "kernel": (200, 28, 0.52),
    "missing": (220, 0, 0.06),
    "head": (262, 16, 0.26),
}
_FOUND = (318, 10, 0.62)  # frames that a search is about
_MORE, _LESS, _ALIKE = (4, 0.72), (214, 0.62), (220, 0.07)  # hue and saturation of what grew, shrank, and did neither
_NAMELESS = 0.3  # of the saturation: what has no frame draws no eye
_LIGHTNESS = {True: (0.56, 0.10), False: (0.74, 0.10)}  # of a dark and of a light theme, and how far a name moves it
_INK = Color.parse("#10141a")


@dataclass(frozen=True, slots=True)
class Palette:
    """`style` for a frame; frames outside a zoom or search are faded."""

    dark: bool
    background: Color
    foreground: Color

    def style(self, frame: StackFrame, *, found: bool = False, faded: bool = False) -> Style:
        return self._painted(self._colour(frame, _FOUND if found else _FAMILIES[frame.side]), faded)

    def _painted(self, back: Color, faded: bool) -> Style:
        front = _INK
        if faded:
            back, front = back.blend(self.background, 0.62), self.foreground
        return Style(color=front.rich_color, bgcolor=back.rich_color)

    def growth(self, grown: float, *, found: bool = False, faded: bool = False) -> Style:
        """Style of a frame that shrank or grew: -1 to 1."""
        lightness, _ = _LIGHTNESS[self.dark]
        hue, saturation = _FOUND[::2] if found else _MORE if grown > 0 else _LESS
        strong = Color.from_hsl(hue / 360, saturation, lightness)
        weak = Color.from_hsl(_ALIKE[0] / 360, _ALIKE[1], lightness)
        return self._painted(strong if found else weak.blend(strong, abs(grown)), faded)

    def edge(self, style: Style) -> Style:
        """Style of the line between a frame and the one to its left."""
        return Style(color=self.background.rich_color, bgcolor=style.bgcolor)

    def _colour(self, frame: StackFrame, family: tuple[float, float, float]) -> Color:
        number = crc32(frame.label.encode(errors="replace"))
        hue, reach, saturation = family
        if not frame.name and frame.is_code:
            saturation *= _NAMELESS
        lightness, more = _LIGHTNESS[self.dark]
        hue += reach * ((number & 0xFF) / 255 - 0.5) * 2
        lightness += more * ((number >> 8 & 0xFF) / 255 - 0.5)
        return Color.from_hsl(hue % 360 / 360, saturation, lightness)
