"""Who may ask export, and what it answers when metering is away or talks nonsense; the ledger on a real database."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from uuid import uuid4

import httpx
import pyarrow as pa
import pytest
from sqlalchemy import Engine, func, select
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from eventlog.database import create_engine, create_tables
from eventlog.tables import event
from eventlog.trust import ServiceToken
from services.export.api import create_api
from services.export.metering_client import MeteringClient
from services.export.settings import ExportSettings
from stack.ports import free_ports
from tests.callers import authenticator, machine, person
from tests.examples import HOUSE, NOON

pytestmark = pytest.mark.integration

QUERY = {"ean": HOUSE, "from": "2026-11-19", "to": "2026-11-19", "granularity": "quarter"}
READS = {"role": "operator", "audience": "export", "scope": "files.read readings.read"}
MAX_BYTES = 10_000


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = create_engine(database_url, application_name="test")
    create_tables(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def settings(database_url: str) -> ExportSettings:
    return ExportSettings(database_url=database_url, kafka_bootstrap="127.0.0.1:1", port=1)  # type: ignore[arg-type]


@asynccontextmanager
async def export(
    engine: Engine, settings: ExportSettings, base_url: str, http: httpx.AsyncClient
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an export that takes `http` to metering, as the operator."""
    token = ServiceToken(f"{base_url}/token", "export", "secret")
    token._kept["metering", "blocks.read"] = ("a token", float("inf"))
    metering = MeteringClient(base_url=base_url, token=token, http=http, max_bytes=MAX_BYTES)
    app = create_api(engine, authenticator("export"), metering, settings, clock=lambda: NOON, new_id=uuid4)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    headers = machine("kwartier", **READS)
    async with http, httpx.AsyncClient(transport=transport, base_url="http://export.test", headers=headers) as client:
        yield client


def entry_count(engine: Engine) -> int:
    with engine.begin() as tx:
        return tx.execute(select(func.count()).select_from(event)).scalar_one()


def saying(status: int, body: bytes) -> httpx.AsyncClient:
    """A way to a metering that answers just this."""

    async def answer(_: Request) -> Response:
        return Response(body, status_code=status)

    app = Starlette(routes=[Route("/blocks", answer), Route("/points", answer)])
    return httpx.AsyncClient(transport=httpx.ASGITransport(app))


def no_blocks(names: tuple[str, ...] = ()) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, pa.schema([pa.field(name, pa.int8()) for name in names])):
        pass
    return bytes(sink.getvalue())


@pytest.mark.parametrize(
    ("headers", "file_status", "readings_status"),
    [
        ({"Authorization": ""}, 401, 401),
        (machine("kwartier", role="operator", audience="export", scope="files.read"), 503, 403),
        (machine("kwartier", role="operator", audience="export", scope="readings.read"), 403, 503),
        (machine("supplier", role="access_holder", audience="export", scope="files.read readings.read"), 403, 403),
        (machine("portal", role="service", audience="export", scope="files.read readings.read"), 403, 403),
        (person("somebody", role="operator"), 503, 503),
        (person("somebody", role="net_user"), 403, 403),
    ],
)
async def test_operators_get_as_far_as_metering_which_is_away(
    engine: Engine, settings: ExportSettings, headers: dict[str, str], file_status: int, readings_status: int
) -> None:
    address = f"http://127.0.0.1:{free_ports(1)[0]}"
    async with export(engine, settings, address, httpx.AsyncClient(trust_env=False)) as client:
        file = await client.get("/files/portal-csv", params=QUERY, headers=headers)
        readings = await client.get("/readings", params=QUERY, headers=headers)
        points = await client.get("/points", headers=headers)
    assert (file.status_code, readings.status_code, points.status_code) == (
        file_status,
        readings_status,
        readings_status,
    )
    assert entry_count(engine) == 0


async def test_a_silent_metering_is_waited_for_only_so_long(engine: Engine, settings: ExportSettings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        http = httpx.AsyncClient(timeout=0.2, trust_env=False)
        async with export(engine, settings, address, http) as client:
            answer = await client.get("/readings", params=QUERY)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    assert answer.json() == {
        "Type": "ServiceUnavailable",
        "Code": "MeteringUnavailable",
        "Message": "the readings cannot be reached now; try again",
    }


@pytest.mark.parametrize(
    ("status", "body", "answered", "code"),
    [
        (503, b"", 503, "MeteringUnavailable"),
        (403, b"", 503, "MeteringUnavailable"),
        (200, b"nonsense", 503, "MeteringUnavailable"),
        (200, no_blocks(("day",)), 503, "MeteringUnavailable"),
        (200, b"x" * (MAX_BYTES + 1), 400, "TooMuchData"),
    ],
)
async def test_what_metering_says_wrongly_is_not_passed_on(
    engine: Engine, settings: ExportSettings, status: int, body: bytes, answered: int, code: str
) -> None:
    async with export(engine, settings, "http://metering.test", saying(status, body)) as client:
        answers = [await client.get(path, params=QUERY) for path in ("/readings", "/files/portal-csv", "/points")]
    for answer in answers:
        assert (answer.status_code, answer.json()["Code"]) == (answered, code)
    assert entry_count(engine) == 0


async def test_the_answer_does_not_leave_when_the_ledger_cannot_be_written(
    engine: Engine, settings: ExportSettings
) -> None:
    names = ("day", "channel", "meter_id", "meter_kind", "slice_count", "values", "quality", "gas_factor")
    async with export(engine, settings, "http://metering.test", saying(200, no_blocks(names))) as client:
        assert (await client.get("/readings", params=QUERY)).status_code == 404
        assert entry_count(engine) == 1
        with engine.begin() as tx:
            event.drop(tx)
        answer = await client.get("/readings", params=QUERY)
    assert (answer.status_code, answer.json()["Code"]) == (500, "InternalError")
    assert "event" not in answer.json()["Message"]


async def test_the_api_describes_itself(engine: Engine, settings: ExportSettings) -> None:
    async with export(engine, settings, "http://metering.test", saying(503, b"")) as client:
        document = (await client.get("/openapi.json")).json()
    operation = document["paths"]["/files/portal-{file_format}"]["get"]
    assert {parameter["name"] for parameter in operation["parameters"]} == {
        "ean",
        "from",
        "to",
        "granularity",
        "direction",
        "lang",
        "file_format",
    }
    assert {"200", "400", "401", "403", "404", "503"} <= set(operation["responses"])
