"""Composition root of the replay of what metering parked."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import Engine

from eventlog.parked import Letter
from eventlog.parked_command import Replays
from eventlog.replay import Replayed, replay_streams
from eventlog.topics import load_topics
from services.metering import index_projection, installation, store
from services.metering.index_projection import IndexProjection, replay_indexes
from services.metering.parked import replay_readings
from services.metering.publisher import Publisher
from services.metering.settings import MeteringSettings


@contextmanager
def replays(settings: MeteringSettings, engine: Engine) -> Iterator[Replays]:
    """Lend what takes parked records in after all, by projection."""
    partition_count = load_topics(settings.topics_profile)[store.TOPIC].partitions

    async def replay(found: Sequence[Letter]) -> Replayed:
        publisher = Publisher(kafka=settings.kafka, topic=store.TOPIC, deadline_seconds=settings.publish_seconds)
        try:
            return await replay_readings(
                engine,
                publisher,
                found,
                partition_count=partition_count,
                projection=store.PROJECTION,
                timeout_seconds=settings.catch_up_seconds,
            )
        finally:
            await publisher.stop()

    installed = installation.installation_projection(
        engine, load_topics(settings.topics_profile)[installation.TOPIC].partitions
    )
    indexes = IndexProjection(
        engine=engine, partition_count=load_topics(settings.topics_profile)[index_projection.TOPIC].partitions
    )
    yield {
        store.PROJECTION: lambda found: asyncio.run(replay(found)),
        installation.NAME: lambda found: replay_streams(installed, found),
        index_projection.NAME: lambda found: replay_indexes(indexes, found),
    }
