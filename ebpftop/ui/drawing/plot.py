"""The only module that imports plotext: a time series drawn as text.

plotext 5.3.2 and not 6: 5.3 is pure Python and installs anywhere; 6 is a rewrite with another interface, published only
as wheels compiled for glibc, with none for musl and no source package. plotext draws into one global figure, so a
drawing here clears it, draws and takes the text within a single call.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import plotext
from rich.text import Text

Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Curve:
    """One line: values over time, NaN where unknown. `colour` None keeps the terminal's own."""

    values: Sequence[float]
    colour: Colour | None


def time_series(
    times: Sequence[float],
    curves: Sequence[Curve],
    width: int,
    height: int,
    *,
    tick: Callable[[float], str],
    logarithmic: bool = False,
    axis: Colour | None = None,
) -> Text:
    """The curves over `times` (seconds, 0 is now, the past is negative) in `width` × `height` cells.

    The scale goes from 0, or from the power of ten below the smallest value where it is logarithmic. `tick` writes a
    value of the vertical axis. The text is empty if there is nothing to draw.
    """
    known = [value for curve in curves for value in curve.values if not math.isnan(value)]
    if not known or width < 20 or height < 4:
        return Text()
    marks = _powers(min(known), max(known)) if logarithmic else _round_steps(max(known), height)
    scale: Callable[[float], float] = (lambda value: math.log10(max(value, 1e-9))) if logarithmic else float
    figure = plotext
    figure.clear_figure()
    figure.theme("clear")
    figure.plotsize(width, height)
    figure.frame(False)
    figure.xaxes(True, False)
    figure.yaxes(True, False)
    if axis is not None:
        figure.ticks_color(axis)
    for curve in curves:
        points = [(x, scale(y)) for x, y in zip(times, curve.values, strict=True) if not math.isnan(y)]
        xs, ys = [x for x, _ in points], [y for _, y in points]
        figure.plot(xs, ys, marker="braille", **({} if curve.colour is None else {"color": curve.colour}))
    figure.ylim(scale(marks[0]), scale(marks[-1]))
    figure.yticks([scale(mark) for mark in marks], [tick(mark) for mark in marks])
    start = min(times)
    figure.xlim(start, 0)
    figure.xticks([start, start / 2, 0], [_ago(start), _ago(start / 2), "now"])
    return Text.from_ansi(figure.build().rstrip("\n"), no_wrap=True)


def _powers(low: float, high: float) -> list[float]:
    first, last = math.floor(math.log10(max(low, 1e-9))), math.ceil(math.log10(max(high, 1e-9)))
    step = max(1, math.ceil((last - first) / 4))
    return [10.0**power for power in range(first, max(last, first + 1) + step, step)]


def _round_steps(high: float, height: int) -> list[float]:
    """0 and two to four round numbers above it."""
    if high <= 0:
        return [0.0, 1.0]
    wanted = 2 if height < 10 else 3
    raw = high / wanted
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(unit * power for unit in (1, 2, 2.5, 5, 10) if unit * power >= raw)
    return [step * number for number in range(math.ceil(high / step) + 1)]


def _ago(seconds: float) -> str:
    return f"{seconds:.0f} s".replace("-", "−")
