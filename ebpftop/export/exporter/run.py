"""Runs probes until they are stopped, and serves their metrics."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from typing import TextIO

from ebpftop.base.inert import inert
from ebpftop.export.exporter.accounts import Accounts
from ebpftop.export.exporter.exposition import Exposition
from ebpftop.export.exporter.serving import Server
from ebpftop.export.headless import FAILED, Reporter
from ebpftop.export.loads import attached
from ebpftop.frames.codec import BadFrame
from ebpftop.frames.messages import Load
from ebpftop.frames.source import Source, SourceEnded

_PROCESSES = 8 << 20  # bytes: some 16,000, because processes that ended before the last interval aren't needed


async def run(
    source: Source, loads: Sequence[Load], address: tuple[str, int], most: int, *, err: TextIO, stop: asyncio.Event
) -> int:
    """Serve until `stop` is set or no probe is left. address: host and port. most: series of a family.

    Closes the source. Returns the exit code: 0 done, 1 a probe was rejected or detached, the address is unavailable or
    the source ended, 2 a request was refused.
    """
    accounts = Accounts(most, err)
    server, reporter = Server(Exposition(accounts).text), Reporter(accounts, err, process_bytes=_PROCESSES)
    host, port = address
    try:
        try:
            port = await server.listen(host, port)
        except (OSError, UnicodeError) as error:  # the name of the host may be invalid
            number, said = getattr(error, "errno", None) or 0, getattr(error, "strerror", None)
            why = os.strerror(number) if number > 0 else said or str(error)
            print(f"ebpftop: can't listen on {inert(host)} port {port}: {why}", file=err)
            return FAILED
        shown = f"[{host}]" if ":" in host else host
        print(f"ebpftop: metrics are at http://{inert(shown)}:{port}/metrics", file=err, flush=True)
        async for frame in attached(source, loads, duration=None, stop=stop):
            reporter.take(frame)
    except (SourceEnded, BadFrame) as error:
        print(f"ebpftop: {inert(str(error))}", file=err)
        return FAILED
    finally:
        await server.close()
        await source.close()
    reporter.finish()
    return reporter.code
