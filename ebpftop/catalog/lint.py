"""Rules for probes that neither the manifest's schema nor the compiler enforces. The C is read as text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from ebpftop.base.inert import inert
from ebpftop.base.nearest import nearest
from ebpftop.catalog.csource import CSource
from ebpftop.catalog.document import Document
from ebpftop.catalog.files import MANIFEST, SOURCE
from ebpftop.catalog.model import Probe
from ebpftop.catalog.positions import KeyPath

MAX_ENTRIES = 1 << 20
MAX_PAGES = 4096

_INCREMENT = re.compile(r"\b(\w+)\.(atomic_)?increment[ \t\n]*\(")
_UPDATE = re.compile(r"\b(\w+)\.(lookup_or_try_init|lookup_or_init|insert|update|push)[ \t\n]*\(")
_RESERVE = re.compile(r"(?:\b(\w+)[ \t\n]*=[^;=]*?)?\b(\w+)\.(ringbuf_reserve|ringbuf_output)[ \t\n]*\(([^;]*)")
_VARIANT = re.compile(r"^[ \t]*#[ \t]*(?:ifdef|ifndef|if|elif)\b.*$", re.MULTILINE)

Finding = tuple[str, int, str]  # file, line, message


def lint(probe: Probe) -> list[str]:
    """The findings, each `FILE:LINE: message`; empty for a probe that follows the rules."""
    source = CSource(probe.source)
    in_source = inert(str(probe.folder / SOURCE))
    in_manifest = inert(str(probe.folder / MANIFEST))
    findings = [
        f"{in_source}:{line}: {inert(message)}"
        for rule in _SOURCE_RULES
        for line, message in sorted(rule(probe, source))
    ]
    document = Document(in_manifest, probe.manifest)
    for path, message in _consistency(probe, source):
        findings.append(f"{in_manifest}:{document.line(path)}: {inert(message)}")
    return findings


def _counting(probe: Probe, source: CSource) -> Iterator[tuple[int, str]]:
    for match in _INCREMENT.finditer(source.code):
        name, atomic = match[1], bool(match[2])
        declared = source.map(name)
        line = source.line(match.start())
        if not atomic and (declared is None or not declared.per_cpu):
            yield line, f"{name}.increment() loses updates on a map that isn't per CPU; use __sync_fetch_and_add()"
        elif declared is not None and declared.hash:
            yield line, f"{name}.{match[2] or ''}increment() doesn't report a full map; use lookup_or_try_init()"


def _sizes(probe: Probe, source: CSource) -> Iterator[tuple[int, str]]:
    for bpf_map in source.maps:
        limit = MAX_PAGES if bpf_map.kind == "ringbuf" else MAX_ENTRIES
        if bpf_map.entries is not None and bpf_map.entries > limit:
            what = "pages" if bpf_map.kind == "ringbuf" else "entries"
            yield bpf_map.line, f"{bpf_map.name} has {bpf_map.entries} {what}, more than {limit}"


def _failures(probe: Probe, source: CSource) -> Iterator[tuple[int, str]]:
    """A failed update must be counted before the next one, or before the end of the function."""
    for function in source.functions:
        body = source.body(function)
        calls = sorted([*_UPDATE.finditer(body), *_RESERVE.finditer(body)], key=lambda match: match.start())
        for index, call in enumerate(calls):
            ring = call.re is _RESERVE
            name, method = (call[2], call[3]) if ring else (call[1], call[2])
            declared = source.map(name)
            if declared is not None and declared.array:
                continue
            counter = "ring_full" if ring else "map_full"
            end = calls[index + 1].start() if index + 1 < len(calls) else len(body)
            if not re.search(rf"\b{counter}[ \t\n]*\(", body[call.start() : end]):
                yield (
                    source.line(function.start + call.start()),
                    f"{name}.{method}() may fail: count it with {counter}()",
                )


def _bounds(probe: Probe, source: CSource) -> Iterator[tuple[int, str]]:
    """A hash must be bounded: entries of dead processes are deleted, it is LRU, or a comment says what bounds it."""
    per_process = {
        view.map
        for view in probe.views
        for column in view.columns
        if column.decode == "process" and column.role == "key"
    }
    for bpf_map in source.maps:
        bounded = bpf_map.name in per_process or "lru" in bpf_map.kind or re.search(r"\bbounded: *\w", bpf_map.comment)
        if bpf_map.hash and not bounded:
            yield (
                bpf_map.line,
                f"{bpf_map.name} can fill up: use a process that a view shows as its key, make it an lru_hash, "
                "or add a comment to its line: // bounded: by what",
            )


def _records(probe: Probe, source: CSource) -> Iterator[tuple[int, str]]:
    """Every field of a reserved record must be written before submission, because the memory isn't cleared."""
    for function in source.functions:
        body = source.body(function)
        for match in _RESERVE.finditer(body):
            line = source.line(function.start + match.start())
            variable, ring, method, arguments = match.groups()
            if method != "ringbuf_reserve":
                continue
            struct = re.search(r"sizeof[ \t]*\([ \t]*struct[ \t]+(\w+)", arguments) or re.search(
                rf"struct[ \t]+(\w+)[ \t]*\*[ \t]*{variable}\b", body
            )
            if variable is None or struct is None or struct[1] not in source.structs:
                yield line, f"a record of {ring} must be a struct declared in this file, reserved into a variable"
                continue
            written = _writing(source, body[match.end() :], variable)
            if re.search(rf"\*[ \t]*{variable}[ \t]*=[^=]|mem(?:set|cpy)[ \t]*\([ \t]*{variable}[ \t]*,", written):
                continue
            for field in source.structs[struct[1]]:
                if not re.search(rf"->[ \t]*{field}\b", written):
                    yield line, f"field {field} of struct {struct[1]} is never written"


