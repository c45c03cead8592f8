"""Composition root of export: the only place that knows all parts."""

from __future__ import annotations

import sys
import time
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
from eventlog.kafka_watch import KafkaWatch, topics_of
from eventlog.probes import ops_routes, unready_database
from eventlog.process import Task, run
from eventlog.registered import use_schema_registry
from eventlog.service_token import ServiceToken
from eventlog.settings import WRONG_USE, read_settings
from eventlog.topics import load_topics
from eventlog.tracing import pass_on
from eventlog.trust import Authenticator
from services.export import tables
from services.export.api import create_api
from services.export.credentials_api import CredentialDesk, credentials_router
from services.export.exchange import Exchange
from services.export.facts import REGISTER_EVENTS
from services.export.freshness import Freshness
from services.export.holders import Holders
from services.export.holders_api import holders_router
from services.export.limits import RateLimit
from services.export.mandate_client import MandateClient
from services.export.metering_client import MeteringClient
from services.export.people import People
from services.export.projecting import Projecting
from services.export.register_client import RegisterClient
from services.export.settings import ExportSettings
from services.export.tokens import InvalidKeys, TokenSigner, read_keys
from services.export.tokens_api import TokenDesk, tokens_router
from services.export.wire import AnyCase

ROLES: Final = ("api", "relay", "project")
TOPIC: Final = "export-events"
_SHORTEST_KEY: Final = 32
_POOL_SIZE: Final = 16


def run_service(roles: Collection[str]) -> NoReturn:
    """Run `roles` as one process until it is told to stop."""
    settings = read_settings(ExportSettings)
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


def build(settings: ExportSettings, roles: Collection[str]) -> tuple[FastAPI, list[Task]]:
    """Return the web application of `roles` and the tasks that run beside it; makes missing tables."""
    engine = create_engine(
        settings.database_url.get_secret_value(), application_name=settings.service, pool_size=_POOL_SIZE
    )
    create_tables(engine, tables.metadata)
    watched = KafkaWatch(settings.kafka, topics_of(settings.service, load_topics(settings.topics_profile).values()))
    tasks: list[Task] = [watched.watch]
    app = FastAPI(openapi_url=None)
    if "api" in roles:
        app, watch = _build_api(engine, settings)
        tasks.append(watch)
    if "relay" in roles:
        service, kafka = settings.service, settings.kafka
        tasks.append(partial(relay.relay, engine, topic=TOPIC, source=service, kafka=kafka))
    projecting = Projecting(settings, engine) if "project" in roles else None
    tasks += projecting.tasks() if projecting else []
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
    return app, tasks


def _build_api(engine: Engine, settings: ExportSettings) -> tuple[FastAPI, Task]:
    """Return the web application of the role `api`, and what reads the marks of freshness for it."""
    signer, credential_key = _keys(settings)
    token = ServiceToken(settings.token_url, settings.client_id, settings.client_secret.get_secret_value())
    clock = _utc_now
    metering = MeteringClient(
        base_url=settings.metering_url.rstrip("/"),
        token=token,
        http=_http(settings.metering_silence_seconds, settings.metering_connect_seconds),
        max_bytes=settings.metering_max_bytes,
    )
    mandates = MandateClient(
        base_url=settings.mandate_url.rstrip("/"),
        token=token,
        http=_http(settings.neighbour_seconds, settings.neighbour_seconds),
    )
    freshness = Freshness(limit_seconds=settings.freshness_seconds, clock=clock)
    authenticator = Authenticator(settings.trusted_issuers, settings.service)
    limit = RateLimit(per_second=settings.requests_per_second, burst=settings.request_burst, monotonic=time.monotonic)
    holders = Holders(engine=engine, signer=signer, credential_key=credential_key, limit=limit, clock=clock)
    exchange = Exchange(
        engine=engine,
        metering=metering,
        freshness=freshness,
        partition_count=load_topics(settings.topics_profile)[REGISTER_EVENTS].partitions,
        clock=clock,
        new_id=uuid4,
    )
    people = People(
        engine=engine,
        register=RegisterClient(
            base_url=settings.register_url.rstrip("/"),
            token=token,
            http=_http(settings.neighbour_seconds, settings.neighbour_seconds),
        ),
        freshness=freshness,
        partition_count=exchange.partition_count,
        clock=clock,
    )
    app = create_api(engine, authenticator, metering, settings, clock=clock, new_id=uuid4, people=people)
    tokens = TokenDesk(engine=engine, signer=signer, credential_key=credential_key, clock=clock, new_id=uuid4)
    desk = CredentialDesk(engine=engine, credential_key=credential_key, clock=clock, new_id=uuid4)
    app.include_router(holders_router(engine, holders, exchange, mandates, freshness, clock=clock))
    app.include_router(credentials_router(desk, authenticator))
    app.include_router(tokens_router(tokens))
    app.add_middleware(AnyCase)
    return app, partial(freshness.watch, settings.kafka)


def _keys(settings: ExportSettings) -> tuple[TokenSigner, bytes]:
    """Return what signs tokens and what secrets are kept under, or end the process and say what to set."""
    credential_key = settings.credential_key.get_secret_value()
    try:
        keys = read_keys(settings.token_signing_keys.get_secret_value())
    except InvalidKeys as error:
        sys.stderr.write(f"set TOKEN_SIGNING_KEYS in the environment ({error})\n")
        raise SystemExit(WRONG_USE) from None
    if len(credential_key) < _SHORTEST_KEY:
        sys.stderr.write(f"set CREDENTIAL_KEY in the environment to {_SHORTEST_KEY} random characters or more\n")
        raise SystemExit(WRONG_USE)
    return TokenSigner(keys, settings.export_url.rstrip("/")), credential_key.encode()


def _http(silence_seconds: float, connect_seconds: float) -> httpx.AsyncClient:
    timeout = httpx.Timeout(silence_seconds, connect=connect_seconds)
    return httpx.AsyncClient(timeout=timeout, trust_env=False, event_hooks={"request": [pass_on]})


def _utc_now() -> datetime:
    return datetime.now(UTC)
