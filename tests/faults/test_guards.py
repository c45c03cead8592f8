"""What each guard of the consumer is for: taken out, its case loses, doubles or stands still; with it, it does not.

Some guards stand behind one another, so that harm is done only where two or three of them are gone: such a case takes
out the whole row, and shows what those behind the first still catch. The guards themselves: `guards.py`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from sqlalchemy import Connection, Engine, insert, text

from eventlog import checkpoint
from eventlog.consumer import Progress
from eventlog.database import create_engine, create_tables
from eventlog.projection import Run
from tests.effects import NAME, Offsets, applied, consuming, counts, effects, has, in_order, once, values
from tests.faults.guards import TAKEN_OUT
from tests.topics import make_topic, send, until

pytestmark = [pytest.mark.integration, pytest.mark.fault]

TWICE = dict.fromkeys(once(8), 2)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = create_engine(database_url, application_name="test")
    create_tables(engine, effects)
    yield engine
    engine.dispose()


@pytest.fixture
async def topic(kafka_bootstrap: str) -> str:
    """A topic of one partition that holds eight records."""
    topic = await make_topic(kafka_bootstrap, 1)
    await send(kafka_bootstrap, topic, values(8), partition=0)
    return topic


@pytest.fixture
def take_out(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take out the guards of the case, by the test's parameter `guards`."""
    for guard in request.getfixturevalue("guards"):
        TAKEN_OUT[guard](monkeypatch.setattr)


def write_rows(tx: Connection, offsets: range) -> None:
    tx.execute(insert(applied), [{"partition": 0, "record_offset": offset, "replica": "other"} for offset in offsets])


@dataclass
class Overtaken:
    """While a member is between fetch and write, another one claims its partition and, if it `writes`, applies eight
    records: what befalls a member that is frozen for longer than its group waits."""

    engine: Engine
    topic: str
    writes: bool
    is_done: bool = False

    def reach(self, place: str) -> None:
        if self.is_done:
            return
        self.is_done = True
        claim = Offsets(self.engine, self.topic).claim(0, "other")
        if self.writes:
            with self.engine.begin() as tx:
                checkpoint.advance(tx, claim, 8)
                write_rows(tx, range(8))


@pytest.mark.usefixtures("take_out")
@pytest.mark.parametrize(
    ("guards", "expected"),
    [((), [3]), (("epoch",), [1]), (("offset",), [3])],
    ids=["all there", "no epoch", "no offset"],
)
async def test_who_was_overtaken_writes_under_its_old_claim_but_for_the_epoch(
    engine: Engine, kafka_bootstrap: str, topic: str, guards: tuple[str, ...], expected: list[int]
) -> None:
    member = Offsets(engine, topic, reach=Overtaken(engine, topic, writes=False).reach)
    async with consuming(member, kafka_bootstrap):
        await until(lambda: has(engine, 8))
    assert member.epochs == expected  # the other's was 2
    assert counts(engine) == once(8)


@pytest.mark.usefixtures("take_out")
@pytest.mark.parametrize(
    ("guards", "expected"),
    [((), once(8)), (("epoch",), once(8)), (("offset",), once(8)), (("epoch", "offset"), TWICE)],
    ids=["all there", "no epoch", "no offset", "neither"],
)
async def test_who_was_overtaken_doubles_without_epoch_and_offset(
    engine: Engine, kafka_bootstrap: str, topic: str, guards: tuple[str, ...], expected: dict[tuple[int, int], int]
) -> None:
    async with consuming(Offsets(engine, topic, reach=Overtaken(engine, topic, writes=True).reach), kafka_bootstrap):
        await send(kafka_bootstrap, topic, values(1, 8), partition=0)
        await until(lambda: counts(engine)[(0, 8)] == 1)
    assert counts(engine) == {**expected, (0, 8): 1}


@pytest.mark.usefixtures("take_out")
@pytest.mark.parametrize(
    ("guards", "expected"),
    [((), {*range(9)}), (("offset",), {*range(5), 8})],
    ids=["all there", "no offset"],
)
async def test_a_database_that_lost_its_last_commits_loses_records_but_for_the_offset(
    engine: Engine, kafka_bootstrap: str, topic: str, guards: tuple[str, ...], expected: set[int]
) -> None:
    async with consuming(Offsets(engine, topic), kafka_bootstrap):
        await until(lambda: has(engine, 8))
        with engine.begin() as tx:  # as after a failover to a replica that lags behind
            tx.execute(text("update checkpoint set next_offset = 5"))
            tx.execute(text("delete from applied where record_offset >= 5"))
        await send(kafka_bootstrap, topic, values(1, 8), partition=0)
        await until(lambda: has(engine, len(expected)))
    assert counts(engine) == {(0, offset): 1 for offset in expected}