def _writing(source: CSource, code: str, variable: str) -> str:
    """The code that may write a record: what follows its reservation, and the functions it is passed to."""
    helpers = [
        source.body(function)
        for function in source.functions
        if re.search(rf"\b{function.name}[ \t\n]*\([^;{{}}]*\b{variable}\b", code)
    ]
    return code + "".join(helpers)


def _forbidden(probe: Probe, source: CSource) -> Iterator[tuple[int, str]]:
    for match in re.finditer(r"\bBPF_PERF_OUTPUT\b|\bbpf_trace_printk\b", source.code):
        if match[0] == "BPF_PERF_OUTPUT":
            yield source.line(match.start()), "perf buffers are not supported; use BPF_RINGBUF_OUTPUT"
        elif probe.category != "lab":
            yield source.line(match.start()), "bpf_trace_printk() writes to a file all tracers share; only for lab/"


def _conditions(probe: Probe, source: CSource) -> Iterator[tuple[int, str]]:
    names = {variant.name for variant in probe.variants}
    for condition in _VARIANT.finditer(source.code):
        for match in re.finditer(r"\bVARIANT_(\w+)", condition[0]):
            if match[1] not in names:
                line = source.line(condition.start() + match.start())
                yield line, f"the manifest has no variant {match[1]}{nearest(match[1], names)}"


_SOURCE_RULES: tuple[Callable[[Probe, CSource], Iterator[tuple[int, str]]], ...] = (
    _counting,
    _sizes,
    _failures,
    _bounds,
    _records,
    _forbidden,
    _conditions,
)


def _consistency(probe: Probe, source: CSource) -> Iterator[tuple[KeyPath, str]]:
    """The C must define everything that the manifest names."""
    conditions = " ".join(match[0] for match in _VARIANT.finditer(source.code))
    maps = {bpf_map.name for bpf_map in source.maps}
    functions = {function.name for function in source.functions}
    programs = [{(point.mechanism, point.run) for point in variant.attach} for variant in probe.variants]
    for index, variant in enumerate(probe.variants):
        # user-chosen targets, or the same calls in other files: one program serves all
        alone = len(probe.variants) == 1 or variant.params or programs.count(programs[index]) > 1
        if not alone and not re.search(rf"\bVARIANT_{variant.name}\b", conditions):
            yield ("variants", index, "name"), f"no #ifdef VARIANT_{variant.name} in {SOURCE}"
        for at, point in enumerate(variant.attach):
            if point.run not in functions:
                key = "run" if point.mechanism not in ("fentry", "fexit") else point.mechanism
                yield (
                    ("variants", index, "attach", at, key),
                    f"no function {point.run} in {SOURCE}{nearest(point.run, functions)}",
                )
    for index, view in enumerate(probe.views):
        if view.map not in maps:
            yield ("views", index, "map"), f"no map {view.map} in {SOURCE}{nearest(view.map, maps)}"
        if view.moments and view.moments not in maps:
            yield ("views", index, "moments"), f"no map {view.moments} in {SOURCE}{nearest(view.moments, maps)}"
