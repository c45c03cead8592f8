"""Composition root of export: the only place that knows all parts."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from functools import partial
from typing import Final, NoReturn
from uuid import uuid4

import httpx
from fastapi import FastAPI
from sqlalchemy import Engine

from eventlog import relay
from eventlog.database import create_engine, create_tables
from eventlog.probes import ops_routes, unready_database
from eventlog.process import Task, run
from eventlog.settings import read_settings
from eventlog.trust import Authenticator, ServiceToken
from services.export.api import create_api
from services.export.metering_client import MeteringClient
from services.export.settings import ExportSettings

ROLES: Final = ("api", "relay")
TOPIC: Final = "export-events"


def run_service(roles: Collection[str]) -> NoReturn:
    """Run `roles` as one process until it is told to stop."""
    settings = read_settings(ExportSettings)
    app, tasks = build(settings, roles)
    run(settings.service, app=app, host=settings.host, port=settings.port, tasks=tasks)


def build(settings: ExportSettings, roles: Collection[str]) -> tuple[FastAPI, list[Task]]:
    """Return the web application of `roles` and the tasks that run beside it; makes missing tables."""
    engine = create_engine(settings.database_url.get_secret_value(), application_name=settings.service)
    create_tables(engine)
    app = _create_api(engine, settings) if "api" in roles else FastAPI(openapi_url=None)
    app.router.routes.extend(
        ops_routes(is_ready=partial(unready_database, engine), unpublished=partial(relay.count_unpublished, engine))
    )

    async def publish() -> None:
        await relay.relay(engine, topic=TOPIC, source=settings.service, bootstrap=settings.kafka_bootstrap)

    return app, [publish] if "relay" in roles else []


def _create_api(engine: Engine, settings: ExportSettings) -> FastAPI:
    secret = settings.client_secret.get_secret_value()
    timeout = httpx.Timeout(settings.metering_silence_seconds, connect=settings.metering_connect_seconds)
    metering = MeteringClient(
        base_url=settings.metering_url.rstrip("/"),
        token=ServiceToken(settings.token_url, settings.client_id, secret),
        http=httpx.AsyncClient(timeout=timeout, trust_env=False),
        max_bytes=settings.metering_max_bytes,
    )
    authenticator = Authenticator(settings.trusted_issuers, settings.service)
    return create_api(engine, authenticator, metering, settings, clock=lambda: datetime.now(UTC), new_id=uuid4)
