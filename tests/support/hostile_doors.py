"""Feeds hostile text to the program's inputs, through the readers of each; and makes a tape of everything that
came in.
"""

from __future__ import annotations

import io
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from unittest import mock

import numpy as np
from msgspec import structs

from ebpftop.catalog import folders, info
from ebpftop.catalog.settings import read_settings
from ebpftop.collector.decode import cgroup, dns, text
from ebpftop.collector.proc_facts import arguments, c_text
from ebpftop.frames.columns import unpack
from ebpftop.frames.marks import line
from ebpftop.frames.messages import (
    AnyFrame,
    Catalog,
    ColumnInfo,
    Columns,
    Function,
    Hosts,
    HostState,
    Notice,
    PlaybookInfo,
    Stack,
    Stacks,
    StepInfo,
    ViewInfo,
)
from ebpftop.hosts.ssh import reason
from ebpftop.kernel import kallsyms, perf_map, proc, waiting
from ebpftop.kernel.demangle import demangle
from ebpftop.kernel.elf import Elf
from ebpftop.loader.containers import facts
from ebpftop.ui.actions import remembering
from tests.support import frames
from tests.support.elf_file import FUNCTION, elf
from tests.support.hostile import RAW
from tests.support.probes import HEAD, SOURCE, VARIANT, VIEW
from tests.support.scratch import scratch

ID = "a" * 64  # of a container
CODE = 0x401000
Read = Callable[[bytes], str]


def _of_c(raw: bytes) -> str:
    return c_text(raw)


def _comm(raw: bytes) -> str:
    return proc.stat(b"7 (" + raw + b") S " + b"1 " * 40).comm


def _cgroup(raw: bytes) -> str:
    return proc.cgroup(b"0::/" + raw.replace(b"\n", b"") + b"\n")


def _cgroup_folder(raw: bytes) -> str:
    with tempfile.TemporaryDirectory() as root:
        folder = Path(os.fsdecode(os.fsencode(root) + b"/" + raw.replace(b"/", b"")[:255]))
        folder.mkdir()
        return cgroup.Cgroups({0: Path(root)}).path(folder.stat().st_ino)


def _file_name(raw: bytes) -> str:
    column = unpack({"name": text.decode(np.array([raw.ljust(5000, b"\0")]))})["name"]
    return column.at(0)  # type: ignore[union-attr]


def _host_name(raw: bytes) -> str:
    """A host name in a DNS question; its labels have at most 63 bytes."""
    pieces = [raw[at : at + 63] for at in range(0, len(raw), 63)]
    question = b"".join(bytes([len(each)]) + each for each in pieces) + b"\0\0\x01"
    return dns.question(question)


def _symbol(raw: bytes) -> str:
    data = elf({raw: (FUNCTION, 0)})
    found = Elf(lambda length, at: data[at : at + length], len(data)).function(CODE)
    return _plain(found.name if found else b"")


def _compiled(raw: bytes) -> str:
    found = perf_map.compiled(io.BytesIO(b"1000 10 " + raw.replace(b"\n", b"") + b"\n"), [0x1000])
    return _plain(found[0x1000].name)


def _plain(name: bytes) -> str:
    known = name.decode("utf-8", "backslashreplace")
    return demangle([known])[known]


def _kernel_function(raw: bytes) -> str:
    with tempfile.TemporaryFile() as file:
        file.write(b"%016x t " % 0xFFFFFFFF81000000 + raw.replace(b"\n", b"").replace(b"\r", b"") + b"\t[m]\n")
        file.flush()
        file.seek(0)
        return next((each.name for each in kallsyms.resolve(file.fileno(), [0xFFFFFFFF81000001])), "")


def _waiting(raw: bytes) -> str:
    return "".join(waiting.stack(b"[<0>] " + raw + b"+0x1/0x2\n"))


def _container(raw: bytes) -> str:
    state = {"ID": ID, "Name": "/" + raw.decode("utf-8", "backslashreplace"), "Config": {}}
    return facts({ID: [("docker", json.dumps(state).encode())]})[0].name


def _as_json(raw: bytes) -> str:
    """A JSON string, which is also valid TOML."""
    return json.dumps(raw.decode("utf-8", "backslashreplace"))


def _read(raw: bytes, playbook: bool) -> Catalog:
    """The catalog of a folder in which every text is this one."""
    said = _as_json(raw).replace("\\ud", "x")  # TOML has no surrogates
    with tempfile.TemporaryDirectory() as root:
        probe = Path(root, "cpu", "calls")
        probe.mkdir(parents=True)
        manifest = HEAD + VARIANT + VIEW if playbook else _manifest(said)
        (probe / "probe.toml").write_text(manifest)
        (probe / "probe.bpf.c").write_bytes(b"/* " + raw + b" */\n" + SOURCE.encode())
        (probe / "README.md").write_bytes(b"# " + raw + b"\n\n**" + raw + b"** `" + raw + b"` [" + raw + b"](x)\n")
        (Path(root) / "playbooks").mkdir()
        steps = f'[[probes]]\nid = "cpu/calls"\nquestion = {said}\n'
        (Path(root) / "playbooks" / "evil.toml").write_text(f"title = {said}\nsummary = {said}\n{steps}")
        found = info.catalog(folders.merged([folders.read_folder(Path(root))]))
        return structs.replace(found, problems=[each.replace(root, "") for each in found.problems])