@contextlib.contextmanager
def frozen_in_a_copy(database_url: str, topic: str, *, checkpoint_first: bool) -> Iterator[psycopg.Connection]:
    """A session that wrote a row of the topic's first record, and of the checkpoint if that is `checkpoint_first`, and
    whose client is frozen inside a COPY: no timeout of the server ends it."""
    with psycopg.connect(database_url, application_name="frozen") as frozen, frozen.cursor() as cursor:
        cursor.execute("create temporary table staging (n int)")
        frozen.commit()
        if checkpoint_first:
            cursor.execute("update checkpoint set next_offset = 8 where topic = %s", (topic,))
        cursor.execute("insert into applied (partition, record_offset, replica) values (0, 0, 'frozen')")
        copying = cursor.copy("copy staging from stdin")
        copying.__enter__().write(b"1\n")
        yield frozen
        frozen.close()


def waits_for_rows(engine: Engine) -> bool:
    """Whether a member waits for another session's lock, in the middle of its rows and for longer than a claim may."""
    question = (
        "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query ilike 'insert into applied%' "
        "and query_start < clock_timestamp() - interval '4 seconds'"
    )
    with engine.begin() as tx:
        return bool(tx.scalar(text(question)))


@pytest.fixture
def claimed_before(engine: Engine, topic: str) -> None:
    """The member that freezes had claimed the partition; each record has one row at most."""
    Offsets(engine, topic).claim(0, "frozen")
    with engine.begin() as tx:
        tx.execute(text("create unique index applied_once on applied (partition, record_offset)"))


@pytest.mark.usefixtures("claimed_before")
async def test_who_is_frozen_inside_a_copy_is_thrown_out_at_the_claim(
    engine: Engine, kafka_bootstrap: str, topic: str, database_url: str
) -> None:
    with frozen_in_a_copy(database_url, topic, checkpoint_first=True):
        async with consuming(Offsets(engine, topic, evict_after_seconds=0.5), kafka_bootstrap):
            await until(lambda: has(engine, 8))
    assert counts(engine) == once(8)


@pytest.mark.usefixtures("claimed_before", "take_out")
@pytest.mark.parametrize("guards", [("checkpoint first",)])
async def test_who_is_frozen_with_its_rows_first_blocks_others_where_nobody_looks(
    engine: Engine, kafka_bootstrap: str, topic: str, database_url: str, guards: tuple[str, ...]
) -> None:
    with frozen_in_a_copy(database_url, topic, checkpoint_first=False) as frozen:
        async with consuming(Offsets(engine, topic, evict_after_seconds=0.5), kafka_bootstrap):
            await until(lambda: waits_for_rows(engine))
            assert not counts(engine)
            frozen.close()
            await until(lambda: has(engine, 8))


@pytest.mark.usefixtures("claimed_before", "take_out")
@pytest.mark.parametrize("guards", [("eviction",)])
async def test_without_eviction_nobody_gets_past_a_frozen_member(
    engine: Engine, kafka_bootstrap: str, topic: str, database_url: str, guards: tuple[str, ...]
) -> None:
    progress = Progress()
    with frozen_in_a_copy(database_url, topic, checkpoint_first=True) as frozen:
        async with consuming(Offsets(engine, topic, evict_after_seconds=0.5), kafka_bootstrap, progress):
            await until(lambda: progress.standstill.seconds >= 5)  # a claim gives up after 3 s
            assert progress.unclaimed_count == 1
            assert not counts(engine)
            frozen.close()
            await until(lambda: has(engine, 8))


def has_halted(progress: Progress, reason: str) -> bool:
    return any(reason in str(halt) for halt in progress.halts.values())


async def commit_to_the_group(bootstrap: str, topic: str, offset: int) -> None:
    """Let the broker's group believe that everything below `offset` was applied."""
    group = f"test.{NAME}.{topic}"
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=group, enable_auto_commit=False) as consumer:
        consumer.assign([TopicPartition(topic, 0)])
        await consumer.commit({TopicPartition(topic, 0): offset})


@pytest.mark.usefixtures("take_out")
@pytest.mark.parametrize(
    ("guards", "expected"),
    [((), {*range(8)}), (("seek", "position", "no holes"), {5, 6, 7})],
    ids=["all there", "neither seek nor look nor holes"],
)
async def test_what_the_group_believes_loses_records_where_nothing_holds_against_it(
    engine: Engine, kafka_bootstrap: str, topic: str, guards: tuple[str, ...], expected: set[int]
) -> None:
    await commit_to_the_group(kafka_bootstrap, topic, 5)
    async with consuming(Offsets(engine, topic), kafka_bootstrap):
        await until(lambda: has(engine, len(expected)))
    assert counts(engine) == {(0, offset): 1 for offset in expected}


