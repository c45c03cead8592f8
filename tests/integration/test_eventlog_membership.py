"""Members of a group: one that stops hands over, one that comes back is not missed, and the group is told by hints."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from sqlalchemy import Engine, text

from eventlog import metrics
from eventlog.checkpoint import Claim
from eventlog.consumer import Progress
from eventlog.database import create_engine, create_tables
from eventlog.probes import stalled_projections, unready_projections
from eventlog.projection import Applied, Run
from tests.effects import NAME, Offsets, consuming, counts, effects, has, in_order, once, values
from tests.faults.member_process import member
from tests.topics import make_topic, send, until

pytestmark = pytest.mark.integration


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = create_engine(database_url, application_name="test")
    create_tables(engine, effects)
    yield engine
    engine.dispose()


async def told(bootstrap: str, topic: str) -> dict[int, int]:
    """What a tool that shows a group's lag is told: the committed offset of each partition."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        found = await admin.list_consumer_group_offsets(f"test.{NAME}.{topic}")
    finally:
        await admin.close()
    return {tp.partition: each.offset for tp, each in found.items()}


def epochs(engine: Engine) -> dict[int, int]:
    with engine.begin() as tx:
        return {row.partition: row.epoch for row in tx.execute(text("select partition, epoch from checkpoint"))}


async def test_tools_that_show_lag_see_how_far_it_is(engine: Engine, kafka_bootstrap: str) -> None:
    topic = await make_topic(kafka_bootstrap, 2)

    async def is_told(offsets: dict[int, int]) -> bool:
        return await told(kafka_bootstrap, topic) == offsets

    async with consuming(Offsets(engine, topic), kafka_bootstrap):
        await send(kafka_bootstrap, topic, values(7), partition=0)
        await send(kafka_bootstrap, topic, values(3), partition=1)
        await until(lambda: is_told({0: 7, 1: 3}))
        await send(kafka_bootstrap, topic, values(4), partition=1)
        await until(lambda: has(engine, 14))
    assert await told(kafka_bootstrap, topic) == {0: 7, 1: 7}  # the last word is said when it stops


async def test_what_the_group_was_told_decides_nothing(engine: Engine, kafka_bootstrap: str) -> None:
    topic = await make_topic(kafka_bootstrap, 3)
    for partition in range(3):
        await send(kafka_bootstrap, topic, values(8), partition=partition)
    wrong = {TopicPartition(topic, 0): 5, TopicPartition(topic, 1): 8, TopicPartition(topic, 2): 1_000_000}
    async with AIOKafkaConsumer(
        bootstrap_servers=kafka_bootstrap, group_id=f"test.{NAME}.{topic}", enable_auto_commit=False
    ) as tool:
        tool.assign([*wrong])
        await tool.commit(wrong)
    async with consuming(Offsets(engine, topic), kafka_bootstrap):
        await until(lambda: has(engine, 24))
    assert counts(engine) == {**once(8, 0), **once(8, 1), **once(8, 2)}
    assert await told(kafka_bootstrap, topic) == {0: 8, 1: 8, 2: 8}


