"""A run in two lines: its meaning, attach points and cost; a third line if its numbers are incomplete."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.content import Content

from ebpftop.frames.messages import Losses, ProbeInfo, Tried
from ebpftop.stats import formatting
from ebpftop.ui.drawing.inert import inert
from ebpftop.ui.drawing.line import Piece, fit, piece
from ebpftop.ui.drawing.theme import NOT_HERE, WARNING
from ebpftop.ui.widgets.kept import Words

if TYPE_CHECKING:
    from ebpftop.model.machines import Gap
    from ebpftop.model.run import Run

MISSING = (
    ("lost", "events lost", "the ring buffer was full, or ebpftop was too slow"),
    ("map_full", "updates failed", "a map was full"),
    ("evicted", "keys evicted", "an LRU map was full"),
    ("missed", "runs missed", "the program was already running on that CPU"),
)


class StatusLine(Words):
    DEFAULT_CSS = """
    StatusLine {
        height: auto;
        padding: 0 1;
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self.run: Run | None = None
        self.probe: ProbeInfo | None = None
        self.gaps: tuple[str, ...] = ()
        self._height = 0

    def show(self, run: Run, probe: ProbeInfo | None, gaps: Sequence[Gap]) -> None:
        """gaps: of hosts, in the shown span."""
        self.run, self.probe = run, probe
        self.gaps = tuple(str(gap) for gap in gaps)
        height = 3 if self.gaps or run.losses != Losses() else 2
        if height != self._height:
            self._height = height
            self.refresh(layout=True)
        else:
            self.update_lines()

    def words(self) -> Content:
        if self.run is None:
            return Content("")
        width = max(1, self.content_size.width)
        lines = [fit([self._title()], self._cost(), width), self._provenance(width)]
        if warning := missing(self.run.losses, width, self.gaps):
            lines.append(warning)
        return Content("\n").join(lines)

    def _title(self) -> Piece:
        run, probe = self.run, self.probe
        assert run is not None
        title = inert(probe.summary if probe else run.probe)
        chosen = " ".join(f"{inert(name)}={inert(value)}" for name, value in run.params.items())
        return Piece(Content.assemble((title, "bold"), (f"   {chosen}" if chosen else "", "$primary")))

    def _cost(self) -> list[Piece]:
        assert self.run is not None
        if self.run.state == "detaching" and (progress := self.run.detaching):
            return [piece(f"detaching {progress.done} of {progress.total}", "$warning")]
        if self.run.state == "detached":
            reason = self.run.detached.reason if self.run.detached else ""
            return [piece(" · ".join(part for part in ("detached", inert(reason)) if part), "bold $warning")]
        from ebpftop.model.readings import cost

        now = cost(self.run)
        if now is None or now.ns_per_event is None:
            return _rings(self.run)
        each = f"{formatting.duration(now.ns_per_event)}/event{', estimated' if now.estimated else ''}"
        if now.attachment_ns:
            each += f" + about {formatting.duration(now.attachment_ns / now.run_count)} attach overhead"
        return [*_rings(self.run), piece(each, rank=1)]

    def _provenance(self, width: int) -> Content:
        """The stages while loading; then variant, meaning and attach points."""
        run = self.run
        assert run is not None
        loaded = run.loaded
        if loaded is None:
            return loading_line(run)
        pieces = [piece(inert(loaded.meaning), "$success" if loaded.meaning == "exact" else "$warning", 0)]
        pieces.append(piece(f"variant {inert(loaded.variant)}", "$quiet", 3))
        room = max(10, width - len(loaded.meaning) - 2)
        pieces.append(Piece(Content.styled(attach_words(loaded.attached), "$quiet").truncate(room, ellipsis=True), 1))
        pieces.append(piece(f"{formatting.count(loaded.instructions)} instructions", "$quiet", 4))
        stages = sum(milliseconds for _, milliseconds in loaded.stages)
        if stages:
            pieces.append(piece(f"loaded in {stages:.0f} ms", "$quiet", 5))
        if loaded.tried:
            pieces.append(piece(_tried(loaded.tried), "$quiet", 6))
        pieces += [piece(inert(note), "$quiet", 7) for note in loaded.notes]
        return fit(pieces, [], width, 2) if len(pieces) > 1 else pieces[0].content


def _rings(run: Run) -> list[Piece]:
    """The sizes of the ring buffers, and how close they came to losing events."""
    rings = run.costs[-1].rings if run.costs else []
    return [piece(f"ring {formatting.ring(each.size, each.most)}", "$quiet", 3) for each in rings if each.size]


def attach_words(points: list[str]) -> str:
    """`raw tracepoint sched_wakeup, sched_switch; kprobe vfs_read`: each mechanism once."""
    targets: dict[str, list[str]] = {}
    for point in points:
        mechanism, _, target = point.partition(":")
        targets.setdefault(mechanism, []).append(target)
    return inert("; ".join(f"{name.replace('_', ' ')} {', '.join(each)}" for name, each in targets.items()))


def loading_line(run: Run) -> Content:
    """`types 12 ms · compile 130 ms · verify …`"""
    loading = run.loading
    if loading is None:
        return Content.styled("requested…", "$quiet")
    done = [f"{inert(name)} {milliseconds:.0f} ms" for name, milliseconds in loading.stages]
    return Content.assemble((" · ".join([*done, ""]), "$quiet"), (f"{loading.stage} …", "bold"))


def missing(losses: Losses, width: int, gaps: Sequence[str] = ()) -> Content | None:
    """What the numbers miss, and why if there is space; None if they are complete."""
    parts = [(gap, "") for gap in gaps] + [
        (f"{formatting.count(number)} {what}", why) for name, what, why in MISSING if (number := getattr(losses, name))
    ]
    if not parts:
        return None
    short = f"{WARNING} " + " · ".join(what for what, _ in parts)
    long = f"{WARNING} " + " · ".join(f"{what}: {why}" if why else what for what, why in parts)
    return Content.styled(long if len(long) <= width else short, "bold $warning").truncate(width, ellipsis=True)


def _tried(tried: list[Tried]) -> str:
    return "; ".join(f"{NOT_HERE} {inert(each.variant)}: {inert(each.reason)}" for each in tried)
