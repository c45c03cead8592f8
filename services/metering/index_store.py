"""Which indexes and period volumes hold: of the messages about each the latest in order, unless that withdraws."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Select, Subquery, Table, func, select
from sqlalchemy.dialects.postgresql import distinct_on

from market.channel import BY_CODE, Channel
from market.ean import Ean
from market.quality import Quality
from services.metering.index_tables import consumption_period, index_reading


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexReading:
    """What a register showed on the local day `read_on`, in `register.stored_unit`. `message_count` messages say
    something of it; `is_conflict` where two of them have one id. Instants are UTC."""

    meter_id: str
    register: Channel
    read_on: date
    index: int
    kind: str
    quality: Quality
    source_at: datetime
    recorded_at: datetime
    message_count: int
    is_conflict: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """What a register counted from `first_day` to `last_day` (inclusive); the rest as in `IndexReading`."""

    meter_id: str
    register: Channel
    first_day: date
    last_day: date
    volume: int
    quality: Quality
    source_at: datetime
    recorded_at: datetime
    message_count: int
    is_conflict: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Indexes:
    """Of one point, by meter, register and day."""

    readings: list[IndexReading]
    periods: list[Period]


def read_indexes(engine: Engine, ean: Ean, days: tuple[date, date] | None) -> Indexes:
    """Return what holds of a point: what was read on `days`, and the periods that touch them (both inclusive).

    Without `days`: the newest of each meter and register.
    """
    reading, period = _holding(index_reading, "read_on", ean), _holding(consumption_period, "first_day", ean)
    if days is None:
        readings, periods = _newest(reading, reading.c.read_on), _newest(period, period.c.last_day)
    else:
        first, last = days
        readings = _all(reading, reading.c.read_on).where(reading.c.read_on.between(first, last))
        periods = _all(period, period.c.first_day).where(period.c.first_day <= last, period.c.last_day >= first)
    with engine.connect() as connection:
        return Indexes(
            readings=[
                IndexReading(read_on=row["read_on"], index=row["index_value"], kind=row["kind"], **_common(row))
                for row in _rows(connection, readings)
            ],
            periods=[
                Period(first_day=row["first_day"], last_day=row["last_day"], volume=row["volume"], **_common(row))
                for row in _rows(connection, periods)
            ],
        )


def _holding(table: Table, day: str, ean: Ean) -> Subquery:
    """The message that holds about each meter, register and day of a point, those that withdraw among them."""
    place = table.c
    about = (place.meter_id, place.register, place[day])
    together = select(
        *about, func.count().label("message_count"), func.count(place.message_id.distinct()).label("id_count")
    )
    counts = together.where(place.ean == int(ean)).group_by(*about).subquery()
    query = (
        select(table, counts.c.message_count, (counts.c.id_count < counts.c.message_count).label("is_conflict"))
        .join(counts, (counts.c.meter_id == place.meter_id) & (counts.c.register == place.register))
        .where(counts.c[day] == place[day], place.ean == int(ean))
        .ext(distinct_on(*about))
    )
    order = (place.source_at.desc(), place.source_sequence.desc(), place.content_hash.desc())
    return query.order_by(*about, *order).subquery()


def _all(found: Subquery, day: ColumnElement[date]) -> Select[Any]:
    return select(found).where(~found.c.withdraws).order_by(found.c.meter_id, found.c.register, day)


def _newest(found: Subquery, day: ColumnElement[date]) -> Select[Any]:
    place = found.c
    query = select(found).where(~place.withdraws).ext(distinct_on(place.meter_id, place.register))
    return query.order_by(place.meter_id, place.register, day.desc())


def _rows(connection: Connection, query: Select[Any]) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(query).mappings()]


def _common(row: dict[str, Any]) -> dict[str, Any]:
    same = ("meter_id", "source_at", "recorded_at", "message_count", "is_conflict")
    return {
        "register": BY_CODE[row["register"]],
        "quality": Quality(row["quality"]),
        **{name: row[name] for name in same},
    }
