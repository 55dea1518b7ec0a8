"""Finds what stands out while probes run for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TextIO

from ebpftop.base.inert import inert
from ebpftop.export.headless import DONE, FAILED
from ebpftop.export.loads import attached
from ebpftop.export.triaged import as_text, encoded, triaged
from ebpftop.frames.codec import BadFrame
from ebpftop.frames.messages import Detached, Detaching, Load, Loaded, ReadThreads, Refused
from ebpftop.frames.source import Source, SourceEnded
from ebpftop.model.session import Session
from ebpftop.model.triage.verdict import verdict

_HOSTS = 100_000
_EVENTS = 200_000
LATE = 0.7  # of the time, after which threads are read once more


async def run(
    source: Source,
    loads: Sequence[Load],
    *,
    seconds: float,
    name: str,
    as_json: bool,
    out: TextIO,
    err: TextIO,
    stop: asyncio.Event,
) -> int:
    """Load the probes, wait, detach them, and print what stands out. name: of the playbook.

    Closes the source. Returns the exit code: 0 done, 1 no probe could be attached, or the source ended: then what
    stands out in the data up to there is printed.
    """
    if err.isatty():
        print(f"ebpftop: loading {len(loads)} probes, then tracing for {seconds:g} s; Ctrl-C reports at once", file=err)
    session, refused, problem, found = Session(history=_HOSTS, event_rows=_EVENTS), "", "", None
    looks: list[float] | None = None
    try:
        async for frame in attached(source, loads, duration=seconds, stop=stop):
            session.feed(frame)
            now = asyncio.get_running_loop().time()
            if isinstance(frame, Loaded) and looks is None:
                looks = [now, now + LATE * seconds]
            if looks and looks[0] <= now:
                looks.pop(0)
                await source.request(ReadThreads())
            if isinstance(frame, Refused):
                refused = frame.error
            if found is None and (isinstance(frame, Detaching) or (isinstance(frame, Detached) and not frame.reason)):
                found = verdict(session)  # before programs end one by one, which would distort it
    except (SourceEnded, BadFrame) as error:
        problem = str(error)
        print(f"ebpftop: {inert(problem)}", file=err)
    finally:
        await source.close()
    found = found or verdict(session)
    if found is None and problem:
        return FAILED
    if found is None:
        why = refused or next(
            (run.failure.headline for run in session.runs.values() if run.failure), "stopped before that"
        )
        print(f"ebpftop: no probe was attached: {inert(why)}", file=err)
        return FAILED
    told = triaged(found, session.hello, name, problem, session.threads)
    out.write(encoded(told).decode() + "\n" if as_json else as_text(told))
    return FAILED if problem else DONE
