"""Doors for what is told of code while it runs: perf maps of just-in-time compilers, and the kernel's memory events."""

from __future__ import annotations

import contextlib
import os
import struct

import msgspec
from hypothesis import strategies as st

from ebpftop.collector.departed import Departed
from ebpftop.collector.memories import Memories
from ebpftop.handover import protocol
from ebpftop.handover.protocol import Addresses, ProcessSymbols, RequestSymbols, SymbolRange, Symbols
from ebpftop.kernel.demangle import demangle
from ebpftop.kernel.mappings import Mapping
from ebpftop.kernel.memory_events import SIZE
from ebpftop.loader import symbolize
from ebpftop.loader.mapped_files import MappedFiles
from tests.fuzz.engine import Door
from tests.fuzz.words import ODD, WORD, lines_of
from tests.support.scratch import scratch
from tests.unit.collector.test_departed import FewProcesses
from tests.unit.kernel.test_memory_events import RECORDS, record, ring

ASKED = [0, 0x1000, 0xFFFF, 1 << 40, 0x7F0000001000, 0x7F0000001FFF]
LONGEST = 1024  # characters of a name
BEGAN = 1 << 50


def passed_on(message: protocol.Message) -> protocol.AnyMessage:
    """As the other side reads it."""
    found: protocol.AnyMessage = msgspec.msgpack.decode(msgspec.msgpack.encode(message), type=protocol.AnyMessage)
    return found


# ---------------------------------------------------------------- perf maps


class _Compiled:
    """A process all of whose code is in memory that has no file."""

    def at(self, address: int) -> Mapping:
        return Mapping(0, 1 << 62, 0, b"00:00", 0, b"")


def read_perf_map(data: bytes) -> None:
    """As the task that names addresses does, as far as what the collector reads of its answer."""
    process = symbolize._Process.__new__(symbolize._Process)
    process.id, process.asked = 1, Addresses(id=1, tgid=1, start_ns=1, addresses=ASKED)
    process._mappings = _Compiled()
    process.mapped, process.again, process.version = {}, [], ""
    process.answers = {address: symbolize._place(address, _Compiled().at(address), "") for address in ASKED}
    with scratch(data) as path:
        process.perf_map = os.open(path, os.O_RDONLY)
        process.read_perf_map()
    for address, known in process.answers.items():
        assert known.start <= address < known.end
        assert "\n" not in known.name
    # C++'s own library would take a process for each name
    names = {each.name for each in process.answers.values()}
    plain = {name: name for name in names} | demangle({name for name in names if not name.startswith("_Z")})
    answer = passed_on(Symbols(kernel=[], processes=[process.symbols(plain)], problems=[], cpu_seconds=0.0))
    assert isinstance(answer, Symbols)
    for found in answer.processes[0].ranges:
        assert len(found.name) <= LONGEST
        assert len(found.symbol) <= LONGEST


_place = st.one_of(
    st.sampled_from(ASKED),
    st.integers(0, 0x3000),
    st.integers(0x7F0000000000, 0x7F0000003000),
    st.integers(0, 1 << 66),
)
_size = st.one_of(st.integers(0, 0x2000), st.sampled_from([1 << 31, (1 << 32) - 1, 1 << 32, (1 << 64) - 1]))
_words = st.sampled_from(
    [b"int", b"void", b"byte[]", b"java.util.List", b"Foo$$Lambda$14/0x0000000800c03000", b"\xc0\x80"]
)
_class = st.one_of(st.sampled_from([b"Work", b"java.lang.String", b"a.b.C$D", b"[I", b"LL"]), WORD, ODD)
_arguments = st.lists(_words, max_size=4).map(b", ".join)
_java = st.tuples(_words, st.just(b" "), _class, st.just(b"."), ODD, st.just(b"("), _arguments, st.just(b")")).map(
    b"".join
)
_compilers_own = st.sampled_from(
    [b"StubRoutines (initialstubs)", b"I2C/C2I adapters(0xbbb)", b"Interpreter", b"vtable stub", b"_RNvC1a1b", b"_R"]
)
_jcmd = st.tuples(
    _place.map(lambda at: b"0x%016x " % at),
    _size.map(lambda size: b"0x%016x " % size),
    st.one_of(_java, _compilers_own),
).map(b"".join)
_others = st.tuples(_place.map(lambda at: b"%x " % at), _size.map(lambda size: b"%x " % size), ODD).map(b"".join)
_maps = lines_of(_jcmd, _jcmd, _others, st.from_regex(rb"\A[0-9a-fx_-]{1,18} -?[0-9a-f]{1,12} .{0,8}\Z"), ODD)


