"""Frames whose every text is hostile."""

from __future__ import annotations

import numpy as np

from ebpftop.frames.messages import AnyFrame, ColumnInfo, Notice, Tried, ViewInfo
from tests.support import frames
from tests.support.frames import EXECS, LATENCY, SAMPLES

EVIL = "</title></script><script>alert(1)</script><img src=x onerror=alert(1)>\"' \x1b[31m\u202e\u2066\x00\ud800&lt;"


def hostile() -> list[AnyFrame]:
    """Every text that a tape holds is hostile."""
    views = [
        ViewInfo(
            name=EVIL, map="latency", show="histogram", title=EVIL, unit=EVIL, by=["tgid"], columns=LATENCY.columns
        ),
        ViewInfo(
            name="t" + EVIL,
            map="calls",
            show="table",
            title=EVIL,
            columns=[
                ColumnInfo(field="nr", title=EVIL, decode="syscall"),
                ColumnInfo(field="count", title=EVIL, unit=EVIL, role="counter"),
            ],
        ),
    ]
    info = frames.probe(f"cpu/{EVIL}", views, question=EVIL, readme=f"**Caveats.** {EVIL} `{EVIL}` *{EVIL}*\n")
    calls = frames.columns(nr=[EVIL.replace("\ud800", "")], count=[5])
    counts = frames.columns(tgid=np.array([1], "<u4"), slot=np.array([30], "<u4"), count=[5])
    function = frames.stacks({0: ["main", EVIL]})
    extra = {"variant": EVIL, "meaning": EVIL, "attached": [EVIL], "notes": [EVIL], "params": {EVIL: EVIL}}
    rejected = frames.rejected(4, EVIL, error=EVIL, log=EVIL, text=EVIL, stage="attach", params={EVIL: EVIL})
    return [
        frames.hello(host=EVIL, kernel=EVIL, machine=EVIL, user=EVIL, version=EVIL),
        frames.catalog(info),
        frames.processes(frames.process(1, EVIL, parent=EVIL, command=EVIL)),
        frames.loaded(1, f"cpu/{EVIL}", *views, tried=[Tried(variant="x" + EVIL, reason=EVIL)], **extra),
        frames.loaded(2, EVIL, EXECS),
        frames.loaded(3, EVIL, SAMPLES),
        function,
        frames.snapshot(1, 0, {"latency": counts, "calls": calls}),
        frames.snapshot(1, 1, {"latency": counts, "calls": calls}),
        frames.samples(3, 1, {(1, 0): 3}),
        frames.events(2, "events", frames.columns(tgid=[1], args=[EVIL.replace("\ud800", "")], errno=["ENOENT"])),
        frames.snapshot(2, 1, {}),
        rejected,
        Notice(level="warning", text=EVIL),
    ]
