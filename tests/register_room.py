"""The register's API over a real database, in this process."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from uuid import uuid4

import httpx
from sqlalchemy import Engine

from eventlog.database import create_engine, create_tables
from services.register import tables
from services.register.api import create_api
from services.register.desk import Desk
from tests.callers import authenticator, machine
from tests.examples import NOON

SUPPLIER: dict[str, Any] = {"role": "access_holder", "audience": "register", "scope": "access-points.write"}
PERSON_KEY = b"a key of the tests, long enough."


@contextmanager
def make_engine(database_url: str) -> Iterator[Engine]:
    """An engine on a schema with register's tables."""
    engine = create_engine(database_url, application_name="test")
    create_tables(engine, tables.metadata)
    yield engine
    engine.dispose()


@asynccontextmanager
async def register_client(engine: Engine) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the API, as a supplier."""
    desk = Desk(
        engine=engine, person_key=PERSON_KEY, clock=lambda: NOON, new_id=uuid4, random_bytes=secrets.token_bytes
    )
    app = create_api(desk, authenticator("register"), bulk_max_bytes=2**20)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    headers = machine("supplier", **SUPPLIER)
    async with httpx.AsyncClient(transport=transport, base_url="http://register.test", headers=headers) as client:
        yield client
