"""What is read from the quarter-hour store: blocks, the points that have any, and what became of a record."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final

import pyarrow as pa
from sqlalchemy import BigInteger, Connection, Date, Engine, SmallInteger, Text, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by
from sqlalchemy.types import TypeEngine

from eventlog.tables import checkpoint, dead_letter
from market.channel import BY_CODE, Energy, MeterKind
from market.ean import Ean
from services.metering.arrow_blocks import StoredBlock, blocks_table
from services.metering.block_query import read_rows
from services.metering.tables import block

PROJECTION: Final = "block"
TOPIC: Final = "meter-readings"

BlockKey = tuple[str, int, date, str]
"""Which block: EAN, code of the channel, local (gas) day, meter ("" for none)."""

_STORED: Final = [block.c[name] for name in StoredBlock._fields]


@dataclass(frozen=True, slots=True)
class Point:
    """A point that has blocks; `first_day` and `last_day` (inclusive) bound their local (gas) days."""

    ean: Ean
    energy: Energy
    meter_kind: MeterKind
    first_day: date
    last_day: date


class ReceiptState(StrEnum):
    """What became of a record on `meter-readings`."""

    WAITING = "waiting"
    STORED = "stored"
    PARKED = "parked"


def read_blocks(
    engine: Engine, ean: Ean, first_day: date, last_day: date, *, changed_after: datetime | None = None
) -> pa.Table:
    """Return the blocks of one point from `first_day` to `last_day` (both inclusive), by channel, day and meter.

    With `changed_after` (UTC) only those of days on which a block of the point changed after it. The columns are those
    of `services.metering.arrow_blocks.SCHEMA`. A monthly block has the first day of its month.
    """
    return blocks_table(read_rows(engine, ean, first_day, last_day, changed_after))


def current_blocks(engine: Engine, keys: Collection[BlockKey]) -> pa.Table:
    """Return the blocks that `keys` name, as far as there are any, in no order; columns as in `read_blocks`."""
    place = block.c
    eans, channels, days, meters = zip(*((int(ean), *rest) for ean, *rest in keys), strict=True) if keys else ((),) * 4
    wanted = func.unnest(
        _array(eans, BigInteger()), _array(channels, SmallInteger()), _array(days, Date()), _array(meters, Text())
    ).table_valued("ean", "channel", "day", "meter_id", name="wanted")
    wanted = wanted.render_derived()
    is_wanted = (
        (place.ean == wanted.c.ean)
        & (place.channel == wanted.c.channel)
        & (place.day == wanted.c.day)
        & (place.meter_id == wanted.c.meter_id)
    )
    with engine.connect() as connection:
        rows = connection.execute(select(*_STORED).select_from(wanted.join(block, is_wanted)))
        return blocks_table([StoredBlock._make(row) for row in rows])


def _array(values: Collection[Any], kind: TypeEngine[Any]) -> Any:
    return literal(list(values), ARRAY(kind))


def points(engine: Engine) -> list[Point]:
    """Return every point that has blocks, by EAN; its kind of meter is that of its newest day."""
    place = block.c
    gas = [code for code, channel in BY_CODE.items() if channel.energy is Energy.GAS]
    is_gas = place.channel.in_(gas).label("is_gas")
    newest_kind = func.array_agg(aggregate_order_by(place.meter_kind, place.day.desc(), place.meter_kind.desc()))[1]
    query = (
        select(place.ean, is_gas, newest_kind, func.min(place.day), func.max(place.day))
        .group_by(place.ean, is_gas)
        .order_by(place.ean, is_gas)
    )
    with engine.connect() as connection:
        return [
            Point(
                ean=Ean(f"{ean:018d}"),
                energy=Energy.GAS if gas_point else Energy.ELECTRICITY,
                meter_kind=MeterKind(kind),
                first_day=first_day,
                last_day=last_day,
            )
            for ean, gas_point, kind, first_day, last_day in connection.execute(query)
        ]


def receipt_state(
    engine: Engine, partition: int, offset: int, *, projection: str = PROJECTION, topic: str = TOPIC
) -> ReceiptState:
    """Return what became of the record at `offset` in `partition` of `topic`, which `projection` applies.

    It waits until the checkpoint has passed it, also where there is no such record yet. A parked record that was
    replayed is stored.
    """
    with engine.connect() as connection:
        if offset >= next_offset(connection, partition, projection=projection, topic=topic):
            return ReceiptState.WAITING
        letter = dead_letter.c
        parked = select(letter.record_offset).where(
            letter.projection == projection,
            letter.topic == topic,
            letter.partition == partition,
            letter.record_offset == offset,
            letter.replayed_at.is_(None),
        )
        return ReceiptState.STORED if connection.scalar(parked) is None else ReceiptState.PARKED


def next_offset(connection: Connection, partition: int, *, projection: str = PROJECTION, topic: str = TOPIC) -> int:
    """Return the first offset of `partition` that `projection` has not applied; 0 where it never began."""
    place = checkpoint.c
    found = connection.scalar(
        select(place.next_offset).where(
            place.projection == projection, place.topic == topic, place.partition == partition
        )
    )
    return found or 0
