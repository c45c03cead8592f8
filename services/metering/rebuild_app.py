"""What of metering can be made again: the quarter-hour store, what is installed, and the indexes of meters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from sqlalchemy import Engine

from eventlog.projection import EventProjection
from eventlog.topics import load_topics
from eventlog.versions import OwnTable, Rebuildable, create_own
from services.metering import index_projection, index_tables, installation, store, tables
from services.metering.index_projection import IndexProjection
from services.metering.migration import create_store
from services.metering.projector import CONCURRENT_RUNS, FETCH_BYTES, MAX_RUN_RECORDS, BlockProjection
from services.metering.settings import MeteringSettings


def rebuildables(settings: MeteringSettings) -> Mapping[str, Rebuildable]:
    """Return the projections of metering by name."""
    topics = load_topics(settings.topics_profile)
    return {
        store.PROJECTION: block_store(topics[store.TOPIC].partitions),
        installation.NAME: _installation(topics[installation.TOPIC].partitions),
        index_projection.NAME: indexes(topics[index_projection.TOPIC].partitions),
    }


def indexes(partition_count: int) -> Rebuildable:
    """Return the indexes and period volumes as a projection that can be made again."""
    own = tuple(OwnTable(each) for each in index_tables.metadata.sorted_tables)

    @contextmanager
    def lend(engine: Engine, _url: str) -> Iterator[IndexProjection]:
        yield IndexProjection(engine=engine, partition_count=partition_count, park_limit=None)

    return Rebuildable(
        name=index_projection.NAME,
        topic=index_projection.TOPIC,
        partition_count=partition_count,
        tables=own,
        create=partial(create_own, tables=own),
        open=lend,
    )


def _installation(partition_count: int) -> Rebuildable:
    own = tuple(OwnTable(each) for each in installation.metadata.sorted_tables)

    @contextmanager
    def lend(engine: Engine, _url: str) -> Iterator[EventProjection]:
        yield replace(installation.installation_projection(engine, partition_count), park_limit=None)

    return Rebuildable(
        name=installation.NAME,
        topic=installation.TOPIC,
        partition_count=partition_count,
        tables=own,
        create=partial(create_own, tables=own),
        open=lend,
    )


def block_store(partition_count: int, *, topic: str = store.TOPIC) -> Rebuildable:
    """Return the quarter-hour store as a projection that can be made again; it leaves no events in an outbox."""

    @contextmanager
    def lend(engine: Engine, url: str) -> Iterator[BlockProjection]:
        projection = BlockProjection(
            engine=engine,
            database_url=url,
            partition_count=partition_count,
            publishes=False,
            park_limit=None,
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
