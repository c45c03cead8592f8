"""One trace from the request to the rows, over every border: HTTP, event table, Kafka, and what the spans say of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.otlp import Receiver, receiving
from tests.running import Running, running
from tests.topics import read_all, until

pytestmark = pytest.mark.integration

HOUSE = "541448800000000017"
PARENT_ID = "b7ad6b7169203331"


@dataclass(frozen=True)
class Watched:
    """A platform whose spans arrive here."""

    platform: Running
    receiver: Receiver

    async def span(self, service: str, trace_id: str, name: str) -> Span:
        """The span of that name, once it is here."""
        await until(lambda: name in self.receiver.spans(service, trace_id))
        return self.receiver.spans(service, trace_id)[name]


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory, own_kafka: str, own_database: str) -> Iterator[Watched]:
    names = ("register", "metering", "metering-project", "export")
    folder = tmp_path_factory.mktemp("platform")
    with receiving() as receiver, pytest.MonkeyPatch.context() as environment:
        environment.setenv("TRACING_OTLP_ENDPOINT", receiver.url)
        environment.setenv("OTEL_BSP_SCHEDULE_DELAY", "200")
        with running(folder, names, kafka_bootstrap=own_kafka, admin_url=own_database) as platform:
            yield Watched(platform, receiver)


def traceparent(trace_id: str) -> dict[str, str]:
    return {"traceparent": f"00-{trace_id}-{PARENT_ID}-01"}


async def test_a_command_s_trace_goes_from_http_to_the_rows_of_another_service(
    watched: Watched, own_kafka: str
) -> None:
    trace_id = "0af7651916cd43dd8448eb211c80319c"
    headers = watched.platform.headers("kwartier", "register/access-points.write")
    body = {"ean": HOUSE, "energy": "E", "meter_kind": "DIGITAL", "registered_on": "2019-01-01"}
    with watched.platform.client("register") as register:
        register.post("/access-points", json=body, headers={**headers, **traceparent(trace_id)}).raise_for_status()

    request = await watched.span("register", trace_id, "POST /access-points")
    assert (request.parent_span_id.hex(), request.kind) == (PARENT_ID, Span.SPAN_KIND_SERVER)
    expected = f"00-{trace_id}-{request.span_id.hex()}-01"
    secret = watched.platform.layout.secrets.roles["register"]
    address = watched.platform.layout.database_elsewhere.rpartition("@")[2]
    with psycopg.connect(f"postgresql://register:{secret}@{address}") as connection:
        assert set(connection.execute("select traceparent from event").fetchall()) == {(expected,)}
    found = [dict(record.headers) for record in await read_all(own_kafka, "register-events")]
    assert {record["traceparent"].decode() for record in found} == {expected}

    applied = await watched.span("export", trace_id, "occupancy AccessPointRegistered")
    assert (applied.parent_span_id, applied.kind) == (request.span_id, Span.SPAN_KIND_CONSUMER)


async def test_a_reading_s_trace_goes_to_the_run_that_stores_it(watched: Watched, own_kafka: str) -> None:
    trace_id = "1bf7651916cd43dd8448eb211c80319c"
    line = {
        "source_at": "2026-10-26T04:00:00Z",
        "ean": HOUSE,
        "meter_id": "m1",
        "meter_kind": "DIGITAL",
        "channel": "OFFTAKE_ACTIVE_QUARTER_HOURLY",
        "day": "2026-10-24",
        "values": [3] * 96,
        "quality": "MEASURED",
    }
    headers = watched.platform.headers("kwartier", "metering/readings.write")
    with watched.platform.client("metering") as metering:
        answer = metering.post(
            "/readings",
            content=json.dumps(line),
            headers={**headers, **traceparent(trace_id), "Content-Type": "application/x-ndjson"},
        )
    assert answer.status_code == 202

    request = await watched.span("metering", trace_id, "POST /readings")
    [record] = await read_all(own_kafka, "meter-readings")
    assert dict(record.headers)["traceparent"].decode() == f"00-{trace_id}-{request.span_id.hex()}-01"
    run = await watched.span("metering", trace_id, "block run")
    assert run.parent_span_id == request.span_id
    assert [link.span_id for link in run.links] == [request.span_id]

    async def is_told() -> bool:
        told = [dict(record.headers)["traceparent"] for record in await read_all(own_kafka, "metering-events")]
        return told == [f"00-{trace_id}-{run.span_id.hex()}-01".encode()]

    await until(is_told)


async def test_a_question_takes_its_trace_to_the_service_that_is_asked(watched: Watched) -> None:
    trace_id = "2cf7651916cd43dd8448eb211c80319c"
    headers = watched.platform.headers("kwartier", "export/readings.read")
    query = {"ean": HOUSE, "from": "2026-10-24", "to": "2026-10-24", "granularity": "quarter"}
    with watched.platform.client("export") as export:
        export.get("/readings", params=query, headers={**headers, **traceparent(trace_id)}).raise_for_status()
    asking = await watched.span("export", trace_id, "GET /readings")
    assert (await watched.span("metering", trace_id, "GET /blocks")).parent_span_id == asking.span_id


async def test_a_refusal_s_span_is_named_by_its_route_and_no_span_holds_an_ean(watched: Watched) -> None:
    trace_id = "3df7651916cd43dd8448eb211c80319c"
    with watched.platform.client("register") as register:
        register.get(f"/access-points/{HOUSE}", headers=traceparent(trace_id))
    refused = await watched.span("register", trace_id, "GET /access-points/{ean}")
    assert refused.status.code == Status.STATUS_CODE_UNSET
    assert {each.key: each.value.int_value for each in refused.attributes}["http.response.status_code"] == 401
    assert not [body for body in watched.receiver.bodies if HOUSE.encode() in body]
