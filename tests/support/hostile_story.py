"""Frames as a collector would send them of hostile text: what a tape can hold, and what is answered to a dashboard."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from msgspec import structs

from ebpftop.base.syscalls import NUMBERS
from ebpftop.frames.messages import (
    Ancestor,
    AnyFrame,
    AnyRequest,
    Catalog,
    ColumnInfo,
    Columns,
    Detached,
    FileFacts,
    Function,
    Holder,
    Hosts,
    HostState,
    LimitFacts,
    Notice,
    OpenWait,
    PlaybookInfo,
    ProcessFacts,
    Program,
    Programs,
    ReadProcess,
    ReadPrograms,
    ReadThreads,
    Refused,
    SocketFacts,
    Stack,
    Stacks,
    StepInfo,
    ThreadFacts,
    ThreadPlace,
    Threads,
    Tried,
    ViewInfo,
)
from tests.support import frames
from tests.support.frames import SECOND
from tests.support.hostile import RAW

Came = Mapping[str, Mapping[str, str]]
"""By door and kind, what a door made of a text: see `tests.support.hostile_doors.came_in`."""

COUNT = len(RAW)
NOW = 1000 * SECOND  # monotonic, and since boot
WAITS = 100  # where numbers of threads that wait begin; the others are their processes' first

_FILES = ViewInfo(
    name="files",
    map="files",
    show="table",
    title="Files",
    columns=[
        ColumnInfo(field="tgid", title="Process", decode="process"),
        ColumnInfo(field="file", title="File", decode="string"),
        ColumnInfo(field="host", title="Host", decode="dns"),
        ColumnInfo(field="count", title="Count", unit="count", role="counter"),
    ],
    sort="count",
)
_BY_THREAD = ViewInfo(
    name="threads",
    map="threads",
    show="table",
    title="Threads",
    by=["tgid", "tid", "thread"],
    columns=[
        ColumnInfo(field="tgid", title="Process", decode="process"),
        ColumnInfo(field="tid", title="Tid", decode="thread"),
        ColumnInfo(field="thread", title="Thread", decode="comm"),
        ColumnInfo(field="count", title="Count", unit="count", role="counter"),
    ],
    sort="count",
)


def texts(came: Came, door: str) -> list[str]:
    return [*came[door].values()]


def threads(came: Came, monotonic_ns: int = NOW) -> Threads:
    """Each process has a thread that waits for a file, one that waits for a lock, and the one that has it and woke the
    first.
    """
    names, processes, targets, functions = (
        texts(came, door)
        for door in (
            "name of a thread that woke one or holds a lock",
            "name of a process, in /proc",
            "file that a thread waits for",
            "kernel stack of a thread",
        )
    )
    found: list[ThreadPlace] = []
    waits: list[OpenWait] = []
    for number, (name, process, target, function) in enumerate(zip(names, processes, targets, functions, strict=True)):
        tgid = 1001 + number

        def thread(tid: int, state: str, call: str, file: str = "", tgid: int = tgid, **more: object) -> ThreadPlace:
            common = {"start_ns": 1, "comm": name, "process": process, "cpu_ns": 0, "switches": 1}  # noqa: B023 - called in this round
            waits = {"call": NUMBERS[call], "arguments": [tgid] * 6, "target": file, "still_ns": 5 * SECOND}
            return ThreadPlace(tid=tid, tgid=tgid, state=state, **{**common, **waits, **more})

        reader, waiter, holder = WAITS + number, WAITS + COUNT + number, tgid
        found += [
            thread(reader, "D", "pread64", target, waits=function, stack=number),
            thread(waiter, "S", "futex"),
            thread(holder, "S", "nanosleep"),
        ]
        since = monotonic_ns - 4 * SECOND
        waits += [
            OpenWait(tid=reader, since_ns=since, waker=holder, woken_ns=since),
            OpenWait(tid=waiter, since_ns=since, holder=holder),
        ]
    return Threads(
        monotonic_ns=monotonic_ns,
        boottime_ns=monotonic_ns,
        threads=found,
        stacks=[[each] for each in functions],
        count=len(found),
        waits=waits,
        unread=[targets[0]],
    )


def story(came: Came) -> list[AnyFrame]:
    """What a tape can hold."""

    def at(door: str, number: int) -> str:
        each = texts(came, door)
        return each[number % len(each)]

    count = COUNT
    people = [
        frames.process(
            number + 1,
            at("name of a process, in a ring buffer" if number % 2 else "name of a process, in /proc", number),
            parent=at("name of a process, in /proc", number + 1),
            command=at("command line", number),
            user=at("name of the machine", number),
            cgroup=at("cgroup of a process" if number % 2 else "folder of a cgroup", number),
            container=at("state of a container", number),
            pod=at("state of a container", number + 1),
            image=at("state of a container", number + 2),
        )
        for number in range(count)
    ]
    named = {1: "symbol, in ELF", 2: "symbol, in a perf map", 3: "symbol, in kallsyms", 4: "kernel stack of a thread"}
    modules = {1: "file that was mapped, in memory events"}
    functions = [
        Function(
            id=number * 5 + kind,
            side="kernel" if kind in (3, 4) else "user",
            name=at(door, number),
            module=at(modules.get(kind, "file name"), number),
            symbol=at(door, number + 1),
            file=at("file name", number + 2),
            line=number,
        )
        for number in range(count)
        for kind, door in named.items()
    ]
    stacks = [Stack(id=number, functions=[number * 5 + kind for kind in named]) for number in range(count)]
    numbers = np.arange(1, count + 1, dtype="<u4")
    files, hosts = ([at(door, number) for number in range(count)] for door in ("file name", "host name, in DNS"))
    title, question = at("manifest of a probe", 0), at("manifest of a probe", 1)
    state = texts(came, "state of a run")
    views = [frames.LATENCY, _FILES, frames.SAMPLES, frames.EXECS, _BY_THREAD]
    views = [structs.replace(view, title=at("manifest of a probe", number)) for number, view in enumerate(views)]
    probes = [
        frames.probe(
            f"cpu/{at('manifest of a probe', number)}",
            views,
            title=at("manifest of a probe", number),
            summary=at("manifest of a probe", number + 1),
            question=question,
            readme=f"# {title}\n\n{at('manifest of a probe', number)}\n",
            source=at("manifest of a probe", number),
        )
        for number in range(count)
    ]
    found = frames.columns
    maps = {
        "latency": found(tgid=numbers, slot=np.full(count, 80, "<u4"), count=[5] * count),
        "files": found(tgid=numbers, file=files, host=hosts, count=[7] * count),
        "counts": found(tgid=numbers, stack=np.arange(count, dtype="<u4"), count=[3] * count),
        "threads": found(
            tgid=numbers, tid=numbers, thread=texts(came, "name of a thread, in a map"), count=[9] * count
        ),
    }
    params = {at("parameter", number): at("parameter", number + 1) for number in range(count)}
    said = [at("output of verifier or compiler", number) for number in range(count)]
    playbooks = [
        PlaybookInfo(
            name=at("playbook", number),
            title=at("playbook", number + 1),
            summary=at("playbook", number + 2),
            steps=[
                StepInfo(
                    probe=probes[number].id,
                    question=at("playbook", number + 3),
                    params={at("parameter", number): at("what ran last", number)},
                )
            ],
        )
        for number in range(count)
    ]
    return [
        frames.hello(
            host=at("name of the machine", 0), kernel=at("name of the machine", 1), user=at("name of the machine", 2)
        ),
        Catalog(probes=probes, playbooks=playbooks, problems=[at("manifest of a probe", 3)]),
        frames.processes(*people),
        Stacks(functions=functions, stacks=stacks),
        frames.loaded(
            1,
            probes[0].id,
            *views,
            params=params,
            variant=title,
            meaning=title,
            notes=[title, *state],
            attached=[title],
        ),
        threads(came, NOW + SECOND),
        frames.snapshot(1, 1, maps),
        frames.events(1, "events", found(tgid=numbers, args=files, errno=hosts)),
        *(frames.mark(at("mark, from outside", number), 1.1, origin="outside") for number in range(count)),
        *(frames.mark(at("mark, typed", number), 1.1) for number in range(count)),
        Notice(level="warning", text=said[0]),
        *(Notice(level="warning", text=text) for text in texts(came, "notice of the root side")),
        *(Notice(level="warning", text=at("settings", number)) for number in range(count)),
        *(Notice(level="error", text=f"web-1: {at('notice of another host', number)}") for number in range(count)),
        Hosts(
            realtime_ns=1,
            hosts=[
                HostState(
                    name=at("name of the machine", number),
                    state="lost",
                    heard_ns=1,
                    problem=at("what ssh says", number),
                    host=at("name of the machine", number + 1),
                    kernel=at("name of the machine", number + 2),
                )
                for number in range(count)
            ],
        ),
        frames.snapshot(1, 2, {name: _twice(rows) for name, rows in maps.items()}),
        frames.snapshot(1, 9, {name: _twice(_twice(rows)) for name, rows in maps.items()}),
        threads(came, NOW + 9 * SECOND),
        *(
            frames.rejected(2 + number, probes[number].id, error=said[number], log="\n".join(said), text=said[number])
            for number in range(3)
        ),
        *(
            each
            for number, text in enumerate(state)
            for each in (
                frames.loaded(
                    10 + number, probes[number].id, frames.EXECS, tried=[Tried(variant=text, reason=text)], notes=[text]
                ),
                frames.snapshot(10 + number, 1, {}),
                Detached(run=10 + number, reason=text),
                Refused(error=text),
            )
        ),
    ]


def _twice(rows: Columns) -> Columns:
    """What was counted, counted once more."""
    count = rows["count"]
    doubled = (np.frombuffer(count.data, count.dtype) * 2).astype(count.dtype)
    return {**rows, "count": structs.replace(count, data=doubled.tobytes())}


# ---------------------------------------------------------------- answers to a dashboard


def programs(came: Came) -> Programs:
    names = texts(came, "name of a process, in /proc")
    found = [
        Program(
            id=number,
            name=name,
            type=name,
            tag="0" * 16,
            loaded_ns=1,
            run_time_ns=0,
            run_count=0,
            jited=1,
            translated=1,
            holders=[Holder(pid=1, comm=name)],
        )
        for number, name in enumerate(names)
    ]
    return Programs(monotonic_ns=NOW, boottime_ns=NOW, accounted_since_ns=0, programs=found)


def facts(came: Came, request: ReadProcess) -> ProcessFacts:
    """A page of a process, whatever its number."""
    names, files = texts(came, "name of a process, in /proc"), texts(came, "file that a thread waits for")
    people, groups = texts(came, "name of the machine"), texts(came, "cgroup of a process")
    number = request.tgid % COUNT
    return ProcessFacts(
        tgid=request.tgid,
        start_ns=request.start_ns,
        boottime_ns=NOW + 20 * SECOND,
        unread=files[:2],
        comm=names[number],
        command=texts(came, "command line")[number],
        state="S",
        ancestors=[Ancestor(tgid=1, start_ns=1, comm=each) for each in names],
        user=people[number],
        cgroup=groups[number],
        limits=[LimitFacts(name="open files", soft=4, hard=8)],
        threads=[ThreadFacts(tid=tid, comm=each, state="S", cpu_ns=1, waits=each) for tid, each in enumerate(names)],
        thread_count=COUNT,
        files=[FileFacts(fd=fd, target=each) for fd, each in enumerate(files)],
        file_count=COUNT,
        sockets=[SocketFacts(fd=fd, protocol="unix", local=each, remote=each) for fd, each in enumerate(files)],
        socket_count=COUNT,
    )


def answers(came: Came, request: AnyRequest) -> Iterator[AnyFrame]:
    match request:
        case ReadThreads():
            yield threads(came, NOW + 20 * SECOND)
        case ReadPrograms():
            yield programs(came)
        case ReadProcess():
            yield facts(came, request)
