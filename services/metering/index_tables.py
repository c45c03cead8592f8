"""The tables of indexes and of volumes of periods: every message, for which one holds is asked when reading."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
)

metadata: Final = MetaData()

_ORDER: Final = ("source_at", "source_sequence", "content_hash")


def _column(name: str, kind: Any, comment: str) -> Column[Any]:
    return Column(name, kind, nullable=False, comment=comment)


def _point() -> Iterable[Column[Any]]:
    yield _column("ean", BigInteger(), "measured point: EAN-18 as a number, check digit included")
    yield _column("meter_id", Text(), "number of the meter; empty for a point taken as a whole")
    yield _column("register", SmallInteger(), "code of the daily channel (market.channel) that names the register")


def _message() -> Iterable[Column[Any]]:
    yield _column("meter_kind", SmallInteger(), "kind of meter (market.channel.MeterKind)")
    yield _column("quality", SmallInteger(), "market.quality.Quality; 0 where the message withdraws")
    yield _column("withdraws", Boolean(), "whether it says that there is none")
    yield _column("message_id", Text(), "its id; two messages about the same with one id are a conflict")
    yield _column("source", Text(), "who sent it")
    yield _column("source_at", DateTime(timezone=True), "order, first: when its source made it (UTC)")
    yield _column("source_sequence", BigInteger(), "order, second: the source's own sequence")
    yield _column("content_hash", BigInteger(), "order, last: hash of the content")
    yield _column("recorded_at", DateTime(timezone=True), "append time of the record (UTC)")
    yield _column("record_partition", SmallInteger(), "partition of meter-indexes")
    yield _column("record_offset", BigInteger(), "offset of the first record that says so")


index_reading: Final = Table(
    "index_reading",
    metadata,
    *_point(),
    _column("read_on", Date(), "local day (Europe/Brussels) on which the register was read"),
    _column("index_value", BigInteger(), "what it showed, in Wh, varh or dm³; 0 where the message withdraws"),
    _column("kind", Text(), "why it was read: market.meter_register.ReadingKind"),
    *_message(),
    PrimaryKeyConstraint("ean", "meter_id", "register", "read_on", *_ORDER),
    comment="What registers showed: every message; of those about one meter, register and day the latest in order "
    "holds",
)

consumption_period: Final = Table(
    "consumption_period",
    metadata,
    *_point(),
    _column("first_day", Date(), "first local day (gas: gas day), inclusive"),
    _column("last_day", Date(), "last such day, inclusive"),
    _column("volume", BigInteger(), "what was counted, in Wh, varh or dm³; 0 where the message withdraws"),
    *_message(),
    PrimaryKeyConstraint("ean", "meter_id", "register", "first_day", *_ORDER),
    comment="Volumes of periods: every message; of those about one meter, register and first day the latest in order "
    "holds",
)