# ---------------------------------------------------------------- memory events


def read_memory_events(data: bytes) -> None:
    """What the kernel reports, with names that anybody gives: as far as a request for names, root's look at it, and the
    answer.
    """
    memories = Memories()
    memories.since = BEGAN - 10
    memories.take(ring(b"")._events(data[:SIZE]), until=1 << 64)
    departed = Departed(FewProcesses(BEGAN))
    departed.begin(memories)
    learned: list[SymbolRange] = []
    for number in (3, 7, 8):
        for address in ASKED:
            departed.want(number, address, learned.append)
    processes, files = departed.request()
    request = passed_on(RequestSymbols(run=1, kernel=[], processes=processes, names=True, files=files))
    assert isinstance(request, RequestSymbols)
    for noted in request.files:
        with contextlib.suppress(OSError, ValueError):
            symbolize._Ended(noted, MappedFiles())
    departed.answered(
        [
            ProcessSymbols(
                id=each.id,
                ranges=[SymbolRange(start=at, end=at + 1, base=at, name="f", module="m") for at in each.offsets],
                perf_map="1",
            )
            for each in request.files
        ]
    )
    passed_on(
        Symbols(kernel=[], processes=[ProcessSymbols(id=1, ranges=learned)], problems=[], cpu_seconds=0.0),
    )


_number = st.sampled_from([3, 7, 8, 9, 0, (1 << 32) - 1])
_time = st.one_of(st.integers(BEGAN - 20, BEGAN + 20), st.sampled_from([0, (1 << 64) - 1]))
_address = st.one_of(st.sampled_from([0, 0x1000, 0x7F0000000000, (1 << 47) - 1]), st.integers(0, 1 << 47))
_length = st.one_of(st.sampled_from([0, 0x1000, 0x2000]), st.integers(0, 1 << 47))
_offset = st.one_of(st.sampled_from([0, 0x1000]), st.integers(0, 1 << 62))
_path = st.one_of(
    st.sampled_from([b"/bin/sh", b"/bin/sh (deleted)", b"//anon", b"[heap]", b"/memfd:x (deleted)", b"/proc/1/root/x"]),
    st.tuples(st.sampled_from([b"/tmp/", b"/", b""]), ODD).map(b"".join),
)


def _padded(name: bytes) -> bytes:
    """Names end with NUL, and records at a multiple of 8 bytes."""
    return name + bytes(8 - len(name) % 8)


def _mapping(*parts: int) -> bytes:
    tgid, start, length, offset, device, inode = parts
    return struct.pack("<IIQQQIIQQII", tgid, tgid, start, length, offset, device, 0, inode, 1, 5, 2)


_mapped = st.builds(_mapping, _number, _address, _length, _offset, _number, st.one_of(_number, st.integers(0, 1 << 63)))
_records = st.lists(
    st.one_of(
        st.builds(record, st.just(10), st.tuples(_mapped, _path.map(_padded)).map(b"".join), _time),
        st.builds(
            record,
            st.sampled_from([4, 7]),
            st.tuples(_number, _number, _number, _number, _time).map(lambda parts: struct.pack("<IIIIQ", *parts)),
            _time,
        ),
        st.builds(
            record,
            st.just(3),
            st.tuples(_number, ODD).map(lambda parts: struct.pack("<II", parts[0], parts[0]) + _padded(parts[1])),
            _time,
            st.sampled_from([0, 1 << 13]),
        ),
        st.builds(record, st.sampled_from([0, 1, 2, 9, 11]), st.binary(max_size=24), _time),
    ),
    max_size=12,
).map(b"".join)

DOORS = [
    Door(
        "perf-map",
        read_perf_map,
        _maps,
        seeds=lambda: [
            b"1000 100 one\n1040 10 two\n",
            b"0x00007f0000001000 0x0000000000000a80 void Work.spin(int)\n0x00007f0000001000 0x10 Interpreter\n",
        ],
    ),
    Door("memory-events", read_memory_events, _records, seeds=lambda: [RECORDS]),
]