def _manifest(said: str) -> str:
    head = f"title = {said}\nsummary = {said}\nquestion = {said}\noverhead = {said}\n"
    return (
        head
        + VARIANT.replace("[[variants]]", f"[[variants]]\nmeaning = {said}")
        + VIEW.replace('map = "counts"', f'map = "counts"\ntitle = {said}')
    )


def _title(raw: bytes) -> str:
    found = _read(raw, playbook=False)
    return found.probes[0].title if found.probes else "\n".join(found.problems)


def _playbook(raw: bytes) -> str:
    found = _read(raw, playbook=True)
    return found.playbooks[0].title if found.playbooks else "\n".join(found.problems)


def _mark(raw: bytes) -> str:
    return line(raw.decode(errors="replace"))


def _given(raw: bytes) -> str:
    """The text from the command line."""
    return os.fsdecode(raw).encode("utf-8", "backslashreplace").decode()


def _settings(raw: bytes) -> str:
    """The complaint about a key, a theme and a folder of this name."""
    said = _as_json(raw).replace("\\ud", "x")
    written = f"{said} = 1\ntheme = {said}\nfolders = [{said}]\n".encode()
    with scratch(written) as path, mock.patch("ebpftop.catalog.files.distrust", return_value=""):
        return " ".join(read_settings(path, {os.getuid()}).problems).replace(str(path), "config.toml")


def _last(raw: bytes) -> str:
    """A parameter of the last session."""
    ran = [["cpu/calls", {"comm": raw.decode("utf-8", "backslashreplace")}]]
    with scratch(json.dumps({"probes": ran}).encode()) as path:
        return remembering.read(path).probes[0][1]["comm"]


def _ssh(raw: bytes) -> str:
    return reason(255, raw.decode("utf-8", "backslashreplace").splitlines())


DOORS: Mapping[str, tuple[str, Read]] = {
    "name of a process, in a ring buffer": ("pn", _of_c),
    "name of a process, in /proc": ("ps", _comm),
    "command line": ("cl", lambda raw: arguments(raw)),
    "cgroup of a process": ("cg", _cgroup),
    "folder of a cgroup": ("cf", _cgroup_folder),
    "file name": ("fn", _file_name),
    "host name, in DNS": ("dn", _host_name),
    "symbol, in ELF": ("el", _symbol),
    "symbol, in a perf map": ("pm", _compiled),
    "symbol, in kallsyms": ("ks", _kernel_function),
    "kernel stack of a thread": ("wt", _waiting),
    "state of a container": ("ct", _container),
    "manifest of a probe": ("mf", _title),
    "playbook": ("pb", _playbook),
    "mark": ("mk", _mark),
    "parameter": ("pa", _given),
    "settings": ("st", _settings),
    "what ran last": ("lr", _last),
    "what ssh says": ("sh", _ssh),
    "notice of another host": ("no", _given),
    "name of the machine": ("hn", _given),
    "output of verifier or compiler": ("vl", _given),
}


def came_in(door: str) -> dict[str, str]:
    """The resulting text of an input, by kind of text: as in the frames."""
    mark, read = DOORS[door]
    tag = f"{mark}~"
    return {kind: read(raw + tag.encode() if "formula" in kind else tag.encode() + raw) for kind, raw in RAW.items()}


# ---------------------------------------------------------------- a tape of all of it

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


def story(came: Mapping[str, Mapping[str, str]]) -> list[AnyFrame]:
    """Frames as a collector would send them for these texts, by input and kind; only those that a tape can contain."""

    def at(door: str, number: int) -> str:
        texts = [*came[door].values()]
        return texts[number % len(texts)]

    count = len(RAW)
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
    functions = [
        Function(
            id=number * 5 + kind,
            side="kernel" if kind in (3, 4) else "user",
            name=at(door, number),
            module=at("file name", number),
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
    views = [frames.LATENCY, _FILES, frames.SAMPLES, frames.EXECS]
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
            1, probes[0].id, *views, params=params, variant=title, meaning=title, notes=[title], attached=[title]
        ),
        frames.snapshot(1, 1, maps),
        frames.events(1, "events", found(tgid=numbers, args=files, errno=hosts)),
        *(frames.mark(at("mark", number), 1.1) for number in range(count)),
        Notice(level="warning", text=said[0]),
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
        *(
            frames.rejected(2 + number, probes[number].id, error=said[number], log="\n".join(said), text=said[number])
            for number in range(3)
        ),
    ]


def _twice(rows: Columns) -> Columns:
    """The same rows with doubled counts."""
    count = rows["count"]
    doubled = (np.frombuffer(count.data, count.dtype) * 2).astype(count.dtype)
    return {**rows, "count": structs.replace(count, data=doubled.tobytes())}
