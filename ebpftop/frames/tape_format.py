"""The file format of tapes, version 2, and the limits that every tape keeps.

A tape is `MAGIC`, the version (u32), then blocks: a header (`BLOCK`) and a zlib stream. Numbers are little endian,
times are monotonic nanoseconds since the first frame. A header holds the bytes stored and unpacked (u32 each), the time
of the first and of the last record (u64 each), and a kind (u32):

| kind | the stream holds |
| --- | --- |
| `FRAMES` | records: time (u64), length (u32), and a frame as msgpack (`messages.Written`); of snapshots the changes |
| `CATALOG` | the same, with a `Catalog` among them |
| `KEY` | records as well: the state before the next block of frames, but for the catalog |
| `INDEX` | an `Index` as msgpack |
| `END` | nothing; `first` is where the index's header lies. The last bytes of a complete tape |

`last` of the end is the CRC-32 of all headers before the index, so blocks that someone removed, added or exchanged are
noticed. Older tapes have 0 there.

A reader from the start skips the keys. A reader that begins later takes the last key before that time (all its blocks,
which are adjacent), the last catalog before the key, and all following frames. A key holds a run's last two snapshots:
the earlier one as a key change, the later one as its original change (`frames.changes`).

Blocks of frames are written at least every second, so a killed writer leaves a readable tape. It has no end and no
index; a reader builds these from the headers. An index is only a shortcut: what it says of a block must match the
block's header. A key is written when `KEY_SECONDS` have passed and the frames since the previous key take at least as
much space as that key, so keys are at most half of a tape.

Version 1 has no kinds, keys or index, and whole snapshots; its end is a header of zeros.

A tape may come from anybody. Its unpacked size is bounded by its own size (`RATIO`), and a decoded frame by the bytes
that become objects (`PLAIN_LIMIT`). A writer respects both limits. A block stores no more than its content can need
(`packed`), and nothing behind its stream.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Annotated, Any, NamedTuple

import msgspec

from ebpftop.frames.codec import BadFrame
from ebpftop.frames.messages import FEW, SOME, Mark, Whole

MAGIC = b"ebpftop tape"
VERSION = 2
FRAMES, KEY, CATALOG, INDEX, END = 0, 1, 2, 4, 8
KEY_SECONDS = 30.0
FRAME_LIMIT = 64 << 20  # bytes of one frame; a bound on what a hostile tape makes us unpack at once
PLAIN_LIMIT = 8 << 20  # bytes of a frame beside its columns' numbers: each may become some 30 bytes of objects
RATIO = 16  # bytes that each byte of the file unpacks to, on average; real tapes stay below 5
FREE = 16 << 20  # bytes beyond that
BLOCK_SIZE = 256 << 10  # unpacked bytes after which a block is written early
INDEX_LIMIT = 16 << 20  # unpacked
MARKS = 1000  # in an index, the newest

FORMAT = struct.Struct("<I")
BLOCK = struct.Struct("<IIQQI")
BLOCK_1 = struct.Struct("<IIQQ")
RECORD = struct.Struct("<QI")
KEYS = struct.Struct("<QQQ")
START = len(MAGIC) + FORMAT.size  # of the first block


class BadTape(BadFrame):
    """The file is not a tape, or is incomplete; the text is one line."""


class Header(NamedTuple):
    """A block's header, and its offset."""

    at: int
    size: int  # of the header
    stored: int
    unpacked: int
    first: int
    last: int
    kind: int

    @property
    def end(self) -> int:
        """The offset of the next block."""
        return self.at + self.size + self.stored


class Key(NamedTuple):
    """A point at which a reader can begin: offset and time of a key, and the offset of the last block with a catalog,
    or 0.
    """

    at: int
    time: int
    catalog: int


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """The coarse increase of a view. counter: "" for the number of events.

    gains: `<u8`, one per step of `Index.step_ns`, from the step `first` on. powers: u1, for a histogram, the powers of
    two (slot >> 3) that aren't empty. cells: the gains of each, as many as in `gains`, one after another.
    """

    run: int
    view: str
    counter: str
    first: Whole = 0
    gains: bytes = b""
    powers: bytes = b""
    cells: bytes = b""


class Index(msgspec.Struct, frozen=True, kw_only=True):
    """What is where. last: the last block of frames. keys: `KEYS` for each. realtime_ns, monotonic_ns: of time 0; 0 if
    no frame says. lines, marks: for an overview before any block is read; steps are `step_ns` long.
    """

    last: Whole
    keys: bytes
    realtime_ns: Whole = 0
    monotonic_ns: Whole = 0
    step_ns: Whole = 0
    lines: Annotated[list[Line], FEW] = []
    marks: Annotated[list[Mark], FEW] = []


class _Numbers(msgspec.Struct):
    data: memoryview = memoryview(b"")


class _RowSizes(msgspec.Struct):
    gains: Annotated[dict[str, _Numbers], SOME] = {}
    born: Annotated[dict[str, _Numbers], SOME] = {}


class _Sizes(msgspec.Struct):
    """The parts of a frame that stay bytes when it is decoded."""

    columns: Annotated[dict[str, _Numbers], SOME] = {}
    maps: Annotated[dict[str, Annotated[dict[str, _Numbers], SOME]], SOME] = {}
    rows: Annotated[dict[str, _RowSizes], SOME] = {}


_sizes: Callable[[Any], _Sizes] = msgspec.msgpack.Decoder(_Sizes).decode


def fits(body: bytes | memoryview) -> bool:
    """Whether a frame is within both limits. Raises the exceptions in `MALFORMED`."""
    if len(body) > FRAME_LIMIT:
        return False
    if len(body) <= PLAIN_LIMIT:
        return True
    sizes = _sizes(body)
    changes = (columns for each in sizes.rows.values() for columns in (each.gains, each.born))
    everything = (sizes.columns, *sizes.maps.values(), *changes)
    numbers = sum(len(each.data) for columns in everything for each in columns.values())
    return len(body) - numbers <= PLAIN_LIMIT


def packed(size: int) -> int:
    """More bytes than zlib ever needs for this many; a block may not claim more."""
    return size + size // 1000 + 64


def room(size: int) -> int:
    """The most bytes that a tape of this size may unpack to."""
    return FREE + RATIO * size
