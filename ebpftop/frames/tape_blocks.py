"""The blocks of a tape file: the points at which a reader can begin, and the records from there on."""

from __future__ import annotations

import os
import stat
import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import msgspec

from ebpftop.frames import tape_format as form
from ebpftop.frames.codec import MALFORMED
from ebpftop.frames.messages import GREATEST
from ebpftop.frames.tape_format import BLOCK, BLOCK_1, RECORD, BadTape, Header, Index, Key
from ebpftop.frames.tape_lock import is_locked

Record = tuple[int, memoryview]  # time, body

_index = msgspec.msgpack.Decoder(Index).decode


class _Kind(msgspec.Struct):
    kind: str


_kind: Callable[[memoryview], _Kind] = msgspec.msgpack.Decoder(_Kind).decode


class Blocks:
    """The blocks of a file that may come from anybody and may still be growing; data added after opening isn't read.

    version: of the format. problem: one line, why the tape is incomplete, as far as its headers show. last: the header
    of the last block of frames, None if there is none. keys: ordered by time. index: None without a trustworthy one;
    then all headers were read. Opening raises `BadTape` if this isn't a tape, and `OSError`.
    """

    def __init__(self, path: Path) -> None:
        self.name = ascii(str(path))[1:-1]
        self.problem = ""
        self.last: Header | None = None
        self.keys: list[Key] = []
        self.index: Index | None = None
        self._catalog: tuple[int, bytes] = 0, b""  # an offset, and the last catalog there
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            status = os.fstat(self._fd)
            if not stat.S_ISREG(status.st_mode):
                raise self.bad("is not a regular file")
            self.size = status.st_size
            self.version = self._check_format()
            self._header = BLOCK if self.version > 1 else BLOCK_1
            if not self._read_index():
                self._scan()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def bad(self, what: str) -> BadTape:
        return BadTape(f"{self.name} {what}")

    @property
    def end(self) -> int:
        """The time of the last frame, as far as headers show."""
        last = self.last
        return 0 if last is None else last.last if self._is_whole(last) else last.first

    def records(self, at: int = form.START, after: int = 0) -> Iterator[Record]:
        """The frames after this time in the blocks from this offset on. Raises `BadTape`."""
        for header in self._walk(at, after):
            if header.kind != form.KEY:
                for record in self._read(header, after):
                    yield record
                    after = record[0]

    def state(self, time: int) -> tuple[list[Record], Iterator[Record]]:
        """The state at the last key up to a time, and all later frames; from the start if there is no key."""
        while at := bisect_right(self.keys, time, key=lambda key: key.time):
            try:
                return self._state(self.keys[at - 1])
            except (_Lie, BadTape):
                if self.index is None:
                    break
                self._scan()  # what the index says isn't so
        return [], self.records()

    def _state(self, key: Key) -> tuple[list[Record], Iterator[Record]]:
        records: list[Record] = []
        behind = key.at
        for header in self._walk(key.at, key.time):
            if header.kind != form.KEY:
                behind = header.at
                break
            if header.first != key.time:
                raise _Lie
            records += self._read(header, key.time)
        if not records or behind == key.at:
            raise _Lie
        if key.catalog:
            records.insert(1, (key.time, self._catalog_at(key.catalog)))
        return records, self.records(behind, key.time)

    def _catalog_at(self, at: int) -> memoryview:
        if self._catalog[0] != at:
            header = next(self._walk(at), None)
            if header is None or header.kind != form.CATALOG:
                raise _Lie
            try:
                found = [body for _, body in self._read(header, 0) if _kind(body).kind == "catalog"]
            except MALFORMED:
                found = []
            if not found:
                raise _Lie
            self._catalog = at, bytes(found[-1])
        return memoryview(self._catalog[1])

    def _check_format(self) -> int:
        head = os.pread(self._fd, form.START, 0)
        if not head:
            raise self.bad("is empty")
        if not head.startswith(form.MAGIC[: len(head)]):
            raise self.bad("is not an ebpftop tape")
        if len(head) < form.START:
            raise self.bad("is truncated in its header")
        (version,) = form.FORMAT.unpack_from(head, len(form.MAGIC))
        if version > form.VERSION:
            raise self.bad(f"was written by a newer ebpftop (tape format {version}; this one reads {form.VERSION})")
        if version < 1:
            raise self.bad(f"has the invalid tape format {version}")
        return int(version)

    def _header_at(self, at: int) -> Header | None:
        data = os.pread(self._fd, self._header.size, at) if 0 <= at < self.size else b""
        if len(data) < self._header.size or at + self._header.size > self.size:
            return None
        if self.version > 1:
            return Header(at, len(data), *BLOCK.unpack(data))
        stored, unpacked, first, last = BLOCK_1.unpack(data)
        return Header(at, len(data), stored, unpacked, first, last, form.FRAMES if any(data) else form.END)

    def _cut(self, last: int) -> BadTape:
        """For a tape without an end. Its writer holds a lock; where there are no locks, a growing file tells."""
        if is_locked(self._fd) or os.fstat(self._fd).st_size > self.size:
            return self.bad(f"is still being recorded: {last / 1e9:.1f} s of it can be read so far")
        return self.bad(f"is truncated after {last / 1e9:.1f} s")

    def _is_whole(self, header: Header) -> bool:
        return header.end <= self.size

    def _walk(self, at: int, last: int = 0) -> Iterator[Header]:
        """The headers from an offset on. Raises `BadTape` after the last valid one, if something is wrong there."""
        room = form.room(self.size)
        index = total = 0  # the end confirms both; of the sum of headers, a reader from the start
        whole = at == form.START
        while True:
            header = self._header_at(at)
            if header is None:
                raise self._cut(last)
            if header.kind == form.END:
                if header.end != self.size:
                    raise self.bad(f"has extra data after its end at {last / 1e9:.1f} s")
                if header.first != index or (whole and header.last not in (0, total)):
                    raise self.bad("is damaged: a part is missing, repeated or from another tape; numbers may be wrong")
                return
            if index or not self._is_sound(header, last):
                raise self.bad(f"is damaged after {last / 1e9:.1f} s")
            room -= header.unpacked
            if room < 0:
                raise self.bad(f"unpacks to more than a tape of its size holds, after {last / 1e9:.1f} s")
            if header.kind == form.INDEX:
                index = header.at
            else:
                total = zlib.crc32(BLOCK.pack(*header[2:]), total)
                yield header
            if not self._is_whole(header):
                raise self._cut(header.first)
            at, last = header.end, header.last

    def _is_sound(self, header: Header, last: int) -> bool:
        limit = form.INDEX_LIMIT if header.kind == form.INDEX else form.BLOCK_SIZE + RECORD.size + form.FRAME_LIMIT
        kinds = (form.FRAMES, form.CATALOG, form.KEY, form.INDEX)
        return (
            header.kind in kinds
            and 0 < header.unpacked <= limit
            and 0 < header.stored <= form.packed(header.unpacked)
            and last <= header.first <= header.last <= GREATEST
            and (header.kind != form.KEY or header.last == last)
        )

    def _scan(self) -> None:
        """Find keys by reading all headers. A key counts only if frames follow it."""
        self.index, self.last, self.keys = None, None, []
        key = time = catalog = 0
        try:
            for header in self._walk(form.START):
                if header.kind == form.KEY:
                    key, time = key or header.at, header.first
                    continue
                if key:
                    self.keys.append(Key(key, time, catalog))
                key, self.last = 0, header
                if header.kind == form.CATALOG:
                    catalog = header.at
        except BadTape as error:
            self.problem = str(error)

    def _read_index(self) -> bool:
        """Whether there is an index that is right about the file's end and the order of keys."""
        if self.version < 2:
            return False
        end = self._header_at(self.size - BLOCK.size)
        if end is None or end.kind != form.END or end.end != self.size or not form.START <= end.first < end.at:
            return False
        header = self._header_at(end.first)
        if header is None or header.kind != form.INDEX or header.end != end.at or not self._is_sound(header, 0):
            return False
        try:
            index = _index(self._unpack(header))
        except (BadTape, *MALFORMED):
            return False
        last = self._header_at(index.last)
        if last is None or last.kind not in (form.FRAMES, form.CATALOG) or last.end != header.at:
            return False
        if len(index.keys) % form.KEYS.size or not self._is_sound(last, 0):
            return False
        keys = [Key(*each) for each in form.KEYS.iter_unpack(index.keys)]
        ends = [Key(form.START, 0, 0), *keys, Key(last.at, last.first, 0)]
        if any(key.at >= after.at or key.time > after.time for key, after in pairwise(ends)):
            return False
        if any(key.catalog and not form.START <= key.catalog < key.at for key in keys):
            return False
        self.index, self.last, self.keys = index, last, keys
        return True

    def _read(self, header: Header, last: int) -> Iterator[Record]:
        """The records of a block, as far as the file has them."""
        data = memoryview(self._unpack(header))
        at = 0
        while len(data) - at >= RECORD.size:
            passed, length = RECORD.unpack_from(data, at)
            if not last <= passed <= header.last or at + RECORD.size + length > header.unpacked:
                raise self.bad(f"is damaged after {last / 1e9:.1f} s")
            if len(data) - at - RECORD.size < length:
                break
            at += RECORD.size + length
            yield passed, data[at - length : at]
            last = passed
        if self._is_whole(header) and at != header.unpacked:
            raise self.bad(f"is damaged after {last / 1e9:.1f} s")

    def _unpack(self, header: Header) -> bytes:
        """A block's content, as far as the file has it, and never more than the header says."""
        stream = zlib.decompressobj()
        whole = self._is_whole(header)
        try:
            stored = min(header.stored, max(0, self.size - header.at - header.size))
            packed = os.pread(self._fd, stored, header.at + header.size)
            data = stream.decompress(packed, header.unpacked)
            if whole and (len(data) != header.unpacked or stream.decompress(stream.unconsumed_tail, 1)):
                raise zlib.error("wrong length")
            if whole and (not stream.eof or stream.unused_data):
                raise zlib.error("no end, or more behind it")
        except zlib.error:
            raise self.bad(f"is damaged after {header.first / 1e9:.1f} s") from None
        except MemoryError:
            raise self.bad(f"needs more memory than available after {header.first / 1e9:.1f} s") from None
        return data


class _Lie(Exception):
    """A block contradicts the index."""
