"""The values of a run of records as one table: decoded together, and one by one only where that fails."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from io import BytesIO
from typing import Final

import numpy as np
import polars as pl
from polars.exceptions import ComputeError, PanicException

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
    begin = len(header)
    alike = values if len(rows) == len(values) else [values[row] for row in rows]
    bodies = [value[begin:] for value in alike if value is not None]
    return _decode_bodies(schema, rows, bodies, refused)


def _decode_bodies(
    schema: Schema, rows: list[int], bodies: list[bytes], refused: dict[int, Reason]
) -> list[pl.DataFrame]:
    """Decode together; where that fails by halves, and few of them one by one."""
    if _holds_all_columns(schema):
        try:
            return [_coded(_decode_together(schema, bodies), rows)]
        except (OSError, ComputeError, PanicException, _Misread):
            if len(rows) > _ALONE:
                half = len(rows) // 2
                first = _decode_bodies(schema, rows[:half], bodies[:half], refused)
                return first + _decode_bodies(schema, rows[half:], bodies[half:], refused)
    return [_decode_one_by_one(schema, rows, bodies, refused)]


def _holds_all_columns(schema: Schema) -> bool:
    """Whether what the schema wrote needs no default and no function of a later version; else the codec supplies it."""
    return (
        schema.is_ours
        and not needs_upcast(schema)
        and COLUMNS.keys() <= {field["name"] for field in schema.parsed["fields"]}
    )


def _decode_together(schema: Schema, bodies: list[bytes]) -> pl.DataFrame:
    frame = pl.read_avro(BytesIO(codec.container(schema, bodies)))
    written = np.fromiter(map(len, bodies), dtype=np.int64, count=len(bodies))
    if len(frame) != len(bodies) or not np.array_equal(wire_lengths(frame, schema.parsed), written):
        raise _Misread
    return frame


def _decode_one_by_one(
    schema: Schema, rows: list[int], bodies: list[bytes], refused: dict[int, Reason]
) -> pl.DataFrame:
    readings, kept = [], []
    for row, body in zip(rows, bodies, strict=True):
        try:
            readings.append(asdict(decode_body(schema, body)))
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
