"""Metering as tests use it: its API in this process, on a real Kafka and a real PostgreSQL."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
from aiokafka import AIOKafkaConsumer, TopicPartition
from pydantic import SecretStr
from sqlalchemy import Engine

from eventlog.database import create_engine, create_tables
from eventlog.kafka import KafkaAccess
from eventlog.topics import create_topics
from market.ean import Ean, check_digit
from services.metering import index_tables, store, tables
from services.metering.app import build_api
from services.metering.projecting import Projecting
from services.metering.settings import MeteringSettings
from tests.callers import authenticator, machine

DEADLINE_SECONDS = 60.0


@dataclass(frozen=True)
class Room:
    """The API of metering with its store; `http` calls without a token."""

    settings: MeteringSettings
    engine: Engine
    http: httpx.AsyncClient

    async def post(
        self, body: Any, media_type: str, *, headers: dict[str, str] | None = None, **query: str
    ) -> httpx.Response:
        """Send readings as the publisher `publisher-1`, or as who `headers` say."""
        sent_by = headers or publisher("publisher-1")
        return await self.http.post(
            "/readings", content=body, params=query, headers={**sent_by, "Content-Type": media_type}
        )

    async def receipt(self, partition: int, offset: int) -> httpx.Response:
        """Ask for a receipt."""
        return await self.http.get(f"/receipts/{partition}/{offset}", headers=publisher("publisher-1"))

    @contextlib.asynccontextmanager
    async def projecting(self) -> AsyncIterator[None]:
        """Keep the store up to date meanwhile."""
        task = asyncio.create_task(Projecting(self.settings, self.engine).project_blocks())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


@contextlib.asynccontextmanager
async def open_room(database_url: str, kafka_bootstrap: str, **changes: Any) -> AsyncIterator[Room]:
    """Lend a room with `changes` to its settings."""
    settings = MeteringSettings(
        database_url=SecretStr(database_url), kafka_bootstrap=kafka_bootstrap, port=0, **changes
    )
    engine = create_engine(database_url, application_name="test")
    create_tables(engine, tables.metadata, index_tables.metadata)
    app = build_api(settings, engine, authenticator("metering"))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://metering.test", timeout=DEADLINE_SECONDS) as http,
    ):
        yield Room(settings, engine, http)
    engine.dispose()


@contextlib.asynccontextmanager
async def open_real_room(database_url: str, kafka_bootstrap: str, **changes: Any) -> AsyncIterator[Room]:
    """`open_room` on a broker that has the topics."""
    await create_topics(KafkaAccess(kafka_bootstrap), "local")
    async with open_room(database_url, kafka_bootstrap, **changes) as room:
        yield room


def publisher(client_id: str, *, role: str = "publisher") -> dict[str, str]:
    """Return the headers of a machine that may send readings."""
    return machine(client_id, role=role, audience="metering", scope="readings.write")


def exporter(subject: str = "export", *, role: str = "service", scope: str = "blocks.read") -> dict[str, str]:
    """Return the headers of the service export."""
    return machine(subject, role=role, audience="metering", scope=scope)


def new_ean() -> Ean:
    """Return a point that no other test speaks of: the topic outlives the test."""
    first = f"5414488{secrets.randbelow(10**10):010d}"
    return Ean(f"{first}{check_digit(first)}")


async def read_record(bootstrap: str, partition: int, offset: int) -> Any:
    """Return the record that a receipt names."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="none")
    async with consumer:
        place = TopicPartition(store.TOPIC, partition)
        consumer.assign([place])
        consumer.seek(place, offset)
        return await consumer.getone()


async def end_offsets(bootstrap: str) -> dict[int, int]:
    """Return how far the topic reaches, by partition."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    async with consumer:
        places = [TopicPartition(store.TOPIC, partition) for partition in range(8)]
        return {place.partition: end for place, end in (await consumer.end_offsets(places)).items()}
