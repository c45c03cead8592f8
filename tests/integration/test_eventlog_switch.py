"""A version put in the place of the live one while records arrive: readers find the old one, then the new one."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import adbc_driver_postgresql.dbapi as adbc
import psycopg
import pytest
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    Integer,
    MetaData,
    Table,
    event,
    insert,
    select,
    text,
    update,
)

from eventlog import rebuilding, switch
from eventlog.checkpoint import Claim, Fenced
from eventlog.database import create_engine, create_tables, in_schema, libpq_uri
from eventlog.kafka import KafkaAccess
from eventlog.projection import Run
from eventlog.rebuild import Rebuild, RebuildStopped
from eventlog.replaying import carry_out
from eventlog.streams import write_streams
from eventlog.versions import OwnTable, Rebuildable, create_own
from eventlog.wish import Outcome, Wish
from tests.effects import NAME, Offsets, consuming, values
from tests.readings import LogRecord
from tests.topics import make_topic, send, until
from tests.versions import make_rooms

pytestmark = pytest.mark.integration

PARTITIONS = 4
SWITCH = Wish(switches=True)

own = MetaData()
landed = Table("landed", own, Column("record_partition", Integer), Column("record_offset", BigInteger))
"""Without any constraint, so that a record applied twice shows."""
TABLES = (OwnTable(landed),)


class Landed(Offsets):
    """Writes a row per record."""

    def write_rows(self, tx: Connection, run: Run) -> None:
        rows = [{"record_partition": each.partition, "record_offset": each.offset} for each in run.records]
        tx.execute(insert(landed), rows)


@dataclass(frozen=True)
class Room:
    """A live projection on a topic of its own, and room beside it."""

    url: str
    engine: Engine
    bootstrap: str
    topic: str

    @property
    def what(self) -> Rebuildable:
        @contextlib.contextmanager
        def lend(engine: Engine, _url: str) -> Iterator[Landed]:
            yield Landed(engine, self.topic)

        return Rebuildable(
            name=NAME,
            topic=self.topic,
            partition_count=PARTITIONS,
            tables=TABLES,
            create=lambda engine: create_own(engine, TABLES),
            open=lend,
            max_run_records=100,
        )

    @property
    def schema(self) -> str:
        with self.engine.connect() as connection:
            return str(connection.scalar(text("select current_schema()")))

    async def replay(self, wish: Wish) -> Outcome:
        access = KafkaAccess(self.bootstrap)
        return await asyncio.to_thread(carry_out, wish, self.what, self.url, access, show=lambda *_: None)

    def effects(self) -> Counter[tuple[int, int]]:
        """How often each record took effect in what readers see."""
        with self.engine.connect() as connection:
            return Counter((row.record_partition, row.record_offset) for row in connection.execute(select(landed)))

    def waits_for_a_lock(self) -> bool:
        """Whether a session of the service does."""
        query = "select exists (select from pg_stat_activity where usename = current_user and wait_event_type = 'Lock')"
        with self.engine.connect() as connection:
            return bool(connection.scalar(text(query)))

    def has(self, count: int) -> bool:
        return self.effects().total() >= count


@pytest.fixture
async def room(database_url: str, kafka_bootstrap: str, postgres_admin_url: str) -> AsyncIterator[Room]:
    make_rooms(postgres_admin_url, database_url, NAME, "rebuild", "old", "newer", "2")
    engine = create_engine(database_url, application_name="test")
    create_tables(engine, own)
    yield Room(database_url, engine, kafka_bootstrap, await make_topic(kafka_bootstrap, PARTITIONS))
    engine.dispose()


class Reader(threading.Thread):
    """Asks again and again how many rows there are, until it is told to stop; keeps every answer."""

    def __init__(self, ask: Callable[[], int]) -> None:
        super().__init__()
        self._ask = ask
        self._end = threading.Event()
        self.answers: list[int] = []
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            while not self._end.is_set():
                self.answers.append(self._ask())
        except Exception as error:
            self.error = error

    def stop(self) -> None:
        self._end.set()
        self.join(timeout=30)


@contextlib.contextmanager
def reading(url: str) -> Iterator[list[Reader]]:
    """Read meanwhile: a prepared statement, two in one transaction, and one by ADBC."""
    count = "select count(*) from landed"
    with contextlib.ExitStack() as stack:
        uri = libpq_uri(url, application_name="reader")
        connections = [stack.enter_context(psycopg.connect(uri, autocommit=True)) for _ in range(2)]
        cursor = stack.enter_context(stack.enter_context(adbc.connect(uri, autocommit=True)).cursor())

        def prepared() -> int:
            return int(connections[0].execute(count, prepare=True).fetchone()[0])  # type: ignore[index]

        def twice() -> int:
            with connections[1].transaction():
                first, second = (int(connections[1].execute(count).fetchone()[0]) for _ in range(2))  # type: ignore[index]
            assert first <= second
            return second

        def by_adbc() -> int:
            cursor.execute(count)
            return int(cursor.fetchone()[0])

        readers = [Reader(ask) for ask in (prepared, twice, by_adbc)]
        for each in readers:
            each.start()
        try:
            yield readers
        finally:
            for each in readers:
                each.stop()


async def test_a_switch_while_records_arrive_loses_and_doubles_nothing_and_readers_see_old_then_new(
    room: Room,
) -> None:
    sent = 400
    await send(room.bootstrap, room.topic, values(sent))
    async with consuming(Landed(room.engine, room.topic), room.bootstrap, max_run_records=20):
        await until(lambda: room.has(sent))
        with reading(room.url) as readers:
            for wish in (SWITCH, Wish(version="old", switches=True)):
                switching = asyncio.create_task(room.replay(wish))
                while not switching.done():
                    await send(room.bootstrap, room.topic, values(40, sent))
                    sent += 40
                outcome = await switching
                assert outcome.has_switched
                assert outcome.exit_code == 0
            await until(lambda: room.has(sent))
    for each in readers:
        assert each.error is None
        assert each.answers == sorted(each.answers)
        assert len(set(each.answers)) > 1
    assert room.effects().total() == sent
    assert set(room.effects().values()) == {1}


async def test_a_reader_that_holds_its_tables_is_waited_for_and_nobody_else_waits_with_it(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = 0

    def counted(tx: Connection, what: Rebuildable, **schemas: str) -> None:
        nonlocal tries
        tries += 1
        switch.switch(tx, what, **schemas)

    monkeypatch.setattr(rebuilding, "switch", counted)
    with psycopg.connect(room.url) as holder:
        holder.execute("select from landed")
        with monkeypatch.context() as hurry:
            hurry.setattr(rebuilding, "_SWITCH_SECONDS", 0.0)
            with pytest.raises(RebuildStopped, match="try again in a quieter hour"):
                await room.replay(SWITCH)
        switching = asyncio.create_task(room.replay(SWITCH))
        await until(lambda: tries >= 3)
        assert room.effects() == {}
        assert not switching.done()
    assert (await switching).has_switched


async def test_the_live_projector_waits_for_the_switch_and_finds_itself_fenced(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = await switch_with_a_late_record(room, monkeypatch, switch.lock_checkpoints)
    with pytest.raises(Fenced):
        late.result(timeout=30)
    assert room.effects() == {(0, 0): 1, (0, 1): 1}
    assert Landed(room.engine, room.topic).claim(0, "test").next_offset == 2


async def test_without_the_lock_on_the_checkpoints_a_record_would_be_lost(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unlocked(tx: Connection, what: Rebuildable, schema: str) -> dict[int, int]:
        query = f"select partition, next_offset from {schema}.checkpoint where projection = :name"
        return {row.partition: row.next_offset for row in tx.execute(text(query), {"name": what.name})}

    late = await switch_with_a_late_record(room, monkeypatch, unlocked)
    late.result(timeout=30)
    assert room.effects() == {(0, 0): 1, (0, 1): 1}
    assert Landed(room.engine, room.topic).claim(0, "test").next_offset == 3


async def switch_with_a_late_record(
    room: Room, monkeypatch: pytest.MonkeyPatch, lock: Callable[[Connection, Rebuildable, str], dict[int, int]]
) -> Future[None]:
    """Switch; a third record comes just when the switch has asked how far the live projector is."""
    await send(room.bootstrap, room.topic, values(3), partition=0)
    live, thread = Landed(room.engine, room.topic), ThreadPoolExecutor(1)
    claim = live.claim(0, "test")
    apply(live, claim, 0, 2)
    late: list[Future[None]] = []

    def asked(tx: Connection, what: Rebuildable, schema: str) -> dict[int, int]:
        offsets = lock(tx, what, schema)
        if not late:
            late.append(thread.submit(apply, live, claim, 2, 1))
            deadline = time.monotonic() + 60
            while not late[0].done() and not room.waits_for_a_lock():
                assert time.monotonic() < deadline, "not within the deadline"
        return offsets

    monkeypatch.setattr(rebuilding, "lock_checkpoints", asked)
    assert (await room.replay(SWITCH)).has_switched
    thread.shutdown(wait=False)
    return late[0]


def apply(live: Landed, claim: Claim, first: int, count: int) -> None:
    rows = [LogRecord(live.topic, 0, offset, 0, b"", b"") for offset in range(first, first + count)]
    run = Run(topic=live.topic, partition=0, first_offset=first, next_offset=first + count, records=rows)
    live.apply(Claim(claim.projection, claim.topic, 0, claim.epoch, first), run)


class Killed(BaseException):
    """The process ended here."""


def test_a_switch_that_is_killed_at_any_statement_leaves_the_old_one_whole(room: Room) -> None:
    live, beside, aside = room.schema, f"{room.schema}_{NAME}_rebuild", f"{room.schema}_{NAME}_old"
    fill(room.url, room.what, offset=1, streams={"same": 1, "behind": 2, "gone": 3})
    fill(in_schema(room.url, beside), room.what, offset=2, streams={"same": 1, "behind": 4, "new": 5})
    create_own_books(in_schema(room.url, aside))
    before = condition(room)
    for number in itertools.count(1):
        try:
            switch_until(room, number, live=live, beside=beside, aside=aside)
        except Killed:
            assert condition(room) == before
            continue
        break
    assert number > 15
    assert condition(room) == ([2], before[1] + 1, {"same": 1, "behind": 4, "new": 5})
    with room.engine.connect() as connection:
        others = text("select stream_version from stream_position where projection = 'another projection'")
        assert connection.scalars(others).all() == [9]
    assert condition(room, aside) == ([1], before[1], {"same": 1, "behind": 2, "gone": 3})


def fill(url: str, what: Rebuildable, *, offset: int, streams: dict[str, int]) -> None:
    """Make a version that holds one row, for `offset`, and knows `streams` by their versions."""
    engine = create_engine(url, application_name="test")
    what.create(engine)
    projection = Landed(engine, what.topic)
    claim = projection.claim(0, "test")
    apply(projection, claim, 0, 1)
    with engine.begin() as tx:
        tx.execute(update(landed).values(record_offset=offset))
        write_streams(tx, NAME, streams)
        write_streams(tx, "another projection", {"same": 9})
    engine.dispose()


def create_own_books(url: str) -> None:
    engine = create_engine(url, application_name="test")
    create_tables(engine)
    engine.dispose()


def condition(room: Room, schema: str = "") -> tuple[list[int], int, dict[str, int]]:
    """What a reader finds in `schema` (the live one by default): offsets, the epoch of partition 0, and streams."""
    place, name = schema or room.schema, {"name": NAME}
    with room.engine.connect() as connection:
        offsets = connection.scalars(text(f"select record_offset from {place}.landed")).all()
        epoch = connection.scalar(text(f"select epoch from {place}.checkpoint where partition = 0"))
        query = f"select stream_id, stream_version from {place}.stream_position where projection = :name"
        streams = {row.stream_id: row.stream_version for row in connection.execute(text(query), name)}
        return list(offsets), int(epoch or 0), streams


def switch_until(room: Room, number: int, **schemas: str) -> None:
    """Switch; end the session and the program at the statement `number`, the commit being the last."""
    engine = create_engine(room.url, application_name="test")
    count = 0

    def kill(connection: Connection) -> None:
        nonlocal count
        count += 1
        if count == number:
            driver: Any = connection.connection.driver_connection
            with room.engine.begin() as tx:
                tx.execute(text("select pg_terminate_backend(:pid, 5000)"), {"pid": driver.info.backend_pid})
            raise Killed

    event.listen(engine, "before_cursor_execute", lambda connection, *_: kill(connection))
    event.listen(engine, "commit", kill)
    try:
        with engine.begin() as tx:
            for schema in (schemas["live"], schemas["beside"]):
                switch.lock_checkpoints(tx, room.what, schema)
            switch.switch(tx, room.what, **schemas)
    finally:
        engine.dispose()


async def test_a_rebuild_that_another_one_took_over_from_stops(room: Room) -> None:
    await send(room.bootstrap, room.topic, values(5), partition=0)
    projection = Landed(room.engine, room.topic)
    rebuild = Rebuild(
        projection,
        kafka=KafkaAccess(room.bootstrap),
        partition_count=PARTITIONS,
        max_run_records=100,
        concurrent_run_count=1,
        fetch_bytes=2**20,
    )
    async with rebuild:
        projection.claim(0, "another rebuild")
        with pytest.raises(RebuildStopped, match="another rebuild of it has begun"):
            await rebuild.reach({0: 5})
    assert room.effects() == {}
