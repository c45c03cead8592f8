"""What of metering can be made again: the quarter-hour store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from sqlalchemy import Engine

from eventlog.topics import load_topics
from eventlog.versions import OwnTable, Rebuildable
from services.metering import store, tables
from services.metering.migration import create_store
from services.metering.projector import CONCURRENT_RUNS, FETCH_BYTES, MAX_RUN_RECORDS, BlockProjection
from services.metering.settings import MeteringSettings


def rebuildables(settings: MeteringSettings) -> Mapping[str, Rebuildable]:
    """Return the projections of metering by name."""
    count = load_topics(settings.topics_profile)[store.TOPIC].partitions
    return {store.PROJECTION: block_store(count, park_limit=settings.max_parked_in_a_row)}


def block_store(partition_count: int, *, topic: str = store.TOPIC, park_limit: int = 1_000) -> Rebuildable:
    """Return the quarter-hour store as a projection that can be made again; it leaves no events in an outbox."""

    @contextmanager
    def lend(engine: Engine, url: str) -> Iterator[BlockProjection]:
        projection = BlockProjection(
            engine=engine,
            database_url=url,
            partition_count=partition_count,
            publishes=False,
            park_limit=park_limit,
            topic=topic,
        )
        try:
            yield projection
        finally:
            projection.close()

    return Rebuildable(
        name=store.PROJECTION,
        topic=topic,
        partition_count=partition_count,
        tables=tuple(OwnTable(each) for each in tables.metadata.sorted_tables),
        create=create_store,
        open=lend,
        max_run_records=MAX_RUN_RECORDS,
        concurrent_run_count=CONCURRENT_RUNS,
        fetch_bytes=FETCH_BYTES,
    )
