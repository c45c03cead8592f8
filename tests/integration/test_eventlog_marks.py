"""Marks are written while the relay keeps up, never speak of what is not published, and stop when it does."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine, Iterator
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine

from eventlog import event_store
from eventlog.database import create_engine, create_tables
from eventlog.events import DataAccessContractSigned
from eventlog.kafka import KafkaAccess
from eventlog.marks import Mark, decode_mark, write_marks
from eventlog.relay import relay
from tests.topics import make_topic, read_all, until

pytestmark = pytest.mark.integration

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = create_engine(database_url, application_name="test")
    create_tables(engine)
    yield engine
    engine.dispose()


@contextlib.asynccontextmanager
async def working(task: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    running = asyncio.create_task(task)
    try:
        yield
        assert not running.done()
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


def sign(engine: Engine, number: int) -> None:
    contract = f"{number:010}"
    event = DataAccessContractSigned(contract_number=contract, holder_kbo="0123456749", valid_from=date(2026, 1, 1))
    with engine.begin() as tx:
        event_store.append(
            tx, f"contract:{contract}", [event], expected_version=0, correlation_id=UUID(int=1), recorded_at=NOW
        )


async def marks(bootstrap: str, topic: str) -> list[Mark]:
    return [decode_mark(record.value) for record in await read_all(bootstrap, topic) if record.value]


async def test_a_mark_covers_what_was_committed_before_it(engine: Engine, kafka_bootstrap: str) -> None:
    topic, marks_topic = await make_topic(kafka_bootstrap, 3), await make_topic(kafka_bootstrap, 1)
    for number in range(20):
        sign(engine, number)
    signed_at = datetime.now(UTC)
    places = {"topic": topic, "source": "mandate", "kafka": KafkaAccess(kafka_bootstrap)}
    async with (
        working(relay(engine, **places)),
        working(write_marks(engine, **places, marks_topic=marks_topic, every_seconds=0.1)),
    ):

        async def is_marked() -> bool:
            return any(mark.as_of > signed_at for mark in await marks(kafka_bootstrap, marks_topic))

        await until(is_marked)
    found = [mark for mark in await marks(kafka_bootstrap, marks_topic) if mark.as_of > signed_at]
    assert {(mark.source, mark.topic) for mark in found} == {("mandate", topic)}
    assert sum(found[0].offsets.values()) == 20


async def test_no_mark_is_younger_than_what_waits_for_the_relay(engine: Engine, kafka_bootstrap: str) -> None:
    topic, marks_topic = await make_topic(kafka_bootstrap, 3), await make_topic(kafka_bootstrap, 1)
    places = {"topic": topic, "source": "mandate", "kafka": KafkaAccess(kafka_bootstrap)}
    async with working(write_marks(engine, **places, marks_topic=marks_topic, every_seconds=0.05)):

        async def is_marked() -> bool:
            return bool(await marks(kafka_bootstrap, marks_topic))

        await until(is_marked)
        sign(engine, 1)
        committed_at = datetime.now(UTC)
        await asyncio.sleep(1.0)  # time in which marks would be written, were they wrong
        assert all(mark.as_of <= committed_at for mark in await marks(kafka_bootstrap, marks_topic))

        async with working(relay(engine, **places)):

            async def is_marked_again() -> bool:
                return any(mark.as_of > committed_at for mark in await marks(kafka_bootstrap, marks_topic))

            await until(is_marked_again)
    found = await marks(kafka_bootstrap, marks_topic)
    assert {sum(mark.offsets.values()) for mark in found if mark.as_of > committed_at} == {1}
