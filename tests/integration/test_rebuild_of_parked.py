"""A projection of which events were parked and given up is made again as it is, however many they are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from uuid import UUID

import pytest
from aiokafka import AIOKafkaProducer
from sqlalchemy import BigInteger, Column, Connection, Engine, Integer, MetaData, Table, insert

from eventlog.codec import encode
from eventlog.database import create_engine, create_tables
from eventlog.dead_letter import Unusable
from eventlog.envelope import Envelope, to_headers
from eventlog.events import AccessPointRegistered
from eventlog.kafka import KafkaAccess
from eventlog.parked import Wanted, discard, find_letters
from eventlog.projection import EventProjection
from eventlog.rebuild import Rebuild
from eventlog.replay import replay_stream
from eventlog.replaying import carry_out
from eventlog.versions import OwnTable, Rebuildable, create_own
from eventlog.wish import Outcome, Wish
from market.ean import Ean
from tests.topics import make_topic
from tests.versions import make_rooms

pytestmark = pytest.mark.integration

HOUSE = Ean("541448800000000017")
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)

own = MetaData()
seen = Table("seen", own, Column("record_partition", Integer), Column("record_offset", BigInteger))
TABLES = (OwnTable(seen),)


def write(tx: Connection, envelope: Envelope) -> None:
    """Every other version of a stream is of no use."""
    if envelope.stream_version % 2 == 0:
        raise Unusable("an even version")
    tx.execute(insert(seen).values(record_partition=envelope.partition, record_offset=envelope.offset))


@dataclass(frozen=True)
class Room:
    """A live projection that parked up to its limit, and room beside it."""

    url: str
    live: EventProjection
    access: KafkaAccess

    @property
    def what(self) -> Rebuildable:
        @contextmanager
        def lend(engine: Engine, _url: str) -> Iterator[EventProjection]:
            yield replace(self.live, engine=engine, park_limit=None)

        return Rebuildable(
            name=self.live.name,
            topic=self.live.topic,
            partition_count=1,
            tables=TABLES,
            create=lambda engine: create_own(engine, TABLES),
            open=lend,
        )

    async def apply(self, until: int) -> None:
        """Bring the live one to the offset `until`."""
        rebuild = Rebuild(
            self.live,
            kafka=self.access,
            partition_count=1,
            max_run_records=100,
            concurrent_run_count=1,
            fetch_bytes=2**20,
        )
        async with rebuild:
            await rebuild.reach({0: until})

    async def replay(self, wish: Wish) -> Outcome:
        return await asyncio.to_thread(carry_out, wish, self.what, self.url, self.access, show=lambda *_: None)


async def publish(bootstrap: str, topic: str, versions: range) -> None:
    event = AccessPointRegistered(ean=HOUSE, energy="E", meter_kind="DIGITAL", registered_on=date(2026, 1, 1))
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
        for version in versions:
            headers = to_headers(
                event_id=UUID(int=version),
                event_type="AccessPointRegistered",
                source="register",
                stream_id=f"point:{HOUSE}",
                stream_version=version,
                recorded_at=NOW,
                correlation_id=UUID(int=1),
            )
            await producer.send_and_wait(topic, encode(event), key=HOUSE.encode(), headers=headers)


@pytest.fixture
async def room(database_url: str, kafka_bootstrap: str, postgres_admin_url: str) -> AsyncIterator[Room]:
    make_rooms(postgres_admin_url, database_url, "points", "rebuild", "old", "newer")
    engine = create_engine(database_url, application_name="test")
    create_tables(engine, own)
    topic = await make_topic(kafka_bootstrap, 1)
    await publish(kafka_bootstrap, topic, range(1, 6))
    live = EventProjection(name="points", topic=topic, engine=engine, project=write, park_limit=1)
    yield Room(database_url, live, KafkaAccess(kafka_bootstrap))
    engine.dispose()


def give_up_and_go_on(live: EventProjection) -> None:
    with live.engine.begin() as tx:
        discard(tx, find_letters(tx, Wanted(projection="points"))[0], "of no use, and seen")
    replay_stream(live, f"point:{HOUSE}")


async def test_what_was_given_up_and_what_waited_behind_it_are_rebuilt_as_they_are_live(room: Room) -> None:
    await room.apply(5)  # the second is parked, the others wait behind it
    give_up_and_go_on(room.live)  # the third is applied, the fourth parked
    give_up_and_go_on(room.live)
    outcome = await room.replay(Wish(switches=True))
    assert outcome.lines()[0] == "identical: rows of seen 3; 2 parked; 1 partitions, of 5 records"
    assert outcome.has_switched
    with room.live.engine.begin() as tx:
        assert find_letters(tx, Wanted(projection="points")) == []
