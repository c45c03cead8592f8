"""The store made again from offset 0 beside the live one: the same bits, or it is said where they are not."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.records_to_delete import RecordsToDelete
from sqlalchemy import Engine, event, text
from sqlalchemy.engine import make_url

from eventlog.comparison import Comparison
from eventlog.database import create_engine
from eventlog.kafka import KafkaAccess
from eventlog.rebuild import RebuildStopped
from eventlog.replaying import carry_out
from eventlog.topics import partition_of
from eventlog.versions import NoRoom
from eventlog.wish import Outcome, Wish
from services.metering.migration import create_store
from services.metering.partitions import make_partitions
from services.metering.projector import BlockProjection
from services.metering.rebuild_app import block_store
from tests.block_story import POINTS, applied_count, make_readings_topic, member, publish, story
from tests.readings import PARTITION_COUNT
from tests.topics import until
from tests.versions import make_rooms

pytestmark = pytest.mark.integration

PLAIN = Wish()


@dataclass(frozen=True)
class Live:
    """A live store on a topic of its own, and room beside it."""

    engine: Engine
    projection: BlockProjection
    bootstrap: str

    async def store(self, record_count: int) -> None:
        """Be a member of the group until at least so many records are applied."""
        async with member(self.projection, self.bootstrap):
            await until(lambda: applied_count(self.engine) >= record_count)

    def tamper(self, statement: str, *, ean: str = "0") -> None:
        with self.engine.begin() as tx:
            assert tx.execute(text(statement), {"ean": int(ean)}).rowcount == 1

    async def replay(self, wish: Wish = PLAIN) -> Outcome:
        what = block_store(PARTITION_COUNT, topic=self.projection.topic)
        url = self.projection.database_url
        return await asyncio.to_thread(carry_out, wish, what, url, KafkaAccess(self.bootstrap), show=lambda *_: None)

    async def rebuild(self) -> Comparison:
        comparison = (await self.replay()).comparison
        assert comparison is not None
        return comparison

    def schema(self, version: str) -> str:
        return f"{make_url(self.projection.database_url).username}_block_{version}"

    def key_hash(self, table: str, ean: str) -> str:
        """What the newest row of `ean` in `table` is called where it may not be named."""
        keys = {"block": "ean, day, channel, meter_id", "block_input": "ean, day, channel, meter_id, record_offset"}
        rows = f"(select {keys[table]} from {table} where ean = :ean order by record_offset desc limit 1) newest"
        with self.engine.connect() as connection:
            written = connection.scalar(text(f"select row(newest.*)::text from {rows}"), {"ean": int(ean)})
        return hashlib.sha256(str(written).encode()).hexdigest()[:12]

    def count(self, query: str) -> int:
        with self.engine.connect() as connection:
            return int(connection.scalar(text(query)) or 0)


@pytest.fixture
async def live(database_url: str, kafka_bootstrap: str, postgres_admin_url: str) -> AsyncIterator[Live]:
    make_rooms(postgres_admin_url, database_url, "block", "rebuild", "old", "newer", "2")
    engine = create_engine(database_url, application_name="test")
    create_store(engine)
    topic = await make_readings_topic(kafka_bootstrap)
    projection = BlockProjection(engine=engine, database_url=database_url, partition_count=PARTITION_COUNT, topic=topic)
    await publish(kafka_bootstrap, topic, story())
    yield Live(engine, projection, kafka_bootstrap)
    projection.close()
    engine.dispose()


NEWEST = "(select max(record_offset) from block_input where ean = :ean)"
RECORD_COUNT = 65  # 40 estimates, 20 validated, a part, a withdrawal, one sent twice; and two that cannot be used


async def test_a_rebuild_gives_the_same_bits_and_publishes_nothing(live: Live) -> None:
    for reached in (1, 20, RECORD_COUNT):
        await live.store(reached)
    published = live.count("select count(*) from event")
    outcome = await live.replay()
    # Two messages of each of 20 points; a third of two of them; and the one that was sent twice counts once.
    assert outcome.lines() == ["identical: rows of block 40, block_input 42; 2 parked; 8 partitions, of 65 records"]
    assert (outcome.exit_code, outcome.applied_count) == (0, RECORD_COUNT)
    assert live.count("select count(*) from event") == published
    assert live.count(f"select count(*) from pg_tables where schemaname = '{live.schema('rebuild')}'") == 0


async def test_the_rebuild_stops_where_the_live_one_stands(live: Live) -> None:
    await live.store(RECORD_COUNT)
    await publish(live.bootstrap, live.projection.topic, story())
    comparison = await live.rebuild()
    assert comparison.is_identical
    assert comparison.rebuilt.partitions.keys() == set(range(PARTITION_COUNT))
    assert comparison.record_count == RECORD_COUNT


async def test_the_live_one_goes_on_meanwhile(live: Live) -> None:
    await live.store(1)
    async with member(live.projection, live.bootstrap):
        more = publish(live.bootstrap, live.projection.topic, story())
        comparison, _ = await asyncio.gather(live.rebuild(), more)
        await until(lambda: applied_count(live.engine) == 2 * RECORD_COUNT)
    assert comparison.is_identical
    assert (await live.rebuild()).is_identical


async def test_a_member_goes_on_in_the_rebuilt_tables_and_in_the_old_ones_again(live: Live) -> None:
    count = RECORD_COUNT
    async with member(live.projection, live.bootstrap):
        await until(lambda: applied_count(live.engine) == count)
        published = live.count("select count(*) from event")
        for version in ("rebuild", "old"):
            outcome = await live.replay(Wish(version=version, switches=True))
            assert outcome.has_switched
            assert live.count("select count(*) from event") == published
            await publish(live.bootstrap, live.projection.topic, story())
            count += RECORD_COUNT
            await until(lambda count=count: applied_count(live.engine) == count)
            published = live.count("select count(*) from event")
    assert live.count("select count(*) from block") == 40
    assert (await live.rebuild()).is_identical


async def test_what_a_person_gave_up_is_alike_and_stays_given_up_after_a_switch(live: Live) -> None:
    await live.store(RECORD_COUNT)
    words = "update dead_letter set discarded_at = now(), discard_reason = 'no reading' where reason = :reason"
    with live.engine.begin() as tx:
        reason = tx.scalar(text("select min(reason) from dead_letter"))
        assert tx.execute(text(words), {"reason": reason}).rowcount == 1
    outcome = await live.replay(Wish(switches=True))
    assert outcome.exit_code == 0
    assert live.count("select count(*) from dead_letter") == 2
    assert live.count("select count(*) from dead_letter where discard_reason = 'no reading'") == 1


async def test_a_partition_that_is_made_when_the_switch_has_begun_goes_with_its_table(live: Live) -> None:
    await live.store(RECORD_COUNT)

    @event.listens_for(Engine, "before_cursor_execute")
    def make_one(_: object, __: object, statement: str, *___: object) -> None:
        if statement.startswith("lock table") and statement.endswith("access exclusive mode"):
            with live.engine.begin() as tx:
                make_partitions(tx, [date(2031, 5, 1)])

    try:
        outcome = await live.replay(Wish(switches=True))
    finally:
        event.remove(Engine, "before_cursor_execute", make_one)
    assert outcome.has_switched
    lies = "select count(*) from pg_tables where tablename = 'block_2031_05' and schemaname = "
    assert live.count(f"{lies} '{live.schema('old')}'") == 1
    assert live.count(f"{lies} current_schema()") == 0


async def test_a_store_that_applied_nothing_is_identical(live: Live) -> None:
    assert (await live.rebuild()).lines() == [
        "identical: rows of block 0, block_input 0; 0 parked; 8 partitions, of 0 records"
    ]


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
    there = comparison.live.partitions[partition]
    counts = f"block {there.row_counts[0]}, block_input {there.row_counts[1]}, parked {there.parked_count}"
    partition_line, row_line = comparison.lines()
    assert partition_line == (
        f"partition {partition} differs at offset {there.next_offset}: live {counts}; rebuilt {counts}"
    )
    table = statement.split()[1]
    assert re.fullmatch(f"{table} in partition {partition}: 1 row differs, keys [0-9a-f]{{12}}", row_line)
    assert row_line.endswith(live.key_hash(table, POINTS[3]))
    assert POINTS[3] not in row_line


async def test_a_row_that_is_gone_and_one_that_nobody_sent_are_said(live: Live) -> None:
    await live.store(RECORD_COUNT)
    gone, moved = POINTS[30], POINTS[31]
    live.tamper("delete from block where ean = :ean", ean=gone)
    live.tamper("update block set record_partition = 99 where ean = :ean", ean=moved)
    comparison = await live.rebuild()
    assert not comparison.is_identical
    partitions = {partition_of(ean.encode(), PARTITION_COUNT) for ean in (gone, moved)}
    assert comparison.different_partitions == sorted(partitions)
    assert "1 live rows are of no partition of the topic" in comparison.lines()
    assert {(each.table, each.partition) for each in comparison.rows} == {("block", each) for each in partitions}


async def test_what_lies_in_the_room_from_before_does_not_count(live: Live) -> None:
    await live.store(RECORD_COUNT)
    with live.engine.begin() as tx:
        tx.execute(text(f'create table "{live.schema("rebuild")}".block as select * from block limit 5'))
    assert (await live.rebuild()).is_identical


async def test_without_room_nothing_is_touched(live: Live) -> None:
    await live.store(RECORD_COUNT)
    with pytest.raises(NoRoom, match=f"make a schema {live.schema('3')} first"):
        await live.replay(Wish(version="3"))
    for wish in (Wish(version="old", switches=True), Wish(version="2", drops=True)):
        with pytest.raises(NoRoom, match=f"there is no block@{wish.version}"):
            await live.replay(wish)
    assert live.count("select count(*) from block") == 40
    assert live.count("select count(*) from event") > 0


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
