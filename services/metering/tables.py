"""The tables of the quarter-hour store, partitioned by month of `day` (`services.metering.partitions` makes those).

Every key begins with the EAN, so that the tables can be distributed by it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
)
from sqlalchemy.types import TypeEngine

metadata: Final = MetaData()


def _column(name: str, kind: TypeEngine[Any], comment: str, *, nullable: bool = False) -> Column[Any]:
    return Column(name, kind, nullable=nullable, comment=comment)


def _widest_first(*columns: Column[Any]) -> Iterable[Column[Any]]:
    """Order columns by the width of their type: without padding between them a row is 5 % smaller."""
    return sorted(columns, key=lambda column: _WIDTHS.index(type(column.type)))


_WIDTHS: Final = (BigInteger, DateTime, Integer, Date, SmallInteger, Boolean, Text, LargeBinary)
_KEY: Final = ("ean", "day", "channel", "meter_id")
"""A point's days lie together in the index, whatever was measured: that is what readers ask for."""


def _key() -> tuple[Column[Any], ...]:
    """The columns that say which block."""
    return (
        _column("ean", BigInteger(), "measured point: EAN-18 as a number, check digit included"),
        _column("day", Date(), "local day (gas: gas day from 06:00), Europe/Brussels; a month: its first day"),
        _column("channel", SmallInteger(), "code of market.channel: direction, quantity, register, resolution"),
        _column("meter_id", Text(), "number of the meter; empty for a point measured as a whole"),
    )


def _instant() -> DateTime:
    return DateTime(timezone=True)


block: Final = Table(
    "block",
    metadata,
    *_widest_first(
        *_key(),
        _column("meter_kind", SmallInteger(), "kind of meter (market.channel.MeterKind), as the newest message has it"),
        _column("slice_count", SmallInteger(), "slices that the calendar gives the day: 92, 96, 100; 23, 24, 25; 1"),
        _column(
            "slice_values",
            LargeBinary(),
            "one whole number per slice in the channel's stored unit (Wh, varh, dm³, W), in the fewest bits that all "
            "fit into: 8 (255 is missing), 12 (4095 is missing; two in three bytes, the first one lowest), "
            "16 (signed; -32768 is missing) or 32 (signed; -2147483648 is missing), little-endian",
        ),
        _column(
            "slice_quality", LargeBinary(), "runs of (code, count), a byte each: market.quality.Quality; 0 is missing"
        ),
        _column(
            "slice_gas_factor",
            LargeBinary(),
            "runs of (code, count), a byte each: market.quality.GasFactor; empty where no slice has one",
        ),
        _column(
            "total", BigInteger(), "sum of the present slices, stored unit; null when none is present", nullable=True
        ),
        _column(
            "day_total",
            BigInteger(),
            "the same at day tariff, night being the rest of total; null where not split by tariff",
            nullable=True,
        ),
        _column("present_count", SmallInteger(), "slices with a value; the rest of slice_count is missing"),
        _column("estimated_count", SmallInteger(), "slices whose value is estimated"),
        _column("weakest_quality", SmallInteger(), "least quality code of the present slices; 0 when none is present"),
        _column(
            "peak_value", Integer(), "greatest value of a slice, stored unit; null when none is present", nullable=True
        ),
        _column("peak_slice", SmallInteger(), "first slice with that value, counted from 0", nullable=True),
        _column(
            "message_id",
            LargeBinary(),
            "id of the newest message by order: a UUID as its 16 bytes, another text in UTF-8 (one of 16 bytes ends "
            "with a NUL more)",
        ),
        _column("source", Text(), "who sent that message"),
        _column("source_at", _instant(), "its order, first: when its source made it (UTC)"),
        _column("source_sequence", BigInteger(), "its order, second: the source's own sequence"),
        _column("content_hash", BigInteger(), "its order, last: hash of its content"),
        _column(
            "slice_order",
            LargeBinary(),
            "runs of (count uint8, source_at µs since 1970, source_sequence, content_hash: int64): the order that won "
            "each slice; empty where that is the newest message for every present slice and none for the missing ones",
        ),
        _column(
            "recorded_at", _instant(), "append time (UTC) of the record that last changed a slice, or made the block"
        ),
        _column(
            "slice_recorded_at",
            LargeBinary(),
            "runs of (count uint8, µs since 1970 UTC int64): append time of the record that last changed each slice, 0 "
            "where none did; empty where that is recorded_at for every present slice and 0 for the missing ones",
        ),
        _column("input_count", Integer(), "different messages about this block"),
        _column("has_inputs", Boolean(), "whether they are in block_input; else the only one is this row itself"),
        _column("record_partition", SmallInteger(), "partition of meter-readings that holds this point"),
        _column("record_offset", BigInteger(), "offset of the record that last changed a slice, or made the block"),
    ),
    PrimaryKeyConstraint(*_KEY),
    Index(
        "block_record",
        "record_partition",
        "record_offset",
        postgresql_using="brin",
        postgresql_with={"pages_per_range": 32, "autosummarize": True},
    ),
    postgresql_partition_by="RANGE (day)",
    comment="Quarter-hour store: the current slices of one channel of one point and meter on one local day",
)

block_input: Final = Table(
    "block_input",
    metadata,
    *_widest_first(
        *_key(),
        _column("record_offset", BigInteger(), "offset of the record on meter-readings"),
        _column("record_partition", SmallInteger(), "partition of meter-readings"),
        _column("recorded_at", _instant(), "append time of the record (UTC)"),
        _column(
            "message_id", LargeBinary(), "its id, as in block; two rows of a block with the same id are a conflict"
        ),
        _column("source", Text(), "who sent it"),
        _column("source_at", _instant(), "order, first: when its source made it (UTC)"),
        _column("source_sequence", BigInteger(), "order, second: the source's own sequence"),
        _column("content_hash", BigInteger(), "order, last: hash of the content"),
        _column("meter_kind", SmallInteger(), "kind of meter (market.channel.MeterKind)"),
        _column("first_slice", SmallInteger(), "first slice that the message is about, counted from 0"),
        _column("spoken_count", SmallInteger(), "how many slices it is about"),
        _column("slice_count", SmallInteger(), "slices of the whole day; the three columns below have one for each"),
        _column("slice_values", LargeBinary(), "as in block; missing outside the message"),
        _column("slice_quality", LargeBinary(), "as in block"),
        _column("slice_gas_factor", LargeBinary(), "as in block"),
        _column("withdraws", Boolean(), "whether the slices it is about become missing"),
    ),
    PrimaryKeyConstraint(*_KEY, "record_offset"),
    postgresql_partition_by="RANGE (day)",
    comment="Every message about a block that has more than one, or whose only one is a part or a withdrawal",
)
