"""Feeds hostile text to the program's inputs, through the readers of each."""

from __future__ import annotations

import io
import json
import os
import struct
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from unittest import mock

import numpy as np
from msgspec import structs

from ebpftop.catalog import folders, info
from ebpftop.catalog.settings import read_settings
from ebpftop.collector.decode import cgroup, dns
from ebpftop.collector.decode import text as decoded
from ebpftop.collector.departed import Departed
from ebpftop.collector.memories import Memories
from ebpftop.collector.proc_facts import arguments, c_text
from ebpftop.frames.columns import unpack
from ebpftop.frames.marks import line
from ebpftop.frames.messages import Catalog
from ebpftop.handover.protocol import SymbolRange
from ebpftop.hosts.ssh import reason
from ebpftop.kernel import kallsyms, perf_map, proc, waiting
from ebpftop.kernel.demangle import demangle
from ebpftop.kernel.elf import Elf
from ebpftop.loader.containers import facts
from ebpftop.ui.actions import remembering
from tests.support.elf_file import FUNCTION, elf
from tests.support.hostile import RAW
from tests.support.probes import HEAD, SOURCE, VARIANT, VIEW
from tests.support.scratch import scratch
from tests.unit.collector.test_departed import FewProcesses
from tests.unit.kernel.test_memory_events import record, ring

ID = "a" * 64  # of a container
CODE = 0x401000
Read = Callable[[bytes], str]


def _of_c(raw: bytes) -> str:
    return c_text(raw)


def _comm(raw: bytes) -> str:
    return proc.stat(b"7 (" + raw + b") S " + b"1 " * 40).comm


def _thread_name(raw: bytes) -> str:
    """As probes keep it in a map."""
    column = unpack({"thread": decoded.decode(np.array([raw.ljust(5000, b"\0")]))})["thread"]
    return column.at(0)


def _cgroup(raw: bytes) -> str:
    return proc.cgroup(b"0::/" + raw.replace(b"\n", b"") + b"\n")


def _cgroup_folder(raw: bytes) -> str:
    with tempfile.TemporaryDirectory() as root:
        folder = Path(os.fsdecode(os.fsencode(root) + b"/" + raw.replace(b"/", b"")[:255]))
        folder.mkdir()
        return cgroup.Cgroups({0: Path(root)}).path(folder.stat().st_ino)


def _file_name(raw: bytes) -> str:
    column = unpack({"name": decoded.decode(np.array([raw.ljust(5000, b"\0")]))})["name"]
    return column.at(0)


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


def _waited_for(raw: bytes) -> str:
    """A link of a thread's open files, as long as a path may be."""
    with tempfile.TemporaryDirectory() as root:
        os.symlink(b"/mnt/" + raw[:4000], os.path.join(root, "3"))
        return proc.text(os.fsencode(os.readlink(os.path.join(root, "3"))))


def _mapped_file(raw: bytes) -> str:
    """Of a program that has ended, whose functions are looked for in there."""
    path = b"/bin/" + raw.replace(b"/", b"") + b"\0"
    fields = struct.pack("<IIQQQIIQQII", 7, 7, 0x1000, 0x2000, 0, 254, 0, 99, 5, 5, 2)
    forked = record(7, struct.pack("<IIIIQ", 7, 3, 7, 3, 1), 10)
    memories, learned = Memories(), list[SymbolRange]()
    memories.take(ring(b"")._events(forked + record(10, fields + path + bytes(-len(path) % 8), 11)), until=12)
    departed = Departed(FewProcesses(10))
    departed.begin(memories)
    departed.want(7, 0x1800, learned.append)
    return learned[0].module


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


def _typed(raw: bytes) -> str:
    """What a form takes of what is pasted is its first line."""
    return line(next(iter(raw.decode(errors="replace").splitlines())))


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
    "name of a thread, in a map": ("tm", _thread_name),
    "name of a thread that woke one or holds a lock": ("th", _comm),
    "file that a thread waits for": ("wf", _waited_for),
    "command line": ("cl", lambda raw: arguments(raw)),
    "cgroup of a process": ("cg", _cgroup),
    "folder of a cgroup": ("cf", _cgroup_folder),
    "file name": ("fn", _file_name),
    "host name, in DNS": ("dn", _host_name),
    "symbol, in ELF": ("el", _symbol),
    "symbol, in a perf map": ("pm", _compiled),
    "file that was mapped, in memory events": ("me", _mapped_file),
    "symbol, in kallsyms": ("ks", _kernel_function),
    "kernel stack of a thread": ("wt", _waiting),
    "state of a container": ("ct", _container),
    "manifest of a probe": ("mf", _title),
    "playbook": ("pb", _playbook),
    "mark, from outside": ("mk", _mark),
    "mark, typed": ("mt", _typed),
    "parameter": ("pa", _given),
    "settings": ("st", _settings),
    "what ran last": ("lr", _last),
    "what ssh says": ("sh", _ssh),
    "notice of another host": ("no", _given),
    "notice of the root side": ("nt", _given),
    "state of a run": ("rs", _given),
    "name of the machine": ("hn", _given),
    "output of verifier or compiler": ("vl", _given),
}


def came_in(door: str) -> dict[str, str]:
    """The resulting text of an input, by kind of text: as in the frames."""
    mark, read = DOORS[door]
    tag = f"{mark}~"
    return {kind: read(raw + tag.encode() if "formula" in kind else tag.encode() + raw) for kind, raw in RAW.items()}
