"""The quarter-hour store as tests use it: runs go in by hand, rows and events come out."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, Row, select

from eventlog import codec
from eventlog.checkpoint import Claim
from eventlog.database import create_engine, create_tables
from eventlog.events import ReadingsRecorded
from eventlog.projection import Applied
from eventlog.tables import event
from services.metering import tables
from services.metering.projector import BlockProjection
from services.metering.tables import block
from tests.readings import APPENDED_AT, PARTITION_COUNT, LogRecord, record, run


@dataclass
class Store:
    """A store of its own; `apply` plays the consumer for the partition of the records."""

    engine: Engine
    projection: BlockProjection
    claims: dict[int, Claim] = dataclasses.field(default_factory=dict)

    def apply(self, *records: LogRecord) -> Applied:
        """Apply the records as one run."""
        partition = records[0].partition
        claim = self.claims.get(partition) or self.projection.claim(partition, "test")
        applied = self.projection.apply(claim, run(records))
        self.claims[partition] = dataclasses.replace(claim, next_offset=records[-1].offset + 1)
        return applied

    def rows(self, query: Any) -> Sequence[Row[Any]]:
        with self.engine.connect() as connection:
            return connection.execute(query).all()

    def block(self) -> Row[Any]:
        """The only block there is."""
        (row,) = self.rows(select(block))
        return row

    def events(self) -> list[Any]:
        """What lies in the outbox, in order."""
        return [codec.decode(row.payload) for row in self.rows(select(event).order_by(event.c.position))]


@contextmanager
def open_store(database_url: str) -> Iterator[Store]:
    """Lend an empty store in the schema of `database_url`."""
    engine = create_engine(database_url, application_name="test")
    create_tables(engine, tables.metadata)
    projection = BlockProjection(engine=engine, database_url=database_url, partition_count=PARTITION_COUNT)
    yield Store(engine, projection)
    projection.close()
    engine.dispose()


def appended(offset: int) -> datetime:
    return APPENDED_AT + timedelta(seconds=offset)


def records(*events: ReadingsRecorded, first_offset: int = 0) -> list[LogRecord]:
    return [record(each, first_offset + place) for place, each in enumerate(events)]
