"""Events to bytes and back: Avro, written in single-object framing and read in whichever framing it has.

An older version comes back as the newest dataclass: by Avro's own resolution, and where that cannot do it, upcast.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from functools import cache
from io import BytesIO
from operator import attrgetter
from typing import Any, Final, get_args, get_origin, get_type_hints

import fastavro

from eventlog import registry
from eventlog.events import EVENT_TYPES, Event
from eventlog.framing import HEADER_LENGTH, SINGLE_OBJECT, Undecodable, UnknownSchema, split
from eventlog.registry import Schema
from eventlog.upcasters import needs_upcast, upcast

__all__ = ["HEADER_LENGTH", "Undecodable", "UnknownSchema", "container", "decode", "decode_body", "encode"]

_LEAST_INT: Final = -(2**31)
_GREATEST_INT: Final = 2**31 - 1
_DAMAGES: Final = (
    EOFError,
    ValueError,
    LookupError,
    ArithmeticError,
    TypeError,
    MemoryError,
    fastavro.read.SchemaResolutionError,
)


@dataclass(frozen=True, slots=True)
class _Record:
    """The same of a record that arrays of an event hold."""

    record_type: type[Any]
    names: tuple[str, ...]
    values_of: Callable[[Any], tuple[Any, ...]]

    def datum(self, record: Any) -> dict[str, Any]:
        return dict(zip(self.names, self.values_of(record), strict=True))


@dataclass(frozen=True, slots=True)
class _Shape:
    """What the codec needs to know of one event type, found out once."""

    event_type: type[Event]
    schema: Schema
    header: bytes
    names: tuple[str, ...]
    values_of: Callable[[Event], tuple[Any, ...]]
    instants: tuple[str, ...]
    arrays: tuple[str, ...]
    ints: tuple[str, ...]
    int_arrays: tuple[str, ...]
    records: Mapping[str, _Record]


@cache
def _shape(name: str) -> _Shape:
    event_type = EVENT_TYPES[name]
    schema = registry.published().newest(name)
    names = tuple(field.name for field in fields(event_type))
    hints = get_type_hints(event_type)
    return _Shape(
        event_type=event_type,
        schema=schema,
        header=SINGLE_OBJECT + schema.fingerprint,
        names=names,
        values_of=attrgetter(*names),
        instants=tuple(each for each in names if hints[each] is datetime),
        arrays=tuple(each for each in names if get_origin(hints[each]) is tuple),
        ints=_fields_of(schema, "int"),
        int_arrays=_fields_of(schema, {"type": "array", "items": "int"}),
        records={
            each: _record(get_args(hints[each])[0])
            for each in names
            if get_origin(hints[each]) is tuple and is_dataclass(get_args(hints[each])[0])
        },
    )


def _fields_of(schema: Schema, kind: Any) -> tuple[str, ...]:
    return tuple(each["name"] for each in schema.parsed["fields"] if each["type"] == kind)


def _demand_32_bits(datum: dict[str, Any], shape: _Shape) -> None:
    """See that each int is one, for fastavro takes any number of bytes; tables and columns do not."""
    numbers = [datum[name] for name in shape.ints]
    for name in shape.int_arrays:
        numbers += (min(datum[name], default=0), max(datum[name], default=0))
    if any(not _LEAST_INT <= number <= _GREATEST_INT for number in numbers):
        raise OverflowError


def _record(record_type: Any) -> _Record:
    names = tuple(field.name for field in fields(record_type))
    return _Record(record_type, names, attrgetter(*names))


def encode(event: Event) -> bytes:
    """Return `event` in the newest version of its schema, framed as a single object.

    Raises:
        ValueError: an instant has no zone, an enum's symbol is unknown, or a value has the wrong type.
    """
    shape = _shape(type(event).__name__)
    datum = dict(zip(shape.names, shape.values_of(event), strict=True))
    for name in shape.instants:
        if datum[name].tzinfo is None:
            raise ValueError(f"{name} has no zone; instants are UTC")
    for name, record in shape.records.items():
        datum[name] = [record.datum(each) for each in datum[name]]
    out = BytesIO()
    out.write(shape.header)
    try:
        fastavro.schemaless_writer(out, shape.schema.parsed, datum)
    except (TypeError, OverflowError, AttributeError) as error:
        raise ValueError(f"{type(event).__name__} does not fit its schema: {error}") from error
    return out.getvalue()


def decode(value: bytes) -> Event:
    """Return the event in `value`; instants come back in UTC.

    Raises:
        Undecodable: unknown framing, schema or event, or a damaged body.
        OSError: the schema registry is away; only where `framing.use` has told of one.
    """
    schema, body = split(value)
    return decode_body(schema, body)


def decode_body(schema: Schema, body: bytes) -> Event:
    """Return the event in `body`, written with `schema`, as its newest dataclass.

    Raises:
        Undecodable: no event of that name, or a damaged body.
    """
    if schema.name not in EVENT_TYPES:
        raise UnknownSchema(f"{schema.name} is not an event of this version of the platform")
    shape = _shape(schema.name)
    try:
        if needs_upcast(schema):
            schema, body = upcast(schema, body)
        reader = None if schema.parsed is shape.schema.parsed else shape.schema.parsed
        stream = BytesIO(body)
        datum: Any = fastavro.schemaless_reader(stream, schema.parsed, reader)
        for name in shape.arrays:
            datum[name] = tuple(datum[name])
        _demand_32_bits(datum, shape)
        for name, record in shape.records.items():
            datum[name] = tuple(record.record_type(**each) for each in datum[name])
    except _DAMAGES as error:
        raise Undecodable(f"damaged {schema.name}: {type(error).__name__}") from error
    if stream.tell() != len(body):
        raise Undecodable(f"damaged {schema.name}: bytes are left over")
    return shape.event_type(**datum)


def container(schema: Schema, bodies: Sequence[bytes]) -> bytes:
    """Return `bodies` (no framing, all written with `schema`) as one Avro object container of one block, uncompressed.

    This is how a run of records becomes one table: `polars.read_avro(BytesIO(container(schema, bodies)))`.
    """
    sync = schema.fingerprint * 2
    joined = b"".join(bodies)
    parts = [b"Obj\x01", _container_header(schema), sync]
    if bodies:
        parts += [_long(len(bodies)), _long(len(joined)), joined, sync]
    return b"".join(parts)


@cache
def _container_text(text: str) -> bytes:
    compact = json.dumps(json.loads(text), ensure_ascii=False, separators=(",", ":")).encode()
    pairs = ((b"avro.schema", compact), (b"avro.codec", b"null"))
    return _long(len(pairs)) + b"".join(_long(len(part)) + part for pair in pairs for part in pair) + b"\x00"


def _container_header(schema: Schema) -> bytes:
    return _container_text(schema.text)


def _long(number: int) -> bytes:
    """Return `number` (not negative) as an Avro long: zigzag, seven bits a byte, least significant first."""
    rest, out = number << 1, bytearray()
    while rest > 0x7F:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    out.append(rest)
    return bytes(out)