async def test_a_hint_that_cannot_be_given_is_counted_and_stops_nothing(
    engine: Engine, kafka_bootstrap: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = await make_topic(kafka_bootstrap, 1)
    failures = metrics.HINT_FAILURES.labels(NAME, topic)
    monkeypatch.setattr("eventlog.hints._LIMIT_SECONDS", 0.0)
    async with consuming(Offsets(engine, topic), kafka_bootstrap):
        await send(kafka_bootstrap, topic, values(4), partition=0)
        await until(lambda: failures._value.get() > 0)
        await send(kafka_bootstrap, topic, values(4), partition=0)
        await until(lambda: has(engine, 8))
    assert counts(engine) == once(8)


async def test_a_member_that_comes_back_in_time_is_not_missed(engine: Engine, kafka_bootstrap: str) -> None:
    topic = await make_topic(kafka_bootstrap, 2)
    steady = Progress()
    async with consuming(Offsets(engine, topic, "steady"), kafka_bootstrap, steady):
        async with consuming(Offsets(engine, topic, "restarted"), kafka_bootstrap):
            await until(lambda: len(epochs(engine)) == 2 and steady.is_joined and len(steady.next_offsets) == 1)
            await until(lambda: not steady.unclaimed_count)
        (mine,), before = steady.next_offsets, epochs(engine)
        again = Progress()
        async with consuming(Offsets(engine, topic, "restarted"), kafka_bootstrap, again):
            await until(lambda: again.is_joined and len(again.next_offsets) == 1)
            for partition in range(2):
                await send(kafka_bootstrap, topic, values(4), partition=partition)
            await until(lambda: has(engine, 8))
            assert steady.next_offsets.keys() == {mine}
            after = epochs(engine)
    assert after[mine] == before[mine]
    assert after[1 - mine] == before[1 - mine] + 1
    assert counts(engine) == {**once(4, 0), **once(4, 1)}


async def test_a_member_that_is_told_to_stop_ends_the_run_it_is_in(engine: Engine, kafka_bootstrap: str) -> None:
    topic = await make_topic(kafka_bootstrap, 1)
    await send(kafka_bootstrap, topic, values(25), partition=0)
    with member(engine, kafka_bootstrap, topic, "first", place="moved") as first:
        await first.says("moved")  # its first ten; the next ten wait behind them
        first.process.send_signal(signal.SIGTERM)
        first.go_on()
        await first.says("committed")
        assert await asyncio.to_thread(first.process.wait, 60) == 0
        assert in_order(engine) == [(0, offset) for offset in range(10)]
        assert await told(kafka_bootstrap, topic) == {0: 10}
    following = Offsets(engine, topic, "first")
    async with consuming(following, kafka_bootstrap):
        await until(lambda: has(engine, 25))
    assert following.runs[0][1] == 10
    assert in_order(engine) == [(0, offset) for offset in range(25)]


@dataclass
class Stuck(Offsets):
    """Its runs hang as often as `hang_count` says, until `is_free`."""

    hang_count: int = 1
    is_free: threading.Event = field(default_factory=threading.Event)

    def apply(self, claim: Claim, run: Run) -> Applied:
        if self.hang_count:
            self.hang_count -= 1
            assert self.is_free.wait(60)
        return super().apply(claim, run)


async def test_a_run_that_does_not_end_keeps_nobody_from_stopping(
    engine: Engine, kafka_bootstrap: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = await make_topic(kafka_bootstrap, 1)
    monkeypatch.setattr("eventlog.member._FINISHING_SECONDS", 0.2)
    stuck = Stuck(engine, topic)
    async with consuming(stuck, kafka_bootstrap):
        await send(kafka_bootstrap, topic, values(4), partition=0)
        await until(lambda: not stuck.hang_count)
    async with consuming(Offsets(engine, topic), kafka_bootstrap):
        await until(lambda: has(engine, 4))
        stuck.is_free.set()  # the old run goes on, and is fenced
        await send(kafka_bootstrap, topic, values(4), partition=0)
        await until(lambda: has(engine, 8))
    assert counts(engine) == once(8)


async def test_a_member_that_hangs_is_replaced_and_its_run_left_behind(
    engine: Engine, kafka_bootstrap: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = await make_topic(kafka_bootstrap, 1)
    monkeypatch.setattr("eventlog.member._FINISHING_SECONDS", 0.2)
    stuck, progress = Stuck(engine, topic), Progress(stall_limit_seconds=4.0)
    async with consuming(stuck, kafka_bootstrap, progress):
        await send(kafka_bootstrap, topic, values(4), partition=0)
        await until(lambda: has(engine, 4))
        stuck.is_free.set()
        await send(kafka_bootstrap, topic, values(4), partition=0)
        await until(lambda: has(engine, 8))
        await until(lambda: progress.standstill.seconds == 0)
    assert counts(engine) == once(8)


async def test_what_no_replacement_mends_turns_liveness_red(
    engine: Engine, kafka_bootstrap: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = await make_topic(kafka_bootstrap, 1)
    monkeypatch.setattr("eventlog.member._FINISHING_SECONDS", 0.2)
    stuck, progress = Stuck(engine, topic, hang_count=1000), Progress(stall_limit_seconds=4.0)
    async with consuming(stuck, kafka_bootstrap, progress):
        await send(kafka_bootstrap, topic, values(4), partition=0)
        await until(lambda: bool(stalled_projections([progress])))
        assert stuck.hang_count <= 998  # by another member, too
        stuck.hang_count = 0
        stuck.is_free.set()
        await until(lambda: not stalled_projections([progress]))
    assert counts(engine) == once(4)


async def test_an_outage_leaves_liveness_alone(engine: Engine, kafka_bootstrap: str) -> None:
    topic = await make_topic(kafka_bootstrap, 1)
    await send(kafka_bootstrap, topic, values(4), partition=0)
    gone = create_engine("postgresql://nobody@127.0.0.1:1/nothing", application_name="test")
    without_kafka, without_database = (Progress(stall_limit_seconds=4.0) for _ in range(2))
    async with (
        consuming(Offsets(engine, topic), "127.0.0.1:1", without_kafka),
        consuming(Offsets(gone, topic), kafka_bootstrap, without_database),
    ):
        await until(lambda: min(without_kafka.standstill.seconds, without_database.standstill.seconds) >= 6)
        assert stalled_projections([without_kafka, without_database]) == []
        assert unready_projections([without_kafka, without_database]) == [
            "a projection has not joined its group",
            "1 partitions are not claimed",
        ]
