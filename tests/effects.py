"""Effects that can be counted: each record applied is a row in a table without any constraint, so that one applied
twice, never, or out of order shows."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import adbc_driver_postgresql.dbapi as adbc
import pyarrow as pa
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    Identity,
    Integer,
    MetaData,
    String,
    Table,
    insert,
    select,
)

from eventlog import checkpoint
from eventlog.checkpoint import Claim
from eventlog.consumer import Progress, consume
from eventlog.database import libpq_uri
from eventlog.kafka import KafkaAccess
from eventlog.projection import Applied, Run

NAME = "offsets"

effects = MetaData()
applied = Table(
    "applied",
    effects,
    Column("position", BigInteger, Identity()),
    Column("partition", Integer),
    Column("record_offset", BigInteger),
    Column("replica", String),
)


def nowhere(place: str) -> None:
    """Do nothing at any place."""


@dataclass
class Offsets:
    """Writes down the offset of each record it is given.

    `reach` is called at the places of a run: `fetched` before its transaction, `moved` behind the checkpoint, `written`
    behind the rows, `committed` behind the end. `runs` (partition, offsets [first, next)) and `epochs` are of the runs
    that were committed.
    """

    engine: Engine
    topic: str
    replica: str = "0"
    reach: Callable[[str], None] = nowhere
    evict_after_seconds: float = 20.0
    name: str = NAME
    runs: list[tuple[int, int, int]] = field(default_factory=list)
    epochs: list[int] = field(default_factory=list)

    def claim(self, partition: int, owner: str) -> Claim:
        return checkpoint.claim_evicting(
            self.engine,
            projection=self.name,
            topic=self.topic,
            partition=partition,
            owner=owner,
            evict_after_seconds=self.evict_after_seconds,
        )

    def apply(self, claim: Claim, run: Run) -> Applied:
        self.reach("fetched")
        with self.engine.begin() as tx:
            self._write(tx, claim, run)
            self.reach("written")
        self.reach("committed")
        self.runs.append((run.partition, run.first_offset, run.next_offset))
        self.epochs.append(claim.epoch)
        return Applied(applied_count=len(run.records))

    def _write(self, tx: Connection, claim: Claim, run: Run) -> None:
        checkpoint.advance(tx, claim, run.next_offset)
        self.reach("moved")
        self.write_rows(tx, run)

    def write_rows(self, tx: Connection, run: Run) -> None:
        tx.execute(insert(applied), self.rows(run))

    def rows(self, run: Run) -> list[dict[str, Any]]:
        return [
            {"partition": each.partition, "record_offset": each.offset, "replica": self.replica} for each in run.records
        ]


class CopiedOffsets(Offsets):
    """The same through ADBC, as the quarter-hour store writes; `copying` is reached inside an open COPY."""

    def apply(self, claim: Claim, run: Run) -> Applied:
        self.reach("fetched")
        url = self.engine.url.render_as_string(hide_password=False).replace("+psycopg", "")
        with adbc.connect(libpq_uri(url, application_name=self.replica)) as connection:
            with connection.cursor() as cursor:
                checkpoint.advance_adbc(cursor, claim, run.next_offset)
                cursor.adbc_ingest(applied.name, self._batches(run), mode="append")
            connection.commit()
        self.reach("committed")
        self.epochs.append(claim.epoch)
        return Applied(applied_count=len(run.records))

    def _batches(self, run: Run) -> pa.RecordBatchReader:
        rows = pa.Table.from_pylist(
            self.rows(run),
            schema=pa.schema({"partition": pa.int32(), "record_offset": pa.int64(), "replica": pa.string()}),
        )
        first, *rest = rows.to_batches(max_chunksize=1)

        def batches() -> Iterator[pa.RecordBatch]:
            yield first
            self.reach("copying")
            yield from rest

        return pa.RecordBatchReader.from_batches(rows.schema, batches())


@contextlib.asynccontextmanager
async def consuming(
    projection: Offsets, bootstrap: str, progress: Progress | None = None, *, service: str = "test", **options: int
) -> AsyncIterator[asyncio.Task[None]]:
    """Keep `projection` up to date meanwhile. Members of different services are in different groups: each is given all
    partitions at once, as two are that the broker takes for the owner of one."""
    task = asyncio.create_task(
        consume(
            projection,
            service=service,
            kafka=KafkaAccess(bootstrap),
            replica=projection.replica,
            progress=progress,
            **options,
        )
    )
    try:
        yield task
        assert not task.done(), task.exception()
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def counts(engine: Engine) -> Counter[tuple[int, int]]:
    """Return how often each record (partition, offset) was applied."""
    with engine.begin() as tx:
        return Counter((row.partition, row.record_offset) for row in tx.execute(select(applied)))


def in_order(engine: Engine) -> list[tuple[int, int]]:
    """Return each record (partition, offset) as often as it was applied, in the order of writing."""
    with engine.begin() as tx:
        return [(row.partition, row.record_offset) for row in tx.execute(select(applied).order_by(applied.c.position))]


def owners(engine: Engine) -> set[str]:
    """Return which replicas applied anything."""
    with engine.begin() as tx:
        return set(tx.scalars(select(applied.c.replica)))


def has(engine: Engine, count: int) -> bool:
    """Whether at least `count` rows were written."""
    return len(in_order(engine)) >= count


def values(count: int, first: int = 0) -> list[bytes]:
    """Return `count` record values."""
    return [b"%d" % number for number in range(first, first + count)]


def once(count: int, partition: int = 0) -> dict[tuple[int, int], int]:
    """Return what `counts` is when each of the first `count` records of one partition was applied once."""
    return {(partition, offset): 1 for offset in range(count)}
