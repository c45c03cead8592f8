"""Indexes and period volumes as the log delivers them, and their projection as tests use it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, select, text

from eventlog.checkpoint import Claim
from eventlog.codec import encode
from eventlog.events import ConsumptionPeriodRecorded, Event, MeterIndexRead
from eventlog.projection import Applied, Run
from eventlog.topics import partition_of
from services.metering.index_projection import IndexProjection
from services.metering.index_store import Indexes, read_indexes
from services.metering.index_tables import consumption_period, index_reading
from tests.examples import HOUSE
from tests.readings import LogRecord

SENT_AT = datetime(2026, 11, 20, 4, tzinfo=UTC)
APPENDED_AT = datetime(2026, 11, 20, 5, tzinfo=UTC)
NIGHT, TOTAL = "OFFTAKE_ACTIVE_NIGHT", "OFFTAKE_ACTIVE"
READ_ON = date(2026, 11, 19)


def index(value: int, *, number: int = 1, sent_after: int = 0, **changes: Any) -> MeterIndexRead:
    event = MeterIndexRead(
        message_id=f"00000000-0000-4000-8000-{number:012d}",
        source="publisher-1",
        source_at=SENT_AT + timedelta(hours=sent_after),
        source_sequence=0,
        ean=HOUSE,
        meter_id="1CLA1",
        meter_kind="CLASSIC",
        register=NIGHT,
        read_on=READ_ON,
        index=value,
        kind="PERIODIC",
        quality="MEASURED",
        withdraws=False,
    )
    return replace(event, **changes)


def period(volume: int, first_day: date, last_day: date, *, sent_after: int = 0) -> ConsumptionPeriodRecorded:
    return ConsumptionPeriodRecorded(
        message_id="00000000-0000-4000-8000-000000000099",
        source="publisher-1",
        source_at=SENT_AT + timedelta(hours=sent_after),
        source_sequence=0,
        ean=HOUSE,
        meter_id="",
        meter_kind="CLASSIC",
        register=TOTAL,
        first_day=first_day,
        last_day=last_day,
        volume=volume,
        quality="ESTIMATED",
        withdraws=False,
    )


class Kept:
    """The projection on tables of its own; `apply` plays the consumer."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.projection = IndexProjection(engine=engine, partition_count=8)
        self.claim: Claim | None = None

    def apply(self, *values: Event | bytes, key: bytes = HOUSE.encode()) -> Applied:
        """Apply a run of one record a value."""
        claim = self.claim or self.projection.claim(partition_of(HOUSE.encode(), 8), "test")
        first = claim.next_offset
        found = [log_record(value, first + place, key) for place, value in enumerate(values)]
        run = Run(
            topic=self.projection.topic,
            partition=claim.partition,
            first_offset=first,
            next_offset=first + len(found),
            records=found,
        )
        applied = self.projection.apply(claim, run)
        self.claim = replace(claim, next_offset=run.next_offset)
        return applied

    def read(self, *days: date) -> Indexes:
        return read_indexes(self.engine, HOUSE, (days[0], days[1]) if days else None)

    def values(self, *days: date) -> list[tuple[date, int]]:
        return [(each.read_on, each.index) for each in self.read(*days).readings]

    def rows(self) -> list[Any]:
        with self.engine.connect() as connection:
            found = [connection.execute(select(table)).all() for table in (index_reading, consumption_period)]
            return [sorted(rows, key=lambda row: int(row.record_offset)) for rows in found]

    def clear(self) -> None:
        with self.engine.begin() as tx:
            tx.execute(text("truncate index_reading, consumption_period, dead_letter, checkpoint"))
        self.claim = None


def log_record(value: Event | bytes, offset: int, key: bytes) -> LogRecord:
    appended = APPENDED_AT + timedelta(seconds=offset)
    body = value if isinstance(value, bytes) else encode(value)
    partition = partition_of(HOUSE.encode(), 8)
    return LogRecord("meter-indexes", partition, offset, int(appended.timestamp() * 1000), key, body)
