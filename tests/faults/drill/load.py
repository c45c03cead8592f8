"""Bringing the load in: events by the event table, readings straight to their topic, through whatever befalls them."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from aiokafka import AIOKafkaProducer, ConsumerRecord
from aiokafka.errors import KafkaError
from sqlalchemy import Engine

from eventlog.relay import PRODUCER_SETTINGS
from eventlog.topics import partition_of
from tests.faults.drill.book import Book
from tests.faults.drill.events_load import WRITERS, write_events
from tests.faults.drill.poison import make_poison
from tests.faults.drill.readings_load import make_readings
from tests.faults.drill.tables import EVENTS, PARTITIONS, READINGS

_TICKS: Final = 5
_PRODUCERS: Final = 2
_RETRY_SECONDS: Final = 0.5
_RESENT_EVENTS: Final = 20
_HELD_BACK_SECONDS: Final = (0.0, 0.0, 0.0, 0.3, 1.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Item:
    topic: str
    key: bytes
    value: bytes
    headers: Sequence[tuple[str, bytes]]
    partition: int


@dataclass
class Load:
    """The load of a whole drill; `run` brings in a part of it and returns when all of that is acknowledged."""

    book: Book
    engine: Engine
    bootstrap: str
    chance: random.Random
    producers: list[AIOKafkaProducer] = field(default_factory=list)

    @contextlib.asynccontextmanager
    async def producing(self) -> AsyncIterator[None]:
        """Have producers, two of them, each for half of the partitions."""
        self.producers = [await self._producer() for _ in range(_PRODUCERS)]
        try:
            yield
        finally:
            for each in self.producers:
                with contextlib.suppress(TimeoutError, KafkaError):
                    await asyncio.wait_for(each.stop(), 5)

    async def _producer(self) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(bootstrap_servers=self.bootstrap, client_id="drill", **PRODUCER_SETTINGS)
        await producer.start()
        return producer

    async def run(self, count: int, seconds: float, sample: Sequence[ConsumerRecord] | None) -> None:
        """Bring in at least `count` records in `seconds` or longer; with a `sample`, poison and copies of it too."""
        writers = [self._write_events(each, count // 2 // WRITERS, seconds) for each in range(WRITERS)]
        await asyncio.gather(*writers, self._send_readings(count - count // 2, seconds, sample))

    async def _write_events(self, writer: int, count: int, seconds: float) -> None:
        chance = random.Random(self.chance.random())
        for _ in range(_TICKS):
            part = count // _TICKS + 1
            writing = asyncio.to_thread(write_events, self.engine, self.book, chance, writer, part)
            await asyncio.gather(writing, asyncio.sleep(seconds / _TICKS))

    async def _send_readings(self, count: int, seconds: float, sample: Sequence[ConsumerRecord] | None) -> None:
        for tick in range(_TICKS):
            items = [
                _Item(topic=READINGS, key=each.key, value=each.value, headers=each.headers, partition=each.partition)
                for each in make_readings(self.book, self.chance, count // _TICKS + 1)
            ]
            if tick % 2 and sample is not None:
                items += self._copies(sample)
                items += self._poison()
            sending = [
                self._send([each for each in items if each.partition == partition]) for partition in range(PARTITIONS)
            ]
            await asyncio.gather(*sending, asyncio.sleep(seconds / _TICKS))

    def _copies(self, sample: Sequence[ConsumerRecord]) -> list[_Item]:
        chosen = self.chance.sample(sample, min(len(sample), _RESENT_EVENTS))
        self.book.again_count += len(chosen)
        return [
            _Item(topic=EVENTS, key=each.key, value=each.value, headers=each.headers, partition=each.partition)
            for each in chosen
        ]

    def _poison(self) -> list[_Item]:
        return [
            _Item(
                topic=each.topic,
                key=each.key,
                value=each.value,
                headers=each.headers,
                partition=partition_of(each.key, PARTITIONS) if each.partition is None else each.partition,
            )
            for each in make_poison(self.book, self.chance)
        ]

    async def _send(self, items: Sequence[_Item]) -> None:
        """Send what goes to one partition, in order, after holding it back for a while; again what failed."""
        await asyncio.sleep(self.chance.choice(_HELD_BACK_SECONDS))
        unsent = list(items)
        while unsent:
            number = unsent[0].partition % _PRODUCERS
            producer = self.producers[number]
            outcomes = await self._try(producer, unsent)
            unsent = [each for each, outcome in zip(unsent, outcomes, strict=True) if isinstance(outcome, Exception)]
            if unsent:
                self.book.failed_count += len(unsent)
                self._note_again(unsent)
                await asyncio.sleep(_RETRY_SECONDS)
                if self.producers[number] is producer:
                    await self._renew(number)

    async def _try(self, producer: AIOKafkaProducer, items: Sequence[_Item]) -> list[Any]:
        waiting: list[Any] = []
        for each in items:
            try:
                waiting.append(
                    await producer.send(
                        each.topic, each.value, key=each.key, headers=list(each.headers), partition=each.partition
                    )
                )
            except KafkaError as error:
                waiting.append(_failed(error))
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, Exception) and not isinstance(outcome, KafkaError):
                raise outcome
        return outcomes

    def _note_again(self, items: Sequence[_Item]) -> None:
        for each in items:
            if each.topic == READINGS and not (tag := dict(each.headers)["drill"]).startswith(b"poison"):
                self.book.sent[int(tag)] += 1

    async def _renew(self, number: int) -> None:
        old, self.producers[number] = self.producers[number], await self._producer()
        with contextlib.suppress(TimeoutError, KafkaError):
            await asyncio.wait_for(old.stop(), 5)


def _failed(error: Exception) -> asyncio.Future[None]:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    future.set_exception(error)
    return future
