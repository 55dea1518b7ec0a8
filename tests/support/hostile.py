"""Hostile text: possible names of a process, a file or a function, and frames in which every text is hostile."""

from __future__ import annotations

import numpy as np

from ebpftop.frames.messages import AnyFrame, ColumnInfo, Notice, Tried, ViewInfo
from tests.support import frames
from tests.support.frames import EXECS, LATENCY, SAMPLES

EVIL = "</title></script><script>alert(1)</script><img src=x onerror=alert(1)>\"' \x1b[31m\u202e\u2066\x00\ud800&lt;"

# By kind. Escape sequences have numbers that our own output never uses, so that they are recognised if they get
# through.
TEXTS = {
    "sequences": "\x1b[77;77H\x1b[4242mx\x1b[?4242h",
    "title": "\x1b]0;owned\x07x",
    "clipboard": "\x1b]52;c;b3duZWQ=\x1b\\x",
    "link": "\x1b]8;;http://owned.example\x1b\\x\x1b]8;;\x1b\\",
    "device control": "\x1bPowned\x1b\\\x1b_owned\x1b\\\x1b^owned\x1b\\x",
    "questions": "\x1b[>4242c\x1b[4242nx\x05",
    "reset": "\x1bcx\x1b#8\x1b(0",
    "C1": "\x9b4242m\x9d0;owned\x9cx\x90owned\x9c\x85",
    "markup": "[bold red]x[/] [@click=app.quit]x[/] [/nope] [link=http://owned.example]x",
    "HTML": "</title></script><script>alert(1)</script><img src=x onerror=alert(1)>&lt;&#x27;",
    "right to left": "\u202eowned\u202c\u2066x\u2069\u200f\u061c",
    "zero width": "o\u200bw\u200dn\ufeffe\u2060d\u00ad\u034f\ufe0f",
    "double width": "日本\uff57\uff49\uff44\uff45🧨👩\u200d👩\u3164",
    "combining": "e" + "\u0301\u0489" * 40,
    "line ends": "x\ny\r\nz\x0b\x0c\u2028\u2029\x85\ttab",
    "controls": "x\x08\x08\x7f\x0e\x0f\x1a\x04y",
    "formula": "=cmd|' /C calc'!A0",
    "more formulas": "@SUM(1+1)",
    "wide formula": "\uff1d1+1",
    "quotes": '"x",\'y\';`z`\\n\\"\\\\',
    "separators": 'x;y,z|1 2\t3 # {le="1"} 4',
    "4 KiB": "L" * 4096,
    "a private character": "x\ue000\U000f0000\U000e0041",
}
NOT_UTF8 = b"x\xff\xfe\xc3(\xed\xa0\x80\xf8\x88"
RAW = {kind: text.encode() for kind, text in TEXTS.items()} | {"not UTF-8": NOT_UTF8}


def hostile() -> list[AnyFrame]:
    """Frames in which every text of a tape is hostile."""
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
