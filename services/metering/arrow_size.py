"""What an Arrow stream unpacks to, read off its messages before anything is unpacked.

A compressed buffer says in eight bytes how large it becomes, and the reader allocates what it says.
Source: Apache Arrow columnar format 1.5 (Message.fbs, Schema.fbs), FlatBuffers internals.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

_DICTIONARY_BATCH, _RECORD_BATCH = 2, 3
_BUFFER_BYTES: Final = 16
_LENGTH_BYTES: Final = 8


class DamagedStream(ValueError):
    """The messages of the stream cannot be read."""


@dataclass(frozen=True, slots=True)
class StreamSize:
    """Rows of all record batches, and bytes of all their buffers and dictionaries once unpacked."""

    row_count: int
    byte_count: int


def measure(body: bytes) -> StreamSize:
    """Return what the stream in `body` unpacks to. Of a stream that is cut off or damaged, what can be read.

    Raises:
        DamagedStream: a message says nothing that can be believed.
    """
    rows = size = 0
    try:
        for message in _messages(body):
            table = _Table.root(message.metadata.to_pybytes())
            kind, header = table.read("<B", 1), table.child(2)
            if kind == _DICTIONARY_BATCH and header is not None:
                header = header.child(1)
            if kind not in {_DICTIONARY_BATCH, _RECORD_BATCH} or header is None:
                continue
            rows += header.read("<q", 0) if kind == _RECORD_BATCH else 0
            size += _unpacked(header, message.body)
    except (pa.ArrowException, OSError, struct.error, ValueError) as error:
        raise DamagedStream(type(error).__name__) from error
    return StreamSize(rows, size)


def _messages(body: bytes) -> Any:
    reader = pa.ipc.MessageReader.open_stream(pa.py_buffer(body))
    while True:
        try:
            yield reader.read_next_message()
        except (StopIteration, pa.ArrowException, OSError):  # the reader of rows comes no further either
            return


@dataclass(frozen=True, slots=True)
class _Table:
    """A table of a FlatBuffer: `at` is its place in `data`."""

    data: bytes
    at: int

    @classmethod
    def root(cls, data: bytes) -> _Table:
        return cls(data, struct.unpack_from("<I", data)[0])

    def place(self, number: int) -> int:
        """Return where field `number` lies, 0 where it is left out."""
        vtable = self.at - struct.unpack_from("<i", self.data, self.at)[0]
        slot = 4 + 2 * number
        if slot >= struct.unpack_from("<H", self.data, vtable)[0]:
            return 0
        offset = struct.unpack_from("<H", self.data, vtable + slot)[0]
        return self.at + offset if offset else 0

    def read(self, form: str, number: int) -> int:
        place = self.place(number)
        return int(struct.unpack_from(form, self.data, place)[0]) if place else 0

    def child(self, number: int) -> _Table | None:
        place = self.place(number)
        return _Table(self.data, place + struct.unpack_from("<I", self.data, place)[0]) if place else None


def _unpacked(batch: _Table, body: Any) -> int:
    """Return the bytes of a batch's buffers, unpacked."""
    vector = batch.child(2)
    if vector is None:
        return 0
    is_compressed = batch.place(3) != 0
    count, total = struct.unpack_from("<I", batch.data, vector.at)[0], 0
    for number in range(count):
        offset, length = struct.unpack_from("<qq", batch.data, vector.at + 4 + number * _BUFFER_BYTES)
        if length < 0 or offset < 0:
            raise DamagedStream("a buffer of less than nothing")
        total += _declared(body, offset, length) if is_compressed and length >= _LENGTH_BYTES else length
    return total


def _declared(body: Any, offset: int, length: int) -> int:
    if offset + _LENGTH_BYTES > body.size:
        raise DamagedStream("a buffer outside its message")
    declared = struct.unpack("<q", body[offset : offset + _LENGTH_BYTES].to_pybytes())[0]
    return max(int(declared), length)
