"""What the demo tape says while it plays: marks with the words a newcomer needs at that moment.

    python -m tests.screenshots.story TAPE

writes the captions of a tape anew, as they stand here, and what manifests say. What was measured stays as it is, and
so does the C of the probes that ran.
"""

from __future__ import annotations

import sys
from collections.abc import Container, Mapping
from pathlib import Path

import msgspec

from ebpftop.catalog.folders import read_bundled
from ebpftop.catalog.info import info
from ebpftop.catalog.model import Probe
from ebpftop.frames.messages import AnyFrame, Catalog, Loaded, Mark, ProbeInfo, Processes, Snapshot
from ebpftop.frames.tape import TapeReader, TapeWriter
from tests.support.shop import GROUP

# Seconds since the tape's beginning, see `incident.TROUBLE`, and a text that fits in two lines of 80 cells.
CAPTIONS = (
    (
        0,
        "A small web shop, recorded during an incident. This line says where to look and which keys to "
        "press. Space pauses the tape and resumes it.",
    ),
    (
        8,
        "/ runqlat Enter shows how long threads wait for a CPU; the table below shows which process "
        "waits, how often and how long.",
    ),
    (
        21,
        "It got slower: something waits far longer than before. o shows the histogram over time: time "
        "runs to the right, longer waits are higher.",
    ),
    (
        32,
        "Tab goes to the heatmap, whose p99 line has climbed. Shift+← ten times and Shift+↑ box the "
        "long waits. Space pauses the tape meanwhile.",
    ),
    (
        41,
        "x shows what stands out in the box: processes named thumbnails. Enter selects that name in all "
        "probes; . does the same on any row.",
    ),
    (
        49,
        "/ profile Enter shows what thumbnails did on the CPU: compression, in libz. Backspace ends the selection.",
    ),
    (
        64,
        "/ execsnoop Enter lists new programs: a health check is started again and again. [ and ] go "
        "from probe to probe.",
    ),
    (78, "Now the disk. / biolatency Enter shows how long its requests take, by process, device and operation."),
    (
        88,
        "They take far longer now; o shows since when. In the table, backup uses nearly all of the "
        "disk, and orders waits for a few reads.",
    ),
    (
        99,
        "↓ to a row of backup: Enter shows it alone, . selects it in all probes, P opens its process "
        "page. Esc and Backspace go back.",
    ),
    (
        112,
        "t shows ten seconds, and a makes them A. ' lists these captions: choose an early one, and b "
        "compares both times. 0 ends that.",
    ),
    (
        126,
        "The backup has ended, and all is fast again. Over time, box, x, select, compare: ? lists all "
        "keys, E writes a report, q quits.",
    ),
)


def tell(tape: Path, out: Path) -> None:
    """Write a tape with these captions instead of the marks it has, and with today's texts."""
    reader = TapeReader(tape)
    read = [(at, frame) for at, frame in reader if not isinstance(frame, Mark)]
    reader.close()
    ran = {frame.probe for _, frame in read if isinstance(frame, Loaded)}
    probes = read_bundled().probes
    frames = [(at, _retold(_of_shop(frame), probes, ran)) for at, frame in read]
    began, sample = next((at, frame) for at, frame in frames if at and isinstance(frame, Snapshot))
    rest = [(round(second * 1e9), text) for second, text in CAPTIONS]
    with TapeWriter(out, force=True) as writer:
        for at, frame in frames:
            while rest and at > rest[0][0]:
                due, text = rest.pop(0)
                passed = due - began
                mark = Mark(
                    realtime_ns=sample.realtime_ns + passed,
                    monotonic_ns=sample.monotonic_ns + passed,
                    boottime_ns=sample.boottime_ns + passed,
                    text=text,
                    origin="outside",
                )
                writer.write(mark, at)
            writer.write(frame, at)
    out.chmod(0o644)


def _of_shop(frame: AnyFrame) -> AnyFrame:
    """Without what a process was before it came to the shop's control group."""
    if not isinstance(frame, Processes):
        return frame
    kept = [each for each in frame.processes if not each.tgid or each.cgroup.startswith(f"/{GROUP}/")]
    return msgspec.structs.replace(frame, processes=kept)


def _retold(frame: AnyFrame, probes: Mapping[str, Probe], ran: Container[str]) -> AnyFrame:
    """With what manifests say today. ran: these probes were loaded."""
    match frame:
        case Catalog():
            return msgspec.structs.replace(frame, probes=[_entry(each, probes[each.id], ran) for each in frame.probes])
        case Loaded():
            today = {view.name: view for view in probes[frame.probe].default_views}
            views = [today[view.name] for view in frame.views]
            same = [view.columns for view in views] == [view.columns for view in frame.views]
            assert same, f"{frame.probe} has other columns than on the tape: record it again"
            return msgspec.structs.replace(frame, views=views)
    return frame


def _entry(old: ProbeInfo, probe: Probe, ran: Container[str]) -> ProbeInfo:
    entry = info(probe, old.available, old.variant, old.meaning, old.reason)
    return msgspec.structs.replace(entry, source=old.source) if old.id in ran else entry


if __name__ == "__main__":
    tell(Path(sys.argv[1]), Path(sys.argv[1]))
