"""Composition root of metering: the only place that knows all parts."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final, NoReturn
from uuid import uuid4

from fastapi import FastAPI
from sqlalchemy import Engine

from eventlog import relay
from eventlog.database import create_engine, create_tables
from eventlog.kafka_watch import KafkaWatch, topics_of
from eventlog.probes import ops_routes, unready_database
from eventlog.process import Task, run
from eventlog.purge import purge_published
from eventlog.registered import use_schema_registry
from eventlog.settings import read_settings
from eventlog.topics import load_topics, partition_of
from eventlog.trust import Authenticator
from market.ean import Ean
from services.metering import index_projection, index_tables, installation, store
from services.metering.api import create_api
from services.metering.blocks_api import blocks_router
from services.metering.body import Memory
from services.metering.completeness_api import completeness_router
from services.metering.forms import Limits
from services.metering.index_ingest import IndexIngest
from services.metering.indexes_api import indexes_router
from services.metering.ingest import Ingest
from services.metering.migration import create_store
from services.metering.projecting import Projecting
from services.metering.publisher import Publisher
from services.metering.readings_api import BodyLimits, readings_router
from services.metering.receipts import Receipts
from services.metering.rules import Bounds
from services.metering.settings import MeteringSettings
from services.metering.topic_ends import TopicEnds

ROLES: Final = ("api", "relay", "project")
RELAYED_TOPIC: Final = "metering-events"
_FOR_EVER_HOURS: Final = 24 * 365 * 100


def run_service(roles: Collection[str]) -> NoReturn:
    """Run `roles` as one process until it is told to stop."""
    settings = read_settings(MeteringSettings)
    publishes = not {"api", "relay"}.isdisjoint(roles)
    use_schema_registry(settings.schema_registry, publishes=settings.service if publishes else "")
    engine = create_engine(settings.database_url.get_secret_value(), application_name=settings.service)
    app, tasks = build(settings, roles, engine)
    run(
        settings.service,
        app=app,
        host=settings.host,
        port=settings.port,
        tasks=tasks,
        tracing_endpoint=settings.tracing_otlp_endpoint,
    )


def build(settings: MeteringSettings, roles: Collection[str], engine: Engine) -> tuple[FastAPI, list[Task]]:
    """Return the web application of `roles` and the tasks that run beside it; makes missing tables."""
    create_store(engine)
    create_tables(engine, installation.metadata, index_tables.metadata)
    app = FastAPI(openapi_url=None)
    if "api" in roles:
        app = build_api(settings, engine, Authenticator(settings.trusted_issuers, settings.service))
    projecting = Projecting(settings, engine) if "project" in roles else None
    watched = KafkaWatch(settings.kafka, topics_of(settings.service, load_topics(settings.topics_profile).values()))
    app.router.routes.extend(
        ops_routes(
            is_ready=lambda: (
                unready_database(engine) + watched.unready() + (projecting.unready() if projecting else [])
            ),
            stalled=lambda: projecting.stalled() if projecting else [],
            projections=lambda: projecting.statuses() if projecting else [],
            unpublished=partial(relay.count_unpublished, engine),
        )
    )

    async def publish() -> None:
        service, kafka = settings.service, settings.kafka
        await relay.relay(engine, topic=RELAYED_TOPIC, source=service, kafka=kafka)

    forgets_after = load_topics(settings.topics_profile)[RELAYED_TOPIC].retention_hours

    async def purge() -> None:
        await purge_published(engine, kept=timedelta(hours=forgets_after or _FOR_EVER_HOURS))

    tasks: list[Task] = [watched.watch]
    tasks += [publish, purge] if "relay" in roles else []
    return app, [*tasks, *projecting.tasks()] if projecting else tasks


def build_api(settings: MeteringSettings, engine: Engine, authenticator: Authenticator) -> FastAPI:
    """Return the web application of the role `api` on `engine`."""
    kafka = settings.kafka
    publisher = Publisher(kafka=kafka, topic=store.TOPIC, deadline_seconds=settings.publish_seconds)
    ends = TopicEnds(kafka=kafka, topic=store.TOPIC, timeout_seconds=settings.ends_seconds)
    receipts = Receipts(engine, ends)
    partition_count = load_topics(settings.topics_profile)[store.TOPIC].partitions

    async def catch_up(point: Ean) -> None:
        partition = partition_of(point.encode(), partition_count)
        await receipts.catch_up([partition], timeout_seconds=settings.settle_seconds)

    memory, clock = Memory(settings.max_memory_bytes), lambda: datetime.now(UTC)
    ingest = Ingest(
        publisher=publisher,
        receipts=receipts,
        read_current=partial(store.current_blocks, engine),
        limits=_limits(settings),
        bounds=_bounds(settings),
        catch_up_seconds=settings.catch_up_seconds,
    )
    bodies = _body_limits(settings)
    readings = readings_router(ingest, authenticator, memory=memory, limits=bodies, clock=clock, new_id=uuid4)
    to_indexes = Publisher(kafka=kafka, topic=index_projection.TOPIC, deadline_seconds=settings.publish_seconds)
    index_ends = TopicEnds(kafka=kafka, topic=index_projection.TOPIC, timeout_seconds=settings.ends_seconds)
    indexes = indexes_router(
        IndexIngest(
            publisher=to_indexes,
            receipts=Receipts(engine, index_ends, index_projection.NAME, index_projection.TOPIC),
            limits=_limits(settings),
            bounds=_bounds(settings),
        ),
        engine,
        authenticator,
        memory=memory,
        limits=bodies,
        clock=clock,
        new_id=uuid4,
    )
    blocks = blocks_router(engine, authenticator, max_days=settings.max_block_days, catch_up=catch_up)
    counts = completeness_router(engine, authenticator, clock=clock)
    return create_api([readings, indexes, blocks, counts], kafka=[publisher, to_indexes, ends, index_ends])


def _limits(settings: MeteringSettings) -> Limits:
    return Limits(
        max_unpacked_bytes=settings.max_unpacked_bytes,
        max_record_count=settings.max_record_count,
        max_line_count=settings.max_line_count,
        max_line_bytes=settings.max_line_bytes,
    )


def _body_limits(settings: MeteringSettings) -> BodyLimits:
    return BodyLimits(
        max_bytes=settings.max_body_bytes,
        max_unpacked_bytes=settings.max_unpacked_bytes,
        arrive_seconds=settings.arrive_seconds,
    )


def _bounds(settings: MeteringSettings) -> Bounds:
    return Bounds(
        oldest_day=settings.oldest_day,
        days_ahead=settings.days_ahead,
        source_ahead=timedelta(seconds=settings.source_ahead_seconds),
    )
