"""What the guards of reading are for: taken out, their case loses, doubles or stands still; with them, it does not.

The guards themselves: `guards.py`; those of writing: `test_guards.py`.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from sqlalchemy import Connection, Engine

from eventlog.consumer import Progress
from eventlog.database import create_engine, create_tables
from eventlog.projection import Run
from tests.effects import NAME, Offsets, consuming, counts, effects, has, in_order, once, values
from tests.faults.guards import TAKEN_OUT
from tests.topics import make_topic, send, until

pytestmark = [pytest.mark.integration, pytest.mark.fault]


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
