"""Spans in words, and parsing of moments."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from time import localtime, strftime
from typing import TYPE_CHECKING

from ebpftop.model.past.span import Recent, Wanted
from ebpftop.stats import formatting

if TYPE_CHECKING:
    from ebpftop.frames.messages import ViewInfo
    from ebpftop.model.run import Run

# Nine digits are 30 years in seconds. With hundreds, the numbers would be too large to reckon with.
_AGO = re.compile(r"-((?P<h>\d{1,9}(\.\d+)?)h)?((?P<m>\d{1,9}(\.\d+)?)m)?((?P<s>\d{1,9}(\.\d+)?)s?)?")
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d+)?))?")
_POSITION = re.compile(r"(?:(\d{1,9}):)?(\d{1,9}):(\d{2}(?:\.\d+)?)")
_LONGER = 1.5  # times the span: what is shown is a step that is longer than it


def length(seconds: float) -> str:
    return formatting.duration((round(seconds, 1) or seconds) * 1e9)


def clock(monotonic_ns: int, offset_ns: int) -> str:
    """Local time. offset_ns: from the monotonic to the realtime clock."""
    return strftime("%H:%M:%S", localtime((monotonic_ns + offset_ns) / 1e9))


def span_words(run: Run, view: ViewInfo, wanted: Wanted) -> str:
    """The time that a view's numbers cover, or why they cover none."""
    from ebpftop.model.readings import elapsed, extent

    if run.last is None:
        return "first snapshot"
    covered = extent(run, view, wanted)
    offset = run.last.realtime_ns - run.last.monotonic_ns
    if covered.span is None:
        if wanted.end > run.last.monotonic_ns:
            return f"nothing yet after {clock(run.last.monotonic_ns, offset)}"
        return f"nothing before {clock(run.began_ns, offset)}, where its data begins"
    if isinstance(wanted, Recent):
        until = "" if wanted.moves else f" until {clock(covered.span.end, offset)}"
        if wanted.seconds > 0 and wanted.seconds >= (elapsed(run) if wanted.moves else covered.seconds * _LONGER):
            return f"since start{until}"
        if not covered.seconds:
            return f"first snapshot{until}"
        return f"{length(covered.seconds)}{until}" if until else f"last {length(covered.seconds)}"
    step = "one step of " if covered.seconds > _LONGER * wanted.seconds else ""
    ends = f"{clock(covered.span.start, offset)}–{clock(covered.span.end, offset)}"
    return f"{ends} ({step}{length(covered.seconds)})"


def position(seconds: float) -> str:
    """A position from the beginning of a tape: `0:45`, `1:02:03`."""
    minutes, seconds = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}" if minutes >= 60 else f"{minutes}:{seconds:02d}"


def moment(text: str, now: float, latest: float, begin: float | None = None) -> float | None:
    """A time of day (`12:03`, `12:03:20.5`), the last one before `latest`, or a time before `now` (`-90s`, `-1h30m`),
    in seconds since 1970. None for anything else.

    begin: of a tape. A text that isn't a time of day on the tape is a position (`0:45`, `1:02:03`), if the tape is that
    long. A minute in which the tape begins is its beginning.
    """
    text = "".join(text.split()).lower()
    if (found := _AGO.fullmatch(text)) and len(text) > 1:
        hours, minutes, seconds = (float(found[name] or 0) for name in "hms")
        return now - 3600 * hours - 60 * minutes - seconds
    if text == "now":
        return now
    time, named = _time_of_day(text, latest)
    if begin is not None and (time is None or time + named <= begin):
        into = _seconds(text)
        if into is not None and begin + into < latest + 1:  # a tape's length is told without fractions
            return begin + into
    elif begin is not None and time is not None:
        return max(begin, time)
    return time


def _time_of_day(text: str, latest: float) -> tuple[float | None, int]:
    """The last such time before `latest`, and how many seconds have that name."""
    found = _CLOCK.fullmatch(text)
    if found is None:
        return None, 0
    hour, minute, second = int(found[1]), int(found[2]), float(found[3] or 0)
    if hour > 23 or minute > 59 or second >= 60:
        return None, 0
    today = datetime.fromtimestamp(latest).replace(hour=hour, minute=minute, second=0, microsecond=0)
    time = today + timedelta(seconds=second)
    return (time if time.timestamp() <= latest else time - timedelta(days=1)).timestamp(), 1 if found[3] else 60


def _seconds(text: str) -> float | None:
    """Of a position."""
    found = _POSITION.fullmatch(text)
    if found is None:
        return None
    hours, minutes, seconds = int(found[1] or 0), int(found[2]), float(found[3])
    return 3600 * hours + 60 * minutes + seconds if seconds < 60 and (found[1] is None or minutes < 60) else None
