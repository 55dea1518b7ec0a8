"""`ebpftop tape`: lists tapes' contents, cuts, joins and anonymises tapes, and converts them for other tools. No
root.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import msgspec

from ebpftop.base.errors import UsageError, UserError
from ebpftop.catalog import folders
from ebpftop.catalog.info import info as probe_info
from ebpftop.collector import decode
from ebpftop.commands.named import prometheus_client, refuse_on_terminal
from ebpftop.export import files
from ebpftop.export.tapes import merging, parts
from ebpftop.export.tapes.info import as_json, as_text, info
from ebpftop.export.tapes.output import opened, output
from ebpftop.export.tapes.scrub import Names, scrub, words_of
from ebpftop.frames.tape import TapeReader
from ebpftop.supervisor import privilege

# Decoders whose labels are the kernel's own words, and numbers whose names are looked up.
_KERNELS_WORDS = (
    "block_op",
    "block_status",
    "bpf_command",
    "bpf_type",
    "capability",
    "compact_result",
    "dns_code",
    "drop_reason",
    "errno",
    "file_operation",
    "icmp",
    "io_uring_op",
    "ip_protocol",
    "kernel_lock",
    "namespaces",
    "ptrace_request",
    "reset_reason",
    "signal",
    "signal_origin",
    "signal_result",
    "softirq",
    "syscall",
    "tcp_flags",
    "tcp_state",
    "writeback_reason",
)
_NUMBERS = (*range(-64, 1024), *(1 << bit for bit in range(10, 33)))
_PLAIN_NUMBERS = ("octal", "port")


def tape(arguments: argparse.Namespace) -> int:
    """Run one of the commands with the invoker's rights. Returns 1 for an incomplete tape."""
    if who := privilege.invoker():
        privilege.drop(who)
    actions = {"info": _info, "cut": _cut, "merge": _merge, "scrub": _scrub, "export": _export}
    return actions[arguments.action](arguments)


def _info(arguments: argparse.Namespace) -> int:
    status = 0
    for number, path in enumerate(arguments.tapes):
        try:
            reader = opened(path)
        except UserError as error:
            print(f"ebpftop: {error}", file=sys.stderr)
            status = error.status
            continue
        with closing(reader):
            found = info(reader)
        if arguments.json:
            print(json.dumps(as_json(found)))
        else:
            print("\n".join(["", *as_text(found)] if number else as_text(found)))
        status = status or int(bool(found.problem))
    return status


def _cut(arguments: argparse.Namespace) -> int:
    with closing(opened(arguments.tape)) as reader:
        start = parts.moment(reader, arguments.begin) if arguments.begin is not None else 0
        end = parts.moment(reader, arguments.end) if arguments.end is not None else None
        with output(arguments.output, [arguments.tape], force=arguments.force) as written:
            problems = parts.cut(reader, written, start, end)
    return _told([], problems)


def _merge(arguments: argparse.Namespace) -> int:
    if len(arguments.tapes) < 2:
        raise UsageError("merge needs at least two tapes")
    with ExitStack() as stack:
        readers: list[TapeReader] = []
        for path in arguments.tapes:
            readers.append(stack.enter_context(closing(opened(path))))
        with output(arguments.output, arguments.tapes, force=arguments.force) as written:
            how, problems = merging.merge(readers, written)
    return _told(how, problems)


def _scrub(arguments: argparse.Namespace) -> int:
    part = folders.read_bundled()
    bundled = {probe.id: probe_info(probe) for probe in part.probes.values()}
    variants = [(each.name, each.meaning) for probe in part.probes.values() for each in probe.variants]
    playbooks = [each.info for each in part.playbooks.values()]
    public = frozenset(_texts(msgspec.to_builtins([*bundled.values(), *playbooks, *map(list, variants)])))
    names = Names(public, _words())
    with (
        closing(opened(arguments.tape)) as reader,
        output(arguments.output, [arguments.tape], force=arguments.force) as written,
    ):
        problems = scrub(reader, written, names, bundled)
    return _told([f"{len(names):,} texts replaced by pseudonyms"], problems)


def _export(arguments: argparse.Namespace) -> int:
    from ebpftop.export.tapes.exporting import export

    if arguments.raw and arguments.format != "csv":
        raise UsageError(f"--raw is for --format csv, not {arguments.format}")
    if arguments.format == "openmetrics":
        prometheus_client()
    with closing(opened(arguments.tape)) as reader:
        if arguments.output is None:
            refuse_on_terminal(arguments.format)
            sys.stdout.flush()
            problems = export(reader, arguments.format, sys.stdout.buffer, raw=arguments.raw)
        else:
            out = arguments.output
            with files.told(out), files.create(out, [arguments.tape], force=arguments.force) as file:
                problems = export(reader, arguments.format, file, raw=arguments.raw)
    return _told([], problems)


def _told(lines: Iterable[str], problems: Iterable[str]) -> int:
    for line in lines:
        print(f"ebpftop: {line}", file=sys.stderr)
    status = 0
    for line in problems:
        print(f"ebpftop: {line}; the readable part was written", file=sys.stderr)
        status = 1
    return status


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case list():
            for each in value:
                yield from _texts(each)
        case dict():
            yield from value
            for each in value.values():
                yield from _texts(each)


def _words() -> dict[str, frozenset[str]]:
    """All words in the labels of each decoder."""
    context = decode.Context()
    words: dict[str, frozenset[str]] = {name: frozenset() for name in _PLAIN_NUMBERS}
    for name in _KERNELS_WORDS:
        namer = context.namer(name)
        found: set[str] = set()
        for number in _NUMBERS:
            try:
                found.update(words_of(namer(number)))
            except (ValueError, OverflowError, IndexError, KeyError, OSError):
                continue
        words[name] = frozenset(found)
    return words
