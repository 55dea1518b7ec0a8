"""The timeline of a screen, from the session and the view in front."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ebpftop.model.machines import within
from ebpftop.model.past.span import Span
from ebpftop.stats import formatting
from ebpftop.ui.drawing.spans import length
from ebpftop.ui.feed.feed import Feed
from ebpftop.ui.widgets.timeline import Timeline, TimelineState, heights

if TYPE_CHECKING:
    from ebpftop.model.run import Run
    from ebpftop.model.timeline import Track, Tracks
    from ebpftop.ui.widgets.panel import ViewPanel


def draw_timeline(timeline: Timeline, feed: Feed, run: Run | None, panel: ViewPanel | None) -> None:
    """Show the position of a screen's span, with the view in front."""
    if timeline.tracks is None:
        from ebpftop.model.timeline import Tracks  # NumPy, which the first screen can do without

        timeline.tracks = Tracks(feed.playback.outline if feed.playback is not None else None)
    timeline.state = timeline_state(feed, timeline.tracks, run, panel, timeline.cells)


def timeline_state(feed: Feed, tracks: Tracks, run: Run | None, panel: ViewPanel | None, cells: int) -> TimelineState:
    """Empty before the first sample."""
    newest, reach = feed.session.newest, feed.session.reach
    if newest is None or reach is None or run is None or panel is None:
        return TimelineState()
    from ebpftop.model.readings import extent

    wanted, session = feed.when.wanted, feed.session
    begin, end = reach.start, reach.end
    if (outline := tracks.outline) is not None:
        begin, end = min(begin, outline.begin), max(end, outline.end)
    aspect = panel.aspect(run)
    track = tracks.read(run, panel.view, cells, begin, reach.end, panel.selection, aspect)
    values = track.shown()
    span = extent(run, panel.view, panel.reads(wanted)).span
    if aspect.slice is not None:
        span = aspect.slice.span
    elif isinstance(wanted, Span):
        span = wanted
    return TimelineState(
        values=heights(values, logarithmic=panel.view.show == "histogram"),
        begin=track.begin,
        width=track.width,
        now=newest.monotonic_ns,
        end=end,
        span=span,
        a=feed.comparing.a if feed.comparing.on else feed.when.a,
        compares=feed.when.compares,
        live=not feed.still and feed.ended is None,
        offset=newest.realtime_ns - newest.monotonic_ns,
        greatest=_written(track, values),
        note=_note(run, panel),
        lost=(*run.lost, *_gaps(run)),
        failures=tuple(max(track.begin + 1, moment) for moment, _ in session.failures),
        marks=tuple((mark.monotonic_ns, mark.text) for mark in session.marks),
    )


def _gaps(run: Run) -> list[Span]:
    """When hosts were missing."""
    last = run.last
    if last is None:
        return []
    ahead = last.realtime_ns - last.monotonic_ns
    found = within(run.gaps, run.began_ns + ahead, last.realtime_ns)
    return [
        Span(
            max(run.began_ns, gap.since_ns - ahead), min(last.monotonic_ns, (gap.until_ns or last.realtime_ns) - ahead)
        )
        for gap in found
    ]


def _written(track: Track, values: Sequence[float]) -> str:
    """The value of the highest column."""
    view, greatest = track.view, max((value for value in values if value > 0), default=0.0)
    if not greatest:
        return ""
    if view.show == "histogram":
        return f"p99 ≤ {formatting.value(greatest, view.unit)}"
    unit = next((each.unit for each in view.columns if each.field == view.sort), "") if view.show == "table" else ""
    return f"≤ {formatting.rate(greatest, unit or view.unit)}"


def _note(run: Run, panel: ViewPanel) -> str:
    """What has been dropped from memory for the view."""
    if panel.view.show == "events":
        log = run.events.get(panel.view.map)
        dropped = log.total - log.kept if log else 0
        return f"‹ {formatting.count(dropped)} dropped" if dropped else ""
    past = run.pasts.get(panel.view.name)
    if past is None or not past.blocks:
        return ""
    oldest, newest = past.blocks[0].width, max(block.width for block in past.blocks[-3:])
    return f"‹ {length(oldest / 1e9)} steps" if oldest > 1.9 * newest else ""
