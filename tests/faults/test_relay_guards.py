"""Each guard of the relay, taken out of its source: the story that passes with it fails without it."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import MessageSizeTooLargeError
from sqlalchemy import Connection, Engine, select

from eventlog import relay as module
from eventlog.database import create_engine, create_tables
from eventlog.event_store import event
from eventlog.kafka import KafkaAccess
from eventlog.relay import count_unpublished
from tests.faults.relay import PARTITIONS, STREAMS, append, first_sights, own, versions, write, written
from tests.topics import make_topic, new_name, read_all, until

pytestmark = [pytest.mark.integration, pytest.mark.fault]

ABOVE_THE_LAST = (
    "select(event).where(event.c.position > func.coalesce(select(func.max(event.c.position))"
    ".where(event.c.published_at.is_not(None)).scalar_subquery(), 0))"
)
GUARDS = {
    "one at a time": ("if connection.execute(_LOCK).scalar_one():", "if True:"),
    "acknowledged, then marked": (
        """                            await self._send(producer, rows)
                        await self._in_thread(self._mark, connection, [row.position for row in rows])
""",
        """                            await self._in_thread(self._mark, connection, [row.position for row in rows])
                        await self._send(producer, rows)
""",
    ),
    "every acknowledgement": ("await asyncio.gather(*acknowledged)", "acknowledged.clear()"),
    "null, not above the last": (
        "select(event).where(event.c.published_at.is_(None))",
        ABOVE_THE_LAST,
    ),
    "by position": (".order_by(event.c.position)", ".order_by(event.c.position.desc())"),
}


class Killed(BaseException):
    """The process ends here."""


def without(guard: str) -> ModuleType:
    """The relay's module with that guard taken out."""
    source, (there, instead) = inspect.getsource(module), GUARDS[guard]
    assert source.count(there) == 1, f"the relay's source changed: mend the guard {guard!r} here"
    mutant = ModuleType("mutant")
    exec(compile(source.replace(there, instead), "mutant", "exec"), mutant.__dict__)  # noqa: S102
    return mutant


@dataclass(frozen=True)
class Place:
    """An event table, a broker, and the relay's module as it is or without one guard."""

    engine: Engine
    bootstrap: str
    module: ModuleType

    def relay(self, topic: str) -> Any:
        return self.module._Relay(self.engine, topic, "register", KafkaAccess(self.bootstrap), 500, 600.0, 60)

    async def drained(self) -> None:
        await until(lambda: count_unpublished(self.engine) == 0, seconds=20)

    async def kept(self, topic: str) -> bool:
        """Whether the topic holds each event of the table once, streams in order."""
        return versions(await read_all(self.bootstrap, topic)) == written(self.engine)


@contextlib.asynccontextmanager
async def running(*relays: Any) -> AsyncIterator[list[asyncio.Task[None]]]:
    tasks = [asyncio.create_task(each.run()) for each in relays]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for each in relays:
            each.close()


async def two_at_once(place: Place) -> bool:
    """A relay stands between reading and sending while another one starts."""
    topic = await make_topic(place.bootstrap, PARTITIONS)
    append(place.engine, STREAMS[0], 3)
    first, second = place.relay(topic), place.relay(topic)
    has_read, may_send, has_sent = asyncio.Event(), asyncio.Event(), asyncio.Event()
    answers: list[bool] = []
    send, lock = first._send, second._lock

    async def wait_and_send(producer: Any, rows: Any) -> None:
        has_read.set()
        await may_send.wait()
        await send(producer, rows)
        has_sent.set()

    def note(connection: Connection) -> bool:
        answers.append(lock(connection))
        return answers[-1]

    first._send, second._lock = wait_and_send, note
    async with running(first):
        await has_read.wait()
        async with running(second):
            await until(lambda: answers == [False] or count_unpublished(place.engine) == 0)
            may_send.set()
            await has_sent.wait()
            await place.drained()
    return await place.kept(topic)


async def killed_while_sending(place: Place) -> bool:
    """A relay ends before Kafka has anything, and another one goes on."""
    topic = await make_topic(place.bootstrap, PARTITIONS)
    append(place.engine, STREAMS[0], 3)

    async def end(*_: object) -> None:
        raise Killed

    first = place.relay(topic)
    first._send = end
    with contextlib.suppress(Killed):
        await first.run()
    first.close()
    async with running(place.relay(topic)):
        await place.drained()
    return await place.kept(topic)


async def refused_by_the_broker(place: Place) -> bool:
    """Kafka takes the bytes and then does not acknowledge them."""
    topic = new_name()
    admin = AIOKafkaAdminClient(bootstrap_servers=place.bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(topic, 1, 1, topic_configs={"max.message.bytes": "100"})])
    await admin.close()
    append(place.engine, STREAMS[0], 3)
    async with running(place.relay(topic)) as [task]:
        await until(lambda: task.done() or count_unpublished(place.engine) == 0)
        is_refused = task.done() and isinstance(task.exception(), MessageSizeTooLargeError)
    return is_refused and count_unpublished(place.engine) == 3


async def visible_late(place: Place) -> bool:
    """A lower position is committed after a higher one was sent."""
    topic = await make_topic(place.bootstrap, PARTITIONS)
    async with running(place.relay(topic)):
        with place.engine.begin() as slow:
            write(slow, STREAMS[0], version=0)
            append(place.engine, STREAMS[1])
            await place.drained()
        append(place.engine, STREAMS[2])
        last = select(event.c.published_at).where(event.c.stream_id == STREAMS[2])

        def is_out() -> bool:
            with place.engine.begin() as tx:
                return tx.scalar(last) is not None

        await until(is_out)
    return await place.kept(topic)


async def three_versions(place: Place) -> bool:
    """A stream grows before its relay runs."""
    topic = await make_topic(place.bootstrap, PARTITIONS)
    append(place.engine, STREAMS[0], 3)
    async with running(place.relay(topic)):
        await place.drained()
    return first_sights(versions(await read_all(place.bootstrap, topic))) == written(place.engine)


STORIES: dict[str, Callable[[Place], Awaitable[bool]]] = {
    "one at a time": two_at_once,
    "acknowledged, then marked": killed_while_sending,
    "every acknowledgement": refused_by_the_broker,
    "null, not above the last": visible_late,
    "by position": three_versions,
}


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = create_engine(database_url, application_name="test")
    create_tables(engine, own)
    yield engine
    engine.dispose()


@pytest.mark.parametrize("guard", GUARDS)
async def test_with_its_guard_the_story_ends_well(guard: str, engine: Engine, kafka_bootstrap: str) -> None:
    assert await STORIES[guard](Place(engine, kafka_bootstrap, module))


@pytest.mark.parametrize("guard", GUARDS)
async def test_without_it_the_story_does_not(guard: str, engine: Engine, kafka_bootstrap: str) -> None:
    assert not await STORIES[guard](Place(engine, kafka_bootstrap, without(guard)))
