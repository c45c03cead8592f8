"""The values of a run of records as one table: decoded together, and one by one only where that fails."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from io import BytesIO
from typing import Any, Final

import numpy as np
import polars as pl
from polars.exceptions import ComputeError, InvalidOperationError, PanicException

from eventlog import codec, framing
from eventlog.codec import Undecodable, decode_body
from eventlog.events import ReadingsRecorded
from eventlog.reason import Reason, Rule
from eventlog.registry import Schema
from eventlog.upcasters import needs_upcast
from market.channel import BY_NAME, MeterKind
from services.metering.wire_length import wire_lengths

UNKNOWN_CHANNEL: Final = -1

COLUMNS: Final[dict[str, pl.DataType]] = {
    "message_id": pl.String(),
    "source": pl.String(),
    "source_at": pl.Datetime("us", "UTC"),
    "source_sequence": pl.Int64(),
    "ean": pl.String(),
    "meter_id": pl.String(),
    "meter_kind": pl.Int16(),
    "channel": pl.Int16(),
    "day": pl.Date(),
    "first_slice": pl.Int32(),
    "values": pl.Binary(),
    "quality": pl.List(pl.Int32()),
    "gas_factor": pl.List(pl.Int32()),
    "withdraws": pl.Boolean(),
}
_EVENT: Final = ReadingsRecorded.__name__
_ALONE: Final = 16
_CODES: Final[dict[str, dict[str, int]]] = {
    "meter_kind": {kind.name: kind.value for kind in MeterKind},
    "channel": {name: channel.code for name, channel in BY_NAME.items()},
}
_WIDE: Final = {"int": "long", "boolean": {"type": "fixed", "name": "RawBoolean", "size": 1}}
"""polars cuts an int of too many bits and takes any byte for a boolean: as these nothing gets lost."""
_BOOLEANS: Final = (b"\x00", b"\x01")
_UNKNOWN: Final = {"meter_kind": MeterKind.UNKNOWN.value, "channel": UNKNOWN_CHANNEL}
_NAMED: Final = {name: pl.String() if name in _CODES else kind for name, kind in COLUMNS.items()}


class _Misread(Exception):
    """The records decoded to something else than was written."""


def decode(values: Sequence[bytes | None]) -> tuple[pl.DataFrame, dict[int, Reason]]:
    """Return the readings in `values`, and why the others are none, by their place in `values`.

    The table has the columns `COLUMNS` (those of `ReadingsRecorded`, with codes for kind of meter and channel) and
    `row`, the place in `values`; in no order.
    """
    refused: dict[int, Reason] = {}
    frames = [pl.DataFrame(schema={**COLUMNS, "row": pl.Int64()})]
    for header, rows in _by_header(values, refused).items():
        frames += _decode_alike(values, header, rows, refused)
    return pl.concat(frames), refused


def _by_header(values: Sequence[bytes | None], refused: dict[int, Reason]) -> dict[bytes, list[int]]:
    """Return the places of the values that begin with the same header."""
    first = framing.header(values[0]) if values and values[0] is not None else b""
    if first and all([value is not None and value.startswith(first) for value in values]):  # noqa: C419 - a list is faster
        return {first: list(range(len(values)))}
    by_header: defaultdict[bytes, list[int]] = defaultdict(list)
    for row, value in enumerate(values):
        if value is None:
            refused[row] = Reason(Rule.NO_VALUE, "the record has no value")
        else:
            by_header[framing.header(value)].append(row)
    return by_header


def _decode_alike(
    values: Sequence[bytes | None], header: bytes, rows: list[int], refused: dict[int, Reason]
) -> list[pl.DataFrame]:
    """Decode the values at `rows`, all of which begin with `header`."""
    try:
        schema = framing.schema_of(header)
    except Undecodable as error:
        refused |= dict.fromkeys(rows, error.reason)
        return []
    if schema.name != _EVENT:
        refused |= dict.fromkeys(rows, Reason(Rule.NOT_A_READING, f"{schema.name} is not a reading"))
        return []
    framed = [value for value in (values[row] for row in rows) if value is not None]
    return _decode_framed(_Writer(schema, len(header)), rows, framed, refused)


@dataclass(frozen=True, slots=True)
class _Writer:
    """Who wrote some values: its schema, and how many bytes of framing come before each body."""

    schema: Schema
    frame_length: int


def _decode_framed(
    writer: _Writer, rows: list[int], framed: list[bytes], refused: dict[int, Reason]
) -> list[pl.DataFrame]:
    """Decode together; where that fails by halves, and few of them one by one."""
    if _holds_all_columns(writer.schema):
        try:
            return [_coded(_decode_together(writer, framed), rows)]
        except (OSError, ComputeError, InvalidOperationError, PanicException, _Misread):
            if len(rows) > _ALONE:
                half = len(rows) // 2
                first = _decode_framed(writer, rows[:half], framed[:half], refused)
                return first + _decode_framed(writer, rows[half:], framed[half:], refused)
    return [_decode_one_by_one(writer, rows, framed, refused)]


def _holds_all_columns(schema: Schema) -> bool:
    """Whether what the schema wrote needs no default and no function of a later version; else the codec supplies it."""
    return (
        schema.is_ours
        and not needs_upcast(schema)
        and COLUMNS.keys() <= {field["name"] for field in schema.parsed["fields"]}
    )


def _decode_together(writer: _Writer, framed: list[bytes]) -> pl.DataFrame:
    """Decode with the framing as a first field of each record: to cut it off would cost a copy of every value."""
    schema = replace(writer.schema, text=_text_as_read(writer.schema.text, writer.frame_length))
    frame = pl.read_avro(BytesIO(codec.container(schema, framed)))
    written = np.array([*map(len, framed)], dtype=np.int64) - writer.frame_length
    if len(frame) != len(framed) or not np.array_equal(wire_lengths(frame, schema.parsed), written):
        raise _Misread
    return _narrowed(frame)


@cache
def _text_as_read(text: str, length: int) -> str:
    schema = json.loads(text)
    frame = {"name": "frame_of_value", "type": {"type": "fixed", "name": "FrameOfValue", "size": length}}
    fields = [each | {"type": _widened(each["type"])} for each in schema["fields"]]
    return json.dumps(schema | {"fields": [frame, *fields]})


def _widened(kind: Any) -> Any:
    """Return the type that reads what `kind` writes, whatever was written; a default is of no use here."""
    if isinstance(kind, dict) and kind["type"] == "array":
        return kind | {"items": _widened(kind["items"])}
    name = kind["type"] if isinstance(kind, dict) else kind
    return _WIDE.get(name, kind) if isinstance(name, str) else kind


def _narrowed(frame: pl.DataFrame) -> pl.DataFrame:
    """Return `frame` in the types of `COLUMNS`.

    Raises:
        InvalidOperationError: a number has more than 32 bits.
        _Misread: a boolean is neither of the two.
    """
    casts = []
    for name, kind in COLUMNS.items():
        column, found = pl.col(name), frame.schema[name]
        if kind == pl.Boolean:
            if not frame[name].is_in(_BOOLEANS).all():
                raise _Misread
            casts.append(column == _BOOLEANS[1])
        elif found in (pl.Int64, pl.List(pl.Int64)) and kind != found:
            casts.append((column.cast(pl.Int32) if kind == pl.Date else column).cast(kind))
    return frame.with_columns(casts)


def _decode_one_by_one(
    writer: _Writer, rows: list[int], framed: list[bytes], refused: dict[int, Reason]
) -> pl.DataFrame:
    readings, kept = [], []
    for row, value in zip(rows, framed, strict=True):
        try:
            readings.append(asdict(decode_body(writer.schema, value[writer.frame_length :])))
            kept.append(row)
        except Undecodable as error:
            refused[row] = error.reason
    return _coded(pl.DataFrame(readings, schema=_NAMED, orient="row"), kept)


def _coded(frame: pl.DataFrame, rows: list[int]) -> pl.DataFrame:
    """Return `frame` with the columns `COLUMNS`, and the place of each row."""
    codes = [
        pl.col(name).cast(pl.String).replace_strict(known, default=_UNKNOWN[name], return_dtype=COLUMNS[name])
        for name, known in _CODES.items()
    ]
    placed = frame.with_columns(*codes, pl.Series("row", rows, dtype=pl.Int64))
    return placed.select(*COLUMNS, "row")
