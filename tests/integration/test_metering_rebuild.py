"""The store made again from offset 0 beside the live one: the same bits, or it is said where they are not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import psycopg
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.records_to_delete import RecordsToDelete
from pydantic import SecretStr
from sqlalchemy import Engine, func, select, text
from sqlalchemy.engine import make_url

from eventlog.database import create_engine, create_tables
from eventlog.rebuild import RebuildStopped
from eventlog.tables import event
from eventlog.topics import partition_of
from services.metering import tables
from services.metering.projector import BlockProjection
from services.metering.rebuild import Comparison, NoRoom
from services.metering.rebuild_app import rebuild_beside
from services.metering.settings import MeteringSettings
from services.metering.tables import block
from tests.block_story import POINTS, applied_count, make_readings_topic, member, publish, story
from tests.readings import PARTITION_COUNT
from tests.topics import until

pytestmark = pytest.mark.integration


@dataclass(frozen=True)
class Live:
    """A live store on a topic of its own, and room beside it."""

    engine: Engine
    projection: BlockProjection
    settings: MeteringSettings

    async def store(self, record_count: int) -> None:
        """Be a member of the group until at least so many records are applied."""
        async with member(self.projection, self.settings.kafka_bootstrap):
            await until(lambda: applied_count(self.engine) >= record_count)

    def tamper(self, statement: str, *, ean: str = "0") -> None:
        with self.engine.begin() as tx:
            assert tx.execute(text(statement), {"ean": int(ean)}).rowcount == 1

    async def rebuild(self) -> Comparison:
        return await asyncio.to_thread(rebuild_beside, self.settings, topic=self.projection.topic)

    def count(self, query: str) -> int:
        with self.engine.connect() as connection:
            return int(connection.scalar(text(query)) or 0)


@pytest.fixture
def room(database_url: str, postgres_admin_url: str) -> str:
    """The name of an empty schema that belongs to the role of the live store."""
    role = make_url(database_url).username
    with psycopg.connect(postgres_admin_url) as connection:
        connection.execute(f"create schema {role}_rebuild authorization {role}".encode())
    return f"{role}_rebuild"


@pytest.fixture
async def live(database_url: str, kafka_bootstrap: str, room: str) -> AsyncIterator[Live]:
    engine = create_engine(database_url, application_name="test")
    create_tables(engine, tables.metadata)
    topic = await make_readings_topic(kafka_bootstrap)
    projection = BlockProjection(engine=engine, database_url=database_url, partition_count=PARTITION_COUNT, topic=topic)
    settings = MeteringSettings(
        database_url=SecretStr(database_url), kafka_bootstrap=kafka_bootstrap, port=0, rebuild_schema=room
    )
    await publish(kafka_bootstrap, topic, story())
    yield Live(engine, projection, settings)
    projection.close()
    engine.dispose()


NEWEST = "(select max(record_offset) from block_input where ean = :ean)"
RECORD_COUNT = 65  # 40 estimates, 20 validated, a part, a withdrawal, one sent twice; and two that cannot be used


async def test_a_rebuild_gives_the_same_bits_and_publishes_nothing(live: Live) -> None:
    for reached in (1, 20, RECORD_COUNT):
        await live.store(reached)
    published = live.count("select count(*) from event")
    comparison = await live.rebuild()
    # Two messages of each of 20 points; a third of two of them; and the one that was sent twice counts once.
    assert comparison.lines() == ["identical: 40 blocks and 42 inputs in 8 partitions, of 65 records"]
    assert comparison.is_identical
    assert live.count("select count(*) from event") == published
    with live.engine.connect() as connection:
        left = select(func.count()).select_from(text("pg_tables")).where(text("schemaname = :schema"))
        assert connection.scalar(left, {"schema": live.settings.rebuild_schema}) == 0


async def test_the_rebuild_stops_where_the_live_one_stands(live: Live) -> None:
    await live.store(RECORD_COUNT)
    await publish(live.settings.kafka_bootstrap, live.projection.topic, story())
    comparison = await live.rebuild()
    assert comparison.is_identical
    assert sum(each.next_offset for each in comparison.rebuilt.values()) == RECORD_COUNT


async def test_the_live_one_goes_on_meanwhile(live: Live) -> None:
    await live.store(1)
    async with member(live.projection, live.settings.kafka_bootstrap):
        more = publish(live.settings.kafka_bootstrap, live.projection.topic, story())
        comparison, _ = await asyncio.gather(live.rebuild(), more)
        await until(lambda: applied_count(live.engine) == 2 * RECORD_COUNT)
    assert comparison.is_identical
    assert (await live.rebuild()).is_identical


async def test_a_store_that_applied_nothing_is_identical(live: Live) -> None:
    assert (await live.rebuild()).lines() == ["identical: 0 blocks and 0 inputs in 8 partitions, of 0 records"]


@pytest.mark.parametrize(
    "statement",
    [
        "update block set total = total + 1 where ean = :ean",
        "update block set slice_values = set_byte(slice_values, 0, get_byte(slice_values, 0) # 1) where ean = :ean",
        "update block set recorded_at = recorded_at + interval '1 microsecond' where ean = :ean",
        f"update block_input set source_sequence = source_sequence + 1 where ean = :ean and record_offset = {NEWEST}",
    ],
)
async def test_one_bit_that_was_tampered_with_is_said(live: Live, statement: str) -> None:
    await live.store(RECORD_COUNT)
    live.tamper(statement, ean=POINTS[3])
    comparison = await live.rebuild()
    partition = partition_of(POINTS[3].encode(), PARTITION_COUNT)
    there = comparison.live[partition]
    counts = f"{there.block_count} blocks and {there.input_count} inputs"
    rebuilt = f"rebuilt {there.block_count} and {there.input_count}"
    assert comparison.lines() == [
        f"partition {partition} differs at offset {there.next_offset}: live {counts}, {rebuilt}"
    ]
    assert not comparison.is_identical


async def test_a_row_that_is_gone_and_one_that_nobody_sent_are_said(live: Live) -> None:
    await live.store(RECORD_COUNT)
    gone, moved = POINTS[30], POINTS[31]
    live.tamper("delete from block where ean = :ean", ean=gone)
    live.tamper("update block set record_partition = 99 where ean = :ean", ean=moved)
    comparison = await live.rebuild()
    assert not comparison.is_identical
    differing = [line.partition(" differs")[0] for line in comparison.lines()[:-1]]
    partitions = {partition_of(ean.encode(), PARTITION_COUNT) for ean in (gone, moved)}
    assert differing == [f"partition {number}" for number in sorted(partitions)]
    assert comparison.lines()[-1] == "1 live rows are of no partition of the topic"


async def test_what_lies_in_the_room_from_before_does_not_count(live: Live, database_url: str) -> None:
    await live.store(RECORD_COUNT)
    with live.engine.begin() as tx:
        tx.execute(text(f'create table "{live.settings.rebuild_schema}".block as select * from block limit 5'))
    assert (await live.rebuild()).is_identical


async def test_without_room_nothing_is_touched(live: Live, database_url: str) -> None:
    await live.store(RECORD_COUNT)
    own = make_url(database_url).username
    for schema in ("no_such_schema", own):
        settings = live.settings.model_copy(update={"rebuild_schema": schema})
        with pytest.raises(NoRoom, match=f"make a schema {schema} first"):
            await asyncio.to_thread(rebuild_beside, settings, topic=live.projection.topic)
    with live.engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(block)) == 40
        assert connection.scalar(select(func.count()).select_from(event)) > 0


async def test_a_topic_that_lost_its_beginning_is_said(live: Live, kafka_bootstrap: str) -> None:
    await live.store(RECORD_COUNT)
    place = TopicPartition(live.projection.topic, 0)
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await admin.start()
    try:
        await admin.delete_records({place: RecordsToDelete(before_offset=1)})
    finally:
        await admin.close()
    with pytest.raises(RebuildStopped, match=f"the log does not hold what it began with .{place.topic}/0 at 0"):
        await live.rebuild()
