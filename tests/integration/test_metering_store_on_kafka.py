"""The store behind a real Kafka: each reading takes effect once, and a rebuild gives the same bits."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, func, select, text

from eventlog.database import create_engine, create_tables
from eventlog.tables import dead_letter
from services.metering import tables
from services.metering.projector import BlockProjection
from services.metering.tables import block
from tests.block_story import applied_count, make_readings_topic, member, publish, story
from tests.readings import PARTITION_COUNT
from tests.topics import read_all, until

pytestmark = pytest.mark.integration

EVERYTHING = (
    "select * from block order by ean, channel, day, meter_id",
    "select * from block_input order by ean, channel, day, meter_id, record_offset",
    "select record_offset, partition, value, reason from dead_letter order by partition, record_offset",
)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = create_engine(database_url, application_name="test")
    create_tables(engine, tables.metadata)
    yield engine
    engine.dispose()


@pytest.fixture
async def topic(kafka_bootstrap: str) -> str:
    return await make_readings_topic(kafka_bootstrap)


def contents(engine: Engine) -> tuple[str, list[Any]]:
    """A hash over everything in the store, and its totals."""
    digest = hashlib.sha256()
    with engine.connect() as connection:
        for query in EVERYTHING:
            for row in connection.execute(text(query)):
                digest.update(repr(tuple(row)).encode())
        totals = connection.scalars(select(block.c.total).order_by(block.c.ean)).all()
    return digest.hexdigest(), list(totals)


async def test_each_reading_counts_once_through_interruptions_and_a_rebuild_gives_the_same_bits(
    engine: Engine, database_url: str, kafka_bootstrap: str, topic: str
) -> None:
    await publish(kafka_bootstrap, topic, story())
    end = len(story()) + 2
    projection = BlockProjection(engine=engine, database_url=database_url, partition_count=PARTITION_COUNT, topic=topic)
    for reached in (1, 20, end):
        async with member(projection, kafka_bootstrap):
            await until(lambda reached=reached: applied_count(engine) >= reached)
    assert applied_count(engine) == end
    first_hash, totals = contents(engine)
    # 96 quarters of 5 or 6 Wh; the first has two of 9 Wh; of the second four are withdrawn.
    assert totals == [582, 552, *[576] * 18, *[480] * 20]
    with engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(dead_letter)) == 2
        newest = connection.scalar(select(func.max(block.c.recorded_at)))
    assert newest is not None
    appended = {record.timestamp for record in await read_all(kafka_bootstrap, topic)}
    assert int(newest.timestamp() * 1000) in appended

    with engine.begin() as tx:
        tx.execute(text("truncate block, block_input, dead_letter, checkpoint"))
    projection.publishes = False
    async with member(projection, kafka_bootstrap):
        await until(lambda: applied_count(engine) == end)
    assert contents(engine) == (first_hash, totals)
    projection.close()
