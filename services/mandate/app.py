"""Composition root of mandate: the only place that knows all parts."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Final, NoReturn
from uuid import uuid4

import httpx
from fastapi import FastAPI
from sqlalchemy import Engine

from eventlog import marks, relay
from eventlog.consumer import Progress, consume
from eventlog.database import create_engine, create_tables
from eventlog.kafka_watch import KafkaWatch, topics_of
from eventlog.passed_over import PassedOver
from eventlog.probes import (
    ProjectionStatus,
    ops_routes,
    projection_status,
    stalled_projections,
    unready_database,
    unready_projections,
)
from eventlog.process import Task, run
from eventlog.registered import use_schema_registry
from eventlog.service_token import ServiceToken
from eventlog.settings import read_settings
from eventlog.topics import load_topics
from eventlog.tracing import pass_on
from eventlog.trust import Authenticator
from services.mandate import policy, tables, timer
from services.mandate.api import create_api
from services.mandate.desk import Desk
from services.mandate.register_client import RegisterClient
from services.mandate.settings import MandateSettings

ROLES: Final = ("api", "relay", "policy", "timer")
TOPIC: Final = "mandate-events"
_SESSION_ID_BYTES: Final = 16


def run_service(roles: Collection[str]) -> NoReturn:
    """Run `roles` as one process until it is told to stop."""
    settings = read_settings(MandateSettings)
    use_schema_registry(settings.schema_registry, publishes=settings.service if "relay" in roles else "")
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


def build(settings: MandateSettings, roles: Collection[str], engine: Engine) -> tuple[FastAPI, list[Task]]:
    """Return the web application of `roles` and the tasks that run beside it; makes missing tables."""
    create_tables(engine, tables.metadata)
    app = build_api(settings, engine) if "api" in roles else FastAPI(openapi_url=None)
    deciding = Deciding(settings, engine) if "policy" in roles else None
    watched = KafkaWatch(settings.kafka, topics_of(settings.service, load_topics(settings.topics_profile).values()))
    app.router.routes.extend(
        ops_routes(
            is_ready=lambda: unready_database(engine) + watched.unready() + (deciding.unready() if deciding else []),
            stalled=lambda: deciding.stalled() if deciding else [],
            projections=lambda: [deciding.status()] if deciding else [],
            unpublished=partial(relay.count_unpublished, engine),
        )
    )

    async def publish() -> None:
        await relay.relay(engine, topic=TOPIC, source=settings.service, kafka=settings.kafka)

    async def mark() -> None:
        await marks.write_marks(engine, topic=TOPIC, source=settings.service, kafka=settings.kafka)

    async def keep_time() -> None:
        await timer.keep_time(engine, clock=_now, new_id=uuid4, every_seconds=settings.timer_seconds)

    tasks: list[Task] = [publish, mark] if "relay" in roles else []
    tasks += [deciding.decide] if deciding else []
    tasks += [watched.watch] if tasks else []
    return app, [*tasks, keep_time] if "timer" in roles else tasks


class Deciding:
    """The role `policy`: ends mandates as the register says, and says how far it has come."""

    def __init__(self, settings: MandateSettings, engine: Engine) -> None:
        self._settings = settings
        self._engine = engine
        self._progress = Progress(stall_limit_seconds=settings.stall_limit_seconds)
        partition_count = load_topics(settings.topics_profile)[policy.TOPIC].partitions
        own = policy.create_policy(engine, clock=_now, partition_count=partition_count)
        self._policy = replace(own, passed_over=PassedOver.parse(settings.passed_over))

    async def decide(self) -> None:
        """Follow the register until cancelled."""
        await consume(
            self._policy,
            service=self._settings.service,
            kafka=self._settings.kafka,
            replica=self._settings.replica,
            progress=self._progress,
        )

    def unready(self) -> list[str]:
        """Return why it cannot work now."""
        return unready_projections([self._progress])

    def stalled(self) -> list[str]:
        """Return why the process had better be started again."""
        return stalled_projections([self._progress])

    def status(self) -> ProjectionStatus:
        """Return how far it has come."""
        return projection_status(self._engine, self._policy, self._progress)


def build_api(settings: MandateSettings, engine: Engine) -> FastAPI:
    """Return the web application of the role `api` on `engine`; it closes its way to the register when it ends."""
    timeout = httpx.Timeout(settings.register_answer_seconds, connect=settings.register_connect_seconds)
    http = httpx.AsyncClient(timeout=timeout, trust_env=False, event_hooks={"request": [pass_on]})
    secret = settings.client_secret.get_secret_value()
    token = ServiceToken(settings.token_url, settings.client_id, secret)
    desk = Desk(
        engine=engine,
        register=RegisterClient(base_url=settings.register_url, token=token, http=http),
        clock=_now,
        new_id=uuid4,
        new_session_id=lambda: secrets.token_urlsafe(_SESSION_ID_BYTES),
        allows_loopback_returns=settings.allows_loopback_returns,
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with http:
            yield

    app = create_api(desk, Authenticator(settings.trusted_issuers, settings.service))
    app.router.lifespan_context = lifespan
    return app


def _now() -> datetime:
    return datetime.now(UTC)
