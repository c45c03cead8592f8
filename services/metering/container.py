"""The Avro object container, taken apart block by block, so that a damaged or swollen block harms nothing else.

Source: Apache Avro 1.12 specification, Object Container Files. fastavro reads the records; what is around them is read
here, because its reader decompresses without a bound and gives up the rest of a file at the first damaged block.
"""

from __future__ import annotations

import bz2
import json
import lzma
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Protocol

import pyarrow as pa

from services.metering.draft import NothingRead

MAGIC: Final = b"Obj\x01"
CODECS: Final = ("null", "deflate", "snappy", "zstandard", "bzip2", "xz")
_SYNC_LENGTH: Final = 16


class Damaged(ValueError):
    """A part of the container cannot be read; the message says why."""


class TooLarge(Exception):
    """The container unpacks to more than is taken."""


@dataclass(frozen=True, slots=True)
class Container:
    """An opened container: the schema it was written with, how blocks are compressed, and where they begin."""

    schema: Any
    codec: str
    sync: bytes
    blocks_at: int


@dataclass(frozen=True, slots=True)
class Block:
    """One block, unpacked. `first_record` counts records from 1 over the whole container."""

    first_record: int
    record_count: int
    data: bytes


@dataclass(frozen=True, slots=True)
class DamagedBlock:
    """A block that cannot be read, and why."""

    first_record: int
    record_count: int
    reason: str


def open_container(body: bytes) -> Container:
    """Return what the head of `body` says.

    Raises:
        NothingRead: no Avro container, a damaged head, or a compression that is not read here.
    """
    if not body.startswith(MAGIC):
        raise NothingRead("the body is not an Avro object container: it does not begin with Obj and 1")
    try:
        metadata, position = _metadata(body, len(MAGIC))
        schema = json.loads(metadata["avro.schema"])
    except (Damaged, KeyError, ValueError, RecursionError):
        raise NothingRead("the head of the Avro container is damaged") from None
    codec = metadata.get("avro.codec", b"null").decode("ascii", "replace")
    if codec not in CODECS:
        raise NothingRead(f"the Avro container is compressed in a way that is not read: use {', '.join(CODECS)}")
    sync = body[position : position + _SYNC_LENGTH]
    if len(sync) != _SYNC_LENGTH:
        raise NothingRead("the head of the Avro container is damaged")
    return Container(schema, codec, sync, position + _SYNC_LENGTH)


def read_blocks(body: bytes, container: Container, max_bytes: int) -> Iterator[Block | DamagedBlock]:
    """Yield the blocks of `body` in order. After a damaged one, reading goes on behind the next sync marker.

    Records are counted on without those of a block that does not say how many it has.

    Raises:
        TooLarge: the blocks unpack to more than `max_bytes` together.
    """
    position, record, left = container.blocks_at, 1, max_bytes
    while position < len(body):
        count = 0
        try:
            count, start, end = _bounds(body, position, container.sync)
            data = _unpack(container.codec, body[start:end], left)
        except Damaged as damage:
            yield DamagedBlock(record, count, str(damage))
            found = body.find(container.sync, position)
            position = len(body) if found < 0 else found + _SYNC_LENGTH
        else:
            left -= len(data)
            yield Block(record, count, data)
            position = end + _SYNC_LENGTH
        record += count


def _bounds(body: bytes, position: int, sync: bytes) -> tuple[int, int, int]:
    """Return how many records the block at `position` has, and where its data begins and ends."""
    count, start = read_long(body, position)
    size, start = read_long(body, start)
    end = start + size
    if count < 0 or size < 0 or body[end : end + _SYNC_LENGTH] != sync:
        raise Damaged("a block does not end where it says")
    return count, start, end


def read_long(body: bytes, position: int) -> tuple[int, int]:
    """Return the zigzag long at `position` and the position behind it.

    Raises:
        Damaged: there is none.
    """
    number = shift = 0
    for place in range(position, min(position + 10, len(body))):
        byte = body[place]
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return (number >> 1) ^ -(number & 1), place + 1
    raise Damaged("the container ends inside a number")


def _metadata(body: bytes, position: int) -> tuple[dict[str, bytes], int]:
    entries: dict[str, bytes] = {}
    while True:
        count, position = read_long(body, position)
        if count == 0:
            return entries, position
        if count < 0:
            count = -count
            _, position = read_long(body, position)
        for _ in range(count):
            key, position = _bytes(body, position)
            value, position = _bytes(body, position)
            entries[key.decode("utf-8", "replace")] = value


def _bytes(body: bytes, position: int) -> tuple[bytes, int]:
    length, start = read_long(body, position)
    if length < 0 or start + length > len(body):
        raise Damaged("the container ends inside a text")
    return body[start : start + length], start + length


def _unpack(codec: str, data: bytes, limit: int) -> bytes:
    """Return `data` unpacked.

    Raises:
        TooLarge: more than `limit` bytes; no more than that was unpacked.
        Damaged: the bytes are not what the codec writes.
    """
    try:
        unpacked = _inflate(codec, data, limit)
    except (zlib.error, OSError, EOFError, ValueError, lzma.LZMAError):
        raise Damaged(f"a block cannot be unpacked as {codec}") from None
    if len(unpacked) > limit:
        raise TooLarge
    return unpacked


def _inflate(codec: str, data: bytes, limit: int) -> bytes:
    match codec:
        case "deflate":
            return _whole(zlib.decompressobj(wbits=-15), data, limit)
        case "bzip2":
            return _whole(bz2.BZ2Decompressor(), data, limit)
        case "xz":
            return _whole(lzma.LZMADecompressor(memlimit=2**27), data, limit)
        case "zstandard":
            return bytes(pa.CompressedInputStream(pa.BufferReader(data), "zstd").read(limit + 1))
        case "snappy":
            return _snappy(data, limit)
        case _:
            return data


class _Decompressor(Protocol):
    def decompress(self, data: bytes, limit: int, /) -> bytes: ...
    @property
    def eof(self) -> bool: ...


def _whole(decompressor: _Decompressor, data: bytes, limit: int) -> bytes:
    unpacked = decompressor.decompress(data, limit + 1)
    if not decompressor.eof and len(unpacked) <= limit:
        raise EOFError
    return unpacked


def _snappy(data: bytes, limit: int) -> bytes:
    size = shift = 0
    for byte in data[:5]:
        size |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    if size > limit:
        raise TooLarge
    unpacked = bytes(pa.decompress(data[:-4], decompressed_size=size, codec="snappy", asbytes=True))
    if zlib.crc32(unpacked) != int.from_bytes(data[-4:], "big"):
        raise ValueError("checksum")
    return unpacked
