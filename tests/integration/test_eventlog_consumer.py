"""A member of a projection's group, on a real broker and a real database: each record once, whatever happens."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from prometheus_client import REGISTRY
from sqlalchemy import Engine, select

from eventlog import checkpoint
from eventlog.checkpoint import Claim
from eventlog.consumer import Progress, consume
from eventlog.database import create_engine, create_tables
from eventlog.halt import Coordinates, Halt, ProjectionStopped
from eventlog.kafka import KafkaAccess
from eventlog.probes import projection_status, stalled_projections, unready_projections
from eventlog.projection import Applied, Run
from eventlog.reason import Reason, Rule
from eventlog.tables import checkpoint as checkpoint_table
from tests.effects import Offsets, consuming, counts, effects, has, values
from tests.topics import make_topic, new_name, send, until

pytestmark = pytest.mark.integration


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = create_engine(database_url, application_name="test")
    create_tables(engine, effects)
    yield engine
    engine.dispose()


async def test_a_member_waits_for_its_topic_and_is_ready_without_any_record(
    engine: Engine, kafka_bootstrap: str
) -> None:
    progress, projection = Progress(), Offsets(engine, new_name())
    async with consuming(projection, kafka_bootstrap, progress):
        await make_topic(kafka_bootstrap, 2, projection.topic)
        await until(lambda: progress.is_joined and not progress.unclaimed_count and len(progress.end_offsets) == 2)
        status = await asyncio.to_thread(projection_status, engine, projection, progress)
        assert (status.lag, status.parked, status.checkpoints) == (0, 0, {0: 0, 1: 0})
        await send(kafka_bootstrap, projection.topic, values(10))
        await until(lambda: has(engine, 10))


async def test_each_record_is_applied_once_over_several_partitions_and_a_restart(
    engine: Engine, kafka_bootstrap: str
) -> None:
    topic = await make_topic(kafka_bootstrap, 4)
    await send(kafka_bootstrap, topic, values(500))
    for first, last in ((500, 1000), (1000, 1500)):
        progress, projection = Progress(), Offsets(engine, topic)
        async with consuming(projection, kafka_bootstrap, progress, max_run_records=40, concurrent_run_count=2):
            await send(kafka_bootstrap, topic, values(500, first))
            await until(lambda last=last: has(engine, last))
            await until(lambda p=projection, q=progress: projection_status(engine, p, q).lag == 0)
        assert max(after - before for _, before, after in projection.runs) <= 40
    assert set(counts(engine).values()) == {1}
    with engine.begin() as tx:
        assert sum(checkpoint.read(tx, projection="offsets", topic=topic).values()) == 1500


async def test_sessions_ended_by_the_server_lose_and_double_nothing(
    engine: Engine, kafka_bootstrap: str, postgres_admin_url: str
) -> None:
    topic = await make_topic(kafka_bootstrap, 2)
    progress, projection = Progress(), Offsets(engine, topic)
    role = engine.url.username

    def end_sessions() -> None:
        with psycopg.connect(postgres_admin_url) as admin:
            admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = %s", (role,))

    async with consuming(projection, kafka_bootstrap, progress, max_run_records=5):
        for number in range(4):
            await send(kafka_bootstrap, topic, values(200, number * 200))
            await asyncio.to_thread(end_sessions)
        await until(lambda: has(engine, 800))
    assert set(counts(engine).values()) == {1}
    assert len(counts(engine)) == 800


async def test_partitions_do_not_wait_for_each_other(engine: Engine, kafka_bootstrap: str) -> None:
    topic = await make_topic(kafka_bootstrap, 2)
    is_free = threading.Event()

    class Stuck(Offsets):
        def apply(self, claim: Claim, run: Run) -> Applied:
            assert run.partition == 1 or is_free.wait(60)
            return super().apply(claim, run)

    async with consuming(Stuck(engine, topic), kafka_bootstrap, Progress(), max_run_records=2, concurrent_run_count=2):
        await send(kafka_bootstrap, topic, values(20), partition=0)
        await send(kafka_bootstrap, topic, values(20), partition=1)
        await until(lambda: has(engine, 20))
        assert {partition for partition, _ in counts(engine)} == {1}
        is_free.set()
        await until(lambda: has(engine, 40))
    assert set(counts(engine).values()) == {1}


async def test_an_unknown_outcome_is_asked_of_the_database(engine: Engine, kafka_bootstrap: str) -> None:
    topic = await make_topic(kafka_bootstrap, 1)
    answers = iter([True, False, True])

    class CutOff(Offsets):
        def apply(self, claim: Claim, run: Run) -> Applied:
            if next(answers, False):
                super().apply(claim, run)  # committed, and then the answer is lost
                raise ConnectionResetError
            return super().apply(claim, run)

    async with consuming(CutOff(engine, topic), kafka_bootstrap, Progress(), max_run_records=3):
        await send(kafka_bootstrap, topic, values(12))
        await until(lambda: has(engine, 12))
    assert counts(engine) == {(0, offset): 1 for offset in range(12)}


async def test_a_fault_of_the_projection_ends_it(engine: Engine, kafka_bootstrap: str) -> None:
    topic = await make_topic(kafka_bootstrap, 1)

    class Broken(Offsets):
        def apply(self, claim: Claim, run: Run) -> Applied:
            raise KeyError("ours")

    await send(kafka_bootstrap, topic, values(1))
    with pytest.raises(KeyError, match="ours"):
        await asyncio.wait_for(
            consume(Broken(engine, topic), service="test", kafka=KafkaAccess(kafka_bootstrap), replica="0"), 60
        )


async def test_offsets_that_are_gone_halt_their_partition(engine: Engine, kafka_bootstrap: str) -> None:
    topic = await make_topic(kafka_bootstrap, 1)
    await send(kafka_bootstrap, topic, values(10))
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await admin.start()
    await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(before_offset=5)})
    await admin.close()
    progress = Progress()
    async with consuming(Offsets(engine, topic), kafka_bootstrap, progress):
        await until(lambda: bool(progress.halts))
    words = "the log does not hold this offset (any more)"
    assert progress.halts == {0: Halt("offsets", Coordinates(topic, 0, 0), Reason(Rule.MISSING_FROM_LOG, words))}
    assert not counts(engine)


async def test_a_hole_in_the_log_is_not_stepped_over(engine: Engine, kafka_bootstrap: str) -> None:
    topic = await make_topic(kafka_bootstrap, 1)
    async with AIOKafkaProducer(bootstrap_servers=kafka_bootstrap, transactional_id=topic) as producer:
        for value in values(2):
            async with producer.transaction():  # its end takes an offset of its own: the hole
                await producer.send_and_wait(topic, value, partition=0)
    progress = Progress()
    async with consuming(Offsets(engine, topic), kafka_bootstrap, progress):
        await until(lambda: bool(progress.halts))
    words = "the broker does not deliver this offset"
    assert progress.halts == {0: Halt("offsets", Coordinates(topic, 0, 1), Reason(Rule.MISSING_FROM_LOG, words))}
    assert counts(engine) == {(0, 0): 1}


@dataclass
class Choosy(Offsets):
    """Stops at offset 3 of partition 1, as long as it is told to."""

    stops: bool = True

    def apply(self, claim: Claim, run: Run) -> Applied:
        if self.stops and run.partition == 1 and run.first_offset <= 3 < run.next_offset:
            reason = Reason(Rule.UNUSABLE, "not this one")
            raise ProjectionStopped(self.name, Coordinates(self.topic, 1, 3), reason)
        return super().apply(claim, run)


async def test_a_halt_stops_one_partition_and_no_process_is_told_once_and_ends_by_itself_when_mended(
    engine: Engine, kafka_bootstrap: str, caplog: pytest.LogCaptureFixture
) -> None:
    topic = await make_topic(kafka_bootstrap, 2)
    await send(kafka_bootstrap, topic, values(20))
    progress, projection = Progress(recheck_seconds=0.2, stall_limit_seconds=1.0), Choosy(engine, topic)
    async with consuming(projection, kafka_bootstrap, progress, max_run_records=2):
        await until(lambda: bool(progress.halts) and has(engine, 12))
        claims = epoch(engine, topic)
        await until(lambda: epoch(engine, topic) > claims + 5)  # tried again, for longer than a standstill may last
        assert unready_projections([progress]) == [f"offsets halts at {topic}/1/3: not this one"]
        assert stalled_projections([progress]) == []
        assert progress.lag is None
        assert REGISTRY.get_sample_value(*halted_gauge(topic)) == 1
        status = await asyncio.to_thread(projection_status, engine, projection, progress)
        assert (status.checkpoints, status.halts) == ({0: 10, 1: 2}, tuple(progress.halts.values()))
        projection.stops = False
        await until(lambda: has(engine, 20) and progress.lag == 0)
        await until(lambda: REGISTRY.get_sample_value(*halted_gauge(topic)) == 0)
        assert unready_projections([progress]) == []
    told = [each for each in caplog.records if each.levelname == "CRITICAL"]
    assert [each.getMessage().partition(";")[0] for each in told] == [f"offsets halts at {topic}/1/3: not this one"]
    assert set(counts(engine).values()) == {1}


def epoch(engine: Engine, topic: str) -> int:
    """How often partition 1 was claimed."""
    with engine.begin() as tx:
        place = checkpoint_table.c
        found = tx.scalar(select(place.epoch).where(place.topic == topic, place.partition == 1))
        return int(found or 0)


def halted_gauge(topic: str) -> tuple[str, dict[str, str]]:
    return "projection_halted_partitions", {"projection": "offsets", "topic": topic}
