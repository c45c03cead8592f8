"""Readings in an Avro object container: records shaped like `ReadingsRecorded`, whichever version wrote them.

Fields are taken by name. A schema may leave out what has a default (message_id, source, source_sequence, meter_id,
first_slice, quality, gas_factor, withdraws) and may hold fields that we do not know.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Any, Final

import fastavro

from services.metering.block_input import Refusal
from services.metering.body import BodyTooLarge
from services.metering.container import (
    Block,
    Container,
    DamagedBlock,
    TooLarge,
    open_container,
    read_blocks,
)
from services.metering.draft import Draft, NothingRead, Unreadable
from services.metering.record import REQUIRED, draft_of_record

_PRIMITIVE: Final = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})
_INSTANT: Final = frozenset(
    {"timestamp-millis", "timestamp-micros", "local-timestamp-millis", "local-timestamp-micros"}
)
_LOGICAL: Final = _INSTANT | {"date", "uuid"}
_DAMAGES: Final = (EOFError, ValueError, LookupError, ArithmeticError, TypeError, MemoryError, RecursionError)


def read_avro(
    body: bytes, *, default_source: str, is_part: bool, max_record_count: int, max_bytes: int
) -> tuple[list[Draft], list[Refusal]]:
    """Return the readings of a container and a refusal for each record that is none; lines are record numbers.

    `is_part` declares every record a part of its day; `max_bytes` bounds the container unpacked.

    Raises:
        NothingRead: nothing can be read: no container, or its records are not readings.
        BodyTooLarge: a limit is passed.
    """
    container = open_container(body)
    schema = _flat_schema(container.schema)
    drafts: list[Draft] = []
    refusals: list[Refusal] = []
    for block in _bounded_blocks(body, container, max_bytes):
        if not isinstance(block, Block):
            lost = f"; its {block.record_count} records are lost" if block.record_count else ""
            refusals.append(Refusal(block.first_record, f"{block.reason}{lost}"))
            continue
        if len(drafts) + len(refusals) + block.record_count > max_record_count:
            raise BodyTooLarge(f"at most {max_record_count} records are taken at once; send the rest in another body")
        _read_block(block, schema, default_source, is_part, drafts, refusals)
    return drafts, refusals


def _bounded_blocks(body: bytes, container: Container, max_bytes: int) -> Iterator[Block | DamagedBlock]:
    try:
        yield from read_blocks(body, container, max_bytes)
    except TooLarge:
        raise BodyTooLarge(f"the Avro container unpacks to more than {max_bytes} bytes; split it") from None


def _read_block(
    block: Block, schema: Any, default_source: str, is_part: bool, drafts: list[Draft], refusals: list[Refusal]
) -> None:
    stream = BytesIO(block.data)
    for number in range(block.first_record, block.first_record + block.record_count):
        try:
            record: Any = fastavro.schemaless_reader(stream, schema, None)
        except _DAMAGES:
            rest = block.first_record + block.record_count - 1 - number
            behind = f"; the {rest} records behind it in its block are lost" if rest else ""
            refusals.append(Refusal(number, f"the record is damaged{behind}"))
            return
        try:
            drafts.append(
                draft_of_record(record, number, default_source=default_source, is_part=is_part, schema="Avro")
            )
        except Unreadable as error:
            refusals.append(Refusal(number, str(error)))


def _flat_schema(raw: Any) -> Any:
    """Return the schema for fastavro.

    Only flat records are read: an array of nothings, or a record inside a record, could claim any number of values
    in a few bytes.

    Raises:
        NothingRead: not a record of readings, or not flat.
    """
    if not isinstance(raw, dict) or raw.get("type") != "record" or not isinstance(raw.get("fields"), list):
        raise NothingRead("the Avro container does not hold records")
    fields = {field.get("name"): field.get("type") for field in raw["fields"] if isinstance(field, dict)}
    if missing := [name for name in REQUIRED if name not in fields]:
        raise NothingRead(f"the records of the Avro container are not readings: the field {missing[0]} is missing")
    if odd := [name for name, kind in fields.items() if not _is_flat(kind)]:
        raise NothingRead(f"the field {str(odd[0])[:40]!r} of the Avro schema has a type that is not taken")
    try:
        return fastavro.parse_schema(raw, named_schemas={})
    except (fastavro.schema.SchemaParseException, fastavro.schema.UnknownType, *_DAMAGES):
        raise NothingRead("the schema of the Avro container is not valid") from None


def _is_flat(kind: Any, *, is_item: bool = False) -> bool:
    if isinstance(kind, list):
        return len(kind) > 0 and all(_is_flat(branch, is_item=is_item) for branch in kind if branch != "null")
    if isinstance(kind, str):
        return kind in _PRIMITIVE and not (is_item and kind == "null")
    if not isinstance(kind, dict) or kind.get("logicalType", "date") not in _LOGICAL:
        return False
    if kind.get("type") == "array":
        return not is_item and _is_flat(kind.get("items"), is_item=True)
    return kind.get("type") == "enum" or _is_flat(kind.get("type"), is_item=is_item)
