"""Two histograms over each other: one line per row of values, with A as its upper half and B as its lower half."""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len
from textual.reactive import reactive
from textual.strip import Strip

from ebpftop.model.comparing import words
from ebpftop.model.comparing.view import ViewComparison
from ebpftop.stats import formatting
from ebpftop.ui.drawing.line import merged
from ebpftop.ui.widgets.kept import Kept

UPPER, LOWER, BOTH = "▀", "▄", "█"
BESIDE = 106  # cells from which the percentiles stand beside the bars
QUIET, STRONG, A, B, AB = "quiet", "strong", "a", "b", "ab"  # looks
Line = list[tuple[str, str]]  # texts and their looks


class ComparedBars(Kept):
    """Shares of each span's values, because spans differ in length; below them, percentiles and rates of both."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"compared--{look}" for look in (QUIET, STRONG, A, B, AB)}
    DEFAULT_CSS = """
    ComparedBars {
        height: 1fr;
        padding: 0 1 0 0;
        & > .compared--quiet { color: $quiet; }
        & > .compared--strong { text-style: bold; }
        & > .compared--a { color: $secondary; }
        & > .compared--b { color: $primary; }
        & > .compared--ab { color: $secondary; background: $primary; }
    }
    """

    found: reactive[ViewComparison | None] = reactive(None, repaint=False)
    note: reactive[str] = reactive("", repaint=False)

    def watch_found(self) -> None:
        self.update_lines()

    def watch_note(self) -> None:
        self.update_lines()

    def draw(self) -> list[Strip]:
        width, height = self.size
        if height < 1:
            return []
        lines: list[Line] = [[(self.note, QUIET)]] if self.found is None else self._lines(self.found, width, height)
        return [
            merged(
                [(text, self.look(f"compared--{look}" if look else "")) for text, look in line],
                sum(cell_len(text) for text, _ in line),
                width,
                self.look(),
            )
            for line in lines[:height]
        ]

    def _lines(self, found: ViewComparison, width: int, height: int) -> list[Line]:
        if words.is_empty(found):
            return []  # as the title says
        readings = _readings(found)
        beside = width >= BESIDE
        side = max(_length(line) for line in readings) + 3 if beside else 0
        under: list[Line] = [] if beside else readings[: max(0, height - 2)]
        bars = self._bars(found, width - side, height - len(under))
        if not beside:
            return [*bars, *([[]] if len(bars) + len(under) < height else []), *under]
        none: Line = []
        lines = []
        for at in range(max(len(bars), len(readings))):
            left = bars[at] if at < len(bars) else none
            right = readings[at] if at < len(readings) else none
            lines.append([*left, (" " * max(0, width - side - _length(left) + 3), ""), *right])
        return lines

    def _bars(self, found: ViewComparison, width: int, height: int) -> list[Line]:
        """With a line of titles above."""
        assert found.histograms is not None
        before, after = found.histograms
        rows = before.merge(after).rows(max(1, height - 1))
        edges = [lo for lo, _, _ in rows]
        a, b = words.shares(before, edges), words.shares(after, edges)
        labels = [formatting.bounds(lo, hi, found.view.unit) for lo, hi, _ in rows]
        left = max(12, *(len(label) for label in labels)) if labels else 12
        room = max(4, width - left - 3 * 8 - 2)
        most = max([*a, *b], default=0) or 1
        titles = f"{'':{left}}{'A':>8}{'B':>8}{'B − A':>8}  "
        lines: list[Line] = [[(titles, QUIET), (UPPER, A), (" A  ", QUIET), (LOWER, B), (" B", QUIET)]]
        for label, mine, other in zip(labels, a, b, strict=True):
            numbers = "".join(f"{_percent(share):>8}" for share in (mine, other))
            head = f"{label:>{left}}{numbers}{_difference(other - mine):>8}  "
            lines.append([(head, "" if mine or other else QUIET), *self._bar(mine / most * room, other / most * room)])
        return lines

    def _bar(self, a: float, b: float) -> Line:
        """The cells of a bar; anything above zero is visible."""
        mine, other = (max(1, round(each)) if each > 0 else 0 for each in (a, b))
        shared = min(mine, other)
        both = BOTH if self.app.no_color else UPPER
        return [(both * shared, AB), (UPPER * (mine - shared), A), (LOWER * (other - shared), B)]


def _readings(found: ViewComparison) -> list[Line]:
    """Percentiles and the rate of all values: before, after, change."""
    before = [words.text(number, number.before, 0) for number in found.whole]
    after = [words.text(number, number.after, 0) for number in found.whole]
    title = max((len(words.title(number)) for number in found.whole), default=0)
    widths = [max(map(len, texts), default=0) for texts in (before, after)]
    lines: list[Line] = []
    for number, one, other in zip(found.whole, before, after, strict=True):
        look = STRONG if number.changed[0] else ""
        lines.append(
            [
                (f"{words.title(number):<{title}}  ", QUIET),
                (f"{one:>{widths[0]}} → {other:>{widths[1]}}  ", look),
                (words.change(number, 0), look),
            ]
        )
    return lines


def _percent(share: float) -> str:
    return formatting.percent(100 * share) if share else "·"


def _difference(share: float) -> str:
    """The difference in percentage points."""
    return f"{100 * share:+.1f}".replace("-", "−") if share else "="


def _length(line: Line) -> int:
    return sum(cell_len(text) for text, _ in line)
