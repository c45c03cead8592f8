"""Composition root of register: the only place that knows all parts."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from functools import partial
from secrets import token_bytes
from typing import Final, NoReturn
from uuid import uuid4

from fastapi import FastAPI
from sqlalchemy import Engine

from eventlog import marks, relay
from eventlog.database import create_engine, create_tables
from eventlog.kafka_watch import KafkaWatch, topics_of
from eventlog.probes import ops_routes, unready_database
from eventlog.process import Task, run
from eventlog.registered import use_schema_registry
from eventlog.settings import read_settings
from eventlog.topics import load_topics
from eventlog.trust import Authenticator
from services.register import tables
from services.register.api import create_api
from services.register.desk import Desk
from services.register.settings import RegisterSettings

ROLES: Final = ("api", "relay")
TOPIC: Final = "register-events"


def run_service(roles: Collection[str]) -> NoReturn:
    """Run `roles` as one process until it is told to stop."""
    settings = read_settings(RegisterSettings)
    use_schema_registry(settings.schema_registry, publishes=settings.service if "relay" in roles else "")
    app, tasks = build(settings, roles)
    run(
        settings.service,
        app=app,
        host=settings.host,
        port=settings.port,
        tasks=tasks,
        tracing_endpoint=settings.tracing_otlp_endpoint,
    )


def build(settings: RegisterSettings, roles: Collection[str]) -> tuple[FastAPI, list[Task]]:
    """Return the web application of `roles` and the tasks that run beside it; makes missing tables."""
    engine = create_engine(settings.database_url.get_secret_value(), application_name=settings.service)
    create_tables(engine, tables.metadata)
    app = FastAPI(openapi_url=None)
    if "api" in roles:
        app = _create_api(engine, settings)
    watched = KafkaWatch(settings.kafka, topics_of(settings.service, load_topics(settings.topics_profile).values()))
    app.router.routes.extend(
        ops_routes(
            is_ready=lambda: unready_database(engine) + watched.unready(),
            unpublished=partial(relay.count_unpublished, engine),
        )
    )

    async def publish() -> None:
        await relay.relay(engine, topic=TOPIC, source=settings.service, kafka=settings.kafka)

    async def mark() -> None:
        await marks.write_marks(engine, topic=TOPIC, source=settings.service, kafka=settings.kafka)

    return app, [publish, mark, watched.watch] if "relay" in roles else []


def _create_api(engine: Engine, settings: RegisterSettings) -> FastAPI:
    desk = Desk(
        engine=engine,
        person_key=settings.register_person_key.get_secret_value().encode(),
        clock=lambda: datetime.now(UTC),
        new_id=uuid4,
        random_bytes=token_bytes,
    )
    authenticator = Authenticator(settings.trusted_issuers, settings.service)
    return create_api(desk, authenticator, bulk_max_bytes=settings.bulk_max_bytes)