@pytest.mark.usefixtures("take_out")
@pytest.mark.parametrize("guards", [("seek",)])
async def test_without_a_seek_the_process_ends_where_the_claim_is_not(
    engine: Engine, kafka_bootstrap: str, topic: str, guards: tuple[str, ...]
) -> None:
    await commit_to_the_group(kafka_bootstrap, topic, 5)
    with pytest.raises(RuntimeError, match="went to 5 instead of 0"):
        async with consuming(Offsets(engine, topic), kafka_bootstrap) as member:
            await until(member.done)
    assert not counts(engine)


@pytest.mark.usefixtures("take_out")
@pytest.mark.parametrize("guards", [("seek", "position")])
async def test_without_seek_and_position_nothing_is_applied_past_what_is_missing(
    engine: Engine, kafka_bootstrap: str, topic: str, guards: tuple[str, ...]
) -> None:
    await commit_to_the_group(kafka_bootstrap, topic, 5)
    progress = Progress()
    async with consuming(Offsets(engine, topic), kafka_bootstrap, progress):
        await until(lambda: progress.lag == 8 and progress.standstill.seconds >= 3)
    assert not counts(engine)


@pytest.mark.usefixtures("take_out")
@pytest.mark.parametrize(
    ("guards", "expected"), [((), {0: 1}), (("no holes",), {0: 1, 2: 2})], ids=["all there", "holes stepped over"]
)
async def test_a_hole_stepped_over_doubles(
    engine: Engine, kafka_bootstrap: str, guards: tuple[str, ...], expected: dict[int, int]
) -> None:
    topic = await make_topic(kafka_bootstrap, 1)
    async with AIOKafkaProducer(bootstrap_servers=kafka_bootstrap, transactional_id=topic) as producer:
        for value in values(2):
            async with producer.transaction():  # its end takes an offset of its own: the hole
                await producer.send_and_wait(topic, value, partition=0)
    for count in (2, 3):
        progress = Progress()
        async with consuming(Offsets(engine, topic), kafka_bootstrap, progress):
            await until(
                lambda p=progress, n=count: has(engine, n) if guards else has_halted(p, "does not deliver this")
            )
    assert counts(engine) == {(0, offset): count for offset, count in expected.items()}


async def rebalance_twice(bootstrap: str, topic: str) -> None:
    """Let another member join the group, which is given the partition, and leave it."""
    group = f"test.{NAME}.{topic}"
    async with AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, group_id=group, enable_auto_commit=False) as other:
        assert other.assignment()


async def test_claims_are_made_anew_after_a_rebalance(engine: Engine, kafka_bootstrap: str, topic: str) -> None:
    member = Offsets(engine, topic)
    async with consuming(member, kafka_bootstrap):
        await until(lambda: has(engine, 8))
        await rebalance_twice(kafka_bootstrap, topic)
        await send(kafka_bootstrap, topic, values(1, 8), partition=0)
        await until(lambda: has(engine, 9))
    assert counts(engine) == once(9)
    assert member.epochs == sorted(set(member.epochs))


@pytest.mark.usefixtures("take_out")
@pytest.mark.parametrize("guards", [("claims end with a rebalance",)])
async def test_a_claim_that_outlives_a_rebalance_ends_the_process(
    engine: Engine, kafka_bootstrap: str, topic: str, guards: tuple[str, ...]
) -> None:
    async def live_through_a_rebalance() -> None:
        async with consuming(Offsets(engine, topic), kafka_bootstrap) as member:
            await until(lambda: has(engine, 8))
            await rebalance_twice(kafka_bootstrap, topic)
            await until(member.done)

    with pytest.raises(AssertionError, match="Partition is not assigned"):
        await live_through_a_rebalance()
    assert counts(engine) == once(8)


class FailsOnce(Offsets):
    """The first run is rolled back."""

    def write_rows(self, tx: Connection, run: Run) -> None:
        super().write_rows(tx, run)
        if not self.runs:
            self.runs.append((0, 0, 0))
            raise ConnectionResetError


@pytest.mark.usefixtures("take_out")
@pytest.mark.parametrize(
    ("guards", "expected"),
    [((), [*range(8)]), (("claims end with an error",), [3, 4, 5, 6, 7])],
    ids=["all there", "kept"],
)
async def test_a_claim_that_outlives_an_error_loses_the_run_that_failed(
    engine: Engine, kafka_bootstrap: str, topic: str, guards: tuple[str, ...], expected: list[int]
) -> None:
    async with consuming(FailsOnce(engine, topic), kafka_bootstrap, max_run_records=3):
        await until(lambda: has(engine, len(expected)))
    assert in_order(engine) == [(0, offset) for offset in expected]
